// What the storage tests share: a folder, disk threads that are real, and a queue that makes its calls when it is told to.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";

import { DiskCall } from "#ffi/disk-call.ts";
import { createEventfd } from "#ffi/eventfd.ts";
import { closeFd } from "#ffi/file.ts";
import { createHoldings } from "#ffi/holdings.ts";
import { DiskJobs } from "#storage/disk-job.ts";
import type { DiskOwner, DiskQueue } from "#storage/disk-queue.ts";
import { createDiskRing, type DiskThreadInit, endDiskThread } from "#storage/disk-ring.ts";

const cleanups: (() => void)[] = [];

/** Undoes everything that the last test opened. For `afterEach`. */
export function cleanUp(): void {
  for (const cleanup of cleanups.splice(0).toReversed()) cleanup();
}

/** Has `cleanup` run after the test. */
export function afterwards(cleanup: () => void): void {
  cleanups.push(cleanup);
}

/** A new empty folder, in `parent` if that is given. */
export function temporaryFolder(parent: string = tmpdir()): string {
  const folder = mkdtempSync(join(parent, "snow-owl-storage-"));
  afterwards(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A thread of `src/storage/disk-worker.ts`, and the ring that it works off. */
export interface DiskThread {
  readonly init: DiskThreadInit;
  /** Starts a thread on the ring. Resolves when it has ended, to its error's message or "". */
  readonly launch: () => Promise<string>;
}

export function diskThread(): DiskThread {
  const doorbellFd = createEventfd();
  const init = { ring: createDiskRing(), doorbellFd, holdings: createHoldings() };
  let ended: Promise<string> = Promise.resolve("");
  afterwards(() => {
    endDiskThread(init.ring);
    void ended.then(() => closeFd(doorbellFd));
  });
  const launch = (): Promise<string> => {
    const url = new URL("../../../src/storage/disk-worker.ts", import.meta.url);
    const worker = new Worker(url, { workerData: init });
    ended = new Promise((resolve) => {
      let fault = "";
      worker.on("error", (error: unknown) => {
        fault = error instanceof Error ? error.message : String(error);
      });
      worker.on("exit", () => resolve(fault));
    });
    return ended;
  };
  return { init, launch };
}

/** Keeps what comes back, in order. */
export class Results implements DiskOwner {
  readonly list: (readonly [token: number, result: number])[] = [];

  handleDisk(token: number, result: number): void {
    this.list.push([token, result]);
  }
}

interface HeldJob {
  readonly owner: DiskOwner;
  readonly token: number;
  readonly call: number;
  readonly numbers: readonly [number, number, number, number, number];
}

/** A queue without a thread: its calls are made by `reap`, so that a test decides when, how many, and with what result. */
export class HeldQueue implements DiskQueue {
  isSettled = true;
  /** The calls that were made, by their numbers. */
  readonly made: number[] = [];
  /** Asked before each call: what it answers instead of being made, or undefined. */
  fault: (call: number, index: number, numbers: readonly number[]) => number | undefined = () =>
    undefined;
  /** What a write of so many bytes is cut to. */
  shorten: (length: number) => number = (length) => length;
  capacity = 1024;
  readonly #held: HeldJob[] = [];
  readonly #jobs: DiskJobs = new DiskJobs();

  get pending(): number {
    return this.#held.length;
  }

  submit(
    owner: DiskOwner,
    token: number,
    call: number,
    a: number,
    b = 0,
    c = 0,
    d = 0,
    e = 0,
  ): boolean {
    if (this.#held.length >= this.capacity) return false;
    this.#held.push({ owner, token, call, numbers: [a, b, c, d, e] });
    return true;
  }

  reap(): number {
    const count = this.#held.length;
    for (let left = count; left > 0; left -= 1) this.step();
    return count;
  }

  /** Makes the oldest call. False: there is none. */
  step(): boolean {
    const job = this.#held.shift();
    if (job === undefined) return false;
    const { call } = job;
    const [a, b, c, d, e] = job.numbers;
    const instead = this.fault(call, this.made.length, job.numbers);
    this.made.push(call);
    const length = call === DiskCall.pwrite ? this.shorten(c) : c;
    job.owner.handleDisk(job.token, instead ?? this.#jobs.run(call, a, b, length, d, e));
    return true;
  }

  /** Makes calls until none is left; what comes back may submit more. */
  drain(): void {
    while (this.step());
  }
}
