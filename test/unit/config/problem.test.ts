// How problems are printed.

import { expect, test } from "bun:test";

import { nowhere, type Problem, renderProblem } from "#config/problem.ts";

const problem: Problem = {
  file: "a.toml",
  line: 12,
  column: 3,
  length: 2,
  sourceLine: "x\tyz",
  severity: "error",
  message: "no",
  remedy: "yes.",
};

test("shows place, line, carets and remedy; tabs keep the carets in place", () => {
  expect(renderProblem(problem)).toBe(
    "a.toml:12:3: error: no\n  12 | x\tyz\n     |  \t^^\nhelp: yes.",
  );
});

test("shows no line where there is none", () => {
  expect(renderProblem({ ...problem, ...nowhere("a.toml") })).toBe("a.toml: error: no\nhelp: yes.");
});

test("shows a note in one line", () => {
  expect(renderProblem({ ...problem, severity: "note" })).toBe("a.toml:12:3: note: no");
});

test("lets no control character of the file reach the terminal", () => {
  const sourceLine = "a = \u{1B}[31m\u{9B}\r";
  const text = renderProblem({ ...problem, sourceLine, column: 5, length: 1 });
  expect(text).toContain("a = \u{FFFD}[31m\u{FFFD}\u{FFFD}\n");
  // JSON's strings, in which values are quoted, hold DEL and what follows it as they are.
  const quoted = renderProblem({
    ...problem,
    message: "cannot be \u{7F}",
    remedy: "not \u{9B}31m\n.",
  });
  expect(quoted).toContain("cannot be \u{FFFD}\n");
  expect(quoted).toContain("help: not \u{FFFD}31m\u{FFFD}.");
});
