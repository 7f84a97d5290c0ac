// File contents in memory (storage layer): fixed chunks under one byte budget, one cache per shard, shared by every
// transfer of the same file. Addresses point into arena memory and hold until the next `release` of the turn.

import { assert } from "#base/assert.ts";
import { f64At, i32At } from "#base/bytes.ts";
import { Arena } from "#ffi/arena.ts";
import { Errno } from "#ffi/errno.ts";
import { Advice, closeFd, fadvise, pread, preadNowait } from "#ffi/file.ts";
import { FileStat, statFd } from "#ffi/stat.ts";

import type { Framing } from "./framing.ts";

/** What {@link FileCache.locate} answers instead of an address; all are below zero. */
export const Absent = {
  /** Not in the page cache yet; the kernel has been asked to read it. Ask again soon. */
  pending: -1,
  /** The file is no longer what it was when the transfer began. */
  changed: -2,
  /** The disk or file system failed. */
  failed: -3,
  /** Every chunk is in use by this turn: send what is gathered, then ask again. */
  busy: -4,
} as const;

/** How the kernel is told to read ahead: posix_fadvise(2). */
export interface ReadAdvice {
  readonly isSequential: boolean;
  readonly isWillneed: boolean;
  readonly isDontneedAfter: boolean;
}

// Once a chunk is asked for and not there, this much is read ahead: 16 chunks, a disk's comfortable request.
const READ_AHEAD_BYTES = 1 << 20;
// Chunks that stay unread this often (every retry is ≥ 0.5 ms apart) are read with waiting: some file systems never
// answer a read that must not wait from memory.
const PENDING_MAX = 400;

const NONE = -1;

/** A file that transfers share. It holds an fd as long as a transfer holds the file. */
export class CachedFile {
  readonly key: string;
  readonly bytes: number;
  /** What the file was when it was opened. */
  readonly version: FileStat;
  fd: number;
  holders = 0;
  isChanged = false;
  pendingReads = 0;
  readonly framing: Framing;
  /** The chunk that holds each {@link Framing.payloadBytes} of the file, or −1. */
  readonly chunks: Int32Array;

  constructor(key: string, version: FileStat, fd: number, framing: Framing) {
    this.key = key;
    this.bytes = version.bytes;
    this.version = version;
    this.fd = fd;
    this.framing = framing;
    this.chunks = new Int32Array(framing.chunkCount(version.bytes)).fill(NONE);
  }
}

/** A shard's cache. `bytesMax` is its budget; memory is taken as chunks are filled. */
export class FileCache {
  readonly chunkBytes: number;
  hits = 0;
  misses = 0;
  readonly #arena: Arena;
  readonly #chunkCount: number;
  readonly #advice: ReadAdvice;
  readonly #files: Map<string, CachedFile> = new Map();
  readonly #owners: (CachedFile | undefined)[];
  readonly #indexes: Float64Array;
  readonly #wasUsed: Uint8Array;
  /** The turn in which a chunk's address was last given out; those of the current turn stay. */
  readonly #turns: Float64Array;
  readonly #isReserved: Uint8Array;
  readonly #stat: FileStat = new FileStat();
  #turn = 1;
  #hand = 0;
  #filled = 0;
  /** A chunk that was taken and not filled, because its read did not succeed. */
  #spare = NONE;

  constructor(bytesMax: number, chunkBytes: number, advice: ReadAdvice) {
    // Two chunks are the least that a block that straddles an edge needs.
    this.#chunkCount = Math.max(2, Math.floor(bytesMax / chunkBytes));
    this.chunkBytes = chunkBytes;
    this.#advice = advice;
    this.#arena = new Arena(this.#chunkCount * chunkBytes);
    this.#owners = Array.from({ length: this.#chunkCount }, () => undefined);
    this.#indexes = new Float64Array(this.#chunkCount);
    this.#wasUsed = new Uint8Array(this.#chunkCount);
    this.#turns = new Float64Array(this.#chunkCount);
    this.#isReserved = new Uint8Array(this.#chunkCount);
  }

  /** The bytes of all chunks; {@link locate} answers addresses in it, `addressOf(0)` being offset 0. */
  get u8(): Uint8Array {
    return this.#arena.u8;
  }

  get address(): number {
    return this.#arena.address;
  }

  /**
   * Takes over `fd`, whose state is `version`, to be laid out by `framing`; the file that comes back must be given to
   * {@link close} once. Transfers with the same block size share the memory.
   */
  hold(fd: number, version: FileStat, framing: Framing): CachedFile {
    const key = `${version.versionKey()} ${framing.key}`;
    const known = this.#files.get(key);
    if (known !== undefined && !known.isChanged) {
      known.holders += 1;
      if (known.fd === NONE) known.fd = fd;
      else closeFd(fd);
      return known;
    }
    const file = new CachedFile(key, version, fd, framing);
    file.holders = 1;
    this.#files.set(key, file);
    this.#advise(file);
    return file;
  }

