// Datagrams that go from one process to another as they came (ffi layer, rank 1): with the addresses of who sent them and where to. By
// a pair of sockets, each whole, and none is waited for.
//
//   | name 32 | control 64 | bytes of control u32 | listener u32 | the datagram |

import { u32At } from "#base/bytes.ts";

import { Iovec, MSG_DONTWAIT, Msghdr } from "./abi.ts";
import { Arena } from "./arena.ts";
import { CONTROL_BYTES } from "./control.ts";
import { checked, libc } from "./libc.ts";
import { NAME_BYTES, type ReceiveBatch } from "./message.ts";

const CONTROL_LENGTH: number = NAME_BYTES + CONTROL_BYTES;
const LISTENER: number = CONTROL_LENGTH + 4;
/** What stands before the datagram. */
export const RELAY_BYTES: number = LISTENER + 4;

/** Name, control messages, the two words, the datagram. */
const IOVECS = 4;

/** Sends what a batch has received. */
export class RelaySender {
  readonly #arena: Arena = new Arena(Msghdr.size + IOVECS * Iovec.size + 8);
  readonly #iovecs: number;
  readonly #tail: number;

  constructor() {
    const arena = this.#arena;
    const header = arena.allocate(Msghdr.size);
    this.#iovecs = arena.allocate(IOVECS * Iovec.size);
    this.#tail = arena.allocate(8);
    arena.setU64(header + Msghdr.iov, arena.address + this.#iovecs);
    arena.setU64(header + Msghdr.iovLength, IOVECS);
  }

  /** Sends datagram `index` of `batch`, which came in by `listener`. Returns ≥ 0 or −errno (−EAGAIN: the reader is behind; −EPIPE: it has gone). */
  send(fd: number, batch: ReceiveBatch, index: number, listener: number): number {
    const { address, u32 } = this.#arena;
    u32[this.#tail >>> 2] = batch.controlLength(index);
    u32[(this.#tail >>> 2) + 1] = listener;
    this.#point(0, batch.address + batch.name(index), NAME_BYTES);
    this.#point(1, batch.address + batch.control(index), CONTROL_BYTES);
    this.#point(2, address + this.#tail, 8);
    this.#point(3, batch.address + batch.start(index), batch.byteLength(index));
    return checked(libc.sendmsg(fd, address, MSG_DONTWAIT));
  }

  #point(iovec: number, address: number, length: number): void {
    const offset = this.#iovecs + iovec * Iovec.size;
    this.#arena.setU64(offset + Iovec.base, address);
    this.#arena.setU64(offset + Iovec.length, length);
  }
}

/** Makes datagram `index` of `batch` again what the sender had. Returns the listener; −1: it is none, or was cut. */
export function unwrapRelayed(batch: ReceiveBatch, index: number): number {
  const length = batch.byteLength(index);
  if (length < RELAY_BYTES || batch.isTruncated(index)) return -1;
  const start = batch.start(index);
  const { u8, u32 } = batch;
  const controlLength = u32At(u32, (start + CONTROL_LENGTH) >>> 2);
  const listener = u32At(u32, (start + LISTENER) >>> 2);
  if (controlLength > CONTROL_BYTES) return -1;
  u8.copyWithin(batch.name(index), start, start + NAME_BYTES);
  u8.copyWithin(batch.control(index), start + NAME_BYTES, start + CONTROL_LENGTH);
  batch.shorten(index, length - RELAY_BYTES, controlLength);
  return listener;
}
