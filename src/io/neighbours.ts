// Hardware addresses of clients (io layer): what the kernel's neighbour table says about an address, remembered for a moment.
// A client that is behind a router has no entry of its own, and so no hardware address here.

import { u8 } from "#base/bytes.ts";

import { type Kernel, thisKernel } from "./kernel.ts";

/** How long an answer holds: a boot ROM asks for its first files within it, and a changed network card is seen after it (a guess). */
const KNOWN_US = 5_000_000;
/** How long a client stays unknown: less, because the kernel may be learning its address while we reply (a guess). */
const UNKNOWN_US = 500_000;
/** Addresses that are remembered; as many neighbours as the kernel keeps without being told otherwise (gc_thresh3, arp(7)). */
const ENTRIES_MAX = 1024;

interface Entry {
  readonly mac: string | undefined;
  readonly untilUs: number;
}

/** One per shard: a query is two system calls, and the kernel is asked about one address at most every half second. */
export class Neighbours {
  readonly #kernel: Kernel;
  readonly #table: ReturnType<Kernel["createNeighbourTable"]>;
  readonly #entries: Map<string, Entry> = new Map();

  constructor(kernel: Kernel = thisKernel) {
    this.#kernel = kernel;
    this.#table = kernel.createNeighbourTable();
  }

  /**
   * The hardware address of the client with `address` (4 bytes, or 16; v4-mapped is IPv4) that is reached by interface
   * `ifindex`, as `52:54:00:12:34:56`. Undefined if the kernel knows none: beyond a router, on loopback, or not yet.
   */
  macOf(address: Uint8Array, ifindex: number): string | undefined {
    if (ifindex <= 0) return undefined;
    const nowUs = this.#kernel.nowUs();
    const key = `${ifindex} ${address.toHex()}`;
    const known = this.#entries.get(key);
    if (known !== undefined && nowUs < known.untilUs) return known.mac;
    const found = this.#table.find(unmapped(address), ifindex);
    const mac = typeof found === "number" ? undefined : formatMac(found);
    const untilUs = nowUs + (mac === undefined ? UNKNOWN_US : KNOWN_US);
    this.#entries.delete(key);
    // The one that was asked about longest ago goes.
    const oldest = this.#entries.size < ENTRIES_MAX ? undefined : this.#entries.keys().next().value;
    if (oldest !== undefined) this.#entries.delete(oldest);
    this.#entries.set(key, { mac, untilUs });
    return mac;
  }

  /** Gives back the socket to the kernel; nothing may be asked afterwards. */
  close(): void {
    this.#table.close();
  }
}

/** RFC 4291 §2.5.5.2: ten bytes of zeros, two of ones, and the IPv4 address. */
function unmapped(address: Uint8Array): Uint8Array {
  const isMapped =
    address.length === 16 &&
    address.subarray(0, 10).every((byte) => byte === 0) &&
    u8(address, 10) === 0xff &&
    u8(address, 11) === 0xff;
  return isMapped ? address.subarray(12) : address;
}

function formatMac(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}
