// Who has how many transfers, and who asks how often (policy layer, pure): counts per client address and per network, in memory
// that all shards share, so that a limit holds for the whole process. Newcomers alone wait for each other, and not for long.

import { f64At, i32At, u8 } from "#base/bytes.ts";

/** What everybody, one client address and one network may have. 0 is unlimited. */
export interface ClientLimits {
  /** Running transfers of everybody. */
  readonly transfersMax: number;
  /** Running transfers of one address. */
  readonly clientTransfersMax: number;
  /** Running transfers of one network. */
  readonly networkTransfersMax: number;
  /** Running transfers of one network whose client has not acknowledged anything yet. */
  readonly halfOpenMax: number;
  /** Requests of one network in a second, over time. */
  readonly requestsPerSecond: number;
  /** Requests of one network that may come at once. */
  readonly requestBurst: number;
  /** How many bits of an address are its network, for IPv4 and IPv6. */
  readonly networkBits4: number;
  readonly networkBits6: number;
}

/** A limit that a request has reached. */
export type ClientLimit =
  "transfers" | "requests" | "client-transfers" | "network-transfers" | "half-open";

const HEADER_WORDS = 16;
const SEED = 0;
const TRANSFERS = 1;

// An entry: four Int32 words, then, as a float, when all requests so far will have been let through at the limit's rate.
// The first of a set has its lock in the last word.
const Entry = { tag: 0, transfers: 1, halfOpen: 2, lock: 3 } as const;
const ENTRY_REQUEST_US = 2;
const ENTRY_WORDS = 6;
/** An entry can stand in one of so many places. */
const WAYS = 8;
/** Tags are odd: this is an entry that nobody has. */
const NOBODY = 0;
/** Tries for a lock that is held for less than a microsecond, unless its holder was put aside or has died. A guess. */
const SPINS_MAX = 1000;
const NONE = -1;

// What each transfer of each shard counts for: the entry of its client and of its network, +1, and its state.
const Held = { client: 0, network: 1, state: 2 } as const;
const State = { none: 0, halfOpen: 1, heard: 2 } as const;
const HELD_WORDS = 3;

/** Addresses and networks that are remembered at the least: a large site's, at 24 bytes each (a guess). */
const ENTRIES_MIN = 16_384;

/** What the memory is made for. */
export interface Crowd {
  readonly shards: number;
  readonly transfersPerShard: number;
}

/** One shard's view of the counts. */
export class ClientCounts {
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  readonly #entryMask: number;
  /** Where in the memory this shard notes what its transfers count for. */
  readonly #heldStart: number;
  readonly #transfersPerShard: number;
  /** The two halves of the hash that was made last. */
  #tag = 0;
  #set = 0;

  constructor(memory: SharedArrayBuffer, shard: number, crowd: Crowd) {
    const entries = entriesFor(crowd);
    this.#words = new Int32Array(memory);
    this.#floats = new Float64Array(memory, 0, (HEADER_WORDS + entries * ENTRY_WORDS) / 2);
    this.#entryMask = entries - 1;
    this.#transfersPerShard = crowd.transfersPerShard;
    const own = shard * crowd.transfersPerShard * HELD_WORDS;
    this.#heldStart = HEADER_WORDS + entries * ENTRY_WORDS + own;
  }

