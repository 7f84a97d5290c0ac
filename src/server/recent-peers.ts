// Peers of a moment ago (server layer): a small table without exactness, for courtesies alone. A forgotten or
// mistaken entry costs a missing ERROR, or a word in the log, never a transfer.

import { f64At, i32At } from "#base/bytes.ts";

// 4,096 entries take 64 KiB; a rack's peers collide rarely.
const ENTRIES = 4096;

/** Remembers, by a peer's hash, when something last happened and on which socket. */
export class RecentPeers {
  readonly #hashes: Int32Array = new Int32Array(ENTRIES);
  readonly #sockets: Int32Array = new Int32Array(ENTRIES).fill(-1);
  readonly #timesUs: Float64Array = new Float64Array(ENTRIES).fill(-Infinity);

  note(hash: number, socket: number, nowUs: number): void {
    const index = hash % ENTRIES;
    this.#hashes[index] = hash;
    this.#sockets[index] = socket;
    this.#timesUs[index] = nowUs;
  }

  /** Whether the peer was noted within the last `withinUs`. */
  isRecent(hash: number, nowUs: number, withinUs: number): boolean {
    const index = hash % ENTRIES;
    return i32At(this.#hashes, index) === hash && nowUs - f64At(this.#timesUs, index) < withinUs;
  }

  /** Whether this peer, or another that has the same entry, was noted within the last `withinUs`: never no by mistake. */
  mayBeRecent(hash: number, nowUs: number, withinUs: number): boolean {
    return nowUs - f64At(this.#timesUs, hash % ENTRIES) < withinUs;
  }

  /** The socket that was noted for the peer, or −1. */
  socketOf(hash: number): number {
    const index = hash % ENTRIES;
    return i32At(this.#hashes, index) === hash ? i32At(this.#sockets, index) : -1;
  }
}
