// Tests of the neighbour table's messages: as the kernel sent them once, cut short, and made up; and of asking this kernel.

import { afterEach, describe, expect, test } from "bun:test";

import { setU16le, setU32le } from "#base/bytes.ts";
import { Random } from "#base/random.ts";
import { Nlmsghdr } from "#ffi/abi.ts";
import { Errno } from "#ffi/errno.ts";
import { interfaceMtu } from "#ffi/interface.ts";
import { type NeighbourQuery, NeighbourTable, readAnswer, writeQuery } from "#ffi/netlink.ts";

import { afterwards, cleanUp, openDescriptors, udp } from "./rig.ts";

afterEach(cleanUp);

// Recorded on Linux 6.18: `ip neighbour add 10.9.0.2 lladdr 52:54:00:12:34:56 dev owl0 nud reachable`, then asked for.
const recorded = hex(
  "4c000000 1c00 0000 07000000 a1b20000",
  "02000000 0b000000 0200 00 01",
  "0800 0100 0a090002",
  "0a00 0200 525400123456 0000",
  "0800 0400 01000000",
  "1400 0300 00000000 00000000 00000000 00000000",
);
const query: NeighbourQuery = { address: Uint8Array.of(10, 9, 0, 2), ifindex: 11, sequence: 7 };
const mac = hex("525400123456");

