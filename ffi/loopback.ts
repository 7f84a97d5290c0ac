// Two UDP sockets of our own on the loopback interface (ffi layer, rank 1), for trying what the kernel does with datagrams.
// Used by the probe at start-up; everything is closed and unmapped again by `close`.

import { EPOLLIN } from "./abi.ts";
import { decodeSockaddr, encodeSockaddr, type IpAddress, type SocketAddress } from "./address.ts";
import { Arena } from "./arena.ts";
import { Epoll } from "./epoll.ts";
import { Errno } from "./errno.ts";
import { LOCAL_BYTES, NAME_BYTES, ReceiveBatch, SendBatch } from "./message.ts";
import { bindSocket, closeSocket, openSocket, setOption, socketName } from "./socket.ts";

/** Most datagrams that one try sends. */
const DATAGRAMS_MAX = 8;
/** Most bytes of one try: a GSO message of a few hundred bytes is one already. */
const PAYLOAD_BYTES = 1024;
/** Loopback delivers within microseconds; a busy machine may take some milliseconds. A guess with room to spare. */
const PATIENCE_MS = 200;

/** What arrived, in order. */
export interface Arrival {
  readonly payload: Uint8Array;
  readonly from: SocketAddress | undefined;
  /** The address it was sent to, in {@link LOCAL_BYTES} bytes; zeros if the kernel did not say. */
  readonly local: Uint8Array;
}

/** A bound receiver and an unbound sender of one family. */
export class LoopbackPair {
  readonly receiverFd: number;
  readonly senderFd: number;
  readonly #family: 4 | 6;
  readonly #arena: Arena = new Arena(PAYLOAD_BYTES);
  readonly #port: number;

  private constructor(family: 4 | 6, receiverFd: number, senderFd: number, port: number) {
    this.#family = family;
    this.receiverFd = receiverFd;
    this.senderFd = senderFd;
    this.#port = port;
  }

  /** Opens a pair whose receiver listens on every local address. Returns −errno where this machine cannot. */
  static open(family: 4 | 6): LoopbackPair | number {
    const receiverFd = openSocket(family);
    if (receiverFd < 0) return receiverFd;
    const senderFd = openSocket(family);
    const any = { ...wildcard(family), port: 0 };
    const bound = senderFd < 0 ? senderFd : bindSocket(receiverFd, any);
    const name = bound < 0 ? bound : socketName(receiverFd);
    if (typeof name !== "number") return new LoopbackPair(family, receiverFd, senderFd, name.port);
    closeSocket(receiverFd);
    if (senderFd >= 0) closeSocket(senderFd);
    return name;
  }

  /** Has the receiver say which address each datagram was sent to. Returns 0 or −errno. */
  askForLocal(): number {
    return setOption(this.receiverFd, this.#family === 4 ? "IP_PKTINFO" : "IPV6_RECVPKTINFO", 1);
  }

  /**
   * Sends each of `payloads` to `ip` as one message, cut by the kernel every `segmentBytes` if that is not 0. Returns how many
   * messages it took, or −errno.
   */
  send(
    ip: IpAddress,
    payloads: readonly Uint8Array[],
    segmentBytes: number,
    isBatching: boolean,
  ): number {
    const batch = new SendBatch(DATAGRAMS_MAX, DATAGRAMS_MAX, isBatching);
    const name = new Uint8Array(NAME_BYTES);
    encodeSockaddr(name, 0, { ...ip, port: this.#port });
    let offset = 0;
    for (const payload of payloads) {
      this.#arena.u8.set(payload, offset);
      batch.begin(name, new Uint8Array(LOCAL_BYTES), segmentBytes);
      batch.push(this.#arena.address + offset, payload.byteLength);
      offset += payload.byteLength;
    }
    let sent = 0;
    while (sent < payloads.length) {
      const taken = batch.send(this.senderFd, sent);
      if (taken < 0) {
        sent = taken;
        break;
      }
      sent += taken;
    }
    batch.unmap();
    return sent;
  }

  /** Waits for `count` datagrams. Returns them, or −errno; −ENODATA when they did not come. */
  receive(count: number, isBatching: boolean): Arrival[] | number {
    const batch = new ReceiveBatch(DATAGRAMS_MAX, PAYLOAD_BYTES, isBatching);
    const epoll = new Epoll();
    epoll.add(this.receiverFd, EPOLLIN, 0);
    const arrivals: Arrival[] = [];
    let fault = 0;
    while (arrivals.length < count && fault === 0) {
      if (epoll.wait(PATIENCE_MS * 1000) === 0) fault = -Errno.ENODATA;
      const received = batch.receive(this.receiverFd);
      if (received < 0 && received !== -Errno.EAGAIN) fault = received;
      for (let index = 0; index < received; index++) arrivals.push(arrivalAt(batch, index));
      batch.recycle(Math.max(0, received));
    }
    epoll.close();
    batch.unmap();
    return arrivals.length < count ? fault : arrivals;
  }

  close(): void {
    closeSocket(this.receiverFd);
    closeSocket(this.senderFd);
    this.#arena.unmap();
  }
}

function arrivalAt(batch: ReceiveBatch, index: number): Arrival {
  const start = batch.start(index);
  const local = new Uint8Array(LOCAL_BYTES);
  batch.readLocal(index, local);
  return {
    payload: batch.u8.slice(start, start + batch.byteLength(index)),
    from: decodeSockaddr(batch.u8, batch.name(index)),
    local,
  };
}

function wildcard(family: 4 | 6): IpAddress {
  return { family, bytes: new Uint8Array(family === 4 ? 4 : 16), scopeId: 0 };
}
