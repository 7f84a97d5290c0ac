// Networks (policy layer, pure): reading `10.0.0.0/8` and `2001:db8::/32`, and finding the networks that an address lies in
// with one look-up for each length of prefix in use, however many networks there are.

import { type Address, isMapped, parseBytes } from "./address.ts";
import type { PolicyFault } from "./fault.ts";

/** The addresses whose first `bits` bits are those of `prefix`; the other bits of `prefix` are 0. */
export interface Network {
  readonly prefix: Address;
  /** 0–32 for IPv4, 0–128 for IPv6. */
  readonly bits: number;
}

/**
 * Reads an address with or without the length of its prefix. Bits behind the prefix may be set and do not count. A v4-mapped
 * network of IPv6 is the IPv4 network that it stands for; `::/0` is IPv6 alone, `0.0.0.0/0` IPv4 alone.
 */
export function parseNetwork(text: string): Network | undefined {
  const [literal = "", length, ...rest] = text.split("/");
  const address = parseBytes(literal);
  if (address === undefined || rest.length > 0) return undefined;
  const bitsMax = address.length * 8;
  if (length !== undefined && !/^(?:0|[1-9]\d{0,2})$/.test(length)) return undefined;
  const bits = length === undefined ? bitsMax : Number(length);
  if (bits > bitsMax) return undefined;
  const network =
    isMapped(address) && bits >= 96 ? mapped(address, bits) : { prefix: address, bits };
  return { prefix: masked(network.prefix, network.bits), bits: network.bits };
}

/** Reads the networks of the configuration's `key`. */
export function compileNetworks(
  key: string,
  texts: readonly string[],
): readonly Network[] | PolicyFault {
  const networks: Network[] = [];
  for (const [element, text] of texts.entries()) {
    const network = parseNetwork(text);
    if (network === undefined) {
      const message = `has ${JSON.stringify(text)}, which is no address and no network`;
      const remedy = 'write "192.0.2.7", "10.0.0.0/8" or "2001:db8::/32".';
      return { key, element, message, remedy };
    }
    networks.push(network);
  }
  return networks;
}

function mapped(address: Address, bits: number): Network {
  return { prefix: address.slice(12), bits: bits - 96 };
}

/** The first `bits` bits of an address; the rest is 0. */
function masked(address: Address, bits: number): Address {
  const whole = bits >>> 3;
  const odd = bits & 7;
  const head = address.slice(0, whole);
  if (whole === address.length) return head;
  const byte = String.fromCharCode(address.charCodeAt(whole) & (0xff00 >>> odd) & 0xff);
  return head + byte + "\0".repeat(address.length - whole - 1);
}

/** Values by network. */
export class NetworkMap<Value> {
  /** For each length of prefix, the values by prefix; IPv4 and IPv6 prefixes differ in length. */
  readonly #lengths: Map<number, Map<Address, Value>> = new Map();

  /** The value of exactly this network. */
  get(network: Network): Value | undefined {
    return this.#lengths.get(network.bits)?.get(network.prefix);
  }

  set(network: Network, value: Value): void {
    let prefixes = this.#lengths.get(network.bits);
    if (prefixes === undefined) {
      prefixes = new Map();
      this.#lengths.set(network.bits, prefixes);
    }
    prefixes.set(network.prefix, value);
  }

  /** Calls `found` with the value of each network that `address` lies in, in no particular order. */
  forEachAround(address: Address, found: (value: Value) => void): void {
    const bitsMax = address.length * 8;
    for (const [bits, prefixes] of this.#lengths) {
      if (bits > bitsMax) continue;
      const value = prefixes.get(masked(address, bits));
      if (value !== undefined) found(value);
    }
  }
}

/** A set of networks. */
export class NetworkSet {
  readonly #networks: NetworkMap<true> = new NetworkMap();

  constructor(networks: readonly Network[]) {
    for (const network of networks) this.#networks.set(network, true);
  }

  /** Whether some network of the set holds `address`. */
  has(address: Address): boolean {
    let isFound = false;
    this.#networks.forEachAround(address, () => {
      isFound = true;
    });
    return isFound;
  }
}
