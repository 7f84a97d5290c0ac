// What a shard stands on (server layer): the kernel's network and clock, the disks, the engine's collector. A shard asks for
// these through nothing else, so that a simulation can stand in for all of it and drive the real turn.

import { collectGarbage, type Collector } from "#io/garbage.ts";
import { type Kernel, thisKernel } from "#io/kernel.ts";
import { type DiskQueue, ThreadQueue } from "#storage/disk-queue.ts";
import type { DiskThreadInit } from "#storage/disk-ring.ts";
import { type ReadNow, readNow } from "#storage/file-cache.ts";

export interface Platform {
  readonly kernel: Kernel;
  /** The shard's end of a disk thread. */
  readonly createDiskQueue: (init: DiskThreadInit) => DiskQueue;
  /** What of a file is in memory. */
  readonly readNow: ReadNow;
  /** Collects this thread's garbage. */
  readonly collectGarbage: Collector;
}

/** The one that this process runs on. */
export const thisPlatform: Platform = {
  kernel: thisKernel,
  createDiskQueue: (init) => new ThreadQueue(init),
  readNow,
  collectGarbage,
};
