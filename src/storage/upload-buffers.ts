// Write buffers of all uploads of a shard (storage layer): one for each upload for as long as it lives, so that every one of
// them moves, and some more for those that are faster than the disk. Memory is bounded, and is taken when it is touched.

import { assert } from "#base/assert.ts";
import { Slab } from "#base/slab.ts";
import { Arena } from "#ffi/arena.ts";

/** Bytes of one buffer: larger than any block, and a disk's comfortable request. */
export const BUFFER_BYTES = 131_072;

/** A fixed set of buffers, by number. */
export class UploadBuffers {
  /** How many uploads there may be at a time. */
  readonly uploadsMax: number;
  readonly #arena: Arena;
  readonly #slab: Slab;
  #extraFree: number;

  /** At most `bytesMax`, and at least one buffer for an upload and one more. A quarter is for those who need more than one. */
  constructor(bytesMax: number) {
    const count = Math.max(2, Math.floor(bytesMax / BUFFER_BYTES));
    this.#extraFree = Math.ceil(count / 4);
    this.uploadsMax = count - this.#extraFree;
    this.#arena = new Arena(count * BUFFER_BYTES);
    this.#slab = new Slab(count);
  }

  /** The buffer that an upload has from its beginning to its end. There are no more than {@link uploadsMax} uploads. */
  takeOwn(): number {
    const buffer = this.#slab.take();
    assert(buffer >= 0, "there is a buffer for each upload");
    return buffer;
  }

  releaseOwn(buffer: number): void {
    this.#slab.release(buffer);
  }

  /** One buffer more, or −1. */
  takeExtra(): number {
    if (this.#extraFree === 0) return -1;
    this.#extraFree -= 1;
    return this.#slab.take();
  }

  releaseExtra(buffer: number): void {
    this.#extraFree += 1;
    this.#slab.release(buffer);
  }

  address(buffer: number): number {
    return this.#arena.address + buffer * BUFFER_BYTES;
  }

  unmap(): void {
    this.#arena.unmap();
  }
}
