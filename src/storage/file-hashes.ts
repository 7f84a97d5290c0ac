// SHA-256 of served files (storage layer): read and computed by a disk thread, one file of a shard at a time, once for each version
// of a file. Whoever asked is told later; the shard spends nothing but the asking.

import { assert } from "#base/assert.ts";
import { Arena } from "#ffi/arena.ts";
import { DiskCall } from "#ffi/disk-call.ts";
import { FileStat, statFd } from "#ffi/stat.ts";

import type { CachedFile } from "./cached-file.ts";
import { DIGEST_BYTES, HashCall } from "./disk-job.ts";
import type { Disk, DiskOwner, DiskQueue } from "./disk-queue.ts";
import type { FileCache } from "./file-cache.ts";

/** Told the 64 hexadecimal digits; undefined if there are none: the file has changed, the disk failed, too many asked. */
export type HashListener = (sha256: string | undefined) => void;

/** Read at a time: what uploads write at a time, 80 µs of hashing. */
const BUFFER_BYTES = 128 * 1024;
/** Versions whose hash is remembered: a guess, more than a site has boot files. */
const KNOWN_MAX = 1000;
/** Who may wait at a time, all files together: a guess, a large site that boots at once. */
const WAITING_MAX = 4096;
/** Not one of those that uploads use, which count from 1 (upload.ts). */
const HASH_HANDLE = 1 << 20;

interface Job {
  readonly file: CachedFile;
  readonly key: string;
  readonly listeners: HashListener[];
}

export class FileHashes implements DiskOwner {
  readonly #disk: Disk;
  readonly #cache: FileCache;
  readonly #known = new Map<string, string>();
  /** The first one is under way. */
  readonly #jobs: Job[] = [];
  readonly #stat: FileStat = new FileStat();
  #waiting = 0;
  #memory: Arena | undefined;
  #queue: DiskQueue | undefined;
  #position = 0;
  #isEnding = false;

  /** `disk` is reaped by its owner; the files are of `cache`. */
  constructor(disk: Disk, cache: FileCache) {
    this.#disk = disk;
    this.#cache = cache;
  }

  /** Tells `listener` the hash of `file`, which is held: at once if it is known, or when it has been computed. */
  request(file: CachedFile, listener: HashListener): void {
    if (file.text !== undefined) {
      listener(new Bun.CryptoHasher("sha256").update(file.text).digest("hex"));
      return;
    }
    const key = file.version.versionKey();
    const known = this.#known.get(key);
    if (known !== undefined || this.#waiting >= WAITING_MAX) {
      listener(known);
      return;
    }
    this.#waiting += 1;
    const job = this.#jobs.find((each) => each.key === key);
    if (job !== undefined) {
      job.listeners.push(listener);
      return;
    }
    this.#cache.keep(file);
    this.#jobs.push({ file, key, listeners: [listener] });
    if (this.#jobs.length === 1) this.#begin();
  }

  /** Tells everybody that waits that there is no hash, and gives up what is under way. Nothing may be asked afterwards. */
  abandon(): void {
    this.#isEnding = true;
    for (const { listeners } of this.#jobs)
      for (const listener of listeners.splice(0)) listener(undefined);
  }

  handleDisk(token: number, result: number): void {
    const job = this.#jobs[0];
    assert(job !== undefined, "a result belongs to the job under way");
    if (token === Token.end) {
      this.#finish(job, result < 0 ? undefined : this.#digest());
      return;
    }
    if (token === Token.read) this.#position += Math.max(result, 0);
    const isShort = token === Token.read && result <= 0 && job.file.bytes > this.#position;
    if (result < 0 || isShort || this.#isEnding) this.#finish(job, undefined);
    else this.#step(job);
  }

  #begin(): void {
    const [job] = this.#jobs;
    if (job === undefined) return;
    this.#memory ??= new Arena(BUFFER_BYTES + DIGEST_BYTES);
    this.#position = 0;
    // All of it in one queue: the hash lives in its thread, and wants the pieces in their order.
    this.#queue = this.#disk.leastLoaded();
    this.#submit(job, Token.begin, HashCall.begin, HASH_HANDLE);
  }

  /** The next piece, or the end. */
  #step(job: Job): void {
    assert(this.#memory !== undefined, "it was mapped when the job began");
    const { address } = this.#memory;
    const left = job.file.bytes - this.#position;
    if (left === 0) {
      this.#submit(job, Token.end, HashCall.end, HASH_HANDLE, address + BUFFER_BYTES);
      return;
    }
    const bytes = Math.min(left, BUFFER_BYTES);
    const { fd } = job.file;
    this.#submit(job, Token.read, DiskCall.pread, fd, address, bytes, this.#position, HASH_HANDLE);
  }

  #submit(job: Job, token: number, call: number, ...args: readonly number[]): void {
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = args;
    // A full queue has better things to do than this.
    if (this.#queue?.submit(this, token, call, a, b, c, d, e) !== true)
      this.#finish(job, undefined);
  }

  #digest(): string {
    assert(this.#memory !== undefined, "the digest was written to it");
    return this.#memory.u8.slice(BUFFER_BYTES, BUFFER_BYTES + DIGEST_BYTES).toHex();
  }

  #finish(job: Job, computed: string | undefined): void {
    const { file, key, listeners } = job;
    // What was read is the version that was sent only if it still is that version.
    const isSame = statFd(file.fd, this.#stat) === 0 && this.#stat.hasSameBytes(file.version);
    const sha256 = isSame ? computed : undefined;
    if (sha256 !== undefined) this.#remember(key, sha256);
    this.#jobs.shift();
    this.#waiting -= listeners.length;
    this.#cache.close(file);
    for (const listener of listeners) listener(sha256);
    if (!this.#isEnding) this.#begin();
  }

  #remember(key: string, sha256: string): void {
    const oldest = this.#known.size < KNOWN_MAX ? undefined : this.#known.keys().next().value;
    if (oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(key, sha256);
  }
}

const Token = { begin: 0, read: 1, end: 2 } as const;
