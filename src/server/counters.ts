// A shard's counters (server layer): Float64 words in memory that the supervisor reads while the shard runs.
// One writer, so no atomics; 64-bit words are never torn on the machines that are supported.

import { f64At } from "#base/bytes.ts";

/** Writes the words; indexes are those of `Counter` in contract.ts. */
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
}
