// Keeps docs/testing.md true: every test that it names exists, by that name, in that file.

import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const projectFolder: string = resolve(import.meta.dir, "../..");

/** The lines of the tables, `| behaviour | file: name |`, without their heads. */
const page = readFileSync(join(projectFolder, "docs/testing.md"), "utf8");
const rows = page
  .slice(page.indexOf("## Which test shows what"))
  .split("\n")
  .filter((line) => line.startsWith("|") && !/^\| (?:behaviour |-)/.test(line))
  .map((line) => {
    const found = /^\| .+ \| `(?<file>test\/[^`]+)`: (?<name>.+?) +\|$/.exec(line)?.groups;
    const { file = line, name = "" } = found ?? {};
    return { file, name };
  });

test("docs/testing.md has tables", () => {
  expect(rows.length).toBeGreaterThan(20);
});

test.each(rows)("$file has: $name", ({ file, name }) => {
  const path = join(projectFolder, file);
  expect([file, existsSync(path)]).toEqual([file, true]);
  expect(readFileSync(path, "utf8")).toContain(`"${name}"`);
});