  /** Ends one hold. The contents stay until their memory is needed; the fd goes with the last holder. */
  close(file: CachedFile): void {
    assert(file.holders > 0, "a file is closed once per hold");
    file.holders -= 1;
    if (file.holders > 0) return;
    if (this.#advice.isDontneedAfter) fadvise(file.fd, 0, 0, Advice.dontneed);
    closeFd(file.fd);
    file.fd = NONE;
    if (file.isChanged || !file.chunks.some((chunk) => chunk !== NONE)) this.#forget(file);
  }

  /** Ends the turn: addresses given out so far may be reused from now on. */
  release(): void {
    this.#turn += 1;
  }

  /**
   * The address of block `block` of `file`, header first, and of those that {@link Framing.runFrom} counts, good until
   * {@link release}; or a value of {@link Absent}.
   */
  locate(file: CachedFile, block: number): number {
    const { blocksPerChunk, strideBytes } = file.framing;
    const index = Math.floor((block - 1) / blocksPerChunk);
    let chunk = i32At(file.chunks, index);
    if (chunk === NONE) {
      chunk = this.#load(file, index);
      if (chunk < 0) return chunk;
    } else {
      this.hits += 1;
    }
    this.#wasUsed[chunk] = 1;
    this.#turns[chunk] = this.#turn;
    const place = block - 1 - index * blocksPerChunk;
    return this.#arena.address + chunk * this.chunkBytes + place * strideBytes;
  }

  /** Takes a chunk out of the cache for the caller's own use: its address, or {@link Absent.busy}. */
  reserve(): number {
    const chunk = this.#takeChunk();
    if (chunk < 0) return chunk;
    this.#isReserved[chunk] = 1;
    return this.#arena.address + chunk * this.chunkBytes;
  }

  /** Gives back what {@link reserve} returned. */
  unreserve(address: number): void {
    const chunk = (address - this.#arena.address) / this.chunkBytes;
    assert(this.#isReserved[chunk] === 1, "only a reserved chunk is given back");
    this.#isReserved[chunk] = 0;
  }

  unmap(): void {
    this.#arena.unmap();
  }

  #load(file: CachedFile, index: number): number {
    this.misses += 1;
    if (file.isChanged) return Absent.changed;
    const chunk = this.#takeChunk();
    if (chunk < 0) return chunk;
    const { framing } = file;
    const position = index * framing.payloadBytes;
    const bytes = Math.min(framing.payloadBytes, file.bytes - position);
    const result = this.#read(file, this.#arena.address + chunk * this.chunkBytes, bytes, position);
    if (result < 0) {
      this.#spare = chunk;
      return result;
    }
    framing.frame(this.#arena.u8, chunk * this.chunkBytes, bytes, index);
    this.#owners[chunk] = file;
    this.#indexes[chunk] = index;
    file.chunks[index] = chunk;
    return chunk;
  }

  /** Reads exactly `bytes` and then makes sure that they still belong to the same version of the file. */
  #read(file: CachedFile, address: number, bytes: number, position: number): number {
    let done = 0;
    while (done < bytes) {
      const read = this.#readSome(file, address + done, bytes - done, position + done);
      if (read === 0) return this.#changed(file);
      if (read < 0) return read;
      done += read;
    }
    file.pendingReads = 0;
    if (statFd(file.fd, this.#stat) < 0) return Absent.failed;
    return this.#stat.hasSameBytes(file.version) ? 0 : this.#changed(file);
  }

  #readSome(file: CachedFile, address: number, bytes: number, position: number): number {
    const read = preadNowait(file.fd, address, bytes, position);
    if (read >= 0) return read;
    if (read === -Errno.EAGAIN && file.pendingReads < PENDING_MAX) {
      file.pendingReads += 1;
      fadvise(file.fd, position, READ_AHEAD_BYTES, Advice.willneed);
      return Absent.pending;
    }
    if (read !== -Errno.EAGAIN && read !== -Errno.EOPNOTSUPP) return Absent.failed;
    const waited = pread(file.fd, address, bytes, position);
    return waited < 0 ? Absent.failed : waited;
  }

  #changed(file: CachedFile): number {
    file.isChanged = true;
    return Absent.changed;
  }

  /** A chunk to fill: a fresh one, else the first that a clock hand finds unused since its last round. */
  #takeChunk(): number {
    if (this.#spare !== NONE) {
      const chunk = this.#spare;
      this.#spare = NONE;
      return chunk;
    }
    if (this.#filled < this.#chunkCount) {
      const chunk = this.#filled;
      this.#filled += 1;
      return chunk;
    }
    for (let step = 0; step < 2 * this.#chunkCount; step += 1) {
      const chunk = this.#hand;
      this.#hand = (this.#hand + 1) % this.#chunkCount;
      if (this.#isReserved[chunk] === 1 || this.#turns[chunk] === this.#turn) continue;
      if (this.#wasUsed[chunk] === 1) this.#wasUsed[chunk] = 0;
      else return this.#evict(chunk);
    }
    return Absent.busy;
  }

  #evict(chunk: number): number {
    const owner = this.#owners[chunk];
    this.#owners[chunk] = undefined;
    if (owner === undefined) return chunk;
    owner.chunks[f64At(this.#indexes, chunk)] = NONE;
    if (owner.holders === 0 && !owner.chunks.some((other) => other !== NONE)) this.#forget(owner);
    return chunk;
  }

  #forget(file: CachedFile): void {
    for (const chunk of file.chunks) {
      if (chunk !== NONE) this.#owners[chunk] = undefined;
    }
    file.chunks.fill(NONE);
    if (this.#files.get(file.key) === file) this.#files.delete(file.key);
  }

  #advise(file: CachedFile): void {
    if (file.bytes === 0) return;
    if (this.#advice.isSequential) fadvise(file.fd, 0, 0, Advice.sequential);
    if (this.#advice.isWillneed) fadvise(file.fd, 0, READ_AHEAD_BYTES, Advice.willneed);
  }
}
