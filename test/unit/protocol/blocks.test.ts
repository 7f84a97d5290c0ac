// Block numbers: the wrap, and telling an ACK of this window from one of another.

import { describe, expect, test } from "bun:test";

import * as fc from "fast-check";

import { blocksBeyond, cycleBlocks, type RolloverTo, wireBlock } from "#protocol/blocks.ts";

import { expectMark } from "../../marks.ts";

describe("on the wire", () => {
  test("65,535 is followed by 0", () => {
    expectMark("rollover-to-0", () => {
      expect([65_534, 65_535, 65_536, 65_537].map((block) => wireBlock(block, 0))).toEqual([
        65_534, 65_535, 0, 1,
      ]);
    });
  });

  test("or by 1, when that was negotiated", () => {
    expectMark("rollover-to-1", () => {
      expect([65_535, 65_536, 131_070, 131_071].map((block) => wireBlock(block, 1))).toEqual([
        65_535, 1, 65_535, 1,
      ]);
    });
  });

  test("a block far beyond 2³² keeps its number", () => {
    expect(wireBlock(2 ** 40 + 5, 0)).toBe(5);
    expect(wireBlock(65_535 * 2 ** 30 + 5, 1)).toBe(5);
  });

  test("each number is one more than the last, but at the wrap", () => {
    for (const rolloverTo of [0, 1] as const) {
      let previous = 0;
      for (let block = 1; block < 200_000; block++) {
        const wire = wireBlock(block, rolloverTo);
        const expected = previous === 65_535 ? rolloverTo : previous + 1;
        if (wire !== expected) throw new Error(`block ${block} is ${wire}, not ${expected}`);
        previous = wire;
      }
    }
  });
});

describe("back from the wire", () => {
  test("ACK 0 is of the OACK; with rollover to 0 also of block 65,536", () => {
    expect(blocksBeyond(0, 0, 0, 0)).toBe(0);
    expect(blocksBeyond(0, 0, 1, 0)).toBe(0);
    expect(blocksBeyond(65_535, 0, 0, 1)).toBe(1);
    expect(blocksBeyond(65_535, 0, 1, 1)).toBe(-1);
    expect(blocksBeyond(65_535, 1, 1, 1)).toBe(1);
  });

  test("blocks not yet sent, and blocks from before the wrap, are none", () => {
    expect(blocksBeyond(10, 15, 0, 4)).toBe(-1);
    expect(blocksBeyond(10, 9, 0, 4)).toBe(-1);
    expect(blocksBeyond(65_540, 65_530, 0, 16)).toBe(-1);
    expect(blocksBeyond(65_530, 2, 0, 16)).toBe(8);
  });

  const rollovers = fc.constantFrom<RolloverTo>(0, 1);
  const blocks = fc.integer({ min: 0, max: 2 ** 40 });

  test("every block in flight is found, for any window that fits the cycle", () => {
    fc.assert(
      fc.property(rollovers, blocks, fc.nat(), fc.nat(), (rolloverTo, acked, flight, ahead) => {
        const inFlight = flight % cycleBlocks(rolloverTo);
        const distance = ahead % (inFlight + 1);
        const wire = wireBlock(acked + distance, rolloverTo);
        expect(blocksBeyond(acked, wire, rolloverTo, inFlight)).toBe(distance);
      }),
    );
  });

  test("no other number is taken for one of them", () => {
    const wires = fc.integer({ min: 0, max: 65_535 });
    fc.assert(
      fc.property(rollovers, blocks, wires, fc.nat(65_533), (rolloverTo, acked, wire, inFlight) => {
        const distance = blocksBeyond(acked, wire, rolloverTo, inFlight);
        if (distance >= 0) expect(wireBlock(acked + distance, rolloverTo)).toBe(wire);
        expect(distance).toBeLessThanOrEqual(inFlight);
      }),
    );
  });
});
