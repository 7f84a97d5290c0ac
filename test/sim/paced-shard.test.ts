// When the real shard lets a window go, in virtual time: at once on a clean path, in small bursts where blocks are lost, and in
// the bursts of a rule; and that it sleeps in between until the very burst.

import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { closeFd, openRoot } from "#ffi/file.ts";

import { ackPacket, requestPacket } from "./packets.ts";
import { ShardRig } from "./shard-rig.ts";

const undo: (() => void)[] = [];

afterEach(() => {
  for (const each of undo.splice(0).toReversed()) each();
});

/** A shard that has granted a window of 16 blocks for a file of 200, and whose OACK took a millisecond. */
function begun(config: string): ShardRig {
  const folder = mkdtempSync(join(tmpdir(), "snow-owl-paced-"));
  undo.push(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "f"), new Uint8Array(200 * 512));
  const rootFd = openRoot(folder);
  undo.push(() => closeFd(rootFd));
  const rig = new ShardRig(rootFd, { isBatching: true, isSegmenting: true, config });
  rig.arrive(requestPacket(1, "f", "octet", [{ name: "windowsize", value: "16" }]));
  rig.turn();
  expect(rig.taken()).toHaveLength(1);
  rig.kernel.clockUs += 1000;
  return rig;
}

/** Has an ACK arrive, and moves the time on until `blocks` blocks went out: how long after it, and how many at a time. */
function bursts(rig: ShardRig, wire: number, blocks: number): readonly (readonly number[])[] {
  const { kernel } = rig;
  const startUs = kernel.clockUs;
  const seen: number[][] = [];
  rig.arrive(ackPacket(wire));
  for (let left = blocks; left > 0;) {
    rig.turn();
    const { length } = rig.taken();
    if (length > 0) seen.push([kernel.clockUs - startUs, length]);
    left -= length;
    if (kernel.wakeUs < Infinity) kernel.clockUs = Math.max(kernel.clockUs, kernel.wakeUs);
    if (kernel.clockUs > startUs + 1_000_000) throw new Error(`${left} blocks are missing`);
  }
  return seen;
}

describe("a shard", () => {
  test("sends a window at once, again and again", () => {
    const rig = begun("");
    for (const wire of [0, 16, 32]) expect(bursts(rig, wire, 16)).toEqual([[0, 16]]);
  });

  test("sends it in small bursts once two windows have lost blocks, to the microsecond but for a tick", () => {
    const rig = begun("");
    bursts(rig, 0, 16);
    // A path of 2,000 blocks per second with room for six, whose round trip is the OACK's.
    rig.kernel.clockUs += 5000;
    bursts(rig, 6, 16);
    rig.kernel.clockUs += 5000;
    const seen = bursts(rig, 12, 16);
    expect(seen.map(([, blocks]) => blocks)).toEqual(Array.from({ length: 16 }, () => 1));
    for (const [index, [us = 0]] of seen.entries()) {
      expect(us).toBeGreaterThanOrEqual(index * 500);
      expect(us).toBeLessThanOrEqual(index * 500 + 64);
    }
  });

  test("never does so if pacing is off", () => {
    const rig = begun("[transfer]\npacing = false\n");
    bursts(rig, 0, 16);
    for (const wire of [6, 12, 18, 24]) {
      rig.kernel.clockUs += 5000;
      expect(bursts(rig, wire, 16)).toEqual([[0, 16]]);
    }
  });

  test("keeps to the bursts of a rule, a millisecond apart", () => {
    const rig = begun("[[rule]]\nburst_blocks = 6\n");
    const [first, second, third, ...more] = bursts(rig, 0, 16);
    expect([first?.[1], second?.[1], third?.[1], more.length]).toEqual([6, 6, 4, 0]);
    expect(second?.[0]).toBeGreaterThanOrEqual(1000);
    expect(second?.[0]).toBeLessThanOrEqual(1064);
    expect((third?.[0] ?? 0) - (second?.[0] ?? 0)).toBeGreaterThanOrEqual(1000);
  });

  test("an ERROR of the client ends a window that waits, and nothing of it is left", () => {
    const rig = begun("[[rule]]\nburst_blocks = 6\n");
    rig.arrive(ackPacket(0));
    rig.turn();
    expect(rig.taken()).toHaveLength(6);
    rig.arrive(Uint8Array.of(0, 5, 0, 0, 0));
    expect(rig.untilIdle()).toEqual([]);
    expect(rig.outcomes).toEqual(["closed-by-client"]);
  });
});
