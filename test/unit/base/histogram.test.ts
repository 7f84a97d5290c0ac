// Tests of the histogram: three digits at every size, percentiles as sorting would give them, and sums that lose nothing.

import { expect, test } from "bun:test";

import { array, assert, double, property } from "fast-check";

import { Histogram } from "#base/histogram.ts";

/** Durations of every size: a logarithm is drawn evenly. */
const values = array(
  double({ min: 0, max: 36, noNaN: true }).map((bits) => Math.min(Math.round(2 ** bits), MAX)),
  { minLength: 1, maxLength: 300 },
);
const MAX = 2 ** 36 - 1;
const percents = double({ min: 0, max: 100, noNaN: true });

function histogramOf(list: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of list) histogram.record(value);
  return histogram;
}

test("a percentile is that of the sorted values, and less than 0.1 % more", () => {
  assert(
    property(values, percents, (list, percent) => {
      const sorted = list.toSorted((one, other) => one - other);
      const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length - 1e-6));
      const exact = sorted[rank - 1] ?? NaN;
      const told = histogramOf(list).percentile(percent);
      expect(told).toBeGreaterThanOrEqual(exact);
      expect(told - exact).toBeLessThanOrEqual(exact / 1000);
    }),
  );
});

test("count, sum, least and most are exact", () => {
  assert(
    property(values, (list) => {
      const { count, min, max, mean } = histogramOf(list);
      expect([count, min, max]).toEqual([list.length, Math.min(...list), Math.max(...list)]);
      const sum = list.reduce((total, value) => total + value, 0);
      expect(mean).toBeCloseTo(sum / list.length, 3);
    }),
  );
});

test("two that are merged are one that has seen both", () => {
  assert(
    property(values, values, percents, (one, other, percent) => {
      const merged = histogramOf(one);
      merged.merge(histogramOf(other));
      const both = histogramOf([...one, ...other]);
      expect(merged.percentile(percent)).toBe(both.percentile(percent));
      expect([merged.count, merged.min, merged.max]).toEqual([both.count, both.min, both.max]);
    }),
  );
});

test("what is small is told exactly", () => {
  const histogram = histogramOf(Array.from({ length: 1000 }, (_, index) => index + 1));
  const told = [0, 50, 90, 99, 99.9, 100].map((percent) => histogram.percentile(percent));
  expect(told).toEqual([1, 500, 900, 990, 999, 1000]);
});

test("an empty one says 0, and what is out of range counts as the nearest", () => {
  const empty = new Histogram();
  expect([empty.count, empty.min, empty.max, empty.mean, empty.percentile(50)]).toEqual([
    0, 0, 0, 0, 0,
  ]);
  const histogram = histogramOf([-5, Infinity]);
  expect([histogram.min, histogram.max]).toEqual([0, MAX]);
});
