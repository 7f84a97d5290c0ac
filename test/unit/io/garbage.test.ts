// When garbage is collected: soon where nobody waits, late where somebody does or much is asked, and never without a reason.
// The engine's own collection is replaced by a count.

import { expect, test } from "bun:test";

import { Garbage } from "#io/garbage.ts";

/** Longer than a quiet shard pauses from one collection to the next. */
const SLOWLY_US = 2_000;
const FAST_US = 20;

/** How often a shard collects that gets so many requests, one every `intervalUs`, and then none. */
function collections(requests: number, isQuiet: boolean, intervalUs: number): number {
  let count = 0;
  let nowUs = 1_000_000;
  const garbage = new Garbage(() => (count += 1));
  for (let request = 0; request < requests; request += 1) {
    nowUs += intervalUs;
    garbage.noteRequest();
    garbage.collect(isQuiet, nowUs);
  }
  // Turns without requests leave nothing behind.
  for (let turn = 0; turn < 10_000; turn += 1) garbage.collect(isQuiet, nowUs + turn);
  return count;
}

test("sixteen reloads are garbage enough for a quiet shard", () => {
  let count = 0;
  const garbage = new Garbage(() => (count += 1));
  for (let reload = 1; reload <= 32; reload += 1) {
    garbage.noteReload();
    garbage.collect(true, reload * 100_000);
  }
  expect(count).toBe(2);
});

test("a quiet shard collects after 256 requests, a busy one after 4,096", () => {
  expect(collections(255, true, SLOWLY_US)).toBe(0);
  expect(collections(256, true, SLOWLY_US)).toBe(1);
  expect(collections(3 * 256, true, SLOWLY_US)).toBe(3);
  expect(collections(4095, false, SLOWLY_US)).toBe(0);
  expect(collections(3 * 4096, false, SLOWLY_US)).toBe(3);
});

test("a flood that leaves a shard quiet between any two requests counts as a busy one", () => {
  // The first 256 are free; the others come within one pause.
  expect(collections(256 + 4095, true, FAST_US)).toBe(1);
  expect(collections(256 + 2 * 4096, true, FAST_US)).toBe(3);
});

test("what a flood has left behind is collected when the pause is over", () => {
  let count = 0;
  const garbage = new Garbage(() => (count += 1));
  for (let request = 0; request < 600; request += 1) {
    garbage.noteRequest();
    garbage.collect(true, 1_000_000 + request);
  }
  expect(count).toBe(1);
  garbage.collect(true, 1_300_000);
  expect(count).toBe(2);
});
