// The file cache on real files: bytes are right at every position, the budget holds, what a turn was given stays, and
// a file that changes under way is noticed.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { openRootFolder } from "#io/start.ts";
import type { CachedFile } from "#storage/cached-file.ts";
import { Absent, FileCache } from "#storage/file-cache.ts";
import { Framing } from "#storage/framing.ts";
import { OpenRefusal, Root } from "#storage/root.ts";

const CHUNK = 4096;
const ADVICE = { isSequential: true, isWillneed: true, isDontneedAfter: false };

let folder: string;
let root: Root;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cache-"));
  const fd = openRootFolder(folder);
  if (typeof fd !== "number") throw new Error(fd.fault);
  root = new Root(fd);
});

afterEach(() => rmSync(folder, { recursive: true }));

function hold(cache: FileCache, name: string): CachedFile {
  const fd = root.open(name);
  expect(fd).toBeGreaterThanOrEqual(0);
  return cache.hold(fd, root.stat, Framing.raw(CHUNK));
}

function pattern(bytes: number, seed: number): Uint8Array {
  return Uint8Array.from(
    { length: bytes },
    (_, index) => (index * 31 + (index >>> 8) + seed) & 0xff,
  );
}

/** The byte at `position`, waiting out a page cache that is cold. */
function byteAt(cache: FileCache, file: CachedFile, position: number): number | undefined {
  const chunk = Math.floor(position / CHUNK);
  let address = cache.locate(file, chunk + 1);
  while (address === Absent.pending) address = cache.locate(file, chunk + 1);
  return address < 0 ? address : cache.u8[address - cache.address + (position - chunk * CHUNK)];
}

describe("contents", () => {
  test("every byte is right under a budget of two chunks, and memory is bounded by it", () => {
    const bytes = pattern(5 * CHUNK + 17, 1);
    writeFileSync(join(folder, "a"), bytes);
    const cache = new FileCache(2 * CHUNK, CHUNK, ADVICE);
    const file = hold(cache, "a");
    for (let position = 0; position < bytes.length; position += 97) {
      expect(byteAt(cache, file, position)).toBe(bytes[position]);
      cache.release();
    }
    expect([...file.chunks].filter((chunk) => chunk >= 0).length).toBeLessThanOrEqual(2);
    cache.close(file);
  });

  test("a text that is in no file is right at every position, comes back after eviction, and goes with its holder", () => {
    const text = pattern(3 * CHUNK + 5, 3);
    const cache = new FileCache(2 * CHUNK, CHUNK, ADVICE);
    const file = cache.holdText(text, Framing.raw(CHUNK));
    expect(file.bytes).toBe(text.length);
    for (const step of [97, 89]) {
      for (let position = 0; position < text.length; position += step) {
        expect(byteAt(cache, file, position)).toBe(text[position]);
        cache.release();
      }
    }
    cache.close(file);
    expect([...file.chunks].every((chunk) => chunk < 0)).toBe(true);
    cache.close(cache.holdText(new Uint8Array(0), Framing.raw(CHUNK)));
  });

  test("transfers of one file share it, and it stays for the next one", () => {
    writeFileSync(join(folder, "a"), pattern(CHUNK, 1));
    const cache = new FileCache(4 * CHUNK, CHUNK, ADVICE);
    const first = hold(cache, "a");
    const second = hold(cache, "a");
    expect(second).toBe(first);
    expect(byteAt(cache, first, 5)).toBe(pattern(CHUNK, 1)[5]);
    cache.close(first);
    cache.close(second);
    const third = hold(cache, "a");
    expect(third).toBe(first);
    const { misses } = cache;
    byteAt(cache, third, 5);
    expect(cache.misses).toBe(misses);
    cache.close(third);
  });

  test("what a turn was given is not reused before its end", () => {
    writeFileSync(join(folder, "a"), pattern(4 * CHUNK, 1));
    const cache = new FileCache(2 * CHUNK, CHUNK, ADVICE);
    const file = hold(cache, "a");
    byteAt(cache, file, 0);
    byteAt(cache, file, CHUNK);
    expect(cache.locate(file, 3)).toBe(Absent.busy);
    cache.release();
    expect(byteAt(cache, file, 2 * CHUNK)).toBe(pattern(4 * CHUNK, 1)[2 * CHUNK]);
    cache.close(file);
  });

  test("memory of files that nobody holds is used again before more is taken, once there is some", () => {
    const names = Array.from({ length: 40 }, (_, index) => `f${index}`);
    for (const name of names) writeFileSync(join(folder, name), pattern(CHUNK - 1, 1));
    const cache = new FileCache(100 * CHUNK, CHUNK, ADVICE, undefined, undefined, 4 * CHUNK);
    const kept = hold(cache, "f0");
    byteAt(cache, kept, 7);
    for (const name of names.slice(1)) {
      const file = hold(cache, name);
      expect(byteAt(cache, file, 9)).toBe(pattern(CHUNK - 1, 1)[9]);
      cache.release();
      cache.close(file);
    }
    // The one that is held has stayed, and the others have shared what a few rounds of the hand had not freed.
    expect(cache.bytesUsed).toBeLessThanOrEqual(8 * CHUNK);
    const { misses } = cache;
    expect(byteAt(cache, kept, 7)).toBe(pattern(CHUNK - 1, 1)[7]);
    expect(cache.misses).toBe(misses);
    cache.close(kept);
    // Held by somebody, each has memory of its own.
    const held = names.map((name) => hold(cache, name));
    for (const file of held) byteAt(cache, file, 9);
    expect(cache.bytesUsed).toBe(40 * CHUNK);
    for (const file of held) cache.close(file);
  });

  test("a reserved chunk is not used for files until it is given back", () => {
    writeFileSync(join(folder, "a"), pattern(4 * CHUNK, 1));
    const cache = new FileCache(2 * CHUNK, CHUNK, ADVICE);
    const reserved = cache.reserve();
    expect(reserved).toBeGreaterThan(0);
    const file = hold(cache, "a");
    byteAt(cache, file, 0);
    expect(cache.locate(file, 2)).toBe(Absent.busy);
    cache.unreserve(reserved);
    expect(byteAt(cache, file, CHUNK)).toBe(pattern(4 * CHUNK, 1)[CHUNK]);
    cache.close(file);
  });
});

