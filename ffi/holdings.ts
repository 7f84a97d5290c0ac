// What threads hold of the process that no garbage collector gives back (ffi layer): descriptors and mappings, noted in shared memory
// by who holds them, so that its successor can give back what one that died has held. It costs a few nanoseconds per descriptor.

import { assert } from "#base/assert.ts";
import { f64At, i32At } from "#base/bytes.ts";

import { Errno } from "./errno.ts";
import { checked, libc } from "./libc.ts";

/** Descriptors from here on are not noted: a shard that has so many open transfers is one that dies with a leak. */
const FDS_MAX = 65_536;
/**
 * So many descriptors are not for peers' files: a new thread needs four, and Bun ends the process where it finds none; a hook,
 * a reload and the log's files need some, too.
 */
const RESERVED_FDS = 32;
/** A shard maps some 40 regions; this is room for every worker that can be configured. */
const MAPPINGS_MAX = 16_384;
/** Int32 words behind the holders of descriptors: those of mappings. */
const MAPPINGS = FDS_MAX;
// Floats behind these: the lowest descriptor that is not for peers' files, then address and length of each mapping.
const PEERS_FDS: number = ((FDS_MAX + MAPPINGS_MAX) * Int32Array.BYTES_PER_ELEMENT) / 8;
const FIRST_NUMBER: number = PEERS_FDS + 1;

/** Who holds what is never left behind: the supervisor's thread, and those that make calls for others. */
export const NO_HOLDER = 0;
/** As many heirs as a configuration may have workers. */
const HEIRS_MAX = 256;

/** The `life`-th (from 0) thread of line `line` (0 to 255). Each thread inherits what those of its line have left. */
export function holderOf(line: number, life: number): number {
  assert(line < HEIRS_MAX, "there are no more lines than workers");
  return life * HEIRS_MAX + line + 1;
}

/** The memory of a process for the notes of all its threads. `fdsMax`: it can have no descriptor of this number. */
export function createHoldings(fdsMax: number = Infinity): SharedArrayBuffer {
  const memory = new SharedArrayBuffer((FIRST_NUMBER + 2 * MAPPINGS_MAX) * 8);
  new Float64Array(memory)[PEERS_FDS] = fdsMax - RESERVED_FDS;
  return memory;
}

interface Mapping {
  readonly address: number;
  readonly bytes: number;
}

/** This thread's view; undefined where nobody keeps notes, as in most tests. */
let notes: Notes | undefined;
/** What was mapped before there were notes, as modules do when they load. */
const early: Mapping[] = [];

/** From now on the calling thread notes what it holds, and what it has mapped so far, as that of `holder`: nobody else is it. */
export function holdAs(memory: SharedArrayBuffer, holder: number): void {
  notes = new Notes(memory, holder);
  for (const { address, bytes } of early.splice(0)) notes.addMapping(address, bytes);
}

/** Notes a descriptor that was just opened; passes −errno through. */
export function held(fd: number): number {
  if (notes !== undefined && fd >= 0) notes.setHolder(fd, notes.holder);
  return fd;
}

/** {@link held} for what is opened on behalf of a peer: −EMFILE, and closed again, if it is one of the last that there are. */
export function heldForPeer(fd: number): number {
  if (notes === undefined || fd < notes.peersFds) return held(fd);
  libc.close(fd);
  return -Errno.EMFILE;
}

/** Closes a descriptor, noted or not. Returns 0 or −errno; the fd is gone either way. */
export function closeHeld(fd: number): number {
  // Before it is closed: directly afterwards the number may be another thread's.
  notes?.setHolder(fd, NO_HOLDER);
  return checked(libc.close(fd));
}

/** Notes a mapping that was just made. */
export function holdMapping(address: number, bytes: number): void {
  if (notes === undefined) early.push({ address, bytes });
  else notes.addMapping(address, bytes);
}

