// Uploads whose disk fails: at every single system call, with every way of publishing, and on real file systems that are full.
// Afterwards the name holds the old bytes or the new ones, whole, and nothing else is left.

import { afterEach, describe, expect, spyOn, test } from "bun:test";
import { lstatSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { at } from "#base/bytes.ts";
import * as creation from "#ffi/create.ts";
import { DiskCall } from "#ffi/disk-call.ts";
import { Errno } from "#ffi/errno.ts";
import { HashCall } from "#storage/disk-job.ts";
import { ThreadQueue } from "#storage/disk-queue.ts";
import { BUFFER_BYTES } from "#storage/upload-buffers.ts";
import { createUploadLedger } from "#storage/upload-ledger.ts";
import type { UploadPlan } from "#storage/upload-plan.ts";
import { UploadRefusal, uploadRefusalOf } from "#storage/upload-refusal.ts";
import { Append, type Upload } from "#storage/upload.ts";

import { openDescriptors } from "../ffi/rig.ts";
import { afterwards, cleanUp, diskThread, temporaryFolder } from "./rig.ts";
import { hasHidden, pattern, textOf, UploadRig } from "./upload-rig.ts";
import { content, mixtureIn, prepareRoot, type Way, ways } from "./upload-ways.ts";

afterEach(cleanUp);

/** A root as the way finds it, and uploads beneath it. */
function rigFor(way: Way): UploadRig {
  const root = temporaryFolder();
  prepareRoot(root, way);
  if (!way.isUnnamed) {
    const spy = spyOn(creation, "createUnnamed").mockImplementation(() => -Errno.EOPNOTSUPP);
    afterwards(() => spy.mockRestore());
  }
  const rig = new UploadRig(root);
  rig.ledger.setRootBytes(bytesIn(root));
  return rig;
}

/** Bytes of all files beneath `root`, one with several names counted once. */
function bytesIn(root: string): number {
  const paths = readdirSync(root, { recursive: true, encoding: "utf8" });
  const stats = paths.map((path) => lstatSync(join(root, path))).filter((stat) => stat.isFile());
  const files = new Map(stats.map(({ ino, size }) => [ino, size]));
  return Array.from(files.values()).reduce((sum, size) => sum + size, 0);
}

/** What must hold after any fault: whole files of ours, each of the old ones somewhere, nothing hidden, nothing open. */
function expectWhole(rig: UploadRig, plan: Partial<UploadPlan>, refusal: number): void {
  expect(mixtureIn(rig.tree(), plan)).toBe("");
  const name = rig.tree()[plan.path ?? "file"];
  if (plan.mayOverwrite !== true) expect(name !== undefined).toBe(refusal === 0);
  if (refusal === 0) expect(name === textOf(content)).toBe(true);
  expect(hasHidden(rig.root)).toBe(false);
  expect(openDescriptors(rig.root)).toBe(1);
  expect(rig.uploads.count).toBe(0);
  expect(rig.ledger.rootBytes).toBe(bytesIn(rig.root));
}

/** Runs a whole upload; `at` is asked before each call as {@link HeldQueue.fault} is. Returns how many calls there were. */
function run(
  way: Way,
  at: (rig: UploadRig, index: number, call: number) => number | undefined,
): number {
  const rig = rigFor(way);
  rig.queue.fault = (call, index) => at(rig, index, call);
  const refusal = rig.put(content, way.plan, 8192);
  expectWhole(rig, way.plan, refusal);
  const calls = rig.queue.made.length;
  cleanUp();
  return calls;
}

describe.each(ways)("$way", (way) => {
  test("survives EIO in place of each of its calls", () => {
    const calls = run(way, () => undefined);
    expect(calls).toBeGreaterThan(8);
    for (let faulty = 0; faulty < calls; faulty += 1) {
      run(way, (_, index, call) => {
        // A descriptor is gone whatever close says, and a handle is no file.
        const isGone = call === DiskCall.close || call === HashCall.begin;
        return index === faulty && !isGone ? -Errno.EIO : undefined;
      });
    }
  });

  test("survives being aborted at each of its calls, and is there or not", () => {
    const calls = run(way, () => undefined);
    for (let chosen = 0; chosen < calls; chosen += 1) {
      const rig = rigFor(way);
      const name = way.plan.path ?? "file";
      const start = rig.tree()[name];
      const upload = rig.open(way.plan);
      rig.queue.fault = (_, index) => {
        if (index === chosen) upload.abort();
        return undefined;
      };
      if (rig.appendAll(upload, content, 8192)) upload.finish();
      rig.settle();
      expect(upload.hasEnded).toBe(true);
      expectWhole(rig, way.plan, upload.refusal);
      if (upload.refusal !== 0) {
        expect(upload.refusal).toBe(UploadRefusal.aborted);
        expect(rig.tree()[name]).toBe(start);
      }
      cleanUp();
    }
  });
});

test("an upload that is aborted at any of its calls leaves versions and ledger as they were, or completes", () => {
  const plan: Partial<UploadPlan> = { mayOverwrite: true, versionsMax: 2 };
  const before = [pattern(3000, 1), pattern(2000, 2), pattern(1000, 3)];
  for (let chosen = 0, calls = 1; chosen < calls; chosen += 1) {
    const rig = new UploadRig(temporaryFolder());
    for (const bytes of before.toReversed()) expect(rig.put(bytes, plan)).toBe(0);
    const start = rig.tree();
    const done = rig.queue.made.length;
    const upload = rig.open(plan);
    rig.queue.fault = (_, index) => {
      if (index === done + chosen) upload.abort();
      return undefined;
    };
    rig.appendAll(upload, content, 8192);
    if (upload.refusal === 0) upload.finish();
    rig.settle();
    calls = Math.max(calls, rig.queue.made.length - done);
    if (upload.refusal < 0) expect(rig.tree()).toEqual(start);
    expect(rig.ledger.rootBytes).toBe(bytesIn(rig.root));
    cleanUp();
  }
});

test("what was published and cannot be made durable is taken back, if it replaced nothing", () => {
  const rig = new UploadRig(temporaryFolder());
  let syncs = 0;
  rig.queue.fault = (call) => {
    if (call !== DiskCall.fsync) return undefined;
    syncs += 1;
    return syncs === 2 ? -Errno.EIO : undefined;
  };
  expect(rig.put(content)).toBe(UploadRefusal.failed);
  expect(syncs).toBe(2);
  expect(rig.tree()).toEqual({});
});

test("a write that takes nothing ends instead of being repeated for ever", () => {
  const rig = new UploadRig(temporaryFolder());
  rig.queue.fault = (call) => (call === DiskCall.pwrite ? 0 : undefined);
  expect(rig.put(content)).toBe(UploadRefusal.failed);
  expect(rig.tree()).toEqual({});
});

test.each([
  [Errno.ENOSPC, UploadRefusal.full],
  [Errno.EDQUOT, UploadRefusal.full],
  [Errno.EROFS, UploadRefusal.denied],
  [Errno.EMFILE, UploadRefusal.busy],
  [Errno.EEXIST, UploadRefusal.exists],
  [Errno.EXDEV, UploadRefusal.outside],
  [Errno.EBADF, UploadRefusal.failed],
])("errno %i is one refusal", (errno, refusal) => {
  expect(uploadRefusalOf(-errno)).toBe(refusal);
});

describe("a file system of one megabyte", () => {
  test("refuses what does not fit, and has room again afterwards", () => {
    const disk = smallDisk();
    if (disk === undefined) return;
    const rig = new UploadRig(disk);
    expect(rig.put(pattern(2_000_000, 1))).toBe(UploadRefusal.full);
    expect(rig.tree()).toEqual({});
    expect(rig.put(pattern(900_000, 1))).toBe(0);
    expect(rig.put(pattern(900_000, 2), { mayOverwrite: true })).toBe(UploadRefusal.full);
    expect(rig.tree()).toEqual({ file: textOf(pattern(900_000, 1)) });
    expect(rig.put(pattern(1, 1), { path: "x", bytesFreeMin: 200_000 })).toBe(UploadRefusal.full);
    const announced = { path: "x", bytesExpected: 200_000 };
    expect(rig.put(pattern(1, 1), announced)).toBe(UploadRefusal.full);
    expect(openDescriptors(disk)).toBe(1);
  });

  test("that somebody else fills meanwhile", () => {
    const disk = smallDisk();
    if (disk === undefined) return;
    const rig = new UploadRig(disk);
    const upload = rig.open();
    rig.appendAll(upload, pattern(300_000, 1), 8192);
    rig.settle();
    expect(Bun.spawnSync(["dd", "if=/dev/zero", `of=${disk}/other`, "bs=4096"]).exitCode).not.toBe(
      0,
    );
    while (rig.append(upload, pattern(8192, 1)) !== Append.failed) rig.uploads.reap();
    upload.finish();
    rig.settle();
    expect(upload.refusal).toBe(UploadRefusal.full);
    expect(Object.keys(rig.tree())).toEqual(["other"]);
  });
});

/** Mounts a file system of one megabyte; undefined where that is not allowed. */
function smallDisk(): string | undefined {
  const folder = temporaryFolder();
  const mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder];
  if (Bun.spawnSync(mount).exitCode !== 0) {
    process.stdout.write("not tested here: only root may mount a small file system\n");
    return undefined;
  }
  afterwards(() => Bun.spawnSync(["umount", "-l", folder]));
  return folder;
}

