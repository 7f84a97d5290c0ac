// The file cache on files that are not in memory: their bytes come through the disk queue, no read waits, and each way in which
// one can end leaves the cache, its chunks and its descriptors in order.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { DiskCall } from "#ffi/disk-call.ts";
import { Errno } from "#ffi/errno.ts";
import { closeFd, openRoot } from "#ffi/file.ts";
import type { CachedFile } from "#storage/cached-file.ts";
import { Disk, ThreadQueue } from "#storage/disk-queue.ts";
import { Absent, FileCache } from "#storage/file-cache.ts";
import { Framing } from "#storage/framing.ts";
import { Root } from "#storage/root.ts";

import { openDescriptors } from "../ffi/rig.ts";
import { afterwards, cleanUp, diskThread, HeldQueue, temporaryFolder } from "./rig.ts";

const CHUNK = 4096;
const CHUNKS = 5;
const NO_ADVICE = { isSequential: false, isWillneed: false, isDontneedAfter: false };

let folder: string;
let root: Root;
let queue: HeldQueue;
let cache: FileCache;
/** The file that is cold. */
let path: string;

beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder, "cold");
  const rootFd = openRoot(folder);
  afterwards(() => closeFd(rootFd));
  root = new Root(rootFd);
  queue = new HeldQueue();
  cache = cacheOver(new Disk([queue]));
});

afterEach(cleanUp);

const bytes = Uint8Array.from({ length: CHUNKS * CHUNK - 100 }, (_, index) => (index * 31) >>> 3);

/** Whether a file can be kept out of the page cache is the kernel's affair; here, nothing is ever in it. */
function cacheOver(disk: Disk): FileCache {
  return new FileCache(3 * CHUNK, CHUNK, NO_ADVICE, disk, () => -Errno.EAGAIN);
}

/** Holds a file, and asks for its first chunk. */
function holdCold(): CachedFile {
  writeFileSync(path, bytes);
  const file = cache.hold(root.open("cold"), root.stat, Framing.raw(CHUNK));
  expect(locateByte(file, 0)).toBe(Absent.pending);
  return file;
}

/** The address of the byte at `position`, or why there is none. */
function locateByte(file: CachedFile, position: number): number {
  const chunk = Math.floor(position / CHUNK);
  const address = cache.locate(file, chunk + 1);
  return address < 0 ? address : address + position - chunk * CHUNK;
}

function byteAt(file: CachedFile, position: number): number | undefined {
  const address = locateByte(file, position);
  return address < 0 ? address : cache.u8[address - cache.address];
}

describe("a cold read", () => {
  test("is asked for once, and is there when its result has come", () => {
    const file = holdCold();
    expect(locateByte(file, 0)).toBe(Absent.pending);
    expect(locateByte(file, 17)).toBe(Absent.pending);
    expect(queue.pending).toBe(2);
    queue.drain();
    expect(queue.made).toEqual([DiskCall.pread, DiskCall.fadvise]);
    expect(byteAt(file, 17)).toBe(bytes[17]);
    cache.close(file);
  });

  test("every byte is right, read by real threads under a budget of three chunks", async () => {
    const threads = [diskThread(), diskThread()];
    for (const { launch } of threads) void launch();
    const disk = new Disk(threads.map(({ init }) => new ThreadQueue(init)));
    cache = cacheOver(disk);
    const file = holdCold();
    for (let position = 0; position < bytes.length; position += 97) {
      while (locateByte(file, position) === Absent.pending) {
        await Bun.sleep(0);
        disk.reap();
      }
      expect(byteAt(file, position)).toBe(bytes[position]);
      cache.release();
    }
    cache.close(file);
  });

  test("that comes in pieces is put together", () => {
    const file = holdCold();
    const lengths: number[] = [];
    queue.fault = (call, _, numbers) => {
      if (call !== DiskCall.pread) return undefined;
      lengths.push(numbers[2] ?? 0);
      // What a signal or a network file system may do: the first half only.
      return lengths.length === 1 ? CHUNK / 2 : undefined;
    };
    queue.drain();
    expect(lengths).toEqual([CHUNK, CHUNK / 2]);
    expect(byteAt(file, CHUNK - 1)).toBe(bytes[CHUNK - 1]);
    cache.close(file);
  });

  test("does not lose its chunk while it is under way, however many are wanted", () => {
    const file = holdCold();
    expect(locateByte(file, CHUNK)).toBe(Absent.pending);
    expect(locateByte(file, 2 * CHUNK)).toBe(Absent.pending);
    expect(locateByte(file, 3 * CHUNK)).toBe(Absent.busy);
    queue.drain();
    for (const index of [0, 1, 2]) expect(byteAt(file, index * CHUNK)).toBe(bytes[index * CHUNK]);
    cache.release();
    while (locateByte(file, 3 * CHUNK) === Absent.pending) queue.drain();
    expect(byteAt(file, 3 * CHUNK)).toBe(bytes[3 * CHUNK]);
    cache.close(file);
  });

  test("waits outside a queue that is full", () => {
    queue.capacity = 0;
    const file = holdCold();
    expect(queue.pending).toBe(0);
    queue.capacity = 8;
    expect(locateByte(file, 0)).toBe(Absent.pending);
    queue.drain();
    expect(byteAt(file, 0)).toBe(bytes[0]);
    cache.close(file);
  });
});

