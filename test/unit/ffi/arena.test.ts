// Tests of memory that the kernel may see: where it lies, that it stays, and how full is said.

import { afterEach, describe, expect, test } from "bun:test";

import { Arena } from "#ffi/arena.ts";
import { Errno } from "#ffi/errno.ts";
import { readText, readU64, scratch, STRUCT, TEXT, writeText } from "#ffi/scratch.ts";

import { afterwards, cleanUp } from "./rig.ts";

afterEach(cleanUp);

function arenaOf(bytes: number): Arena {
  const arena = new Arena(bytes);
  afterwards(() => arena.unmap());
  return arena;
}

describe("arena", () => {
  test("is zeroed whole pages at a page's address, and all views show the same bytes", () => {
    const arena = arenaOf(1);
    expect(arena.bytes).toBe(4096);
    expect(arena.address % 4096).toBe(0);
    expect(arena.u8.every((byte) => byte === 0)).toBe(true);
    arena.u32[1] = 0x8899_aabb;
    expect([...arena.u8.subarray(4, 8)]).toEqual([0xbb, 0xaa, 0x99, 0x88]);
    expect(arena.u16[3]).toBe(0x8899);
    expect(arena.i32[1]).toBe(0x8899_aabb | 0);
  });

  test("hands out aligned pieces, and more than it holds is our own bug", () => {
    const arena = arenaOf(4096);
    expect(arena.allocate(3)).toBe(0);
    expect(arena.allocate(1)).toBe(8);
    expect(arena.allocate(1, 64)).toBe(64);
    expect(arena.allocate(4096 - 72)).toBe(72);
    expect(() => arena.allocate(1)).toThrow("as large as the sum of its users");
  });

  test("keeps its bytes and its address through garbage collections", () => {
    const arena = arenaOf(1 << 20);
    for (let index = 0; index < arena.u32.length; index += 257) arena.u32[index] = index;
    for (let round = 0; round < 5; round++) {
      // Garbage of the arena's own size, so that a collector that owned the pages would have a reason to move them.
      for (let piece = 0; piece < 20; piece++) new Uint8Array(1 << 20).fill(round);
      Bun.gc(true);
    }
    for (let index = 0; index < arena.u32.length; index += 257) {
      expect(arena.u32[index]).toBe(index);
    }
  });

  test.each([0, 1, 0xffff_ffff, 0x1_0000_0000, 0x7fff_1234_5678, Number.MAX_SAFE_INTEGER])(
    "stores %i in 64 bits",
    (value) => {
      const arena = arenaOf(64);
      arena.setU64(8, value);
      expect(new DataView(arena.u8.buffer).getBigUint64(8, true)).toBe(BigInt(value));
    },
  );

  test("larger than the address space is refused with the kernel's reason", () => {
    expect(() => new Arena(2 ** 50)).toThrow("ENOMEM");
  });
});

describe("scratch", () => {
  test("text is ended by a NUL, whatever longer text stood there before", () => {
    expect(writeText("a much longer name")).toBe(18);
    expect(writeText("short")).toBe(5);
    expect(readText(TEXT)).toBe("short");
    expect(writeText(Uint8Array.of(0xff, 0x41))).toBe(2);
    expect([...scratch.u8.subarray(TEXT, TEXT + 3)]).toEqual([0xff, 0x41, 0]);
    expect(writeText("")).toBe(0);
    expect(writeText("ä")).toBe(2);
  });

  test("text that the kernel would cut short is refused", () => {
    expect(writeText("pxelinux.0\0.cfg")).toBe(-Errno.EINVAL);
    expect(writeText("\0")).toBe(-Errno.EINVAL);
    expect(writeText(Uint8Array.of(0x41, 0))).toBe(-Errno.EINVAL);
    expect(writeText("a".repeat(4095))).toBe(4095);
    expect(writeText("a".repeat(4096))).toBe(-Errno.ENAMETOOLONG);
    expect(writeText("ä".repeat(2048))).toBe(-Errno.ENAMETOOLONG);
    expect(writeText(new Uint8Array(4096).fill(0x41))).toBe(-Errno.ENAMETOOLONG);
  });

  test("64-bit values are read exactly", () => {
    scratch.setU64(STRUCT, 0x1f_ffff_ffff_ffff);
    expect(readU64(STRUCT)).toBe(Number.MAX_SAFE_INTEGER);
  });
});
