// The transfers of a shard (server layer): by slot, by the peer a datagram comes from, and the memory of those that
// ended a moment ago, which decides the next transfer's socket and what a straggler is told.

import { i32At } from "#base/bytes.ts";
import { Slab } from "#base/slab.ts";
import { isSameLocal } from "#io/inbox.ts";
import type { Outcome } from "#protocol/outcome.ts";

import { type Answers, requestHash } from "./answers.ts";
import { hashOf, PeerTable } from "./peer-table.ts";
import type { Arrival } from "./question.ts";
import { RecentPeers } from "./recent-peers.ts";
import type { Sockets } from "./sockets.ts";
import type { Transfer } from "./transfer.ts";

/** A peer whose transfer just ended may still repeat its last ACK: it is not told of an unknown transfer. */
const AFTERGLOW_US = 10_000_000;
/** So long after its transfer a request counts as one that may have come late: several of a client's timeouts. */
const LATE_US = 10_000_000;
/** A peer that sends strays is answered at most this often. */
const STRAY_INTERVAL_US = 1_000_000;

/** Up to `capacity` transfers, whatever the listener. */
export class Transfers {
  /** By slot. */
  readonly bySlot: (Transfer | undefined)[];
  readonly #slots: Slab;
  readonly #peers: PeerTable;
  readonly #finished: RecentPeers = new RecentPeers();
  readonly #served: RecentPeers = new RecentPeers();
  readonly #strays: RecentPeers = new RecentPeers();
  readonly #sockets: Sockets;
  readonly #answers: Answers;
  /** By listener, which of its transfer sockets was given to a transfer last. */
  readonly #turns: Int32Array;
  /** Transfers that share socket and peer with an earlier one, and differ by the address that was asked. */
  #twins = 0;

  constructor(capacity: number, sockets: Sockets, answers: Answers) {
    this.bySlot = Array.from({ length: capacity }, () => undefined);
    this.#slots = new Slab(capacity);
    this.#peers = new PeerTable(capacity);
    this.#sockets = sockets;
    this.#answers = answers;
    this.#turns = new Int32Array(sockets.listeners);
  }

  get capacity(): number {
    return this.#slots.capacity;
  }

  get count(): number {
    return this.#slots.taken;
  }

  /** A slot for a new transfer, to be given to {@link add}; −1 when all are taken. */
  takeSlot(): number {
    return this.#slots.take();
  }

  /**
   * Whether socket and peer do not tell every transfer: some peer has asked two addresses of this server from one port, as a NAT
   * makes of two clients. Then {@link find} needs to know which.
   */
  get hasTwins(): boolean {
    return this.#twins > 0;
  }

  add(transfer: Transfer): void {
    this.bySlot[transfer.slot] = transfer;
    if (this.#peers.find(transfer.socket, transfer.name, 0) >= 0) this.#twins += 1;
    this.#peers.insert(transfer.slot, transfer.socket, transfer.name, 0);
    this.#answers.note(transfer);
  }

  remove(transfer: Transfer, nowUs: number): void {
    this.#finished.note(hashOf(0, transfer.name, 0), transfer.socket, nowUs);
    if (transfer.kind === "read" && isServed(transfer.sender.outcome)) {
      this.#served.note(requestHash(transfer.name, transfer.requestBytes), 0, nowUs);
    }
    this.#peers.remove(transfer.slot);
    this.#answers.forget(transfer);
    if (this.#twins > 0 && this.#peers.find(transfer.socket, transfer.name, 0) >= 0) {
      this.#twins -= 1;
    }
    this.bySlot[transfer.slot] = undefined;
    this.#slots.release(transfer.slot);
  }

  /**
   * The transfer on `socket` of the peer whose sockaddr begins at `offset` of `bytes`; where there are twins, the one that began at
   * the address `local`, or any if that is not known.
   */
  find(socket: number, bytes: Uint8Array, offset: number, local: Uint8Array): Transfer | undefined {
    if (this.#twins > 0) return this.#findAt(socket, bytes, offset, local);
    const slot = this.#peers.find(socket, bytes, offset);
    return slot < 0 ? undefined : this.bySlot[slot];
  }

  /**
   * The transfer of the peer that asked as `arrival` says, on whichever socket of that listener it is. To a peer each listener and each
   * address is another server.
   */
  findAnywhere({ name, local, listener }: Arrival): Transfer | undefined {
    const { first, count } = this.#sockets.transferSocketsOf(listener);
    let transfer = this.#findAt(listener, name, 0, local);
    for (let socket = first; transfer === undefined && socket < first + count; socket += 1) {
      transfer = this.#findAt(socket, name, 0, local);
    }
    return transfer;
  }

  /** The next socket of `listener` in turn, but not the one that the peer's last transfer used (RFC 1350 §4: a fresh TID). */
  socketFor(name: Uint8Array, listener: number): number {
    const { first, count } = this.#sockets.transferSocketsOf(listener);
    if (count === 0) return listener;
    let turn = (i32At(this.#turns, listener) + 1) % count;
    if (count > 1 && this.#finished.socketOf(hashOf(0, name, 0)) === first + turn) {
      turn = (turn + 1) % count;
    }
    this.#turns[listener] = turn;
    return first + turn;
  }

  /** Whether this very request of the peer `name` was served in full a moment ago. */
  wasServed(name: Uint8Array, requestBytes: Uint8Array, nowUs: number): boolean {
    return this.#served.isRecent(requestHash(name, requestBytes), nowUs, LATE_US);
  }

  /** Whether a stray datagram of this peer is answered: not right after its transfer, and not often. Says yes once. */
  mayAnswerStray(bytes: Uint8Array, offset: number, nowUs: number): boolean {
    const hash = hashOf(0, bytes, offset);
    if (this.#finished.isRecent(hash, nowUs, AFTERGLOW_US)) return false;
    // Of two peers that share an entry the second hears nothing: else each would have the other answered again and again.
    if (this.#strays.mayBeRecent(hash, nowUs, STRAY_INTERVAL_US)) return false;
    this.#strays.note(hash, 0, nowUs);
    return true;
  }

  #findAt(
    socket: number,
    bytes: Uint8Array,
    offset: number,
    local: Uint8Array,
  ): Transfer | undefined {
    // Nobody on this socket, of any address: nearly always, and then there is nothing to compare.
    if (this.#peers.find(socket, bytes, offset) < 0) return undefined;
    const slot = this.#peers.findWanted(socket, bytes, offset, (each) => {
      const transfer = this.bySlot[each];
      return transfer !== undefined && isSameLocal(transfer.local, local);
    });
    return slot < 0 ? undefined : this.bySlot[slot];
  }
}

function isServed(outcome: Outcome): boolean {
  return outcome === "complete" || outcome === "probe";
}
