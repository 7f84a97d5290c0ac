// What all shards must agree on about uploads (storage layer), in memory that they share: who writes which name, and how many
// bytes are in use. Every entry is made under one lock, held for microseconds; what a dead shard held is given back.

import { f64At, i32At } from "#base/bytes.ts";
import { monotonicClockUs } from "#ffi/process.ts";

import { HIDDEN_WORDS } from "./upload-name.ts";

/** What may be in use; 0 is unlimited. */
export interface UploadQuotas {
  /** Bytes of all files beneath the upload root, those being written included. */
  readonly rootBytesMax: number;
  /** Bytes that one client may bring within {@link clientWindowMs}. */
  readonly clientBytesMax: number;
  readonly clientWindowMs: number;
}

/** Why {@link UploadLedger.claim} gave no claim; both are below zero. */
export const ClaimRefusal = {
  /** The name is being written. */
  taken: -1,
  /** The table is full. */
  busy: -2,
} as const;

/** Clients whose bytes are remembered: as many as a large site has switches, a guess. The one with the least in use goes first. */
const CLIENTS_MAX = 4096;

// The header: Int32 words 0 (lock: 1 + the shard that has it) and 1 (unused), then floats 1 (bytes of files) and 2 (reserved).
const HEADER_BYTES = 32;
const LOCK = 0;
const ROOT_BYTES = 1;
const ROOT_RESERVED = 2;

// A claim: fourteen Int32 words (owner: 1 + its shard, below zero when that has died, or 0), then two floats: the bytes that it has
// reserved, and those of the file that its own is to replace.
const Claim = {
  owner: 0,
  isShared: 1,
  keyLow: 2,
  keyHigh: 3,
  client: 4,
  fd: 5,
  folderFd: 6,
  versionsFd: 7,
  hidden: 8,
  kept: 11,
} as const;
const CLAIM_RESERVED = 7;
const CLAIM_REPLACED = 8;
const CLAIM_BYTES = 72;
// A client: Int32 words for its key and its claims, then floats: when its period began, bytes in it, bytes in the one before.
const Client = { keyLow: 0, keyHigh: 1, claims: 2 } as const;
const CLIENT_START = 2;
const CLIENT_NOW = 3;
const CLIENT_BEFORE = 4;
const CLIENT_BYTES = 40;

const NOBODY = -1;
/** The key of a claim without a name: one that a name has once in 2^64. */
const NO_NAME = [0, 0] as const;

/** What an upload has on the disk and open, as far as somebody else must know of it should its shard die. */
export interface UploadTraces {
  readonly fd: number;
  readonly folderFd: number;
  readonly versionsFd: number;
  /** The words of its hidden names: {@link hiddenWords}. */
  readonly hidden: Int32Array;
  readonly kept: Int32Array;
  /** Bytes of the file that goes when this one gets its name. */
  readonly replacedBytes: number;
}

/** Memory for a ledger of at most `claimsMax` uploads at a time. */
export function createUploadLedger(claimsMax: number): SharedArrayBuffer {
  return new SharedArrayBuffer(HEADER_BYTES + CLIENTS_MAX * CLIENT_BYTES + claimsMax * CLAIM_BYTES);
}

/** One shard's view of the ledger. */
export class UploadLedger {
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  readonly #claimsMax: number;
  readonly #shard: number;
  readonly #nowMs: () => number;
  #quotas: UploadQuotas;

  /** `shard` is this thread's number, which no other has. `nowMs` counts milliseconds since any moment that all shards share. */
  constructor(
    memory: SharedArrayBuffer,
    shard: number,
    quotas: UploadQuotas,
    nowMs: () => number = () => monotonicClockUs() / 1000,
  ) {
    this.#words = new Int32Array(memory);
    this.#floats = new Float64Array(memory);
    this.#claimsMax = (memory.byteLength - HEADER_BYTES - CLIENTS_MAX * CLIENT_BYTES) / CLAIM_BYTES;
    this.#shard = shard;
    this.#quotas = quotas;
    this.#nowMs = nowMs;
  }