test("with real threads, five hundred at once of which half die", async () => {
  const thread = diskThread();
  void thread.launch();
  const queue = new ThreadQueue(thread.init);
  const root = temporaryFolder();
  const ledger = createUploadLedger(600);
  const rig = new UploadRig(root, { queue, ledger, bufferBytesMax: 700 * BUFFER_BYTES });
  const uploads = Array.from({ length: 500 }, (_, index) =>
    rig.open({ path: `file-${index}`, isHashed: index % 3 === 0 }),
  );
  for (let round = 0; round < 20; round += 1) {
    for (const [index, upload] of uploads.entries()) {
      if (index % 2 === 1 && round === index % 20) upload.abort();
      const block = pattern(1428, index + round);
      while (rig.append(upload, block) === Append.full) rig.uploads.reap();
    }
  }
  for (const upload of uploads) upload.finish();
  while (rig.uploads.count > 0) {
    rig.uploads.reap();
    await Bun.sleep(1);
  }
  const tree = rig.tree();
  expect(Object.keys(tree)).toHaveLength(250);
  for (let index = 0; index < 500; index += 2) {
    const blocks = Array.from({ length: 20 }, (_, round) => textOf(pattern(1428, index + round)));
    expect(tree[`file-${index}`] === blocks.join("")).toBe(true);
  }
  expect(hasHidden(root)).toBe(false);
  expect(openDescriptors(root)).toBe(1);
  rmSync(root, { recursive: true });
});