/** Forgets a mapping that is about to be unmapped. */
export function forgetMapping(address: number): void {
  if (notes !== undefined) {
    notes.removeMapping(address);
    return;
  }
  const index = early.findIndex((mapping) => mapping.address === address);
  if (index >= 0) early.splice(index, 1);
}

/** Whether `fd` was left behind by an earlier thread of the calling one's line. */
export function isLeft(fd: number): boolean {
  return notes?.isLeft(fd) ?? false;
}

/**
 * Closes and unmaps everything that earlier threads of the calling one's line have left. They must have ended, and no call that
 * they began may be under way in another thread. Returns how much there was.
 */
export function giveBackLeft(): Left {
  if (notes === undefined) return { fds: 0, mappings: 0 };
  return { fds: notes.closeLeft(), mappings: notes.unmapLeft() };
}

export interface Left {
  readonly fds: number;
  readonly mappings: number;
}

class Notes {
  readonly holder: number;
  readonly peersFds: number;
  /** The holder of each descriptor, then of each mapping's place. */
  readonly #holders: Int32Array;
  /** Address and length of each mapping. */
  readonly #numbers: Float64Array;

  constructor(memory: SharedArrayBuffer, holder: number) {
    this.holder = holder;
    this.#holders = new Int32Array(memory, 0, FDS_MAX + MAPPINGS_MAX);
    this.#numbers = new Float64Array(memory, FIRST_NUMBER * 8, 2 * MAPPINGS_MAX);
    this.peersFds = f64At(new Float64Array(memory, PEERS_FDS * 8, 1), 0);
  }

  isLeft(fd: number): boolean {
    return fd >= 0 && fd < FDS_MAX && this.#isLeftAt(fd);
  }

  setHolder(fd: number, holder: number): void {
    if (fd >= 0 && fd < FDS_MAX) this.#holders[fd] = holder;
  }

  addMapping(address: number, bytes: number): void {
    if (this.holder === NO_HOLDER) return;
    for (let place = 0; place < MAPPINGS_MAX; place += 1) {
      const taken = Atomics.compareExchange(
        this.#holders,
        MAPPINGS + place,
        NO_HOLDER,
        this.holder,
      );
      if (taken !== NO_HOLDER) continue;
      this.#numbers.set([address, bytes], 2 * place);
      return;
    }
  }

  removeMapping(address: number): void {
    for (let place = 0; place < MAPPINGS_MAX; place += 1) {
      const isIts = i32At(this.#holders, MAPPINGS + place) === this.holder;
      if (!isIts || f64At(this.#numbers, 2 * place) !== address) continue;
      this.#freePlace(place);
      return;
    }
  }

  closeLeft(): number {
    let count = 0;
    for (let fd = 0; fd < FDS_MAX; fd += 1) {
      if (!this.#isLeftAt(fd)) continue;
      closeHeld(fd);
      count += 1;
    }
    return count;
  }

  unmapLeft(): number {
    let count = 0;
    for (let place = 0; place < MAPPINGS_MAX; place += 1) {
      if (!this.#isLeftAt(MAPPINGS + place)) continue;
      const [address, bytes] = [
        f64At(this.#numbers, 2 * place),
        f64At(this.#numbers, 2 * place + 1),
      ];
      this.#freePlace(place);
      // A thread may die between taking its place and filling it.
      if (bytes > 0) libc.munmap(address, bytes);
      count += 1;
    }
    return count;
  }

  #isLeftAt(index: number): boolean {
    const holder = i32At(this.#holders, index);
    const isSameLine = (holder - 1) % HEIRS_MAX === (this.holder - 1) % HEIRS_MAX;
    return holder !== NO_HOLDER && holder !== this.holder && isSameLine;
  }

  #freePlace(place: number): void {
    this.#numbers.fill(0, 2 * place, 2 * place + 2);
    Atomics.store(this.#holders, MAPPINGS + place, NO_HOLDER);
  }
}
