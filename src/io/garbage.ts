// When a thread collects its garbage (io layer). The engine decides by the size of its heap, and counts memory that is mapped into
// a view as part of it: a shard with a cache of 512 MiB would pile up hundreds of MiB of forgotten requests first.

// A request leaves about 8 KiB behind. With nobody to wait for it, a collection (about 2 ms) is free after 2 MiB; in a storm it is
// put off to 32 MiB, so that it costs a request half a microsecond.
const QUIET_REQUESTS = 256;
const BUSY_REQUESTS = 4096;
const RELOAD_REQUESTS = 16;
// A flood of requests for what is not there leaves a shard quiet between any two of them, and had it collect for two thirds of
// its time. One collection in so long is less than a hundredth of it.
const QUIET_PAUSE_US = 250_000;

/** Collects the calling thread's garbage after so many requests. */
export class Garbage {
  readonly #collect: () => void;
  #requests = 0;
  /** When it may be done again for no better reason than that nobody waits. */
  #quietFromUs = 0;

  /** `collect` is the engine's own, but for tests. */
  constructor(collect: () => void = collectGarbage) {
    this.#collect = collect;
  }

  /** A request was decided. */
  noteRequest(): void {
    this.#requests += 1;
  }

  /** New settings replaced the old ones, which are as much as what so many requests leave. */
  noteReload(): void {
    this.#requests += RELOAD_REQUESTS;
  }

  /** Collects if it is time. `isQuiet`: no transfer would notice. */
  collect(isQuiet: boolean, nowUs: number): void {
    if (this.#requests < QUIET_REQUESTS) return;
    const isFree = isQuiet && nowUs >= this.#quietFromUs;
    if (!isFree && this.#requests < BUSY_REQUESTS) return;
    this.#requests = 0;
    this.#quietFromUs = nowUs + QUIET_PAUSE_US;
    this.#collect();
  }
}

/** Collects everything at once. */
export function collectGarbage(): void {
  Bun.gc(true);
}