describe("a name that may be written by several, and that one has had which then fails,", () => {
  // That one began while nothing might be overwritten, and the others after a reload.
  const own = { isShared: true };
  const others = { isShared: true, mayOverwrite: true };

  /** Three uploads of one name, in shards of their own; the first has just got the name, and its folder cannot be made durable. */
  function three(): World {
    const root = temporaryFolder();
    const ledger = createUploadLedger(64);
    const world = [0, 1, 2].map((shard) => {
      const rig = new UploadRig(root, { ledger, shard });
      const upload = rig.open(shard === 0 ? own : others);
      rig.appendAll(upload, pattern(500 + shard, shard), 512);
      return { rig, upload };
    });
    const [first] = world;
    if (first === undefined) throw new Error("there are three");
    const { queue } = first.rig;
    first.upload.finish();
    while (!queue.made.includes(DiskCall.linkat)) queue.step();
    queue.fault = (call) => (call === DiskCall.fsync ? -Errno.ENOSPC : undefined);
    return world;
  }

  test("is not taken away from another that has come in its place", () => {
    const world = three();
    expect(settle(world, 1)).toBe(textOf(pattern(501, 1)));
    expect(settle(world, 2)).toBe(textOf(pattern(502, 2)));
    expect(settle(world, 0)).toBe(textOf(pattern(502, 2)));
  });

  test("is left while another may come, who would be at work on it", () => {
    const world = three();
    expect(settle(world, 0)).toBe(textOf(pattern(500, 0)));
    expect(settle(world, 2)).toBe(textOf(pattern(502, 2)));
    expect(settle(world, 1)).toBe(textOf(pattern(501, 1)));
  });

  test("is free again where nobody else writes it, and none may begin until it is", () => {
    const world = three();
    for (const { rig, upload } of world.slice(1)) {
      upload.abort();
      rig.settle();
    }
    const { rig, upload } = at(world, 0);
    const { rig: second } = at(world, 1);
    while (upload.refusal === 0) rig.queue.step();
    expect(second.put(pattern(9, 9), others)).toBe(UploadRefusal.claimed);
    expect(settle(world, 0)).toBeUndefined();
    expect(second.put(pattern(9, 9), others)).toBe(0);
  });
});

type World = readonly { readonly rig: UploadRig; readonly upload: Upload }[];

/** Lets the upload of this number come to its end. Returns what the name holds. */
function settle(world: World, number: number): string | undefined {
  const { rig, upload } = at(world, number);
  if (number > 0) upload.finish();
  rig.settle();
  expect(upload.refusal).toBe(number === 0 ? UploadRefusal.full : 0);
  return rig.tree()["file"];
}
