// What others than the counters know (server layer), written into the counters: at every sleep, and every so many turns of a
// shard that does not come to sleep.

import type { Waiter } from "#io/waiter.ts";
import type { Disk } from "#storage/disk-queue.ts";
import type { FileCache } from "#storage/file-cache.ts";

import type { Counters } from "./counters.ts";
import { Counter } from "./measures.ts";
import type { Transfers } from "./transfers.ts";
import type { Transmitter } from "./transmitter.ts";

/** Turns of a busy shard between two looks: some milliseconds, and too few stores to be measured. A guess. */
const TURNS = 64;

/** Who knows. */
export interface GaugeSources {
  readonly transfers: Transfers;
  readonly transmitter: Transmitter;
  readonly cache: FileCache;
  readonly waiter: Waiter;
  readonly disk: Disk;
}

export class Gauges {
  readonly #counters: Counters;
  readonly #sources: GaugeSources;
  readonly #startUs: number;
  /** What shards before this one, which died, have counted. */
  readonly #before: Readonly<Record<(typeof sums)[number], number>>;
  #turns = 0;

  /** `startUs`: the time at which the shard began. */
  constructor(counters: Counters, sources: GaugeSources, startUs: number) {
    this.#counters = counters;
    this.#sources = sources;
    this.#startUs = startUs;
    const before = sums.map((name) => [name, counters.value(Counter[name])] as const);
    this.#before = Object.fromEntries(before) as Record<(typeof sums)[number], number>;
    counters.set(Counter.transfersMax, sources.transfers.capacity);
    counters.set(Counter.cacheBytesMax, sources.cache.bytesMax);
  }

  /** Counts a turn. True: it is time to report, whether the shard sleeps or not. */
  countTurn(): boolean {
    this.#counters.add(Counter.turns, 1);
    this.#turns += 1;
    if (this.#turns < TURNS) return false;
    this.#turns = 0;
    return true;
  }

  /** At `nowUs`, the time of the turn. */
  publish(nowUs: number): void {
    const { transfers, transmitter, cache, waiter, disk } = this.#sources;
    const counters = this.#counters;
    const before = this.#before;
    counters.set(Counter.sleeps, before.sleeps + waiter.sleeps);
    const busyUs = nowUs - this.#startUs - waiter.sleptUs - waiter.spunUs;
    counters.set(Counter.busyUs, before.busyUs + busyUs);
    counters.set(Counter.spins, before.spins + waiter.spins);
    counters.set(Counter.spunUs, before.spunUs + waiter.spunUs);
    counters.set(Counter.cacheHits, before.cacheHits + cache.hits);
    counters.set(Counter.cacheMisses, before.cacheMisses + cache.misses);
    counters.set(Counter.cacheBytes, cache.bytesUsed);
    counters.set(Counter.transfersActive, transfers.count);
    counters.set(Counter.readyTransfers, transmitter.readyCount);
    counters.set(Counter.blockedTransfers, transmitter.blockedCount);
    counters.set(Counter.stalledTransfers, transmitter.stalledCount);
    counters.set(Counter.diskJobs, disk.pending);
  }
}

/** Counts of others, which begin anew with each shard. */
const sums = ["sleeps", "busyUs", "spins", "spunUs", "cacheHits", "cacheMisses"] as const;
