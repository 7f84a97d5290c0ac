// When garbage is collected, and how much of the heap: soon where nobody waits, late where somebody does or much is asked, whole only where
// something old may have died, and never without a reason. The engine's own collection is replaced by a list.

import { expect, test } from "bun:test";

import { Garbage } from "#io/garbage.ts";

/** Longer than a quiet shard pauses from one collection to the next. */
const SLOWLY_US = 2_000;
const FAST_US = 20;

/** The collections of a shard, true of those of the whole heap, that gets so many requests, one every `intervalUs`, and then none. */
function collections(requests: number, transfers: number, intervalUs: number): readonly boolean[] {
  const all: boolean[] = [];
  let nowUs = 1_000_000;
  const garbage = new Garbage((isWhole) => all.push(isWhole));
  for (let request = 0; request < requests; request += 1) {
    nowUs += intervalUs;
    garbage.noteRequest();
    garbage.collect(transfers, nowUs);
  }
  // Turns without requests leave nothing behind.
  for (let turn = 0; turn < 10_000; turn += 1) garbage.collect(transfers, nowUs + turn);
  return all;
}

function count(requests: number, transfers: number, intervalUs: number): number {
  return collections(requests, transfers, intervalUs).length;
}

test("sixteen reloads are garbage enough for a quiet shard, and old garbage", () => {
  const all: boolean[] = [];
  const garbage = new Garbage((isWhole) => all.push(isWhole));
  for (let reload = 1; reload <= 32; reload += 1) {
    garbage.noteReload();
    garbage.collect(0, reload * 100_000);
  }
  expect(all).toEqual([true, true]);
});

test("a quiet shard collects after 256 requests, a busy one after 4,096", () => {
  expect(count(255, 0, SLOWLY_US)).toBe(0);
  expect(count(256, 0, SLOWLY_US)).toBe(1);
  expect(count(3 * 256, 0, SLOWLY_US)).toBe(3);
  expect(count(4095, 1, SLOWLY_US)).toBe(0);
  expect(count(3 * 4096, 1, SLOWLY_US)).toBe(3);
});

test("a flood that leaves a shard quiet between any two requests counts as a busy one", () => {
  // The first 256 are free; the others come within one pause.
  expect(count(256 + 4095, 0, FAST_US)).toBe(1);
  expect(count(256 + 2 * 4096, 0, FAST_US)).toBe(3);
});

test("what a flood has left behind is collected when the pause is over", () => {
  let collected = 0;
  const garbage = new Garbage(() => (collected += 1));
  for (let request = 0; request < 600; request += 1) {
    garbage.noteRequest();
    garbage.collect(0, 1_000_000 + request);
  }
  expect(collected).toBe(1);
  garbage.collect(0, 1_300_000);
  expect(collected).toBe(2);
});

test("a quiet shard collects its whole heap after 4,096 requests, and then every 4,096", () => {
  const all = collections(2 * 4096, 0, SLOWLY_US);
  expect(all).toHaveLength(32);
  expect(all.flatMap((isWhole, index) => (isWhole ? [index + 1] : []))).toEqual([16, 32]);
});

test("a flood has no more than one whole collection in two seconds", () => {
  // 200,000 requests in four seconds.
  expect(collections(200_000, 0, FAST_US).filter(Boolean)).toHaveLength(2);
});

test("a busy shard collects its whole heap when it may hold 8,192 transfers that have ended, or after 262,144 requests", () => {
  expect(collections(40 * 4096, 200, FAST_US).filter(Boolean)).toHaveLength(0);
  expect(collections(41 * 4096, 200, FAST_US).filter(Boolean)).toHaveLength(1);
  expect(collections(63 * 4096, 1, FAST_US).filter(Boolean)).toHaveLength(0);
  expect(collections(64 * 4096, 1, FAST_US).filter(Boolean)).toHaveLength(1);
  expect(collections(2 * 4096, 4096, FAST_US)).toEqual([false, true]);
});
