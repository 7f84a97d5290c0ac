// The disk threads and their queue, with real threads and real files: results, order, limits, deaths and successors.

import { afterEach, describe, expect, test } from "bun:test";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Arena } from "#ffi/arena.ts";
import { DiskCall } from "#ffi/disk-call.ts";
import { Errno } from "#ffi/errno.ts";
import { DIGEST_BYTES, HashCall } from "#storage/disk-job.ts";
import { Disk, type DiskQueue, ThreadQueue } from "#storage/disk-queue.ts";
import { JOBS_MAX } from "#storage/disk-ring.ts";

import { afterwards, cleanUp, diskThread, Results, temporaryFolder } from "./rig.ts";

afterEach(cleanUp);

/** Not in the table: an assertion in the thread. */
const DEADLY = 999;

async function reapAll(queue: DiskQueue): Promise<void> {
  while (queue.pending > 0) {
    if (queue.reap() === 0) await Bun.sleep(1);
  }
}

function arenaOf(text: string): Arena {
  const arena = new Arena(4096);
  afterwards(() => arena.unmap());
  arena.u8.set(Buffer.from(text));
  return arena;
}

function fileIn(folder: string): { readonly path: string; readonly fd: number } {
  const path = join(folder, "file");
  const fd = openSync(path, "w+");
  afterwards(() => closeSync(fd));
  return { path, fd };
}

describe("a disk thread", () => {
  test("makes the calls in order and answers each to its owner", async () => {
    const { init, launch } = diskThread();
    const queue = new ThreadQueue(init);
    const { path, fd } = fileIn(temporaryFolder());
    const arena = arenaOf("first second");
    const [one, two] = [new Results(), new Results()];
    // Before the thread is there: the jobs wait for it.
    expect(queue.submit(one, 10, DiskCall.pwrite, fd, arena.address, 6, 0)).toBe(true);
    expect(queue.submit(two, 20, DiskCall.pwrite, fd, arena.address + 6, 6, 4)).toBe(true);
    expect(queue.submit(one, 11, DiskCall.fsync, fd)).toBe(true);
    expect(queue.submit(two, 21, DiskCall.pread, fd, arena.address + 100, 20, 1)).toBe(true);
    expect(queue.submit(one, 12, DiskCall.pread, -1, arena.address, 1, 0)).toBe(true);
    expect(queue.pending).toBe(5);
    void launch();
    await reapAll(queue);
    expect(one.list).toEqual([
      [10, 6],
      [11, 0],
      [12, -Errno.EBADF],
    ]);
    expect(two.list).toEqual([
      [20, 6],
      [21, 9],
    ]);
    expect(readFileSync(path, "utf8")).toBe("firssecond");
    expect(Buffer.from(arena.u8.subarray(100, 109)).toString()).toBe("irssecond");
  });

  test("works off more jobs than its ring has places, and says when it is full", async () => {
    const { init, launch } = diskThread();
    const queue = new ThreadQueue(init);
    const results = new Results();
    const { fd } = fileIn(temporaryFolder());
    for (let job = 0; job < JOBS_MAX; job += 1) {
      expect(queue.submit(results, job, DiskCall.fchmod, fd, 0o600)).toBe(true);
    }
    expect(queue.submit(results, -1, DiskCall.fchmod, fd, 0o600)).toBe(false);
    void launch();
    await reapAll(queue);
    for (let job = JOBS_MAX; job < 3 * JOBS_MAX; job += 1) {
      while (!queue.submit(results, job, DiskCall.fchmod, fd, 0o600)) {
        if (queue.reap() === 0) await Bun.sleep(0);
      }
    }
    await reapAll(queue);
    expect(results.list.map(([token]) => token)).toEqual(
      Array.from({ length: 3 * JOBS_MAX }, (_, job) => job),
    );
  });

  test("goes on where its counts wrap at 32 bits", async () => {
    const { init, launch } = diskThread();
    // Two jobs short of the largest count.
    new Int32Array(init.ring).fill(0x7fff_fffe, 0, 3);
    const queue = new ThreadQueue(init);
    const results = new Results();
    const { fd } = fileIn(temporaryFolder());
    void launch();
    for (let job = 0; job < 5; job += 1) queue.submit(results, job, DiskCall.fsync, fd);
    await reapAll(queue);
    expect(results.list).toEqual([0, 1, 2, 3, 4].map((job) => [job, 0] as const));
    expect(queue.isSettled).toBe(true);
  });

  test("ends when it is told to, after the jobs that wait", async () => {
    const { init, launch } = diskThread();
    const queue = new ThreadQueue(init);
    const results = new Results();
    const { fd } = fileIn(temporaryFolder());
    queue.submit(results, 1, DiskCall.fsync, fd);
    const ended = launch();
    cleanUp();
    expect(await ended).toBe("");
    queue.reap();
    expect(results.list).toHaveLength(1);
  });
});

