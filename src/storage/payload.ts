// The bytes of a transfer, block by block (storage layer): octet points into the file cache; netascii is encoded
// into a chunk of its own, so that a block that is sent again is the same to the byte.

import { assert } from "#base/assert.ts";
import { i32At } from "#base/bytes.ts";
import { type RolloverTo, wireBlock } from "#protocol/blocks.ts";
import { NetasciiEncoder } from "#protocol/netascii.ts";
import type { Grant } from "#protocol/options.ts";
import { dataHeaderBytes, writeDataHeader } from "#protocol/packet.ts";

import type { CachedFile } from "./cached-file.ts";
import { Absent, type FileCache } from "./file-cache.ts";

/** A message that takes pieces of memory, as an outbox does. */
export interface Message {
  push(address: number, length: number): void;
}

/** Where a transfer's blocks come from. Both ways answer values of {@link Absent} (below zero) for what is not there. */
export interface Payload {
  /** What is sent. */
  readonly file: CachedFile;
  /** The last block's absolute number, or Infinity while it is not known. */
  readonly lastBlock: number;
  /** Makes the blocks up to `block` ready. 0, or {@link Absent}. Called before blocks are chosen. */
  prepare(block: number): number;
  /**
   * Adds the packets of `blocks` blocks from `first` on to `message`. Returns how many were added; where that is less,
   * {@link absent} says why.
   */
  gather(message: Message, first: number, blocks: number): number;
  /** Why the last {@link gather} stopped early: a value of {@link Absent}. */
  readonly absent: number;
  close(): void;
}

/** The file as it is. */
export class OctetPayload implements Payload {
  readonly lastBlock: number;
  absent: number = Absent.pending;
  readonly #cache: FileCache;
  readonly file: CachedFile;
  /** What the last block is shorter than the others. */
  readonly #lastLacksBytes: number;

  constructor(cache: FileCache, file: CachedFile) {
    const { blockBytes } = file.framing;
    this.#cache = cache;
    this.file = file;
    this.lastBlock = Math.floor(file.bytes / blockBytes) + 1;
    this.#lastLacksBytes = this.lastBlock * blockBytes - file.bytes;
  }

  prepare(): number {
    return 0;
  }

  gather(message: Message, first: number, blocks: number): number {
    const { framing } = this.file;
    const end = first + blocks;
    for (let block = first; block < end;) {
      const address = this.#cache.locate(this.file, block);
      if (address < 0) {
        this.absent = address;
        return block - first;
      }
      const run = Math.min(end - block, framing.runFrom(block));
      block += run;
      const isLast = block > this.lastBlock;
      const bytes = run * framing.strideBytes;
      message.push(address, isLast ? bytes - this.#lastLacksBytes : bytes);
    }
    return blocks;
  }

  close(): void {
    this.#cache.close(this.file);
  }
}

/** The file with its line ends translated. Blocks of one window are kept until the window moves on. */
export class NetasciiPayload implements Payload {
  lastBlock: number = Infinity;
  readonly absent: number = Absent.pending;
  readonly #cache: FileCache;
  readonly file: CachedFile;
  readonly #blockBytes: number;
  readonly #strideBytes: number;
  readonly #windowBlocks: number;
  readonly #rolloverTo: RolloverTo;
  readonly #ring: number;
  readonly #ringStart: number;
  readonly #lengths: Int32Array;
  readonly #encoder: NetasciiEncoder = new NetasciiEncoder();
  /** The last block that was encoded in full, bytes of the next one so far, and the source bytes used. */
  #encodedBlock = 0;
  #partialBytes = 0;
  #position = 0;

  /** `ring` is a reserved chunk, which {@link close} gives back; the window fits in it. */
  constructor(
    cache: FileCache,
    file: CachedFile,
    ring: number,
    {
      blockBytes,
      windowBlocks,
      rolloverTo,
    }: Pick<Grant, "blockBytes" | "windowBlocks" | "rolloverTo">,
  ) {
    this.#rolloverTo = rolloverTo;
    const strideBytes = dataHeaderBytes + blockBytes;
    assert(
      strideBytes * windowBlocks <= cache.chunkBytes,
      "a window of netascii fits in one chunk",
    );
    this.#cache = cache;
    this.file = file;
    this.#strideBytes = strideBytes;
    this.#blockBytes = blockBytes;
    this.#windowBlocks = windowBlocks;
    this.#ring = ring;
    this.#ringStart = ring - cache.address;
    this.#lengths = new Int32Array(windowBlocks);
  }

  prepare(block: number): number {
    while (this.#encodedBlock < Math.min(block, this.lastBlock)) {
      const result = this.#encodeSome();
      if (result < 0) return result;
    }
    return 0;
  }

  gather(message: Message, first: number, blocks: number): number {
    assert(first + blocks - 1 <= this.#encodedBlock, "prepare has encoded what is sent");
    for (let block = first; block < first + blocks; block += 1) {
      const place = (block - 1) % this.#windowBlocks;
      const bytes = i32At(this.#lengths, place);
      message.push(this.#ring + place * this.#strideBytes, dataHeaderBytes + bytes);
    }
    return blocks;
  }

  close(): void {
    this.#cache.unreserve(this.#ring);
    this.#cache.close(this.file);
  }

  /** Encodes up to the end of the block, of the chunk or of the file, whichever comes first. */
  #encodeSome(): number {
    const left = this.file.bytes - this.#position;
    let source = 0;
    let sourceBytes = 0;
    if (left > 0) {
      const { chunkBytes } = this.#cache;
      const chunk = Math.floor(this.#position / chunkBytes);
      const address = this.#cache.locate(this.file, chunk + 1);
      if (address < 0) return address;
      const offset = this.#position - chunk * chunkBytes;
      source = address - this.#cache.address + offset;
      sourceBytes = Math.min(left, chunkBytes - offset);
    }
    const place = this.#encodedBlock % this.#windowBlocks;
    const start = this.#ringStart + place * this.#strideBytes + dataHeaderBytes;
    const { u8 } = this.#cache;
    const from = start + this.#partialBytes;
    this.#encoder.encode(u8, source, source + sourceBytes, u8, from, start + this.#blockBytes);
    this.#position += this.#encoder.consumed;
    this.#partialBytes += this.#encoder.produced;
    if (this.#partialBytes === this.#blockBytes) this.#endBlock(place);
    else if (this.#position === this.file.bytes) {
      this.lastBlock = this.#encodedBlock + 1;
      this.#endBlock(place);
    }
    return 0;
  }

  #endBlock(place: number): void {
    this.#lengths[place] = this.#partialBytes;
    this.#encodedBlock += 1;
    const header = this.#ringStart + place * this.#strideBytes;
    writeDataHeader(this.#cache.u8, header, wireBlock(this.#encodedBlock, this.#rolloverTo));
    this.#partialBytes = 0;
  }
}

/** Whether `result` is worth asking again soon. */
export function isTemporary(result: number): boolean {
  return result === Absent.pending || result === Absent.busy;
}
