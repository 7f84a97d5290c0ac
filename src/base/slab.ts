// Slots by number (base layer): a fixed set of small integers.
// They are handed out and given back in O(1), without allocation.

import { assert } from "./assert.ts";
import { i32At } from "./bytes.ts";

/** Hands out the integers 0 … capacity − 1, the most recently released first (its memory is warm). */
export class Slab {
  readonly capacity: number;
  readonly #free: Int32Array;
  #freeCount: number;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#free = new Int32Array(capacity);
    this.#freeCount = capacity;
    for (let i = 0; i < capacity; i += 1) this.#free[i] = capacity - 1 - i;
  }

  /** How many slots are taken. */
  get taken(): number {
    return this.capacity - this.#freeCount;
  }

  /** A free slot, or −1 when all are taken. */
  take(): number {
    if (this.#freeCount === 0) return -1;
    this.#freeCount -= 1;
    return i32At(this.#free, this.#freeCount);
  }

  /** Gives back a slot that {@link take} returned. */
  release(slot: number): void {
    assert(this.#freeCount < this.capacity, "a slot is released once");
    this.#free[this.#freeCount] = slot;
    this.#freeCount += 1;
  }
}
