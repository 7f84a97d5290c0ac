// The pace of a window: nothing on a clean path; small bursts at a rate that follows the path where windows lose blocks; and
// bursts of a length that a rule sets.

import { describe, expect, test } from "bun:test";

import * as fc from "fast-check";

import { Pacer } from "#protocol/pacer.ts";

import { expectMark } from "../../marks.ts";
import { Exchange } from "../../sim/exchange.ts";

const windowBlocks = 64;
const roundTripUs = 200;

function pacer(options: Partial<ConstructorParameters<typeof Pacer>[0]> = {}): Pacer {
  return new Pacer({ windowBlocks, blockBytes: 1428, ...options });
}

/** A pacer that has seen three windows of which a path of so many blocks per second delivered 20 blocks. */
function paced(rate: number): Pacer {
  const each = pacer();
  for (let window = 0; window < 3; window++) {
    each.noteDelivery(20, roundTripUs + (20 * 1e6) / rate, roundTripUs);
    each.noteLoss();
  }
  return each;
}

/** A window that a path of so many blocks per second delivers whole. */
function deliver(each: Pacer, rate: number): void {
  const durationUs = (windowBlocks * 1e6) / Math.min(rate, each.rate);
  each.noteDelivery(windowBlocks, roundTripUs + durationUs, roundTripUs);
  each.noteWindow();
}

/** The bursts of one window that begins at time 0: when, and how many blocks. */
function bursts(each: Pacer, blocks: number = windowBlocks): readonly (readonly number[])[] {
  const seen: number[][] = [];
  let nowUs = 0;
  for (let left = blocks; left > 0;) {
    nowUs = Math.max(nowUs, each.releaseUs);
    const released = Math.min(left, each.release(nowUs));
    each.noteSent(released);
    left -= released;
    seen.push([Math.round(nowUs), released]);
  }
  return seen;
}

describe("a clean path", () => {
  test("lets the whole window go at once, whatever was measured", () => {
    const each = pacer();
    for (let window = 0; window < 100; window++) deliver(each, 8333);
    expect(each.rate).toBe(Infinity);
    expect(each.releaseUs).toBe(-Infinity);
    expect(bursts(each)).toEqual([[0, 64]]);
  });

  test("a single loss changes nothing, nor does one in every seventeen windows", () => {
    const each = pacer();
    for (let loss = 0; loss < 20; loss++) {
      each.noteDelivery(20, 2600, roundTripUs);
      each.noteLoss();
      for (let window = 0; window < 17; window++) deliver(each, 8333);
    }
    expect(each.rate).toBe(Infinity);
  });
});

