// What a shard receives with (server layer): an inbox as large as what may come. Where uploads are allowed the kernel hands over blocks
// that came together in one piece (UDP_GRO), which is cut up here.

import { at } from "#base/bytes.ts";
import { Inbox, RELAY_BYTES } from "#io/inbox.ts";
import type { Kernel } from "#io/kernel.ts";

import type { Sockets } from "./sockets.ts";

/** Longest request, 1,500 bytes (request.ts), and room to see that one is longer. */
const REQUEST_BYTES = 2048;
/** The longest DATA (RFC 2348) or run of them, and room to see that one is longer. Memory is taken as it is touched. */
const DATA_BYTES: number = 65_536 + RELAY_BYTES;

export class Mailbox {
  readonly #kernel: Kernel;
  readonly #sockets: Sockets;
  readonly #isBatching: boolean;
  readonly #batchDatagrams: number;
  #inbox: Inbox;
  #datagramBytes: number = REQUEST_BYTES;

  constructor(
    kernel: Kernel,
    sockets: Sockets,
    { isBatching, batchDatagrams }: { isBatching: boolean; batchDatagrams: number },
  ) {
    this.#kernel = kernel;
    this.#sockets = sockets;
    this.#isBatching = isBatching;
    this.#batchDatagrams = batchDatagrams;
    this.#inbox = this.#createInbox();
  }

  get inbox(): Inbox {
    return this.#inbox;
  }

  /** Most datagrams, or runs of them, that one call brings. */
  get batchMax(): number {
    return this.#isBatching ? this.#inbox.datagrams : 1;
  }

  /** Longer ones are cut. */
  get datagramBytes(): number {
    return this.#datagramBytes;
  }

  /** Uploads are allowed from now on. No datagram may be in hand. */
  takeUploads(): void {
    if (this.#datagramBytes >= DATA_BYTES) return;
    this.#inbox.unmap();
    this.#datagramBytes = DATA_BYTES;
    this.#inbox = this.#createInbox();
    const { fds, listeners } = this.#sockets;
    // Requests come alone.
    for (let socket = listeners; socket < fds.length; socket += 1) {
      this.#kernel.joinDatagrams(at(fds, socket));
    }
  }

  /** The bytes of each datagram of what came at `index`, but of the last, which may be shorter; never 0. */
  segmentBytes(index: number): number {
    const length = this.#inbox.byteLength(index);
    if (this.#datagramBytes < DATA_BYTES) return Math.max(1, length);
    return Math.max(1, Math.min(length, this.#inbox.segmentBytes(index)));
  }

  #createInbox(): Inbox {
    const { datagrams } = this.#kernel;
    return new Inbox(this.#batchDatagrams, this.#datagramBytes, this.#isBatching, datagrams);
  }
}
