// The bytes of a transfer, block by block (server layer): octet points into the file cache; netascii is encoded
// into a chunk of its own, so that a block that is sent again is the same to the byte.

import { assert } from "#base/assert.ts";
import { at } from "#base/bytes.ts";
import { HEADER_BYTES } from "#io/block-headers.ts";
import type { Outbox } from "#io/outbox.ts";
import { NetasciiEncoder } from "#protocol/netascii.ts";
import { Absent, type CachedFile, type FileCache } from "#storage/file-cache.ts";

/** Where a transfer's blocks come from. Both ways answer values of {@link Absent} (below zero) for what is not there. */
export interface Payload {
  /** The last block's absolute number, or Infinity while it is not known. */
  readonly lastBlock: number;
  /** Makes the blocks up to `block` ready. 0, or {@link Absent}. Called before blocks are chosen. */
  prepare(block: number): number;
  /** Adds the packet of `block` with the header at `header` to the open message. Bytes added, or {@link Absent} and nothing added. */
  gather(outbox: Outbox, block: number, header: number): number;
  close(): void;
}

/** The file as it is. */
export class OctetPayload implements Payload {
  readonly lastBlock: number;
  readonly #cache: FileCache;
  readonly #file: CachedFile;
  readonly #blockBytes: number;

  constructor(cache: FileCache, file: CachedFile, blockBytes: number) {
    this.#cache = cache;
    this.#file = file;
    this.#blockBytes = blockBytes;
    this.lastBlock = Math.floor(file.bytes / blockBytes) + 1;
  }

  prepare(): number {
    return 0;
  }

  gather(outbox: Outbox, block: number, header: number): number {
    const position = (block - 1) * this.#blockBytes;
    const bytes = Math.min(this.#blockBytes, this.#file.bytes - position);
    if (bytes === 0) {
      outbox.push(header, HEADER_BYTES);
      return HEADER_BYTES;
    }
    const chunkBytes = this.#cache.chunkBytes;
    const first = this.#cache.locate(this.#file, position);
    if (first < 0) return first;
    const room = chunkBytes - (position % chunkBytes);
    if (bytes <= room) {
      outbox.push(header, HEADER_BYTES);
      outbox.push(first, bytes);
      return HEADER_BYTES + bytes;
    }
    // No block is larger than a chunk, so it lies in two chunks at the most.
    const second = this.#cache.locate(this.#file, position + room);
    if (second < 0) return second;
    outbox.push(header, HEADER_BYTES);
    outbox.push(first, room);
    outbox.push(second, bytes - room);
    return HEADER_BYTES + bytes;
  }

  close(): void {
    this.#cache.close(this.#file);
  }
}

/** The file with its line ends translated. Blocks of one window are kept until the window moves on. */
export class NetasciiPayload implements Payload {
  lastBlock: number = Infinity;
  readonly #cache: FileCache;
  readonly #file: CachedFile;
  readonly #blockBytes: number;
  readonly #windowBlocks: number;
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
    blockBytes: number,
    windowBlocks: number,
  ) {
    assert(blockBytes * windowBlocks <= cache.chunkBytes, "a window of netascii fits in one chunk");
    this.#cache = cache;
    this.#file = file;
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

  gather(outbox: Outbox, block: number, header: number): number {
    assert(block <= this.#encodedBlock, "prepare has encoded what is sent");
    const place = (block - 1) % this.#windowBlocks;
    const bytes = at(this.#lengths, place);
    outbox.push(header, HEADER_BYTES);
    if (bytes > 0) outbox.push(this.#ring + place * this.#blockBytes, bytes);
    return HEADER_BYTES + bytes;
  }

  close(): void {
    this.#cache.unreserve(this.#ring);
    this.#cache.close(this.#file);
  }

  /** Encodes up to the end of the block, of the chunk or of the file, whichever comes first. */
  #encodeSome(): number {
    const left = this.#file.bytes - this.#position;
    let source = 0;
    let sourceBytes = 0;
    if (left > 0) {
      const address = this.#cache.locate(this.#file, this.#position);
      if (address < 0) return address;
      source = address - this.#cache.address;
      const { chunkBytes } = this.#cache;
      sourceBytes = Math.min(left, chunkBytes - (this.#position % chunkBytes));
    }
    const place = this.#encodedBlock % this.#windowBlocks;
    const start = this.#ringStart + place * this.#blockBytes;
    const { u8 } = this.#cache;
    const from = start + this.#partialBytes;
    this.#encoder.encode(u8, source, source + sourceBytes, u8, from, start + this.#blockBytes);
    this.#position += this.#encoder.consumed;
    this.#partialBytes += this.#encoder.produced;
    if (this.#partialBytes === this.#blockBytes) this.#endBlock(place);
    else if (this.#position === this.#file.bytes) {
      this.lastBlock = this.#encodedBlock + 1;
      this.#endBlock(place);
    }
    return 0;
  }

  #endBlock(place: number): void {
    this.#lengths[place] = this.#partialBytes;
    this.#encodedBlock += 1;
    this.#partialBytes = 0;
  }
}

/** Whether `result` is worth asking again soon. */
export function isTemporary(result: number): boolean {
  return result === Absent.pending || result === Absent.busy;
}
