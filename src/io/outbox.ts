// What one socket is about to send (io layer): messages gathered during a turn, with the owner of each, so
// that what the kernel refuses goes back to whom it belongs. Payload is pointed to; small replies are copied.

import { assert } from "#base/assert.ts";
import { f64At, i32At, u8 } from "#base/bytes.ts";
import { GSO_SEGMENTS_MAX, UDP_PAYLOAD_BYTES_MAX } from "#ffi/abi.ts";
import { Arena } from "#ffi/arena.ts";
import { Errno, errnoName } from "#ffi/errno.ts";
import { LOCAL_BYTES, SendBatch } from "#ffi/message.ts";

import { type Kernel, thisKernel } from "./kernel.ts";

/** What became of a message that the kernel did not take. */
export const Refusal = {
  /** The socket is full: nothing from this message on was sent. */
  full: 0,
  /** The kernel does not segment for this destination or block size: send the blocks one by one. */
  unsegmentable: 1,
  /** This machine cannot segment on this socket at all (no checksum offload). */
  segmentationOff: 2,
  /** Lost on the way out (no route, firewall, interface down): the timer will repeat it. */
  lost: 3,
} as const;

/** Told of each message that was not sent: its owner (−1: a reply that nobody waits for), first block, and the kernel's −errno. */
export interface RefusalListener {
  handleRefusal(refusal: number, owner: number, firstBlock: number, result: number): void;
}

// Enough to amortise the system call (165 ns) to 1 % of a window's cost; more only grows what a turn holds.
const MESSAGES_MAX = 64;
// A message of octet blocks is one or two pieces; one of netascii is a piece per block, and 32 such fill a batch.
const IOVECS_MAX = 2048;
const ANY_LOCAL: Uint8Array = new Uint8Array(LOCAL_BYTES);
// The longest reply: an OACK with every option we know is under 200 bytes.
const REPLY_BYTES_MAX = 512;

/** How many datagrams of `segmentBytes` the kernel cuts out of one message. */
export function segmentsPerMessage(segmentBytes: number): number {
  return Math.min(Math.floor(UDP_PAYLOAD_BYTES_MAX / segmentBytes), GSO_SEGMENTS_MAX);
}

/** One socket's outgoing messages. */
export class Outbox {
  readonly fd: number;
  sendCalls = 0;
  messagesSent = 0;
  /** Whether the kernel said that the socket is full; cleared by {@link resume}. */
  isFull = false;
  /** Whether the last message that was tried found no room, although the kernel had said that there was some. */
  #isStarved = false;
  readonly #namesLocal: boolean;
  readonly #batch: SendBatch;
  readonly #replies: Arena = new Arena(MESSAGES_MAX * REPLY_BYTES_MAX);
  readonly #owners: Int32Array = new Int32Array(MESSAGES_MAX);
  readonly #firstBlocks: Float64Array = new Float64Array(MESSAGES_MAX);
  readonly #segmented: Uint8Array = new Uint8Array(MESSAGES_MAX);