  /** Memory for all shards. `seed`, any number that peers cannot know, keeps them from choosing whom they are taken for. */
  static createMemory(crowd: Crowd, seed: number): SharedArrayBuffer {
    const held = crowd.shards * crowd.transfersPerShard * HELD_WORDS;
    const words = HEADER_WORDS + entriesFor(crowd) * ENTRY_WORDS + held;
    const memory = new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT);
    new Int32Array(memory)[SEED] = seed;
    return memory;
  }

  /** How many addresses and networks are remembered; the numbers that {@link clientOf} answers are below it. */
  get entries(): number {
    return this.#entryMask + 1;
  }

  /** Gives back what a shard of this number held that has died. */
  adopt(): void {
    for (let slot = 0; slot < this.#transfersPerShard; slot += 1) this.leave(slot);
  }

  /** A request of `address` (4 or 16 bytes) comes. False: its network asks too often. `nowUs` is the time of all shards. */
  mayAsk(address: Uint8Array, limits: ClientLimits, nowUs: number): boolean {
    const { requestsPerSecond, requestBurst } = limits;
    if (requestsPerSecond === 0) return true;
    const entry = this.#findNetwork(address, limits, nowUs);
    if (entry === NONE) return true;
    // A bucket of tokens, written as the time at which it will be full again. Two shards in the same nanoseconds may count once.
    const place = entryFloat(entry);
    const spacingUs = 1e6 / requestsPerSecond;
    const fullUs = Math.max(f64At(this.#floats, place), nowUs) + spacingUs;
    if (fullUs - nowUs > spacingUs * requestBurst) return false;
    this.#floats[place] = fullUs;
    return true;
  }

  /** The limit that one more transfer of `address` would exceed, if any. */
  limitReached(address: Uint8Array, limits: ClientLimits, nowUs: number): ClientLimit | undefined {
    const { transfersMax, clientTransfersMax, networkTransfersMax, halfOpenMax } = limits;
    if (transfersMax > 0 && Atomics.load(this.#words, TRANSFERS) >= transfersMax) {
      return "transfers";
    }
    if (clientTransfersMax > 0) {
      const client = this.#findClient(address, nowUs);
      if (this.#count(client, Entry.transfers) >= clientTransfersMax) return "client-transfers";
    }
    if (networkTransfersMax === 0 && halfOpenMax === 0) return undefined;
    const network = this.#findNetwork(address, limits, nowUs);
    if (networkTransfersMax > 0 && this.#count(network, Entry.transfers) >= networkTransfersMax) {
      return "network-transfers";
    }
    if (halfOpenMax > 0 && this.#count(network, Entry.halfOpen) >= halfOpenMax) return "half-open";
    return undefined;
  }

  /** The transfer in `slot`, half-open until {@link welcome}, counts for `address` until {@link leave}. */
  enter(slot: number, address: Uint8Array, limits: ClientLimits, nowUs: number): void {
    const held = this.#held(slot);
    this.#hashClient(address);
    this.#words[held + Held.client] = this.#hold(nowUs) + 1;
    this.#hashNetwork(address, limits);
    const network = this.#hold(nowUs);
    this.#words[held + Held.network] = network + 1;
    if (network !== NONE) Atomics.add(this.#words, entryWord(network) + Entry.halfOpen, 1);
    Atomics.add(this.#words, TRANSFERS, 1);
    this.#words[held + Held.state] = State.halfOpen;
  }

  /** The client of the transfer in `slot` has acknowledged something: its address is real. */
  welcome(slot: number): void {
    const held = this.#held(slot);
    if (i32At(this.#words, held + Held.state) !== State.halfOpen) return;
    this.#words[held + Held.state] = State.heard;
    const network = i32At(this.#words, held + Held.network) - 1;
    if (network !== NONE) Atomics.sub(this.#words, entryWord(network) + Entry.halfOpen, 1);
  }

  /** The transfer in `slot` has ended; nothing happens if none is there. */
  leave(slot: number): void {
    this.welcome(slot);
    const held = this.#held(slot);
    if (i32At(this.#words, held + Held.state) === State.none) return;
    this.#words[held + Held.state] = State.none;
    Atomics.sub(this.#words, TRANSFERS, 1);
    for (const place of [held + Held.client, held + Held.network]) {
      const entry = i32At(this.#words, place) - 1;
      if (entry !== NONE) Atomics.sub(this.#words, entryWord(entry) + Entry.transfers, 1);
    }
  }

  /** The number that stands for the client of the transfer in `slot`, in all shards; −1 where there was no room for it. */
  clientOf(slot: number): number {
    return i32At(this.#words, this.#held(slot) + Held.client) - 1;
  }

  /** Running transfers of a client that {@link clientOf} has named, in all shards. */
  transfersOf(client: number): number {
    return this.#count(client, Entry.transfers);
  }

  #count(entry: number, word: number): number {
    return entry === NONE ? 0 : Atomics.load(this.#words, entryWord(entry) + word);
  }

  #findClient(address: Uint8Array, nowUs: number): number {
    this.#hashClient(address);
    return this.#find(nowUs);
  }

  #findNetwork(address: Uint8Array, limits: ClientLimits, nowUs: number): number {
    this.#hashNetwork(address, limits);
    return this.#find(nowUs);
  }

  /** Counts one transfer more for whom was hashed last. Returns the entry, or {@link NONE} where there is no room. */
  #hold(nowUs: number): number {
    for (;;) {
      const entry = this.#find(nowUs);
      if (entry === NONE) return NONE;
      const word = entryWord(entry);
      Atomics.add(this.#words, word + Entry.transfers, 1);
      // Another shard may have given the entry away meanwhile: whoever does that looks at the count after this tag is gone.
      if (Atomics.load(this.#words, word + Entry.tag) === this.#tag) return entry;
      Atomics.sub(this.#words, word + Entry.transfers, 1);
    }
  }

  /** The entry of whom was hashed last; a new one if there was none. {@link NONE}: there is no room, and nothing is counted. */
  #find(nowUs: number): number {
    const own = this.#ownEntry();
    if (own !== NONE) return own;
    const lock = entryWord(this.#set) + Entry.lock;
    for (let tries = 0; Atomics.compareExchange(this.#words, lock, 0, 1) !== 0; tries += 1) {
      if (tries === SPINS_MAX) return NONE;
    }
    const entry = this.#take(nowUs);
    Atomics.store(this.#words, lock, 0);
    return entry;
  }

  #ownEntry(): number {
    for (let entry = this.#set; entry < this.#set + WAYS; entry += 1) {
      if (Atomics.load(this.#words, entryWord(entry)) === this.#tag) return entry;
    }
    return NONE;
  }

  /** Gives whom was hashed last an entry without transfers, whose network has asked least lately. The set is locked. */
  #take(nowUs: number): number {
    const own = this.#ownEntry();
    if (own !== NONE) return own;
    let idle = NONE;
    let idleUs = Infinity;
    for (let entry = this.#set; entry < this.#set + WAYS; entry += 1) {
      if (this.#count(entry, Entry.transfers) > 0) continue;
      const fullUs = Math.max(f64At(this.#floats, entryFloat(entry)), nowUs);
      if (fullUs >= idleUs) continue;
      idle = entry;
      idleUs = fullUs;
    }
    if (idle === NONE) return NONE;
    const word = entryWord(idle);
    const before = Atomics.exchange(this.#words, word, NOBODY);
    // Its owner may have come back meanwhile: see `#hold`.
    const isIdle = Atomics.load(this.#words, word + Entry.transfers) === 0;
    if (isIdle) this.#floats[entryFloat(idle)] = 0;
    Atomics.store(this.#words, word, isIdle ? this.#tag : before);
    return isIdle ? idle : NONE;
  }

  #hashClient(address: Uint8Array): void {
    this.#hash(address, address.length * 8, CLIENT_KIND);
  }

  #hashNetwork(address: Uint8Array, { networkBits4, networkBits6 }: ClientLimits): void {
    this.#hash(address, address.length === 4 ? networkBits4 : networkBits6, NETWORK_KIND);
  }

  /** MurmurHash3's rounds and finalizer, twice with different seeds, over the first `bits` bits of `address`. */
  #hash(address: Uint8Array, bits: number, kind: number): void {
    let tag = i32At(this.#words, SEED) ^ (kind + bits);
    let set = Math.imul(tag, 0x9e3779b1) ^ address.length;
    for (let index = 0; index * 8 < bits; index += 1) {
      const odd = Math.min(bits - index * 8, 8);
      const byte = u8(address, index) & (0xff00 >>> odd);
      tag = rotated(Math.imul(tag ^ byte, 0xcc9e2d51), 15) + 0x6b64;
      set = rotated(Math.imul(set ^ byte, 0x1b873593), 13) + 0x54e6;
    }
    this.#tag = mixed(tag) | 1;
    this.#set = mixed(set ^ tag) & this.#entryMask & -WAYS;
  }

  #held(slot: number): number {
    return this.#heldStart + slot * HELD_WORDS;
  }
}

/** What is hashed differs for an address and for a network that is one address long. */
const CLIENT_KIND = 0x100;
const NETWORK_KIND = 0x200;

function rotated(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function mixed(word: number): number {
  let mix = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35);
  return mix ^ (mix >>> 16);
}

/** Twice what transfers can count for, so that a set of {@link WAYS} is hardly ever full; a power of two. */
function entriesFor({ shards, transfersPerShard }: Crowd): number {
  const held = 2 * shards * transfersPerShard;
  return 2 ** Math.ceil(Math.log2(Math.max(ENTRIES_MIN, 2 * held)));
}

function entryWord(entry: number): number {
  return HEADER_WORDS + entry * ENTRY_WORDS;
}

function entryFloat(entry: number): number {
  return entryWord(entry) / 2 + ENTRY_REQUEST_US;
}
