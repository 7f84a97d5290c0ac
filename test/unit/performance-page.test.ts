// Keeps docs/performance.md true: what was measured stands between markers, where a command writes it, and every pair of markers belongs to a command that
// bench:peers runs. Beside them there are goals, and numbers that the code defines; these are listed here.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { ALL, sections } from "../../bench/sections.ts";
import packageJson from "../../package.json" with { type: "json" };

const projectFolder: string = resolve(import.meta.dir, "../..");
const page: string = readFileSync(join(projectFolder, "docs/performance.md"), "utf8");

/** Goals, and what the code defines. */
const allowed: readonly string[] = [
  "which with dnsmasq is at most some 5,000 bytes",
  "Files of 32 and 256 MiB are half as large",
  "A run that takes more than 40 seconds",
  "clients, one every 5 ms, each from a network of few",
  "median under 50 µs, whatever the rules ask",
];

const UNITS =
  "(?:[µmn]?s|s/GB|[kMG]B(?:/s)?|[KMG]iB|[KMG]bit/s|×|%|per cent|bytes|seconds|minutes|times)";
const figure = new RegExp(String.raw`\d[\d.,]*\s*${UNITS}(?![\w/])|[≤≥<>]\s*\d|\bper cent\b`);
const written = /<!-- (?<name>[\w-]+): begin -->.*?<!-- \k<name>: end -->/gs;

/** Lines of what nobody writes by command that have a figure all the same. */
function figuresOutside(text: string): readonly string[] {
  const rest = allowed.reduce((left, words) => left.replace(words, ""), text.replace(written, ""));
  return rest.split("\n").filter((line) => figure.test(line));
}

test("figures stand only where a command writes them", () => {
  expect(figuresOutside(page)).toEqual([]);
});

test.each([
  "It costs 3.72 s/GB.",
  "lockstep takes 87 % of the time",
  "1.02 × the floor",
  "in less than five per cent of the time",
  "at 1,286 MB/s",
  "42 to 428 ms",
  "at most 1.56 bytes per packet",
])("a figure in prose would be found: %s", (line) => {
  expect(figuresOutside(`${page}\n${line}\n`)).toEqual([line]);
});

test("but not one between markers", () => {
  expect(figuresOutside(`<!-- a: begin -->\n\n7 ms\n\n<!-- a: end -->`)).toEqual([]);
});

test.each(allowed)("what is allowed is there: %s", (words) => {
  expect(page.replaceAll(written, "")).toContain(words);
});

test("one command runs all of them", () => {
  expect(packageJson.scripts["bench:peers"]).toBe("bun bench/all.ts");
});

test("every pair of markers is written by one of the commands of bench:peers, and each writes its own", () => {
  const names = Array.from(page.matchAll(written), ({ groups }) => groups?.["name"]);
  const known = [ALL, ...sections.flatMap(({ marks }) => marks)];
  expect(new Set(names)).toEqual(new Set(known));
  expect(names.length).toBe(known.length);
});

test.each(sections.map(({ title, command }) => [title, command.join(" ")] as const))(
  "there is a section %s, and its command %s exists",
  (title, command) => {
    expect(page).toMatch(new RegExp(`^##+ ${title}$`, "m"));
    const [, script] = /^bun run (\S+)/.exec(command) ?? [];
    const [, path] = /^bun (bench\/\S+\.ts)/.exec(command) ?? [];
    if (script !== undefined) expect(Object.keys(packageJson.scripts)).toContain(script);
    else expect(readFileSync(join(projectFolder, path ?? ""), "utf8")).toContain("writeBetween");
    expect(command).toEndWith(" --write");
  },
);