describe("a thread that dies", () => {
  test("has its job answered −EIO by its successor, which does the others", async () => {
    const { init, launch } = diskThread();
    const queue = new ThreadQueue(init);
    const results = new Results();
    const { fd } = fileIn(temporaryFolder());
    queue.submit(results, 1, DiskCall.fsync, fd);
    queue.submit(results, 2, DEADLY, fd);
    queue.submit(results, 3, DiskCall.fsync, fd);
    expect(await launch()).toContain("a job is one of the table");
    queue.reap();
    expect(results.list).toEqual([[1, 0]]);
    void launch();
    await reapAll(queue);
    expect(results.list).toEqual([
      [1, 0],
      [2, -Errno.EIO],
      [3, 0],
    ]);
  });

  test("has forgotten what it was hashing, which is an error and no wrong hash", async () => {
    const { init, launch } = diskThread();
    const queue = new ThreadQueue(init);
    const results = new Results();
    const arena = arenaOf("bytes");
    const { fd } = fileIn(temporaryFolder());
    queue.submit(results, 1, HashCall.begin, 7);
    queue.submit(results, 2, DiskCall.pwrite, fd, arena.address, 2, 0, 7);
    queue.submit(results, 3, DEADLY, 0);
    queue.submit(results, 4, DiskCall.pwrite, fd, arena.address + 2, 3, 2, 7);
    queue.submit(results, 5, HashCall.end, 7, arena.address + 64);
    await launch();
    void launch();
    await reapAll(queue);
    expect(results.list.slice(3)).toEqual([
      [4, -Errno.EIO],
      [5, -Errno.EIO],
    ]);
  });
});

describe("a shard that dies", () => {
  test("has its jobs cancelled, and its successor's are done", async () => {
    const { init, launch } = diskThread();
    const dead = new ThreadQueue(init);
    const [lost, results] = [new Results(), new Results()];
    const { path, fd } = fileIn(temporaryFolder());
    const arena = arenaOf("new");
    dead.submit(lost, 1, DiskCall.pwrite, fd, arena.address, 3, 0);
    const queue = new ThreadQueue(init);
    expect(new Disk([queue]).isSettled).toBe(false);
    queue.submit(results, 2, DiskCall.fsync, fd);
    void launch();
    await reapAll(queue);
    expect(queue.isSettled).toBe(true);
    expect(lost.list).toEqual([]);
    expect(results.list).toEqual([[2, 0]]);
    expect(readFileSync(path, "utf8")).toBe("");
  });
});

test("SHA-256 is of the bytes that were moved, in order, per handle", async () => {
  const { init, launch } = diskThread();
  const queue = new ThreadQueue(init);
  const results = new Results();
  const { fd } = fileIn(temporaryFolder());
  const arena = arenaOf("hello world");
  void launch();
  queue.submit(results, 0, HashCall.begin, 1);
  queue.submit(results, 0, HashCall.begin, 2);
  queue.submit(results, 0, DiskCall.pwrite, fd, arena.address, 6, 0, 1);
  queue.submit(results, 0, DiskCall.pwrite, fd, arena.address + 6, 5, 6, 1);
  queue.submit(results, 0, DiskCall.pread, fd, arena.address + 512, 100, 6, 2);
  queue.submit(results, 0, HashCall.end, 1, arena.address + 1024);
  queue.submit(results, 0, HashCall.end, 2, arena.address + 1024 + DIGEST_BYTES);
  await reapAll(queue);
  const digest = (start: number): string =>
    Buffer.from(arena.u8.subarray(start, start + DIGEST_BYTES)).toString("hex");
  expect(digest(1024)).toBe(sha256("hello world"));
  expect(digest(1024 + DIGEST_BYTES)).toBe(sha256("world"));
});

test("jobs go to the queue with the fewest", () => {
  const queues = [new ThreadQueue(diskThread().init), new ThreadQueue(diskThread().init)];
  const disk = new Disk(queues);
  const results = new Results();
  for (let job = 0; job < 6; job += 1) disk.leastLoaded().submit(results, job, DiskCall.fsync, -1);
  expect(queues.map(({ pending }) => pending)).toEqual([3, 3]);
});

test("names are bytes in memory of the owner", async () => {
  const { init, launch } = diskThread();
  const queue = new ThreadQueue(init);
  const results = new Results();
  const folder = temporaryFolder();
  mkdirSync(join(folder, "sub"));
  writeFileSync(join(folder, "sub/old"), "text");
  const folderFd = openSync(join(folder, "sub"), "r");
  afterwards(() => closeSync(folderFd));
  const arena = arenaOf("old\0new\0third\0");
  const [old, fresh, third] = [arena.address, arena.address + 4, arena.address + 8];
  void launch();
  queue.submit(results, 1, DiskCall.linkat, folderFd, old, folderFd, fresh);
  queue.submit(results, 2, DiskCall.renameat2, folderFd, fresh, folderFd, third);
  queue.submit(results, 3, DiskCall.linkat, folderFd, old, folderFd, third);
  queue.submit(results, 4, DiskCall.unlinkat, folderFd, old);
  queue.submit(results, 5, DiskCall.unlinkat, folderFd, old);
  await reapAll(queue);
  expect(results.list).toEqual([
    [1, 0],
    [2, 0],
    [3, -Errno.EEXIST],
    [4, 0],
    [5, -Errno.ENOENT],
  ]);
  expect(readFileSync(join(folder, "sub/third"), "utf8")).toBe("text");
});

function sha256(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}
