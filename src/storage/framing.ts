// How the blocks of a file lie in memory (storage layer): each behind the header of its DATA packet, so that any run of
// blocks is one piece of memory that goes out as it is. A chunk of the cache holds whole blocks.

import { type RolloverTo, wireBlock } from "#protocol/blocks.ts";
import { dataHeaderBytes, writeDataHeader } from "#protocol/packet.ts";

/**
 * One way to lay a file out in chunks of `chunkBytes`. Blocks are absolute and begin at 1; the last one is shorter than the
 * others, and may be empty (RFC 1350 §6).
 */
export class Framing {
  readonly blockBytes: number;
  readonly headerBytes: number;
  readonly rolloverTo: RolloverTo;
  /** Bytes from one block to the next. */
  readonly strideBytes: number;
  readonly blocksPerChunk: number;

  private constructor(
    chunkBytes: number,
    blockBytes: number,
    headerBytes: number,
    rolloverTo: RolloverTo,
  ) {
    this.blockBytes = blockBytes;
    this.headerBytes = headerBytes;
    this.rolloverTo = rolloverTo;
    this.strideBytes = blockBytes + headerBytes;
    this.blocksPerChunk = Math.floor(chunkBytes / this.strideBytes);
  }

  /** DATA packets of `blockBytes` bytes of payload. */
  static packets(chunkBytes: number, blockBytes: number, rolloverTo: RolloverTo): Framing {
    return new Framing(chunkBytes, blockBytes, dataHeaderBytes, rolloverTo);
  }

  /** The file as it is: a block is a chunk, and has no header. */
  static raw(chunkBytes: number): Framing {
    return new Framing(chunkBytes, chunkBytes, 0, 0);
  }

  /** Tells apart files that are laid out differently. */
  get key(): string {
    return `${this.blockBytes}/${this.headerBytes}/${this.rolloverTo}`;
  }

  /** How many blocks of the same chunk `block` begins, itself included. */
  runFrom(block: number): number {
    const index = Math.floor((block - 1) / this.blocksPerChunk);
    return (index + 1) * this.blocksPerChunk - block + 1;
  }

  /** Payload bytes in a full chunk. */
  get payloadBytes(): number {
    return this.blocksPerChunk * this.blockBytes;
  }

  /** Chunks of a file of `fileBytes`, its last block included. */
  chunkCount(fileBytes: number): number {
    const blocks = Math.floor(fileBytes / this.blockBytes) + 1;
    return Math.ceil(blocks / this.blocksPerChunk);
  }

  /**
   * Makes blocks of the `payload` bytes that lie together from byte `start` on: moves each behind its header. `chunk` counts
   * from 0. Goes from the last to the first, so that none is overwritten before it has moved.
   */
  frame(bytes: Uint8Array, start: number, payload: number, chunk: number): void {
    if (this.headerBytes === 0) return;
    const { blockBytes, strideBytes } = this;
    const first = chunk * this.blocksPerChunk + 1;
    const last = Math.min(Math.floor(payload / blockBytes), this.blocksPerChunk - 1);
    for (let index = last; index >= 0; index -= 1) {
      const from = start + index * blockBytes;
      const to = start + index * strideBytes;
      const length = Math.min(blockBytes, payload - index * blockBytes);
      bytes.copyWithin(to + dataHeaderBytes, from, from + length);
      writeDataHeader(bytes, to, wireBlock(first + index, this.rolloverTo));
    }
  }
}
