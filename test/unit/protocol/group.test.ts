// The multicast option's answer, the files that can come by one, and the set of their blocks.

import { describe, expect, test } from "bun:test";

import * as fc from "fast-check";

import { BlockSet } from "#protocol/block-set.ts";
import { lastGroupBlock, parseGroup } from "#protocol/group.ts";

import { expectMark } from "../../marks.ts";

describe("an answer", () => {
  test.each([
    ["239.255.0.1,1758,1", { address: "239.255.0.1", port: 1758, isMaster: true }],
    ["ff12::8000:1,65535,0", { address: "ff12::8000:1", port: 65_535, isMaster: false }],
    [",,1", { address: "", port: 0, isMaster: true }],
    [",,0", { address: "", port: 0, isMaster: false }],
  ])("%s", (text, offer) => {
    expect(parseGroup(text)).toEqual(offer);
  });

  test.each(["", "1", ",,", ",,2", "239.0.0.1,65536,1", "239.0.0.1,-1,1", "a,b,c", "a,1,1,1"])(
    "%j is none",
    (text) => {
      expect(parseGroup(text)).toBeUndefined();
    },
  );
});

describe("a file", () => {
  test("has its last block behind the full ones", () => {
    expect(lastGroupBlock(0, 512)).toBe(1);
    expect(lastGroupBlock(512, 512)).toBe(2);
    expect(lastGroupBlock(65_535 * 512 - 1, 512)).toBe(65_535);
  });

  test("of more blocks than there are numbers, or of no known size, cannot come by a multicast", () => {
    expectMark("group-left-for-its-length", () => {
      expect(lastGroupBlock(65_535 * 512, 512)).toBeUndefined();
      expect(lastGroupBlock(undefined, 512)).toBeUndefined();
    });
  });
});

test("a set of blocks knows what it has, and the first that it has not, in whatever order they come", () => {
  const orders = fc.tuple(fc.integer({ min: 1, max: 200 }), fc.array(fc.nat(), { maxLength: 400 }));
  fc.assert(
    fc.property(orders, ([last, picks]) => {
      const set = new BlockSet(last);
      const model = new Set<number>();
      for (const pick of picks) {
        const block = (pick % last) + 1;
        set.add(block);
        model.add(block);
        let missing = 1;
        while (model.has(missing)) missing++;
        expect([set.firstMissing, set.isFull]).toEqual([missing, missing > last]);
      }
      for (let block = 1; block <= last; block++) expect(set.has(block)).toBe(model.has(block));
    }),
  );
  const whole = new BlockSet(65_535);
  for (let block = 65_535; block >= 1; block--) whole.add(block);
  expect([whole.isFull, whole.firstMissing]).toEqual([true, 65_536]);
});
