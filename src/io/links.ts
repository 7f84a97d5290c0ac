// The interfaces that requests come in by (io layer): how large a packet each one sends, and which one has an address.
// Answers are remembered for a few seconds, so that a changed MTU is heeded soon, and a storm of requests asks once.

import { networkInterfaces } from "node:os";

import { scopeIdOf } from "#ffi/address.ts";
import { interfaceMtu } from "#ffi/interface.ts";

import { monotonicUs } from "./clock.ts";

/** How long an answer holds: nobody reboots a client sooner after a change of the MTU (a guess). */
const KNOWN_US = 3_000_000;
/** Interfaces that are remembered; beyond it everything is forgotten. A guess: more than have TFTP clients on them. */
const ENTRIES_MAX = 256;

interface Entry {
  readonly value: number;
  readonly untilUs: number;
}

/** One per shard. */
export class Links {
  readonly #socketFd: number;
  readonly #mtus: Map<number, Entry> = new Map();
  #own: Entry = { value: 0, untilUs: 0 };

  /** `socketFd` is any socket, which stays open: it names the network namespace. */
  constructor(socketFd: number) {
    this.#socketFd = socketFd;
  }

  /** The MTU in bytes of interface `ifindex`; undefined where there is none, or no such interface. */
  mtuOf(ifindex: number): number | undefined {
    const nowUs = monotonicUs();
    let entry = this.#mtus.get(ifindex);
    if (entry === undefined || nowUs >= entry.untilUs) {
      const value = ifindex > 0 ? interfaceMtu(this.#socketFd, ifindex) : -1;
      entry = { value, untilUs: nowUs + KNOWN_US };
      if (this.#mtus.size >= ENTRIES_MAX) this.#mtus.clear();
      this.#mtus.set(ifindex, entry);
    }
    return entry.value > 0 ? entry.value : undefined;
  }

  /**
   * The index of the interface that has `address`, as text without a scope; 0 if none has. For a socket that is bound to one
   * address, whose datagrams do not say where they came in; so it is always asked about the same one.
   */
  indexOf(address: string): number {
    const nowUs = monotonicUs();
    if (nowUs >= this.#own.untilUs) {
      this.#own = { value: lookUp(address), untilUs: nowUs + KNOWN_US };
    }
    return this.#own.value;
  }
}

/** Reads all addresses of this machine: about 100 µs on a small one. */
function lookUp(address: string): number {
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (addresses?.some((each) => each.address === address) === true) return scopeIdOf(name);
  }
  return 0;
}
