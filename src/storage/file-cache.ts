// File contents in memory (storage layer): fixed chunks under one byte budget, one cache per shard, shared by every
// transfer of the same file. Addresses point into arena memory and hold until the next `release` of the turn.

import { assert } from "#base/assert.ts";
import { f64At, i32At } from "#base/bytes.ts";
import { Arena } from "#ffi/arena.ts";
import { DiskCall } from "#ffi/disk-call.ts";
import { Errno } from "#ffi/errno.ts";
import { Advice, closeFd, fadvise, pread, preadReady } from "#ffi/file.ts";
import { FileStat, statFd } from "#ffi/stat.ts";

import { CachedFile, LOADING, NONE } from "./cached-file.ts";
import type { Disk, DiskOwner } from "./disk-queue.ts";
import type { Framing } from "./framing.ts";

/** What {@link FileCache.locate} answers instead of an address; all are below zero. */
export const Absent = {
  /** Not in the page cache; it is being read. Ask again soon, at the latest when the disk has rung. */
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

/** Reads what is in memory: {@link preadReady}, but where a test says what is. */
export type ReadNow = typeof preadReady;
export { preadReady as readNow } from "#ffi/file.ts";

// Once a chunk is asked for and not there, this much is read ahead: 16 chunks, a disk's comfortable request.
const READ_AHEAD_BYTES = 1 << 20;
// Without disk threads, chunks that stay unread this often (every retry is ≥ 0.5 ms apart) are read with waiting: some file
// systems never answer a read that must not wait from memory.
const PENDING_MAX = 400;

/** How many chunks are looked at for one of a file that nobody is being sent: the hand goes round once while some hundred are filled. */
const SPARING_STEPS = 8;

/** The token of a job whose result does not matter. */
const NO_MATTER = -1;

/** A shard's cache. `bytesMax` is its budget; memory is taken as chunks are filled. */
export class FileCache implements DiskOwner {
  readonly chunkBytes: number;
  hits = 0;
  misses = 0;
  readonly #arena: Arena;
  readonly #chunkCount: number;
  readonly #advice: ReadAdvice;
  readonly #disk: Disk | undefined;
  readonly #readNow: ReadNow;
  readonly #sparingFromBytes: number;
  readonly #files: Map<string, CachedFile> = new Map();
  readonly #owners: (CachedFile | undefined)[];
  readonly #indexes: Float64Array;
  readonly #wasUsed: Uint8Array;
  /** The turn in which a chunk's address was last given out; those of the current turn stay. */
  readonly #turns: Float64Array;
  readonly #isReserved: Uint8Array;
  /** Bytes that a disk thread has read into a chunk that it is filling. */
  readonly #loadedBytes: Float64Array;
  readonly #stat: FileStat = new FileStat();
  #turn = 1;
  #hand = 0;
  #filled = 0;
  /** A chunk that was taken and not filled, because its read did not succeed. */
  #spare = NONE;

  /**
   * With `disk`, whose results the caller reaps, no read ever waits; without, one may. From `sparingFromBytes` on it prefers memory that it
   * has, of files that nobody is being sent, to more: a page that is touched for the first time costs about as much as what is read into it.
   */
  constructor(
    bytesMax: number,
    chunkBytes: number,
    advice: ReadAdvice,
    disk?: Disk,
    readNow: ReadNow = preadReady,
    sparingFromBytes: number = Infinity,
  ) {
    // Two chunks are the least that a block that straddles an edge needs.
    this.#chunkCount = Math.max(2, Math.floor(bytesMax / chunkBytes));
    this.chunkBytes = chunkBytes;
    this.#advice = advice;
    this.#disk = disk;
    this.#readNow = readNow;
    this.#sparingFromBytes = sparingFromBytes;
    this.#arena = new Arena(this.#chunkCount * chunkBytes);
    this.#owners = Array.from({ length: this.#chunkCount }, () => undefined);
    this.#indexes = new Float64Array(this.#chunkCount);
    this.#wasUsed = new Uint8Array(this.#chunkCount);
    this.#turns = new Float64Array(this.#chunkCount);
    this.#isReserved = new Uint8Array(this.#chunkCount);
    this.#loadedBytes = new Float64Array(this.#chunkCount);
  }

  /** Bytes that hold something, or have. */
  get bytesUsed(): number {
    return this.#filled * this.chunkBytes;
  }

  get bytesMax(): number {
    return this.#chunkCount * this.chunkBytes;
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
    if (known !== undefined && !known.isChanged && !known.hasFailed) {
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

  /** {@link hold} for contents that are in no file. They are the caller's alone, and forgotten when it closes them. */
  holdText(text: Uint8Array, framing: Framing): CachedFile {
    const version = new FileStat();
    version.bytes = text.length;
    const file = new CachedFile("", version, NONE, framing, text);
    file.holders = 1;
    return file;
  }

  /** One more hold of a file that is held, with its fd. */
  keep(file: CachedFile): void {
    assert(file.holders > 0 && file.fd !== NONE, "a file that is kept is held");
    file.holders += 1;
  }

  /** Ends one hold. The contents stay until their memory is needed; the fd goes with the last holder. */
  close(file: CachedFile): void {
    assert(file.holders > 0, "a file is closed once per hold");
    file.holders -= 1;
    this.#closeUnused(file);
  }

  #closeUnused(file: CachedFile): void {
    if (file.holders > 0 || file.loading > 0) return;
    if (file.text !== undefined) {
      this.#forget(file);
      return;
    }
    if (this.#advice.isDontneedAfter) fadvise(file.fd, 0, 0, Advice.dontneed);
    closeFd(file.fd);
    file.fd = NONE;
    const isStale = file.isChanged || file.hasFailed;
    if (isStale || !file.chunks.some((chunk) => chunk !== NONE)) this.#forget(file);
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
    if (chunk === LOADING) return Absent.pending;
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
    if (file.hasFailed) return Absent.failed;
    const chunk = this.#takeChunk();
    if (chunk < 0) return chunk;
    const position = index * file.framing.payloadBytes;
    const bytes = this.#bytesOf(file, index);
    const result =
      file.text === undefined
        ? this.#read(file, this.#addressOf(chunk), bytes, position)
        : this.#copy(file.text.subarray(position, position + bytes), chunk);
    if (result === 0) {
      this.#frame(file, index, chunk);
      this.#own(chunk, file, index);
      file.chunks[index] = chunk;
      return chunk;
    }
    if (result !== Absent.pending || !this.#startLoading(file, index, chunk)) this.#spare = chunk;
    return result;
  }

  /** Has a disk thread fill `chunk`. False: its queue is full, or there is none. */
  #startLoading(file: CachedFile, index: number, chunk: number): boolean {
    if (!this.#submitRead(file, index, chunk, 0)) return false;
    this.#own(chunk, file, index);
    this.#isReserved[chunk] = 1;
    this.#loadedBytes[chunk] = 0;
    file.chunks[index] = LOADING;
    file.loading += 1;
    // The chunks after it are asked for by the disk thread as well: even the asking may wait for a disk.
    const position = (index + 1) * file.framing.payloadBytes;
    const { willneed } = Advice;
    this.#disk
      ?.leastLoaded()
      .submit(this, NO_MATTER, DiskCall.fadvise, file.fd, position, READ_AHEAD_BYTES, willneed);
    return true;
  }

  /** A disk thread has read into the chunk `token`. Called by {@link Disk.reap}. */
  handleDisk(token: number, result: number): void {
    if (token === NO_MATTER) return;
    const file = this.#owners[token];
    assert(file !== undefined, "a chunk that is filled has its file");
    const index = f64At(this.#indexes, token);
    const loaded = f64At(this.#loadedBytes, token) + Math.max(0, result);
    this.#loadedBytes[token] = loaded;
    const isWhole = loaded === this.#bytesOf(file, index);
    if (result > 0 && !isWhole && this.#submitRead(file, index, token, loaded)) return;
    this.#isReserved[token] = 0;
    file.loading -= 1;
    if (result === 0) file.isChanged = true;
    if (result < 0) file.hasFailed = true;
    if (result > 0 && isWhole && this.#verify(file) === 0) {
      this.#frame(file, index, token);
      file.chunks[index] = token;
      // A round's grace, or a small cache drops it before whoever waits has asked again.
      this.#wasUsed[token] = 1;
    } else {
      file.chunks[index] = NONE;
      this.#owners[token] = undefined;
    }
    this.#closeUnused(file);
  }

  #submitRead(file: CachedFile, index: number, chunk: number, loaded: number): boolean {
    if (this.#disk === undefined) return false;
    const address = this.#addressOf(chunk) + loaded;
    const bytes = this.#bytesOf(file, index) - loaded;
    const position = index * file.framing.payloadBytes + loaded;
    const queue = this.#disk.leastLoaded();
    return queue.submit(this, chunk, DiskCall.pread, file.fd, address, bytes, position);
  }

  #copy(bytes: Uint8Array, chunk: number): number {
    this.#arena.u8.set(bytes, chunk * this.chunkBytes);
    return 0;
  }

  #own(chunk: number, file: CachedFile, index: number): void {
    this.#owners[chunk] = file;
    this.#indexes[chunk] = index;
  }

  #frame(file: CachedFile, index: number, chunk: number): void {
    file.framing.frame(this.#arena.u8, chunk * this.chunkBytes, this.#bytesOf(file, index), index);
  }

  #addressOf(chunk: number): number {
    return this.#arena.address + chunk * this.chunkBytes;
  }

  /** How much of the file its `index`-th chunk holds. */
  #bytesOf(file: CachedFile, index: number): number {
    const { payloadBytes } = file.framing;
    return Math.min(payloadBytes, file.bytes - index * payloadBytes);
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
    return this.#verify(file);
  }

  #verify(file: CachedFile): number {
    if (statFd(file.fd, this.#stat) < 0) return Absent.failed;
    return this.#stat.hasSameBytes(file.version) ? 0 : this.#changed(file);
  }

  #readSome(file: CachedFile, address: number, bytes: number, position: number): number {
    const read = this.#readNow(file.fd, address, bytes, position);
    if (read >= 0) return read;
    const isAbsent = read === -Errno.EAGAIN || read === -Errno.EOPNOTSUPP;
    if (isAbsent && this.#disk !== undefined) return Absent.pending;
    if (read === -Errno.EAGAIN && file.pendingReads < PENDING_MAX) {
      file.pendingReads += 1;
      fadvise(file.fd, position, READ_AHEAD_BYTES, Advice.willneed);
      return Absent.pending;
    }
    if (!isAbsent) return Absent.failed;
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
      const idle = this.bytesUsed < this.#sparingFromBytes ? NONE : this.#takeIdle();
      if (idle !== NONE) return idle;
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

  /** A chunk of a file that is not held, and was not used since the hand's last round; {@link NONE} if there is none nearby. */
  #takeIdle(): number {
    for (let step = Math.min(SPARING_STEPS, this.#filled); step > 0; step -= 1) {
      const chunk = this.#hand;
      this.#hand = (this.#hand + 1) % this.#filled;
      if (this.#isReserved[chunk] === 1 || this.#turns[chunk] === this.#turn) continue;
      if ((this.#owners[chunk]?.holders ?? 0) > 0) continue;
      if (this.#wasUsed[chunk] === 1) this.#wasUsed[chunk] = 0;
      else return this.#evict(chunk);
    }
    return NONE;
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
      if (chunk >= 0) this.#owners[chunk] = undefined;
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
