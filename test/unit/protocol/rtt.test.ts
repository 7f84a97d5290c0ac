// The retransmission timeout: RFC 6298's arithmetic, its bounds and its back-off.

import { expect, test } from "bun:test";

import * as fc from "fast-check";

import { Random } from "#base/random.ts";
import { RoundTrip } from "#protocol/rtt.ts";

import { expectMark } from "../../marks.ts";

test("before any sample: one second, or what the client set, or what the server prefers", () => {
  expect(new RoundTrip(undefined).timeoutUs).toBe(1_000_000);
  expect(new RoundTrip(3_000_000).timeoutUs).toBe(3_000_000);
  expect(new RoundTrip(undefined, 250_000).timeoutUs).toBe(250_000);
  expect(new RoundTrip(undefined).smoothedUs).toBe(0);
});

test("RFC 6298 (2.2), (2.3): the first sample, and the ones after it", () => {
  const roundTrip = new RoundTrip(undefined);
  roundTrip.sample(100_000);
  // RTTVAR = R / 2, RTO = R + 4 × RTTVAR.
  expect([roundTrip.smoothedUs, roundTrip.timeoutUs]).toEqual([100_000, 300_000]);
  roundTrip.sample(180_000);
  // RTTVAR = 3/4 × 50 + 1/4 × 80 = 57.5 ms; SRTT = 7/8 × 100 + 1/8 × 180 = 110 ms.
  expect([roundTrip.smoothedUs, roundTrip.timeoutUs]).toEqual([110_000, 340_000]);
});

test("RFC 1123 §4.2.3.2, RFC 6298 (5.5): each timeout doubles the next, up to a bound", () => {
  const roundTrip = new RoundTrip(undefined);
  const timeouts: number[] = [];
  expectMark("timeout-backs-off", () => {
    for (let round = 0; round < 5; round++) {
      timeouts.push(roundTrip.timeoutUs);
      roundTrip.backOff();
    }
  });
  expect(timeouts).toEqual([1e6, 2e6, 4e6, 5e6, 5e6]);
  roundTrip.sample(100_000);
  expect(roundTrip.timeoutUs).toBe(300_000);
});

test("back-off has jitter: two transfers that lose together do not repeat together", () => {
  const waits = [1, 2, 3, 4].map((seed) => {
    const roundTrip = new RoundTrip(undefined, undefined, new Random(seed));
    roundTrip.backOff();
    return roundTrip.timeoutUs;
  });
  expect(new Set(waits).size).toBe(waits.length);
  for (const wait of waits) {
    // RFC 6298 (5.5) doubles; never less, and here up to a quarter more.
    expect(wait).toBeGreaterThanOrEqual(2_000_000);
    expect(wait).toBeLessThan(2_500_000);
  }
});

test("jitter never exceeds a negotiated timeout, nor the usual bound", () => {
  const negotiated = new RoundTrip(3_000_000, undefined, new Random(1));
  negotiated.backOff();
  expect(negotiated.timeoutUs).toBe(3_000_000);
  const usual = new RoundTrip(undefined, undefined, new Random(1));
  for (let round = 0; round < 9; round++) usual.backOff();
  expect(usual.timeoutUs).toBe(5_000_000);
});

test("a path without any jitter still leaves 10 ms for a hiccup", () => {
  const roundTrip = new RoundTrip(undefined);
  for (let round = 0; round < 200; round++) roundTrip.sample(100_000);
  expect(roundTrip.timeoutUs).toBe(110_000);
});

test("an ACK of one of several copies limits the back-off, and is no sample", () => {
  const roundTrip = new RoundTrip(undefined);
  roundTrip.sample(1000);
  for (let round = 0; round < 6; round++) roundTrip.backOff();
  roundTrip.limitBackOff(150_000);
  expect(roundTrip.timeoutUs).toBe(160_000);
  // Never below what was measured, nor above what back-off has come to.
  roundTrip.limitBackOff(5);
  expect(roundTrip.timeoutUs).toBe(50_000);
  roundTrip.limitBackOff(9_000_000);
  expect(roundTrip.timeoutUs).toBe(50_000);
  expect(roundTrip.smoothedUs).toBe(1000);
});

test("a sign of life ends the back-off, without a sample too", () => {
  const unmeasured = new RoundTrip(undefined);
  unmeasured.backOff();
  unmeasured.endBackOff();
  expect(unmeasured.timeoutUs).toBe(1_000_000);
  const measured = new RoundTrip(undefined);
  measured.sample(100_000);
  measured.backOff();
  measured.endBackOff();
  expect(measured.timeoutUs).toBe(300_000);
});

test("the shortest sample is kept", () => {
  const roundTrip = new RoundTrip(undefined);
  expect(roundTrip.leastUs).toBe(0);
  for (const sample of [300_000, 100_000, 200_000]) roundTrip.sample(sample);
  expect(roundTrip.leastUs).toBe(100_000);
});

test("an upper bound begins the estimate, and corrects a shortest sample that was too long", () => {
  const bounded = new RoundTrip(undefined);
  bounded.noteAtMost(20_000);
  bounded.endBackOff();
  expect([bounded.smoothedUs, bounded.timeoutUs, bounded.leastUs]).toEqual([20_000, 60_000, 0]);
  bounded.sample(10_000);
  expect(bounded.leastUs).toBe(10_000);
  const slow = new RoundTrip(undefined);
  slow.sample(163_000);
  slow.noteAtMost(4_000);
  expect([slow.smoothedUs, slow.leastUs]).toEqual([163_000, 4_000]);
});

test("a negotiated timeout is never exceeded, even one below the usual least", () => {
  const roundTrip = new RoundTrip(10_000);
  roundTrip.backOff();
  expect(roundTrip.timeoutUs).toBe(10_000);
  roundTrip.sample(500_000);
  expect(roundTrip.timeoutUs).toBe(10_000);
});

test("a first timeout above the usual bound is not cut short", () => {
  const roundTrip = new RoundTrip(undefined, 8_000_000);
  roundTrip.backOff();
  expect(roundTrip.timeoutUs).toBe(8_000_000);
});

test("whatever the samples: within its bounds, and the estimate within the samples", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20_000_000), { minLength: 1 }), (samples) => {
      const roundTrip = new RoundTrip(undefined);
      for (const sample of samples) {
        roundTrip.sample(sample);
        expect(roundTrip.timeoutUs).toBeGreaterThanOrEqual(50_000);
        expect(roundTrip.timeoutUs).toBeLessThanOrEqual(5_000_000);
      }
      expect(roundTrip.smoothedUs).toBeLessThanOrEqual(Math.max(1, ...samples) * 1.000_001);
      expect(roundTrip.smoothedUs).toBeGreaterThanOrEqual(Math.min(...samples) * 0.999_999);
    }),
  );
});
