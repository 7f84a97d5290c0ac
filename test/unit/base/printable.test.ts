// What comes from outside cannot end a log line or speak to a terminal.

import { expect, test } from "bun:test";

import { printable } from "#base/printable.ts";

test.each([
  ["pxe/vmlinuz ü 😀", "pxe/vmlinuz ü 😀"],
  ["a\r\nb\tc", String.raw`a\x0d\x0ab\x09c`],
  ["\u001b[2J\u007f\u009b", String.raw`\x1b[2J\x7f\x9b`],
  ["\u2028\u2029", String.raw`\x2028\x2029`],
])("%j", (text, expected) => {
  expect(printable(text)).toBe(expected);
});
