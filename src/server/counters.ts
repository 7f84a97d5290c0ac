// A shard's counters (server layer): Float64 words in memory that the supervisor reads while the shard runs.
// One writer, so no atomics; 64-bit words are never torn on the machines that are supported.

import { at, f64At } from "#base/bytes.ts";

/** Writes the words; indexes are those of `Counter` in measures.ts. */
export class Counters {
  readonly #words: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Float64Array(memory);
  }

  add(counter: number, by: number): void {
    this.#words[counter] = f64At(this.#words, counter) + by;
  }

  set(counter: number, value: number): void {
    this.#words[counter] = value;
  }

  /** The word at `counter`: what a shard that died has left there goes on. */
  value(counter: number): number {
    return f64At(this.#words, counter);
  }

  /** Counts `value` in the histogram that begins at `histogram` and has these `bounds`. */
  observe(histogram: number, bounds: readonly number[], value: number): void {
    let bucket = 0;
    while (bucket < bounds.length && value > at(bounds, bucket)) bucket += 1;
    this.add(histogram + bucket, 1);
    this.add(histogram + bounds.length + 1, value);
  }
}