describe("windows that lose blocks", () => {
  test("two of them begin the pace, at what the path delivered", () => {
    expectMark("pace-begins-on-loss", () => expect(paced(8333).rate).toBeCloseTo(8333, 0));
  });

  test("the window goes out in bursts of what is due in half a millisecond", () => {
    const seen = bursts(paced(8000));
    expect(seen.slice(0, 4)).toEqual([
      [0, 4],
      [500, 4],
      [1000, 4],
      [1500, 4],
    ]);
    expect(seen.reduce((total, [, blocks = 0]) => total + blocks, 0)).toBe(64);
  });

  test("a burst that comes late does not delay the next, and never makes it longer", () => {
    const each = paced(8000);
    expect(each.release(0)).toBe(4);
    each.noteSent(4);
    expect(each.release(499)).toBe(0);
    expect(each.release(700)).toBe(4);
    each.noteSent(4);
    expect(each.releaseUs).toBe(1000);
    // After a pause the schedule begins anew.
    expect(each.release(9000)).toBe(4);
    each.noteSent(4);
    expect(each.releaseUs).toBe(9500);
  });

  test("what the kernel did not take goes out before the next burst", () => {
    const each = paced(8000);
    each.release(0);
    each.noteSent(4);
    each.noteSent(-3);
    expect(each.releaseUs).toBe(-Infinity);
    expect(each.release(10)).toBe(3);
  });

  test("a rate that loses goes down to what the path delivers, but not below half", () => {
    expectMark("pace-slows-on-loss", () => {
      const each = paced(8000);
      // Another transfer has come: 5,000 blocks per second are left for this one.
      for (let window = 0; window < 20; window++) {
        each.noteDelivery(20, roundTripUs + (20 * 1e6) / 5000, roundTripUs);
        each.noteLoss();
      }
      expect(each.rate).toBeGreaterThan(4500);
      expect(each.rate).toBeLessThan(6000);
    });
    const sudden = paced(8000);
    const before = sudden.rate;
    sudden.noteSilence(50_000);
    sudden.noteDelivery(3, 1_000_000, roundTripUs);
    sudden.noteLoss();
    expect(sudden.rate).toBeGreaterThan(before * 0.43);
  });

  test("a loss at a rate that the path delivers slows nothing down: it was chance", () => {
    const each = paced(8000);
    for (let window = 0; window < 7; window++) {
      each.noteDelivery(20, roundTripUs + (20 * 1e6) / each.rate, roundTripUs);
      const { rate } = each;
      each.noteLoss();
      expect(each.rate).toBe(rate);
      each.noteWindow();
    }
  });

  test("every transfer gains the same in the same time, whatever its rate", () => {
    const gains = [4000, 16_000].map((rate) => {
      const each = paced(rate);
      let us = 0;
      while (us < 100_000) {
        us += (windowBlocks * 1e6) / each.rate;
        deliver(each, rate * 2);
      }
      return ((each.rate - rate) * 1428) / (us / 1e6);
    });
    // 12.5 MB/s in a second.
    for (const gain of gains) expect(Math.abs(gain - 12_500_000)).toBeLessThan(600_000);
  });

  test("without further losses the pace ends", () => {
    const each = paced(8000);
    expectMark("pace-ends", () => {
      for (let window = 0; window < 2000; window++) deliver(each, 8000);
    });
    expect(each.rate).toBe(Infinity);
    expect(bursts(each)).toEqual([[0, 64]]);
  });

  test("a silence slows less, unless nothing explains it", () => {
    const each = paced(8000);
    each.noteSilence(50_000);
    expect(each.rate).toBeCloseTo(8000, 0);
    each.noteSilence(50_000);
    expect(each.rate).toBeCloseTo(7000, 0);
  });

  test("silence alone begins the pace within the time that was waited, and every good window doubles it", () => {
    const each = pacer();
    each.noteSilence(50_000);
    expect(each.rate).toBe(Infinity);
    each.noteSilence(100_000);
    expect(each.rate).toBeCloseTo((windowBlocks * 1e6) / 25_000, 0);
    const { rate } = each;
    deliver(each, 1e6);
    expect(each.rate).toBeCloseTo(2 * rate, 0);
  });

  test("can be told not to pace", () => {
    const each = pacer({ isPaced: false });
    for (let window = 0; window < 9; window++) {
      each.noteDelivery(20, 2600, roundTripUs);
      each.noteLoss();
      each.noteSilence(50_000);
    }
    expect(each.rate).toBe(Infinity);
  });
});

describe("a burst limit", () => {
  test("holds without any loss, with a millisecond between two bursts", () => {
    expect(bursts(pacer({ burstBlocksMax: 30 }))).toEqual([
      [0, 30],
      [1000, 30],
      [2000, 4],
    ]);
  });

  test("holds for a paced window too, and for a transfer that is not to pace", () => {
    const each = pacer({ burstBlocksMax: 3, isPaced: false });
    expect(bursts(each, 7)).toEqual([
      [0, 3],
      [1000, 3],
      [2000, 1],
    ]);
  });

  test("a late burst is never followed at once: two would be one that is too long", () => {
    const each = pacer({ burstBlocksMax: 8 });
    each.release(0);
    each.noteSent(8);
    expect(each.release(1900)).toBe(8);
    each.noteSent(8);
    expect(each.releaseUs).toBe(2900);
  });
});

