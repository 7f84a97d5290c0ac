// A file on its way to a sink (storage layer): blocks are gathered into large pieces, and hashed if that is wanted. What was
// given to it is safe with the kernel once `finish` has said 0, and has its name once `publish` has.

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
  #filled = 0;
  #isOpen = true;

  constructor(sink: Sink, isHashed: boolean) {
    this.#sink = sink;
    this.#hash = isHashed ? new Bun.CryptoHasher("sha256") : undefined;
  }

  /** Takes `bytes` (at most a block) from `address` (arena memory). 0, or a value of UploadRefusal. */
  append(address: number, bytes: number): number {
    if (this.#filled + bytes > PIECE_BYTES) {
      const written = this.finish();
      if (written < 0) return written;
    }
    copyBytes(this.#arena.address + this.#filled, address, bytes);
    this.#filled += bytes;
    this.bytes += bytes;
    return 0;
  }

  /** Writes what is still gathered. 0, or a value of UploadRefusal. */
  finish(): number {
    const bytes = this.#filled;
    if (bytes === 0) return 0;
    this.#filled = 0;
    this.#hash?.update(this.#arena.u8.subarray(0, bytes));
    return this.#sink.write(this.#arena, 0, bytes);
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

  #close(): void {
    this.#isOpen = false;
    this.#arena.unmap();
  }
}
