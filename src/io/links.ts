// The interfaces that requests come in by (io layer): how large a packet each one sends.
// Answers are remembered for a few seconds, so that a changed MTU is heeded soon, and a storm of requests asks once.

import { interfaceIndex } from "#ffi/address.ts";
import { closeSocket, openSocket } from "#ffi/socket.ts";

import { type Kernel, thisKernel } from "./kernel.ts";

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
  readonly #kernel: Kernel;
  readonly #mtus: Map<number, Entry> = new Map();

  /** `socketFd` is any socket, which stays open: it names the network namespace. */
  constructor(socketFd: number, kernel: Kernel = thisKernel) {
    this.#socketFd = socketFd;
    this.#kernel = kernel;
  }

  /** The MTU in bytes of interface `ifindex`; undefined where there is none, or no such interface. */
  mtuOf(ifindex: number): number | undefined {
    const nowUs = this.#kernel.nowUs();
    let entry = this.#mtus.get(ifindex);
    if (entry === undefined || nowUs >= entry.untilUs) {
      const value = ifindex > 0 ? this.#kernel.interfaceMtu(this.#socketFd, ifindex) : -1;
      entry = { value, untilUs: nowUs + KNOWN_US };
      if (this.#mtus.size >= ENTRIES_MAX) this.#mtus.clear();
      this.#mtus.set(ifindex, entry);
    }
    return entry.value > 0 ? entry.value : undefined;
  }
}

/** The MTU in bytes of the interface called `name`, asked now; undefined where there is none of that name. */
export function mtuOfInterface(name: string): number | undefined {
  // Of either family: a kernel may lack one.
  const ofIpv4 = openSocket(4);
  const fd = ofIpv4 < 0 ? openSocket(6) : ofIpv4;
  if (fd < 0) return undefined;
  const mtu = new Links(fd).mtuOf(interfaceIndex(name));
  closeSocket(fd);
  return mtu;
}
