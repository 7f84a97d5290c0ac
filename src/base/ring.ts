// A bounded queue of small integers (base layer), first in first out.
// Nothing is allocated after construction.

import { assert } from "./assert.ts";
import { i32At } from "./bytes.ts";

/** Holds at most `capacity` integers. */
export class IntRing {
  readonly #items: Int32Array;
  #head = 0;
  #length = 0;

  constructor(capacity: number) {
    this.#items = new Int32Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  push(item: number): void {
    assert(this.#length < this.#items.length, "the queue is as large as the set it draws from");
    const capacity = this.#items.length;
    const end = this.#head + this.#length;
    this.#items[end < capacity ? end : end - capacity] = item;
    this.#length += 1;
  }

  /** The oldest item; the queue is not empty. */
  shift(): number {
    assert(this.#length > 0, "shift needs an item");
    const item = i32At(this.#items, this.#head);
    this.#head = this.#head + 1 === this.#items.length ? 0 : this.#head + 1;
    this.#length -= 1;
    return item;
  }

  /** Takes `item` out, wherever it stands; the others keep their order. O(length): not for the packet path. */
  remove(item: number): void {
    for (let left = this.#length; left > 0; left -= 1) {
      const other = this.shift();
      if (other !== item) this.push(other);
    }
  }
}
