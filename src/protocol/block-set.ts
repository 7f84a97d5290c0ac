// Which blocks of a file are there (protocol layer, pure), where they come in any order: a bit for each, and the first that is
// missing at hand. 8 KiB, whatever the file.

import { assert } from "#base/assert.ts";
import { u32At } from "#base/bytes.ts";

/** Blocks from 1 to a last one, 65,535 at the most. */
export class BlockSet {
  readonly #last: number;
  readonly #words: Uint32Array;
  #firstMissing = 1;

  constructor(last: number) {
    assert(last >= 1 && last <= 65_535, "a number on the wire names one block");
    this.#last = last;
    this.#words = new Uint32Array((last >>> 5) + 1);
  }

  /** The first block that is not there; one more than the last block where all are. */
  get firstMissing(): number {
    return this.#firstMissing;
  }

  get isFull(): boolean {
    return this.#firstMissing > this.#last;
  }

  has(block: number): boolean {
    return (u32At(this.#words, block >>> 5) & (1 << (block & 31))) !== 0;
  }

  /** Adds `block`, from 1 to the last. */
  add(block: number): void {
    assert(block >= 1 && block <= this.#last, "it is a block of the file");
    this.#words[block >>> 5] = u32At(this.#words, block >>> 5) | (1 << (block & 31));
    while (!this.isFull && this.has(this.#firstMissing)) this.#firstMissing++;
  }
}