  /**
   * `namesLocal`: each message names the address that it leaves from, which a socket of one address need not. Beside UDP_SEGMENT
   * the kernel then has to find memory for what it is told, of every message.
   */
  constructor(
    fd: number,
    isBatching: boolean,
    kernel: Kernel = thisKernel,
    namesLocal: boolean = true,
  ) {
    this.fd = fd;
    this.#namesLocal = namesLocal;
    this.#batch = new SendBatch(MESSAGES_MAX, IOVECS_MAX, isBatching, kernel.datagrams);
  }

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.#batch.count === 0;
  }

  /** Bytes in the message that was opened last. */
  get messageBytes(): number {
    return this.#batch.messageBytes;
  }

  /** Whether a message of `iovecs` pieces fits; if not, {@link flush} first. */
  hasRoom(iovecs: number): boolean {
    return this.#batch.hasRoom(iovecs);
  }

  /** Opens a message of blocks; `segmentBytes` 0 sends it as one datagram. Fill it with {@link push}. */
  begin(
    name: Uint8Array,
    local: Uint8Array,
    segmentBytes: number,
    owner: number,
    firstBlock: number,
  ): void {
    const index = this.#batch.count;
    this.#owners[index] = owner;
    this.#firstBlocks[index] = firstBlock;
    this.#segmented[index] = segmentBytes > 0 ? 1 : 0;
    this.#batch.begin(name, this.#namesLocal ? local : ANY_LOCAL, segmentBytes);
  }

  /** Takes back the message that was opened last; nothing was pushed into it yet. */
  cancel(): void {
    this.#batch.cancel();
  }

  /** Adds `length` bytes at `address` to the open message. */
  push(address: number, length: number): void {
    this.#batch.push(address, length);
  }

  /** Adds a whole datagram, copied from `bytes`. */
  reply(name: Uint8Array, local: Uint8Array, bytes: Uint8Array, owner: number): void {
    assert(bytes.length <= REPLY_BYTES_MAX, "replies are short");
    const offset = this.#batch.count * REPLY_BYTES_MAX;
    this.begin(name, local, 0, owner, 0);
    this.#replies.u8.set(bytes, offset);
    this.push(this.#replies.address + offset, bytes.length);
  }

  /**
   * Sends what waits, tells `listener` what was not taken, and is empty afterwards. By socket `fd`, for who gathers for many sockets in
   * turn: whether it is full is then known of the last one alone.
   */
  flush(listener: RefusalListener, fd: number = this.fd): void {
    const count = this.#batch.count;
    let first = 0;
    while (first < count) {
      const sent = this.#batch.send(fd, first);
      this.sendCalls += 1;
      if (sent > 0) {
        first += sent;
        this.messagesSent += sent;
        this.#isStarved = false;
        continue;
      }
      const refusal = this.#refusalOf(sent, u8(this.#segmented, first) === 1);
      if (refusal === Refusal.full) {
        this.isFull = true;
        for (; first < count; first += 1) this.#refuse(listener, refusal, first, sent);
        break;
      }
      this.#refuse(listener, refusal, first, sent);
      first += 1;
    }
    this.#batch.clear();
  }

  /** The socket can be written to again. */
  resume(): void {
    this.isFull = false;
  }

  unmap(): void {
    this.#batch.unmap();
    this.#replies.unmap();
  }

  /**
   * A message that is fragmented may be larger than a send buffer whose kernel always says that there is room (ENOBUFS): it would
   * be tried for ever. So the second time it counts as lost, and its transfer's patience as anybody's.
   */
  #refusalOf(result: number, isSegmented: boolean): number {
    if (result !== -Errno.ENOBUFS) return refusalOf(result, isSegmented);
    if (this.#isStarved) return Refusal.lost;
    this.#isStarved = true;
    return Refusal.full;
  }

  #refuse(listener: RefusalListener, refusal: number, index: number, result: number): void {
    const owner = i32At(this.#owners, index);
    listener.handleRefusal(refusal, owner, f64At(this.#firstBlocks, index), result);
  }
}

/** The one fate of each answer of sendmsg(2). */
function refusalOf(result: number, isSegmented: boolean): number {
  switch (result) {
    case -Errno.EAGAIN:
      return Refusal.full;
    case -Errno.EINVAL:
    case -Errno.EMSGSIZE:
      return isSegmented ? Refusal.unsegmentable : Refusal.lost;
    case -Errno.EIO:
      return isSegmented ? Refusal.segmentationOff : Refusal.lost;
    default:
      assert(!isOurs(result), `sendmsg: ${errnoName(result)}`);
      return Refusal.lost;
  }
}

/** Whether an answer says that we have asked nonsense, instead of that the network cannot. */
function isOurs(result: number): boolean {
  return result === -Errno.EBADF || result === -Errno.EFAULT || result === -Errno.ENOTSOCK;
}

/** The name of −errno, and what it usually means where a message was lost on the way out; empty if that is anybody's guess. */
export function errnoText(result: number): { readonly errno: string; readonly meaning: string } {
  return { errno: errnoName(result), meaning: meanings.get(result) ?? "" };
}

const meanings: ReadonlyMap<number, string> = new Map([
  [-Errno.EPERM, "a firewall of this machine forbids it"],
  [-Errno.EACCES, "a route or a firewall of this machine prohibits it"],
  [-Errno.ENETUNREACH, "no route leads there, as when an interface is down"],
  [-Errno.EHOSTUNREACH, "the route that leads there does not work"],
  [-Errno.ENETDOWN, "the interface is down"],
  [-Errno.ENODEV, "the interface is gone"],
  [-Errno.EADDRNOTAVAIL, "the address to answer from is gone"],
  [-Errno.EINVAL, "the address to answer from is gone, or no route leads from it"],
  [-Errno.ENOBUFS, "the datagram does not fit into the send buffer (send_buffer_kb)"],
  [-Errno.ENOMEM, "the kernel has no memory"],
  [-Errno.EMSGSIZE, "the datagram is too large for the way"],
]);