function hex(...texts: string[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(texts.join("").replaceAll(" ", ""));
}

/** `recorded` with a 16-bit field changed. */
function changed(offset: number, value: number): Uint8Array {
  const bytes = recorded.slice();
  setU16le(bytes, offset, value);
  return bytes;
}

/** A message of `type` with `body` behind the header. */
function message(type: number, body: Uint8Array, sequence = 7, flags = 0): Uint8Array {
  const bytes = new Uint8Array(Nlmsghdr.size + body.length);
  setU32le(bytes, Nlmsghdr.length, bytes.length);
  setU16le(bytes, Nlmsghdr.type, type);
  setU16le(bytes, Nlmsghdr.flags, flags);
  setU32le(bytes, Nlmsghdr.sequence, sequence);
  bytes.set(body, Nlmsghdr.size);
  return bytes;
}

function errorMessage(errno: number): Uint8Array {
  const body = new Uint8Array(20);
  setU32le(body, 0, -errno >>> 0);
  return message(2, body);
}

const done = message(3, new Uint8Array(4), 7, 2);

describe("an answer of the kernel", () => {
  test("has the hardware address", () => {
    expect(readAnswer(recorded, query)).toEqual({ kind: "found", mac });
  });

  test("is not about another neighbour, interface or family", () => {
    const others = [
      { ...query, address: Uint8Array.of(10, 9, 0, 3) },
      { ...query, ifindex: 12 },
      { ...query, address: new Uint8Array(16) },
    ];
    for (const other of others) expect(readAnswer(recorded, other)).toEqual({ kind: "none" });
  });

  test.each([
    ["incomplete", 0x01, "none"],
    ["reachable", 0x02, "found"],
    ["stale", 0x04, "found"],
    ["delay", 0x08, "found"],
    ["probe", 0x10, "found"],
    ["failed", 0x20, "none"],
    ["noarp", 0x40, "none"],
    ["permanent", 0x80, "found"],
  ])("in the state %s (%i) is %s", (_, state, kind) => {
    expect(readAnswer(changed(24, state), query).kind).toBe(kind as "none");
  });

  test("to an earlier request is passed over", () => {
    const earlier = message(28, recorded.subarray(16), 6);
    expect(readAnswer(earlier, query)).toEqual({ kind: "more" });
    expect(readAnswer(Buffer.concat([earlier, recorded]), query)).toEqual({ kind: "found", mac });
    expect(readAnswer(Buffer.concat([earlier, done]), query)).toEqual({ kind: "none" });
  });

  test("may be an error", () => {
    expect(readAnswer(errorMessage(Errno.ENOENT), query)).toEqual({ kind: "none" });
    const errno = -Errno.EOPNOTSUPP;
    expect(readAnswer(errorMessage(Errno.EOPNOTSUPP), query)).toEqual({ kind: "failed", errno });
    expect(readAnswer(errorMessage(0), query)).toEqual({ kind: "failed", errno: -Errno.EIO });
  });

  test("of a dump goes on until it says that it is done", () => {
    const other = message(28, changed(36, 0x0009).subarray(16), 7, 2);
    expect(readAnswer(other, query)).toEqual({ kind: "more" });
    expect(readAnswer(Buffer.concat([other, done]), query)).toEqual({ kind: "none" });
    const wanted = message(28, recorded.subarray(16), 7, 2);
    expect(readAnswer(Buffer.concat([other, wanted, done]), query)).toEqual({ kind: "found", mac });
  });
});

describe("bytes that are no answer", () => {
  test("cut short anywhere, they are refused or hold no neighbour", () => {
    for (let length = 1; length < recorded.length; length += 1) {
      expect(readAnswer(recorded.subarray(0, length), query)).toEqual({
        kind: "failed",
        errno: -Errno.EIO,
      });
      const shorter = recorded.slice(0, length);
      if (length < 16) continue;
      setU32le(shorter, 0, length);
      const answer = readAnswer(shorter, query);
      // The neighbour's header ends at byte 28, its hardware address at 46; half an attribute spoils the whole.
      if (length < 46)
        expect([length, answer.kind]).toEqual([length, length < 28 ? "failed" : "none"]);
      else if (answer.kind === "found") expect(answer.mac).toEqual(mac);
      else expect(answer.kind).toBe("none");
    }
  });

  test.each([
    ["a length of 0", changed(0, 0)],
    ["a length that ends in the header", changed(0, 15)],
    ["a length beyond the end", changed(0, 77)],
    ["a length of 4 GiB", withLength(0xffff_ffff)],
    ["another type", changed(4, 16)],
  ])("%s is refused", (_, bytes) => {
    expect(readAnswer(bytes, query)).toEqual({ kind: "failed", errno: -Errno.EIO });
  });

  test.each([
    ["an attribute of length 0", changed(28, 0)],
    ["an attribute that ends in its header", changed(28, 3)],
    ["an attribute beyond the end", changed(28, 200)],
    ["a hardware address of 5 bytes", changed(36, 9)],
    ["a hardware address of 20 bytes", changed(36, 24)],
  ])("%s holds no neighbour", (_, bytes) => {
    expect(readAnswer(bytes, query)).toEqual({ kind: "none" });
  });

  test("an attribute that says it is longer than the message holds no neighbour", () => {
    const bytes = changed(36, 14).slice(0, 46);
    setU32le(bytes, 0, bytes.length);
    expect(readAnswer(bytes, query)).toEqual({ kind: "none" });
    setU16le(bytes, 36, 10);
    expect(readAnswer(bytes, query)).toEqual({ kind: "found", mac });
  });

  test("any bytes at all end, and find nothing but six bytes", () => {
    const random = new Random(1);
    for (let round = 0; round < 20_000; round += 1) {
      const bytes = Buffer.concat([recorded, done, recorded]);
      for (let flips = 1 + random.below(6); flips > 0; flips -= 1) {
        bytes[random.below(bytes.length)] = random.below(256);
      }
      const answer = readAnswer(bytes.subarray(0, random.below(bytes.length + 1)), query);
      if (answer.kind === "found") expect(answer.mac).toHaveLength(6);
    }
  });
});

function withLength(length: number): Uint8Array {
  const bytes = recorded.slice();
  setU32le(bytes, 0, length);
  return bytes;
}

describe("a query", () => {
  test("names the neighbour and its interface", () => {
    const bytes = new Uint8Array(64);
    const length = writeQuery(bytes, query, false);
    const expected = hex(
      "240000001e000100 07000000 00000000",
      "02000000 0b000000 0000 00 00",
      "0800 0100 0a090002",
    );
    expect(bytes.subarray(0, length)).toEqual(expected);
  });

  test("for the whole table names the family alone", () => {
    const bytes = new Uint8Array(64).fill(0xff);
    const length = writeQuery(bytes, { ...query, address: new Uint8Array(16) }, true);
    expect(bytes.subarray(0, length)).toEqual(
      hex("1c0000001e000103 07000000 00000000", "0a000000 00000000 0000 00 00"),
    );
  });
});

describe("this kernel", () => {
  test.each([false, true])("knows no neighbour on loopback (dump: %p)", (isDumping) => {
    const table = new NeighbourTable(isDumping);
    afterwards(() => table.close());
    for (const address of [Uint8Array.of(127, 9, 9, 9), new Uint8Array(16).fill(0xfd)]) {
      for (let round = 0; round < 3; round += 1) expect(table.find(address, 1)).toBe(-Errno.ENOENT);
    }
  });

  test("is asked with one socket, which closes", () => {
    const before = openDescriptors("socket:");
    const table = new NeighbourTable();
    for (let round = 0; round < 50; round += 1) table.find(Uint8Array.of(127, 0, 0, 1), 1);
    for (let round = 0; round < 50; round += 1) table.find(Uint8Array.of(127, 0, 0, 1), 999_999);
    expect(openDescriptors("socket:")).toBeLessThanOrEqual(before + 1);
    table.close();
    expect(openDescriptors("socket:")).toBe(before);
  });

  test("tells the MTU of an interface", () => {
    const { fd } = udp("127.0.0.1:0");
    expect(interfaceMtu(fd, 1)).toBe(65_536);
    expect(interfaceMtu(fd, 999_999)).toBe(-Errno.ENODEV);
    expect(interfaceMtu(-1, 1)).toBe(-Errno.EBADF);
  });
});
