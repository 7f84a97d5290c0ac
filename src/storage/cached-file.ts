// One file in the cache (storage layer): what it was when it was opened, its descriptor as long as anybody holds it, and which
// chunks of memory hold which parts of it.

import type { FileStat } from "#ffi/stat.ts";

import type { Framing } from "./framing.ts";

/** Instead of a chunk: nowhere, or in one that a disk thread is filling. */
export const NONE = -1;
export const LOADING = -2;

/** A file that transfers share, or a text that one of them is sent. A file holds an fd as long as a transfer holds it. */
export class CachedFile {
  readonly key: string;
  readonly bytes: number;
  /** What the file was when it was opened. */
  readonly version: FileStat;
  fd: number;
  holders = 0;
  isChanged = false;
  hasFailed = false;
  pendingReads = 0;
  /** Chunks that disk threads are filling. The fd stays open for them. */
  loading = 0;
  readonly framing: Framing;
  /** The contents, where there is no file. */
  readonly text: Uint8Array | undefined;
  /** The chunk that holds each {@link Framing.payloadBytes} of the file, or {@link NONE} or {@link LOADING}. */
  readonly chunks: Int32Array;

  constructor(key: string, version: FileStat, fd: number, framing: Framing, text?: Uint8Array) {
    this.key = key;
    this.bytes = version.bytes;
    this.version = version;
    this.fd = fd;
    this.framing = framing;
    this.text = text;
    this.chunks = new Int32Array(framing.chunkCount(version.bytes)).fill(NONE);
  }
}
