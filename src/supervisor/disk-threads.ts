// The threads that wait for disks (supervisor layer): a few per shard, replaced on the same ring when one dies, so that jobs
// that wait are done all the same. They end after the shards, because a shard may still have files to finish.

import { Worker } from "node:worker_threads";

import { at } from "#base/bytes.ts";
import {
  createDiskRing,
  type DiskThreadInit,
  endDiskThread,
  jobsDone,
} from "#storage/disk-ring.ts";

import { describeError, ThreadDeaths } from "./thread-deaths.ts";

/** What the disk threads tell their owner. */
export interface DiskThreadEvents {
  /** A thread died of `error` and is replaced after `delayMs`; its job in hand is answered with an error. */
  readonly died: (error: string, delayMs: number) => void;
  /** Threads die again and again; none is replaced any more. */
  readonly hopeless: (error: string) => void;
}

/** Rings for the `threads` disk threads of one shard, whose doorbell tells it of results. */
export function diskInits(
  doorbellFd: number,
  threads: number,
  holdings: SharedArrayBuffer,
): readonly DiskThreadInit[] {
  return Array.from({ length: threads }, () => ({ ring: createDiskRing(), doorbellFd, holdings }));
}

/** All disk threads of the process. */
export class DiskThreads {
  readonly #inits: readonly DiskThreadInit[];
  readonly #workerUrl: URL;
  readonly #events: DiskThreadEvents;
  readonly #deaths: ThreadDeaths = new ThreadDeaths();
  #isEnding = false;

  constructor(inits: readonly DiskThreadInit[], workerUrl: URL, events: DiskThreadEvents) {
    this.#inits = inits;
    this.#workerUrl = workerUrl;
    this.#events = events;
  }

  start(): void {
    for (const index of this.#inits.keys()) this.#launch(index);
  }

  /** Has every thread end when its jobs are done. */
  end(): void {
    this.#isEnding = true;
    for (const init of this.#inits) endDiskThread(init.ring);
  }

  #launch(index: number): void {
    if (this.#isEnding) return;
    const init = at(this.#inits, index);
    const worker = new Worker(this.#workerUrl, { workerData: init });
    const startMs = performance.now();
    const jobsBefore = jobsDone(init.ring);
    let fault = "the disk thread ended without being asked to";
    worker.on("error", (error: unknown) => {
      fault = describeError(error);
    });
    // Every end passes here, a fault's after its error event.
    worker.on("exit", () => {
      if (this.#isEnding) return;
      // One of them is the answer to the job that killed the thread before it.
      const hasWorked = ((jobsDone(init.ring) - jobsBefore) | 0) > 1;
      const delayMs = this.#deaths.note(index, hasWorked, performance.now() - startMs);
      if (delayMs === undefined) {
        this.#events.hopeless(fault);
        return;
      }
      this.#events.died(fault, delayMs);
      setTimeout(() => this.#launch(index), delayMs);
    });
  }
}
