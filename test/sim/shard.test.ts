// The real shard, turn by turn in this thread, on a kernel that is simulated: what it sends, when, and that it ends.

import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Errno } from "#ffi/errno.ts";
import { closeFd, openRoot } from "#ffi/file.ts";

import { ackPacket, wireOf } from "./packets.ts";
import { Receiver } from "./receiver.ts";
import { ShardRig, type ShardRigOptions } from "./shard-rig.ts";

const FILE: Uint8Array = Uint8Array.from({ length: 100_000 }, (_, index) => (index * 31) >>> 5);
const undo: (() => void)[] = [];

afterEach(() => {
  for (const each of undo.splice(0).toReversed()) each();
});

function rigOf(options: Partial<ShardRigOptions> = {}): ShardRig {
  const folder = mkdtempSync(join(tmpdir(), "snow-owl-sim-"));
  undo.push(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "f"), FILE);
  writeFileSync(join(folder, "one-block"), FILE.subarray(0, 100));
  writeFileSync(join(folder, "two-blocks"), FILE.subarray(0, 600));
  const rootFd = openRoot(folder);
  undo.push(() => closeFd(rootFd));
  return new ShardRig(rootFd, { isBatching: true, isSegmenting: true, ...options });
}

/** Fetches the file by one client, whose datagrams arrive 1 ms later; the bytes that it has, and the sizes of what came. */
function fetched(
  rig: ShardRig,
  asks: Readonly<Record<string, string>>,
): { readonly bytes: Uint8Array; readonly messages: number } {
  const receiver = new Receiver({
    dialect: "plain",
    mode: "octet",
    asks,
    send: (bytes) => rig.arrive(bytes),
  });
  receiver.request(rig.kernel.clockUs);
  for (let step = 0; step < 10_000 && receiver.outcome === "running"; step += 1) {
    rig.turn();
    for (const { bytes } of rig.taken()) receiver.handleDatagram(bytes, rig.kernel.clockUs);
    rig.kernel.clockUs += 1000;
  }
  expect(receiver.outcome).toBe("complete");
  return { bytes: receiver.bytes, messages: rig.messages };
}

const windowed = { blksize: "1024", windowsize: "16" };

describe("a shard on a simulated kernel", () => {
  test("sends a file whole, a window in one message", () => {
    const { bytes, messages } = fetched(rigOf(), windowed);
    expect(Buffer.compare(bytes, FILE)).toBe(0);
    // The OACK, and 98 blocks in windows of 16.
    expect(messages).toBe(1 + 7);
  });

  test("sends the same with one call per datagram", () => {
    const { bytes, messages } = fetched(
      rigOf({ isBatching: false, isSegmenting: false }),
      windowed,
    );
    expect(Buffer.compare(bytes, FILE)).toBe(0);
    expect(messages).toBe(1 + 98);
  });

  test("sends block by block where a message cannot be cut", () => {
    const rig = rigOf();
    rig.canSegment = false;
    const { bytes, messages } = fetched(rig, windowed);
    expect(Buffer.compare(bytes, FILE)).toBe(0);
    expect(messages).toBe(1 + 98);
  });

  test("reads from its disk what is not in memory", () => {
    const rig = rigOf({ readNow: () => -Errno.EAGAIN });
    expect(Buffer.compare(fetched(rig, windowed).bytes, FILE)).toBe(0);
    expect(rig.jobs).toBeGreaterThan(0);
  });

  test("repeats itself to a silent client in virtual time, and gives up", () => {
    const rig = rigOf();
    rig.request("f");
    const sentUs = rig.untilIdle();
    expect(sentUs.length).toBeGreaterThan(3);
    expect(sentUs.at(-1)).toBeGreaterThan((sentUs[0] ?? 0) + 3_000_000);
    expect(rig.outcomes).toEqual(["never-answered"]);
    expect(rig.kernel.wakeUs).toBe(Infinity);
  });

  test("does not take a file of one block for sent that nobody has acknowledged", () => {
    const rig = rigOf();
    rig.request("one-block");
    rig.untilIdle();
    expect(rig.outcomes).toEqual(["never-answered"]);
  });

  test("takes a file for sent of which the last ACK alone is missing", () => {
    const rig = rigOf();
    rig.request("two-blocks");
    rig.turn();
    rig.arrive(ackPacket(1));
    rig.turn();
    rig.untilIdle();
    expect(rig.outcomes).toEqual(["complete-unacknowledged"]);
  });

  test("tells its clients when it is stopped, and has no further turn", () => {
    const rig = rigOf();
    rig.request("f");
    rig.turn();
    rig.taken();
    rig.stop();
    expect(rig.turn()).toBe(false);
    expect(rig.taken().map(({ bytes }) => bytes[1])).toEqual([5]);
  });

  test("takes a repeated request that waited to be read for what it is, and a later one for a new start", () => {
    const rig = rigOf();
    rig.request("f");
    rig.turn();
    rig.arrive(ackPacket(1));
    rig.turn();
    expect(rig.taken().map(({ bytes }) => wireOf(bytes))).toEqual([1, 2]);
    // The machine is busy with something else for ten seconds, while the client's second copy lies in the socket.
    rig.request("f");
    rig.kernel.clockUs += 10_000_000;
    rig.turn();
    expect(rig.taken().map(({ bytes }) => wireOf(bytes))).toEqual([2]);
    rig.kernel.clockUs += 3_000_000;
    rig.turn();
    rig.taken();
    rig.request("f");
    rig.turn();
    expect(rig.taken().map(({ bytes }) => wireOf(bytes))).toEqual([1]);
  });
});