describe("a cold read that fails", () => {
  test("fails the file for those who hold it, and not for who opens it anew", () => {
    const file = holdCold();
    queue.fault = () => -Errno.EIO;
    queue.drain();
    expect(locateByte(file, 0)).toBe(Absent.failed);
    expect(locateByte(file, 2 * CHUNK)).toBe(Absent.failed);
    queue.fault = () => undefined;
    const again = cache.hold(root.open("cold"), root.stat, Framing.raw(CHUNK));
    expect(again).not.toBe(file);
    while (locateByte(again, 0) === Absent.pending) queue.drain();
    expect(byteAt(again, 0)).toBe(bytes[0]);
    cache.close(file);
    cache.close(again);
    expect(openDescriptors(path)).toBe(0);
  });

  test("because the file has been cut short is a change", () => {
    const file = holdCold();
    truncateSync(path, 0);
    queue.drain();
    expect(locateByte(file, 0)).toBe(Absent.changed);
    cache.close(file);
  });

  test("because it was written meanwhile is a change, and its bytes are not shown", () => {
    const file = holdCold();
    writeFileSync(
      path,
      bytes.map((byte) => byte ^ 0xff),
    );
    queue.drain();
    expect(locateByte(file, 0)).toBe(Absent.changed);
    cache.close(file);
  });

  test("gives its chunks back", () => {
    const file = holdCold();
    locateByte(file, CHUNK);
    locateByte(file, 2 * CHUNK);
    queue.fault = (call) => (call === DiskCall.pread ? -Errno.EIO : undefined);
    queue.drain();
    queue.fault = () => undefined;
    cache.close(file);
    writeFileSync(join(folder, "warm"), bytes);
    const warm = cache.hold(root.open("warm"), root.stat, Framing.raw(CHUNK));
    for (const index of [0, 1, 2]) {
      while (locateByte(warm, index * CHUNK) === Absent.pending) queue.drain();
      expect(byteAt(warm, index * CHUNK)).toBe(bytes[index * CHUNK]);
    }
    cache.close(warm);
  });
});

describe("closing", () => {
  test("leaves the descriptor open for a read that is under way, and no longer", () => {
    const file = holdCold();
    cache.close(file);
    expect(openDescriptors(path)).toBe(1);
    queue.drain();
    expect(openDescriptors(path)).toBe(0);
    // What was read stays for the next one.
    const again = cache.hold(root.open("cold"), root.stat, Framing.raw(CHUNK));
    expect(again).toBe(file);
    expect(byteAt(again, 0)).toBe(bytes[0]);
    cache.close(again);
    expect(openDescriptors(path)).toBe(0);
  });

  test("and holding again meanwhile is the same file, with one descriptor", () => {
    const file = holdCold();
    cache.close(file);
    const again = cache.hold(root.open("cold"), root.stat, Framing.raw(CHUNK));
    expect(again).toBe(file);
    expect(openDescriptors(path)).toBe(1);
    queue.drain();
    expect(byteAt(again, 0)).toBe(bytes[0]);
    cache.close(again);
    expect(openDescriptors(path)).toBe(0);
  });
});
