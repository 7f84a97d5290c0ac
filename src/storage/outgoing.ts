// A file that a client puts (storage layer): opened once, read in chunks of whole blocks, and watched, so that one that changes
// meanwhile is not sent as a mixture.

import { basename, dirname } from "node:path";

import { closeFd, openRoot } from "#ffi/file.ts";
import type { Agreement } from "#protocol/agreement.ts";
import { dataHeaderBytes } from "#protocol/packet.ts";
import type { Mode } from "#protocol/uri.ts";

import { FileCache } from "./file-cache.ts";
import { Framing } from "./framing.ts";
import { NetasciiPayload, OctetPayload, type Payload } from "./payload.ts";
import { type FileStat, OpenRefusal, Root } from "./root.ts";

/** One read. Larger where a window of netascii must fit. */
const CHUNK_BYTES = 256 * 1024;
/** A window may lie in two chunks, one is being filled, and netascii keeps one for itself. */
const CHUNKS = 4;

/** An open file. */
export class OutgoingFile {
  readonly bytes: number;
  readonly #fd: number;
  readonly #stat: FileStat;
  #isTaken = false;
  #cache: FileCache | undefined;
  #payload: Payload | undefined;

  private constructor(fd: number, stat: FileStat) {
    this.#fd = fd;
    this.#stat = stat;
    this.bytes = stat.bytes;
  }

  /** Opens the regular file at `path`, absolute and without symlinks; or a value of OpenRefusal. */
  static open(path: string): OutgoingFile | number {
    const folderFd = openRoot(dirname(path));
    if (folderFd < 0) return OpenRefusal.notFound;
    const root = new Root(folderFd);
    const fd = root.open(basename(path));
    closeFd(folderFd);
    return fd < 0 ? fd : new OutgoingFile(fd, root.stat);
  }

  /** Its blocks, as they go out by `agreement`. Once; netascii asks for blocks as a server does: see Payload. */
  payload(mode: Mode, agreement: Agreement): Payload {
    const { blockBytes, windowBlocks, rolloverTo } = agreement;
    const windowBytes = (blockBytes + dataHeaderBytes) * windowBlocks;
    const isText = mode === "netascii";
    const chunkBytes = isText ? Math.max(CHUNK_BYTES, windowBytes) : CHUNK_BYTES;
    const advice = { isSequential: true, isWillneed: true, isDontneedAfter: false };
    // Without disk threads: a read may wait.
    const cache = new FileCache(CHUNKS * chunkBytes, chunkBytes, advice);
    const framing = isText
      ? Framing.raw(chunkBytes)
      : Framing.packets(chunkBytes, blockBytes, rolloverTo);
    const file = cache.hold(this.#fd, this.#stat, framing);
    this.#isTaken = true;
    this.#cache = cache;
    this.#payload = isText
      ? new NetasciiPayload(cache, file, cache.reserve(), agreement)
      : new OctetPayload(cache, file);
    return this.#payload;
  }

  /** Addresses that were gathered have been sent. */
  release(): void {
    this.#cache?.release();
  }

  close(): void {
    this.#payload?.close();
    this.#cache?.unmap();
    if (!this.#isTaken) closeFd(this.#fd);
  }
}