  /** Bytes of the files beneath the root, and of those being written. */
  get rootBytes(): number {
    return this.#locked(() => this.#float(ROOT_BYTES) + this.#float(ROOT_RESERVED));
  }

  /** Counts by other quotas from now on. What is in use already stays so. */
  adjust(quotas: UploadQuotas): void {
    this.#quotas = quotas;
  }

  /** Says how many bytes the files beneath the root have, as a sweep has counted them. */
  setRootBytes(bytes: number): void {
    this.#locked(() => (this.#floats[ROOT_BYTES] = bytes));
  }

  /**
   * Claims `name`, which says folder and file, for `client` (its address). Shared claims of one name suffer each other, and
   * no other. Returns a claim (≥ 0), to be given to {@link settle} or {@link release} once, or a {@link ClaimRefusal}.
   */
  claim(name: string, client: string, isShared: boolean): number {
    const [low, high] = keyOf(name);
    return this.#locked(() => {
      const claim = this.#freeClaim(low, high, isShared);
      if (claim < 0) return claim;
      const isCounted = this.#quotas.clientBytesMax > 0;
      const index = isCounted ? this.#clientOf(client) : NOBODY;
      if (isCounted && index === NOBODY) return ClaimRefusal.busy;
      if (isCounted) this.#addClaims(index, 1);
      const owner = this.#shard + 1;
      this.#words.set([owner, isShared ? 1 : 0, low, high, index, NOBODY], claimWord(claim));
      this.#floats[this.#reservedFloat(claim)] = 0;
      return claim;
    });
  }

  /** Notes what the claim's upload has, should this shard die. */
  note(claim: number, traces: UploadTraces): void {
    const { fd, folderFd, versionsFd, hidden, kept, replacedBytes } = traces;
    const word = claimWord(claim);
    this.#floats[word / 2 + CLAIM_REPLACED] = replacedBytes;
    this.#words.set(hidden, word + Claim.hidden);
    this.#words.set(kept, word + Claim.kept);
    // Last, because whoever finds descriptors finds all of it.
    this.#words.set([folderFd, versionsFd], word + Claim.folderFd);
    Atomics.store(this.#words, word + Claim.fd, fd);
  }

  /** Reserves `bytes` more for the claim. False: a quota would be exceeded, and nothing was reserved. */
  reserve(claim: number, bytes: number): boolean {
    const { rootBytesMax, clientBytesMax } = this.#quotas;
    return this.#locked(() => {
      const rootBytes = this.#float(ROOT_BYTES) + this.#float(ROOT_RESERVED);
      if (rootBytesMax > 0 && rootBytes + bytes > rootBytesMax) return false;
      const client = this.#word(claimWord(claim) + Claim.client);
      if (client !== NOBODY) {
        const isLimited = clientBytesMax > 0;
        if (isLimited && this.#clientBytes(client) + bytes > clientBytesMax) return false;
        this.#addFloat(clientFloat(client) + CLIENT_NOW, bytes);
      }
      this.#addFloat(ROOT_RESERVED, bytes);
      this.#addFloat(this.#reservedFloat(claim), bytes);
      return true;
    });
  }

  /** Lets go of the claim's name, which will not be published. What it has reserved stays so until {@link release}. */
  abandon(claim: number): void {
    this.#locked(() => this.#words.set(NO_NAME, claimWord(claim) + Claim.keyLow));
  }

  /** Has the claim suffer no other of its name from now on. False: there is another, and all stays as it was. */
  close(claim: number): boolean {
    return this.#locked(() => {
      const own = claimWord(claim);
      for (let other = 0; other < this.#claimsMax; other += 1) {
        const word = claimWord(other);
        if (other === claim || this.#word(word + Claim.owner) === 0) continue;
        if (this.#isSame(word, this.#word(own + Claim.keyLow), this.#word(own + Claim.keyHigh))) {
          return false;
        }
      }
      this.#words[own + Claim.isShared] = 0;
      return true;
    });
  }

  /** Ends a claim whose file of `bytes` is there now, in place of `replacedBytes` that are not any more. */
  settle(claim: number, bytes: number, replacedBytes: number): void {
    this.#locked(() => {
      this.#giveBack(claim, this.#float(this.#reservedFloat(claim)) - bytes);
      this.#floats[ROOT_BYTES] = Math.max(0, this.#float(ROOT_BYTES) + bytes - replacedBytes);
      this.#free(claim);
    });
  }

  /** Ends a claim that came to nothing, and gives back what it had reserved. */
  release(claim: number): void {
    this.#locked(() => {
      this.#giveBack(claim, this.#float(this.#reservedFloat(claim)));
      this.#free(claim);
    });
  }

  /** Says that this thread takes the place of one that died. What that one has claimed stays so, see {@link left}. */
  adopt(): void {
    const owner = this.#shard + 1;
    // It may have died with the lock; nobody else ever takes it from another.
    Atomics.compareExchange(this.#words, LOCK, owner, 0);
    this.#locked(() => {
      for (let claim = 0; claim < this.#claimsMax; claim += 1) {
        const word = claimWord(claim) + Claim.owner;
        if (this.#word(word) === owner) this.#words[word] = -owner;
      }
    });
  }

  /** The claims that were adopted, to be settled or released like one's own, and what their uploads have left. */
  left(): readonly (readonly [claim: number, traces: UploadTraces | undefined])[] {
    const left: (readonly [number, UploadTraces | undefined])[] = [];
    for (let claim = 0; claim < this.#claimsMax; claim += 1) {
      const word = claimWord(claim);
      if (this.#word(word + Claim.owner) === -(this.#shard + 1)) {
        left.push([claim, this.#tracesAt(word)]);
      }
    }
    return left;
  }

  #tracesAt(word: number): UploadTraces | undefined {
    const fd = this.#word(word + Claim.fd);
    if (fd === NOBODY) return undefined;
    const folderFd = this.#word(word + Claim.folderFd);
    const versionsFd = this.#word(word + Claim.versionsFd);
    const hidden = this.#words.slice(word + Claim.hidden, word + Claim.hidden + HIDDEN_WORDS);
    const kept = this.#words.slice(word + Claim.kept, word + Claim.kept + HIDDEN_WORDS);
    const replacedBytes = this.#float(word / 2 + CLAIM_REPLACED);
    return { fd, folderFd, versionsFd, hidden, kept, replacedBytes };
  }

  /** A claim that is not taken, if nobody else's forbids it. */
  #freeClaim(low: number, high: number, isShared: boolean): number {
    let free: number = ClaimRefusal.busy;
    for (let claim = this.#claimsMax - 1; claim >= 0; claim -= 1) {
      const word = claimWord(claim);
      if (this.#word(word + Claim.owner) === 0) {
        free = claim;
        continue;
      }
      const isSuffered = isShared && this.#word(word + Claim.isShared) === 1;
      if (this.#isSame(word, low, high) && !isSuffered) return ClaimRefusal.taken;
    }
    return free;
  }

  /** Whether the claim at `word` is of this name. */
  #isSame(word: number, low: number, high: number): boolean {
    return this.#word(word + Claim.keyLow) === low && this.#word(word + Claim.keyHigh) === high;
  }

  /** Gives `bytes` back to the claim's client. */
  #giveBack(claim: number, bytes: number): void {
    const client = this.#word(claimWord(claim) + Claim.client);
    if (client === NOBODY) return;
    this.#roll(client);
    const now = clientFloat(client) + CLIENT_NOW;
    this.#floats[now] = Math.max(0, this.#float(now) - bytes);
  }

  #free(claim: number): void {
    const reserved = this.#reservedFloat(claim);
    this.#floats[ROOT_RESERVED] = Math.max(0, this.#float(ROOT_RESERVED) - this.#float(reserved));
    this.#floats[reserved] = 0;
    const client = this.#word(claimWord(claim) + Claim.client);
    if (client !== NOBODY) this.#addClaims(client, -1);
    this.#words[claimWord(claim) + Claim.owner] = 0;
  }

  /** The client's entry: its own, or that of the idle client with the least in use, or none. */
  #clientOf(client: string): number {
    const [low, high] = keyOf(client);
    let least = NOBODY;
    let leastBytes = Infinity;
    for (let index = 0; index < CLIENTS_MAX; index += 1) {
      const word = clientFloat(index) * 2;
      if (this.#word(word + Client.keyLow) === low && this.#word(word + Client.keyHigh) === high) {
        return index;
      }
      if (leastBytes === 0 || this.#word(word + Client.claims) > 0) continue;
      const bytes = this.#clientBytes(index);
      if (bytes >= leastBytes) continue;
      least = index;
      leastBytes = bytes;
    }
    if (least === NOBODY) return NOBODY;
    const float = clientFloat(least);
    this.#words.set([low, high], float * 2);
    this.#floats.set([this.#nowMs(), 0, 0], float + CLIENT_START);
    return least;
  }

  /**
   * Bytes that the client has brought within the last window: those of this period, and of the one before as much as the
   * window still reaches into it, as if they had come evenly.
   */
  #clientBytes(client: number): number {
    this.#roll(client);
    const float = clientFloat(client);
    const passed =
      (this.#nowMs() - this.#float(float + CLIENT_START)) / this.#quotas.clientWindowMs;
    const rest = Math.min(1, Math.max(0, 1 - passed)) * this.#float(float + CLIENT_BEFORE);
    return this.#float(float + CLIENT_NOW) + rest;
  }

  /** Begins a new period for the client if its last one is over. */
  #roll(client: number): void {
    const float = clientFloat(client);
    const { clientWindowMs } = this.#quotas;
    const passedMs = this.#nowMs() - this.#float(float + CLIENT_START);
    if (passedMs < clientWindowMs) return;
    const before = passedMs < 2 * clientWindowMs ? this.#float(float + CLIENT_NOW) : 0;
    const periods = Math.floor(passedMs / clientWindowMs);
    const start = this.#float(float + CLIENT_START) + periods * clientWindowMs;
    this.#floats.set([start, 0, before], float + CLIENT_START);
  }

  #addClaims(client: number, change: number): void {
    const word = clientFloat(client) * 2 + Client.claims;
    this.#words[word] = this.#word(word) + change;
  }

  #word(index: number): number {
    return i32At(this.#words, index);
  }

  #float(index: number): number {
    return f64At(this.#floats, index);
  }

  #addFloat(index: number, change: number): void {
    this.#floats[index] = this.#float(index) + change;
  }

  #reservedFloat(claim: number): number {
    return claimWord(claim) / 2 + CLAIM_RESERVED;
  }

  /** Runs `body` while no other thread is in here. `body` does not throw, and calls nothing that waits. */
  #locked<T>(body: () => T): T {
    const owner = this.#shard + 1;
    for (let tries = 0; Atomics.compareExchange(this.#words, LOCK, 0, owner) !== 0; tries += 1) {
      // The lock is held for microseconds, unless its holder was put aside by the scheduler or has died.
      const holder = Atomics.load(this.#words, LOCK);
      if (tries > SPINS_MAX && holder !== 0) Atomics.wait(this.#words, LOCK, holder, 1);
    }
    const result = body();
    Atomics.store(this.#words, LOCK, 0);
    return result;
  }
}

/** Tries before a thread sleeps for a millisecond instead: a guess. */
const SPINS_MAX = 1000;

function clientFloat(client: number): number {
  return (HEADER_BYTES + client * CLIENT_BYTES) / 8;
}

function claimWord(claim: number): number {
  return (HEADER_BYTES + CLIENTS_MAX * CLIENT_BYTES + claim * CLAIM_BYTES) / 4;
}

/** 64 bits that stand for a text. Two of the same 64 bits would refuse each other's uploads, and nothing worse. */
function keyOf(text: string): readonly [low: number, high: number] {
  const hash = Bun.hash(text);
  return [Number(BigInt.asIntN(32, hash)), Number(BigInt.asIntN(32, hash >> 32n))];
}
