// When garbage is collected: soon where nobody waits, late where somebody does, and never without a reason.
// The engine's own collection is replaced by a count.

import { expect, test } from "bun:test";

import { Garbage } from "#io/garbage.ts";

function collections(requests: number, isQuiet: boolean): number {
  let count = 0;
  const garbage = new Garbage(() => (count += 1));
  for (let request = 0; request < requests; request += 1) {
    garbage.noteRequest();
    garbage.collect(isQuiet);
  }
  // Turns without requests leave nothing behind.
  for (let turn = 0; turn < 10_000; turn += 1) garbage.collect(isQuiet);
  return count;
}

test("sixteen reloads are garbage enough for a quiet shard", () => {
  let count = 0;
  const garbage = new Garbage(() => (count += 1));
  for (let reload = 0; reload < 32; reload += 1) {
    garbage.noteReload();
    garbage.collect(true);
  }
  expect(count).toBe(2);
});

test("a quiet shard collects after 256 requests, a busy one after 4,096", () => {
  expect(collections(255, true)).toBe(0);
  expect(collections(256, true)).toBe(1);
  expect(collections(4095, false)).toBe(0);
  expect(collections(3 * 4096, false)).toBe(3);
});
