// When a thread collects its garbage (io layer). The engine decides by the size of its heap, and counts memory that is mapped into
// a view as part of it: a shard with a cache of 512 MiB would pile up hundreds of MiB of forgotten requests first.

import { edenGC } from "bun:jsc";

// A request leaves about 8 KiB behind. With nobody to wait for it, a collection is free after 2 MiB; in a storm it is put off to
// 32 MiB, so that it costs a request less than a microsecond.
const QUIET_REQUESTS = 256;
const BUSY_REQUESTS = 4096;
const RELOAD_REQUESTS = 16;
// A flood of requests for what is not there leaves a shard quiet between any two of them, and had it collect for two thirds of
// its time. One collection in so long is less than a hundredth of it.
const QUIET_PAUSE_US = 250_000;

// A young collection looks only at what came after the last one: 1 to 3 ms, where a whole one takes 10 to 40. It keeps the transfers
// that run for good, and only a whole one finds them when they have ended. So many are some 64 MiB.
const KEPT_TRANSFERS = 8192;
// What else lives for longer than one collection is little: the cache's entries, the log's words.
const WHOLE_REQUESTS = 262_144;
// With nobody to wait for it, a whole one after so many requests; but not more often than a fiftieth of the time is worth.
const QUIET_WHOLE_REQUESTS = 4096;
const QUIET_WHOLE_PAUSE_US = 2_000_000;

/** Collects what is young, or the whole heap. */
export type Collector = (isWhole: boolean) => void;

/** Collects the calling thread's garbage after so many requests. */
export class Garbage {
  readonly #collect: Collector;
  #requests = 0;
  /** Since the whole heap was collected. */
  #requestsWhole = 0;
  #keptTransfers = 0;
  #hasReloaded = false;
  /** When it may be done again for no better reason than that nobody waits. */
  #quietFromUs = 0;
  #quietWholeFromUs = 0;

  /** `collect` is the engine's own, but for tests. */
  constructor(collect: Collector = collectGarbage) {
    this.#collect = collect;
  }

  /** A request was decided. */
  noteRequest(): void {
    this.#requests += 1;
    this.#requestsWhole += 1;
  }

  /** New settings replaced the old ones, which are as much as what so many requests leave, and old. */
  noteReload(): void {
    this.#requests += RELOAD_REQUESTS;
    this.#hasReloaded = true;
  }

  /** Collects if it is time, while so many transfers run. With none, nobody would notice. */
  collect(transfers: number, nowUs: number): void {
    if (this.#requests < QUIET_REQUESTS) return;
    const isQuiet = transfers === 0;
    const isFree = isQuiet && nowUs >= this.#quietFromUs;
    if (!isFree && this.#requests < BUSY_REQUESTS) return;
    this.#requests = 0;
    this.#quietFromUs = nowUs + QUIET_PAUSE_US;
    this.#keptTransfers += transfers;
    const isWhole = this.#isWhole(isQuiet, nowUs);
    if (isWhole) {
      this.#requestsWhole = 0;
      this.#keptTransfers = transfers;
      this.#hasReloaded = false;
      this.#quietWholeFromUs = nowUs + QUIET_WHOLE_PAUSE_US;
    }
    this.#collect(isWhole);
  }

  #isWhole(isQuiet: boolean, nowUs: number): boolean {
    if (this.#hasReloaded || this.#requestsWhole >= WHOLE_REQUESTS) return true;
    if (this.#keptTransfers >= KEPT_TRANSFERS) return true;
    const isDue = this.#requestsWhole >= QUIET_WHOLE_REQUESTS;
    return isQuiet && isDue && nowUs >= this.#quietWholeFromUs;
  }
}

/** Collects at once. */
export function collectGarbage(isWhole: boolean): void {
  if (isWhole) Bun.gc(true);
  else edenGC();
}
