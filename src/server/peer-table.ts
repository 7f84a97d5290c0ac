// Which transfer a datagram belongs to (server layer): a hash table from (socket, peer address, peer port) to a
// transfer's slot. Open addressing with linear probing; look-ups allocate nothing.

import { assert } from "#base/assert.ts";
import { i32At, u8 } from "#base/bytes.ts";

const EMPTY = -1;
const KEY_BYTES = 32;
/** The first byte of a sockaddr_in on a little-endian machine: socket(7). */
const AF_INET = 2;
/** Of the 32-bit Fowler–Noll–Vo hash. */
export const FNV_PRIME = 0x01000193;

/**
 * Maps up to `capacity` keys to slots 0 … capacity − 1. A key is a socket's number and a raw 32-byte sockaddr. Several slots may have
 * the same key.
 */
export class PeerTable {
  readonly #mask: number;
  readonly #slots: Int32Array;
  /** By slot: its key's socket, sockaddr and hash. */
  readonly #sockets: Int32Array;
  readonly #names: Uint8Array;
  readonly #hashes: Int32Array;

  constructor(capacity: number) {
    // At most half full, so that probes stay short.
    const size = 2 ** Math.ceil(Math.log2(capacity * 2));
    this.#mask = size - 1;
    this.#slots = new Int32Array(size).fill(EMPTY);
    this.#sockets = new Int32Array(capacity);
    this.#names = new Uint8Array(capacity * KEY_BYTES);
    this.#hashes = new Int32Array(capacity);
  }

  /** A slot of the key, or −1. The sockaddr begins at `offset` of `bytes`. */
  find(socket: number, bytes: Uint8Array, offset: number): number {
    const hash = hashOf(socket, bytes, offset);
    for (let index = hash & this.#mask; ; index = (index + 1) & this.#mask) {
      const slot = i32At(this.#slots, index);
      if (slot === EMPTY) return EMPTY;
      if (i32At(this.#hashes, slot) === hash && this.#isKey(slot, socket, bytes, offset))
        return slot;
    }
  }

  /** As {@link find}, the first slot that `isWanted`. */
  findWanted(
    socket: number,
    bytes: Uint8Array,
    offset: number,
    isWanted: (slot: number) => boolean,
  ): number {
    const hash = hashOf(socket, bytes, offset);
    for (let index = hash & this.#mask; ; index = (index + 1) & this.#mask) {
      const slot = i32At(this.#slots, index);
      if (slot === EMPTY) return EMPTY;
      if (i32At(this.#hashes, slot) !== hash || !this.#isKey(slot, socket, bytes, offset)) continue;
      if (isWanted(slot)) return slot;
    }
  }

  /** Adds the key for `slot`, which has none. */
  insert(slot: number, socket: number, bytes: Uint8Array, offset: number): void {
    const hash = hashOf(socket, bytes, offset);
    let index = hash & this.#mask;
    while (i32At(this.#slots, index) !== EMPTY) index = (index + 1) & this.#mask;
    this.#slots[index] = slot;
    this.#hashes[slot] = hash;
    this.#sockets[slot] = socket;
    this.#names.set(bytes.subarray(offset, offset + KEY_BYTES), slot * KEY_BYTES);
  }

  /** Removes the key of `slot`. */
  remove(slot: number): void {
    let hole = i32At(this.#hashes, slot) & this.#mask;
    while (i32At(this.#slots, hole) !== slot) {
      assert(i32At(this.#slots, hole) !== EMPTY, "a slot that is removed is in the table");
      hole = (hole + 1) & this.#mask;
    }
    // Later entries of the same run move up, so that no look-up stops at the hole before them.
    for (let index = (hole + 1) & this.#mask; ; index = (index + 1) & this.#mask) {
      const moved = i32At(this.#slots, index);
      if (moved === EMPTY) break;
      const home = i32At(this.#hashes, moved) & this.#mask;
      const isBeyondHole = ((index - home) & this.#mask) >= ((index - hole) & this.#mask);
      if (!isBeyondHole) continue;
      this.#slots[hole] = moved;
      hole = index;
    }
    this.#slots[hole] = EMPTY;
  }

  #isKey(slot: number, socket: number, bytes: Uint8Array, offset: number): boolean {
    if (i32At(this.#sockets, slot) !== socket) return false;
    const start = slot * KEY_BYTES;
    const used = usedBytes(bytes, offset);
    for (let i = 0; i < used; i += 1) {
      if (u8(this.#names, start + i) !== u8(bytes, offset + i)) return false;
    }
    return true;
  }
}

/** FNV-1a over the bytes of a sockaddr that differ between peers, for tables that need no exactness too. */
export function hashOf(socket: number, bytes: Uint8Array, offset: number): number {
  let hash = Math.imul(0x811c9dc5 ^ socket, FNV_PRIME);
  // Port and address; the flow label and scope of IPv6 rarely differ, and equality decides.
  const end = Math.min(usedBytes(bytes, offset), 24);
  for (let i = 2; i < end; i += 1) hash = Math.imul(hash ^ u8(bytes, offset + i), FNV_PRIME);
  return (hash ^ (hash >>> 15)) & 0x7fff_ffff;
}

/** The bytes that tell a peer: family, port and address of a sockaddr_in; those, flow label and scope of a sockaddr_in6. */
function usedBytes(bytes: Uint8Array, offset: number): number {
  return u8(bytes, offset) === AF_INET ? 8 : KEY_BYTES;
}