test("whatever happens: a window takes a second at the most, and a paced burst has eight blocks", () => {
  const event = fc.record({
    kind: fc.constantFrom("delivery", "window", "loss", "silence"),
    blocks: fc.integer({ min: 1, max: windowBlocks }),
    us: fc.integer({ min: 0, max: 5_000_000 }),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 200 }), (events) => {
      const each = pacer();
      for (const { kind, blocks, us } of events) {
        if (kind === "delivery") each.noteDelivery(blocks, us, us / 2);
        if (kind === "window") each.noteWindow();
        if (kind === "loss") each.noteLoss();
        if (kind === "silence") each.noteSilence(Math.max(us, 50_000));
        expect(each.rate).toBeGreaterThanOrEqual(windowBlocks);
        if (each.rate === Infinity) continue;
        const seen = bursts(each);
        expect(Math.max(...seen.map(([, burst = 0]) => burst))).toBeLessThanOrEqual(8);
        expect((seen.at(-1)?.[0] ?? 0) - (seen[0]?.[0] ?? 0)).toBeLessThanOrEqual(1_000_000);
      }
    }),
  );
});

test("a transfer whose windows lose blocks goes on in bursts, and its window stays what was granted", () => {
  const exchange = new Exchange({ file: 100_000, options: { windowsize: "16" } }).wait(1).ack(0);
  // A path of 2,000 blocks per second that has room for six: the seventh is missing, twice.
  exchange.wait(5).ack(6).wait(5).ack(12).wait(9).ack(28);
  expect(exchange.transcript()).toMatchInlineSnapshot(`
    "0.000 ← RRQ "f" octet windowsize=16
    0.000 → OACK windowsize=16
    0.001 ← ACK 0
    0.001 → DATA 1 512 bytes
    0.001 → DATA 2 512 bytes
    0.001 → DATA 3 512 bytes
    0.001 → DATA 4 512 bytes
    0.001 → DATA 5 512 bytes
    0.001 → DATA 6 512 bytes
    0.001 → DATA 7 512 bytes
    0.001 → DATA 8 512 bytes
    0.001 → DATA 9 512 bytes
    0.001 → DATA 10 512 bytes
    0.001 → DATA 11 512 bytes
    0.001 → DATA 12 512 bytes
    0.001 → DATA 13 512 bytes
    0.001 → DATA 14 512 bytes
    0.001 → DATA 15 512 bytes
    0.001 → DATA 16 512 bytes
    0.006 ← ACK 6
    0.006 → DATA 7 512 bytes
    0.006 → DATA 8 512 bytes
    0.006 → DATA 9 512 bytes
    0.006 → DATA 10 512 bytes
    0.006 → DATA 11 512 bytes
    0.006 → DATA 12 512 bytes
    0.006 → DATA 13 512 bytes
    0.006 → DATA 14 512 bytes
    0.006 → DATA 15 512 bytes
    0.006 → DATA 16 512 bytes
    0.006 → DATA 17 512 bytes
    0.006 → DATA 18 512 bytes
    0.006 → DATA 19 512 bytes
    0.006 → DATA 20 512 bytes
    0.006 → DATA 21 512 bytes
    0.006 → DATA 22 512 bytes
    0.011 ← ACK 12
    0.011 → DATA 13 512 bytes
    0.012 → DATA 14 512 bytes
    0.012 → DATA 15 512 bytes
    0.013 → DATA 16 512 bytes
    0.013 → DATA 17 512 bytes
    0.014 → DATA 18 512 bytes
    0.014 → DATA 19 512 bytes
    0.015 → DATA 20 512 bytes
    0.015 → DATA 21 512 bytes
    0.016 → DATA 22 512 bytes
    0.016 → DATA 23 512 bytes
    0.017 → DATA 24 512 bytes
    0.017 → DATA 25 512 bytes
    0.018 → DATA 26 512 bytes
    0.018 → DATA 27 512 bytes
    0.019 → DATA 28 512 bytes
    0.020 ← ACK 28
    0.020 → DATA 29 512 bytes
    0.020 → DATA 30 512 bytes
    running"
  `);
});
