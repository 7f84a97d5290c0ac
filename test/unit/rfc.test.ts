// Keeps docs/rfc.md true: every mark of the code is in it, every mark in it is in the code, and the test
// that it names asks for the mark; every other test that it names exists.

import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const projectFolder: string = resolve(import.meta.dir, "../..");
const page = read("docs/rfc.md");

interface MarkedRow {
  readonly mark: string;
  readonly testFile: string;
}

interface UnmarkedRow {
  readonly testFile: string;
  readonly testName: string;
}

const markedRows = rowsOf("## RFC 1350", "## Clauses without a mark").map(markedRow);
const unmarkedRows = rowsOf("## Clauses without a mark", "## Not implemented").map(unmarkedRow);
const marksInCode = marksIn("src");

describe("docs/rfc.md", () => {
  test("was read, and so was the code", () => {
    expect(markedRows.length).toBeGreaterThan(30);
    expect(unmarkedRows.length).toBeGreaterThan(3);
    expect(marksInCode).toContain("repeated-ack-ignored");
  });

  test("has every mark of the code, and no other", () => {
    const marksInPage = [...new Set(markedRows.map(({ mark }) => mark))];
    expect(marksInPage.toSorted()).toEqual([...marksInCode]);
  });

  test.each(markedRows)("$mark is asked for by $testFile", ({ mark, testFile }) => {
    expect(expectedMarks(read(testFile))).toContain(mark);
  });

  test.each(unmarkedRows)("$testFile has: $testName", ({ testFile, testName }) => {
    expect(existsSync(join(projectFolder, testFile))).toBe(true);
    expect(read(testFile)).toContain(`test("${testName}"`);
  });
});

test("a mark in a comment, or one that a test only mentions, does not count", () => {
  const code = 'mark("a");\n// mark("b");\nmark(\n  "c",\n);\n/** Calls `mark("d")`. */';
  expect(marksOfText(code)).toEqual(["a", "c"]);
  expect(expectedMarks('const name = "a";\nexpectMark("b", () => {\n')).toEqual(["b"]);
});

/** The lines of the tables from one heading to another, cut into cells, without the two lines of a head. */
function rowsOf(from: string, to: string): readonly (readonly string[])[] {
  return page
    .slice(page.indexOf(from), page.indexOf(to))
    .split("\n")
    .filter((line) => line.startsWith("|") && !/^\| (?:clause |-)/.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
}

function markedRow(cells: readonly string[]): MarkedRow {
  const [mark, testFile] = [unquoted(cells[2]), unquoted(cells[3])];
  if (cells.length !== 4) throw new Error(`not four cells: ${cells.join(" | ")}`);
  return { mark, testFile };
}

function unmarkedRow(cells: readonly string[]): UnmarkedRow {
  const found = /^`([^`]+)`: (.+)$/.exec(cells[2] ?? "");
  const [testFile, testName] = [found?.[1], found?.[2]];
  if (testFile === undefined || testName === undefined) throw new Error(`no test: ${cells[2]}`);
  return { testFile, testName };
}

/** What stands between two backquotes. */
function unquoted(cell: string | undefined): string {
  const text = /^`([^`]+)`$/.exec(cell ?? "")?.[1];
  if (text === undefined) throw new Error(`not in backquotes: ${cell}`);
  return text;
}

/** Every mark of the files below `folder`, sorted, each once. */
function marksIn(folder: string): readonly string[] {
  const paths = readdirSync(join(projectFolder, folder), { recursive: true, encoding: "utf8" });
  const texts = paths
    .filter((path) => path.endsWith(".ts"))
    .map((path) => read(join(folder, path)));
  return [...new Set(texts.flatMap(marksOfText))].toSorted();
}

function marksOfText(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  return [...code.matchAll(/\bmark\(\s*"([^"]+)"/g)].map(([, name]) => name ?? "");
}

/** The marks that a test fails without: see test/marks.ts. */
function expectedMarks(text: string): string[] {
  return [...text.matchAll(/\bexpectMark\(\s*"([^"]+)"/g)].map(([, name]) => name ?? "");
}

function read(path: string): string {
  return readFileSync(join(projectFolder, path), "utf8");
}
