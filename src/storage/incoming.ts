// A file on its way to a sink (storage layer): blocks are gathered into large pieces, and hashed if that is wanted; they come in
// order, or each for its place. What was given to it is safe with the kernel once `finish` has said 0, and has its name once
// `publish` has.

import { Arena } from "#ffi/arena.ts";
import { copyBytes } from "#ffi/create.ts";

import type { Sink } from "./sink.ts";

/** One write: 165 ns of system call and a page walk vanish beside it, and a pipe or a disk likes it. A guess. */
const PIECE_BYTES = 256 * 1024;

export class IncomingFile {
  /** Bytes that were taken. */
  bytes = 0;
  readonly #sink: Sink;
  readonly #hash: Bun.CryptoHasher | undefined;
  readonly #arena: Arena = new Arena(PIECE_BYTES);
  /** Where what is gathered begins in the file, and how much it is. */
  #position = 0;
  #filled = 0;
  /** Bytes from the beginning of the file on that were hashed. */
  #hashedBytes = 0;
  #isOpen = true;

  constructor(sink: Sink, isHashed: boolean) {
    this.#sink = sink;
    this.#hash = isHashed ? new Bun.CryptoHasher("sha256") : undefined;
  }

  /**
   * Takes `bytes` (at most a block) from `address` (arena memory): the next ones, or those from `position` on, no byte twice. 0, or a
   * value of UploadRefusal.
   */
  append(address: number, bytes: number, position: number = this.bytes): number {
    const isNext = position === this.#position + this.#filled;
    if (!isNext || this.#filled + bytes > PIECE_BYTES) {
      const written = this.#write();
      if (written < 0) return written;
      this.#position = position;
    }
    copyBytes(this.#arena.address + this.#filled, address, bytes);
    this.#filled += bytes;
    this.bytes += bytes;
    return 0;
  }

  /** Writes what is still gathered; reads again what came before its turn, if it is to be hashed. 0, or a value of UploadRefusal. */
  finish(): number {
    const written = this.#write();
    return written < 0 || this.#hash === undefined ? written : this.#hashRest();
  }

  /** SHA-256 in hexadecimal digits; empty where none was wanted. Asked once, after {@link finish}. */
  digest(): string {
    return this.#hash?.digest("hex") ?? "";
  }

  /** Gives the file its name. 0, or a value of UploadRefusal, and nothing is left. */
  publish(): number {
    this.#close();
    return this.#sink.publish();
  }

  /** Nothing is left of it, unless it was published; calling it then, or twice, does nothing. */
  discard(): void {
    if (!this.#isOpen) return;
    this.#close();
    this.#sink.discard();
  }

  #write(): number {
    const bytes = this.#filled;
    if (bytes === 0) return 0;
    const position = this.#position;
    this.#filled = 0;
    this.#position += bytes;
    if (position === this.#hashedBytes) this.#hashGathered(bytes);
    return this.#sink.write(this.#arena, bytes, position);
  }

  #hashRest(): number {
    while (this.#hashedBytes < this.bytes) {
      const left = Math.min(this.bytes - this.#hashedBytes, PIECE_BYTES);
      const bytes = this.#sink.read(this.#arena, left, this.#hashedBytes);
      if (bytes < 0) return bytes;
      this.#hashGathered(bytes);
    }
    return 0;
  }

  #hashGathered(bytes: number): void {
    this.#hash?.update(this.#arena.u8.subarray(0, bytes));
    this.#hashedBytes += bytes;
  }

  #close(): void {
    this.#isOpen = false;
    this.#arena.unmap();
  }
}
