// Edit distance, and when a suggestion is near enough to help.

import { expect, test } from "bun:test";

import * as fc from "fast-check";

import { editDistance, nearest } from "#config/nearest.ts";

test("counts insertions, deletions, substitutions and swaps", () => {
  expect(editDistance("", "abc")).toBe(3);
  expect(editDistance("abc", "abc")).toBe(0);
  expect(editDistance("kitten", "sitting")).toBe(3);
  expect(editDistance("root_dri", "root_dir")).toBe(1);
});

test("is symmetric, bounded by the longer word, and 0 for equals alone", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 8 });
  fc.assert(
    fc.property(word, word, (a, b) => {
      const distance = editDistance(a, b);
      expect(distance).toBe(editDistance(b, a));
      expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
      expect(distance === 0).toBe(a === b);
    }),
  );
});

test("suggests the nearest name, and nothing for a word that is far from all", () => {
  const names = ["root_dir", "bind_addr", "enabled"];
  expect(nearest("rootdir", names)).toBe("root_dir");
  expect(nearest("bind_address", names)).toBe("bind_addr");
  expect(nearest("tls_certificate", names)).toBeUndefined();
  expect(nearest("x", ["y"])).toBeUndefined();
});