describe("change", () => {
  test("a file that is written in place is noticed at the next chunk that is read", () => {
    writeFileSync(join(folder, "a"), pattern(3 * CHUNK, 1));
    const cache = new FileCache(8 * CHUNK, CHUNK, ADVICE);
    const file = hold(cache, "a");
    byteAt(cache, file, 0);
    writeFileSync(join(folder, "a"), pattern(3 * CHUNK, 2));
    expect(byteAt(cache, file, CHUNK)).toBe(Absent.changed);
    cache.close(file);
    const fresh = hold(cache, "a");
    expect(fresh).not.toBe(file);
    expect(byteAt(cache, fresh, CHUNK)).toBe(pattern(3 * CHUNK, 2)[CHUNK]);
    cache.close(fresh);
  });

  test("a file that is replaced by rename keeps its old bytes for those who hold it", () => {
    writeFileSync(join(folder, "a"), pattern(3 * CHUNK, 1));
    const cache = new FileCache(8 * CHUNK, CHUNK, ADVICE);
    const old = hold(cache, "a");
    byteAt(cache, old, 0);
    writeFileSync(join(folder, "b"), pattern(3 * CHUNK, 2));
    renameSync(join(folder, "b"), join(folder, "a"));
    const fresh = hold(cache, "a");
    expect(byteAt(cache, old, CHUNK)).toBe(pattern(3 * CHUNK, 1)[CHUNK]);
    expect(byteAt(cache, fresh, CHUNK)).toBe(pattern(3 * CHUNK, 2)[CHUNK]);
    cache.close(old);
    cache.close(fresh);
  });
});

test("only regular files are opened", () => {
  expect(root.open("missing")).toBe(OpenRefusal.notFound);
  expect(root.open(".")).toBe(OpenRefusal.denied);
});
