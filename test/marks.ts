// Asks that a test takes a marked branch. docs/rfc.md names the file of each such test.

import { expect } from "bun:test";

import { marksOf } from "#base/mark.ts";

/** Runs `body` and fails unless it passes `mark(name)`. Calls do not nest. */
export function expectMark(name: string, body: () => void): void {
  expect([...marksOf(body)]).toContain(name);
}
