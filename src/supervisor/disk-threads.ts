// The threads that wait for disks (supervisor layer): a few per shard, replaced on the same ring when one dies, so that jobs
// that wait are done all the same. They end after the shards, because a shard may still have files to finish.

import { Worker } from "node:worker_threads";

import { createDiskRing, type DiskThreadInit, endDiskThread } from "#storage/disk-ring.ts";

import { describeError, ThreadDeaths } from "./thread-deaths.ts";

/** What the disk threads tell their owner. */
export interface DiskThreadEvents {
  /** A thread died of `error` and is replaced; its job in hand was answered with an error. */
  readonly died: (error: string) => void;
  /** Threads die again and again; none is replaced any more. */
  readonly hopeless: (error: string) => void;
}

/** Rings for the `threads` disk threads of one shard, whose doorbell tells it of results. */
export function diskInits(doorbellFd: number, threads: number): readonly DiskThreadInit[] {
  return Array.from({ length: threads }, () => ({ ring: createDiskRing(), doorbellFd }));
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
    for (const init of this.#inits) this.#launch(init);
  }

  /** Has every thread end when its jobs are done. */
  end(): void {
    this.#isEnding = true;
    for (const init of this.#inits) endDiskThread(init.ring);
  }

  #launch(init: DiskThreadInit): void {
    const worker = new Worker(this.#workerUrl, { workerData: init });
    let fault = "the disk thread ended without being asked to";
    worker.on("error", (error: unknown) => {
      fault = describeError(error);
    });
    // Every end passes here, a fault's after its error event.
    worker.on("exit", () => {
      if (!this.#isEnding) this.#replace(init, fault);
    });
  }

  #replace(init: DiskThreadInit, fault: string): void {
    if (this.#deaths.count()) {
      this.#events.hopeless(fault);
      return;
    }
    this.#events.died(fault);
    this.#launch(init);
  }
}
