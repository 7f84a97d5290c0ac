// Keeps docs/unsafe.md true: every symbol and system call is in it, with the files that really call it and tests that exist.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { Syscall } from "#ffi/abi.ts";
import { symbolNames } from "#ffi/libc.ts";

const projectFolder: string = resolve(import.meta.dir, "../..");
const page = read("docs/unsafe.md");

/** One line of a table: | `name` | `file.ts`, … | what must hold | `file.test.ts`: words | */
interface Row {
  readonly name: string;
  readonly callers: readonly string[];
  readonly mustHold: string;
  readonly testFile: string;
  readonly testWords: string;
}

const symbols = rowsOf("## Symbols");
const calls = rowsOf("## System calls by number");

describe("docs/unsafe.md", () => {
  test("has every bound symbol once, in the order of ffi/libc.ts, and no other", () => {
    expect(symbols.map(({ name }) => name)).toEqual([...symbolNames]);
  });

  test("has every system call that is made by number", () => {
    expect(calls.map(({ name }) => name).toSorted()).toEqual(Object.keys(Syscall).toSorted());
  });

  test.each(symbols)(
    "$name is called where the page says, and nowhere else",
    ({ name, callers }) => {
      expect(callers).toEqual(filesWith(new RegExp(String.raw`\blibc\.${name}\(`)));
    },
  );

  test.each(calls)("$name is called where the page says, and nowhere else", ({ name, callers }) => {
    expect(callers).toEqual(filesWith(new RegExp(String.raw`\bSyscall\.${name}\b`)));
  });

  test.each([...symbols, ...calls])("$name has its conditions and a test that exists", (row) => {
    expect(row.mustHold.length).toBeGreaterThan(10);
    expect(read(join("test/unit/ffi", row.testFile))).toContain(`"${row.testWords}`);
  });
});

describe("unsafe code", () => {
  test("is opened in one file, and never takes the address of the collector's memory", () => {
    const everywhere = [...typescriptIn("src"), ...typescriptIn("ffi")];
    const opening = everywhere.filter((path) => /\bdlopen\(/.test(read(path)));
    expect(opening).toEqual(["ffi/libc.ts"]);
    const binding = everywhere.filter((path) => read(path).includes('"bun:ffi"'));
    expect(binding).toEqual(["ffi/libc.ts"]);
    const pointing = everywhere.filter((path) =>
      /import [^;]*\bptr\b[^;]*"bun:ffi"/.test(read(path)),
    );
    expect(pointing).toEqual([]);
  });
});

function rowsOf(heading: string): readonly Row[] {
  const start = page.indexOf(heading);
  const end = page.indexOf("\n## ", start + 1);
  const lines = page.slice(start, end).split("\n");
  return lines.filter((line) => line.startsWith("| `")).map(rowOf);
}

function rowOf(line: string): Row {
  const [, name = "", callers = "", mustHold = "", proof = ""] = line
    .split("|")
    .map((cell) => cell.trim());
  const [testFile = "", testWords = ""] = proof.split(/`: (.*)/);
  return {
    name: unquoted(name),
    callers: callers.split(", ").map(unquoted),
    mustHold,
    testFile: unquoted(testFile),
    testWords,
  };
}

function unquoted(text: string): string {
  return text.replaceAll("`", "");
}

function filesWith(pattern: RegExp): readonly string[] {
  return readdirSync(join(projectFolder, "ffi"))
    .filter((file) => pattern.test(read(join("ffi", file))))
    .toSorted();
}

function typescriptIn(folder: string): readonly string[] {
  return readdirSync(join(projectFolder, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => join(folder, path));
}

function read(path: string): string {
  return readFileSync(join(projectFolder, path), "utf8");
}
