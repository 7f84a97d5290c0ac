// Tests of the timeline: what was added stays in the sums, however often its spans are folded.

import { expect, test } from "bun:test";

import { array, assert, integer, nat, property, tuple } from "fast-check";

import { Timeline } from "#base/timeline.ts";

test("sums stand in their spans", () => {
  const timeline = new Timeline(2, 4, 10);
  timeline.add(0, 0, 1);
  timeline.add(0, 9.9, 2);
  timeline.add(1, 30, 5);
  expect([timeline.spanUs, timeline.sums(0), timeline.sums(1)]).toEqual([
    10,
    [3, 0, 0, 0],
    [0, 0, 0, 5],
  ]);
});

test("when time runs off the end, spans are twice as long", () => {
  const timeline = new Timeline(1, 4, 10);
  for (const sinceUs of [5, 15, 25, 35]) timeline.add(0, sinceUs, 1);
  timeline.add(0, 40, 7);
  expect([timeline.spanUs, timeline.sums(0)]).toEqual([20, [2, 2, 7]]);
  timeline.add(0, 1000, 1);
  expect(timeline.spanUs).toBe(320);
  expect(timeline.sums(0)).toEqual([11, 0, 0, 1]);
});

test("nothing is lost", () => {
  const events = array(tuple(integer({ min: 0, max: 1e9 }), nat(100)), {
    minLength: 1,
  });
  assert(
    property(events, (list) => {
      const timeline = new Timeline(1, 8, 10);
      for (const [sinceUs, amount] of list) timeline.add(0, sinceUs, amount);
      const sums = timeline.sums(0);
      const total = list.reduce((sum, [, amount]) => sum + amount, 0);
      expect(sums.reduce((sum, amount) => sum + amount, 0)).toBe(total);
      const lastUs = Math.max(...list.map(([sinceUs]) => sinceUs));
      expect(sums.length).toBe(Math.floor(lastUs / timeline.spanUs) + 1);
    }),
  );
});
