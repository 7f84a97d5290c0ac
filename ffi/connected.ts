// Short datagrams of connected sockets, one for each call (ffi layer): no address, no gathering and no control messages, so that a
// call costs as little as the kernel has it. Of what comes, only the beginning is kept.

import { MSG_DONTWAIT, MSG_TRUNC } from "./abi.ts";
import { Arena } from "./arena.ts";
import { checked, libc } from "./libc.ts";

/** Room for one datagram that comes, and for one that goes. */
export class ConnectedPair {
  /** The first bytes of what came last. */
  readonly incoming: Uint8Array;
  /** What is to go. */
  readonly outgoing: Uint8Array;
  readonly #arena: Arena;
  readonly #bytes: number;

  /** Of what comes `bytes` are kept, and what goes is not longer. */
  constructor(bytes: number) {
    this.#bytes = bytes;
    this.#arena = new Arena(2 * bytes);
    this.incoming = this.#arena.u8.subarray(0, bytes);
    this.outgoing = this.#arena.u8.subarray(bytes, 2 * bytes);
  }

  /** Receives one datagram into {@link incoming} without waiting. Returns how long all of it was, or −errno. Source: recv(2). */
  receive(fd: number): number {
    return checked(libc.recv(fd, this.#arena.address, this.#bytes, MSG_DONTWAIT | MSG_TRUNC));
  }

  /** Sends the first `length` bytes of {@link outgoing} without waiting. Returns as many, or −errno. Source: send(2). */
  send(fd: number, length: number): number {
    return checked(libc.send(fd, this.#arena.address + this.#bytes, length, MSG_DONTWAIT));
  }

  unmap(): void {
    this.#arena.unmap();
  }
}
