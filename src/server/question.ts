// A request as the rules see it (server layer): who asks, where, and for what. What takes a look-up is looked up when a rule asks
// for it, and once; without rules nobody does.

import { localAddress, localIfindex, peerAddress } from "#io/inbox.ts";
import type { Interfaces } from "#io/interfaces.ts";
import type { Neighbours } from "#io/neighbours.ts";
import { type Address, addressOf } from "#policy/address.ts";
import { bytesOf, type ByteString, byteString } from "#policy/names.ts";
import type { Asking } from "#policy/rule.ts";
import type { Request } from "#protocol/request.ts";

/** Where a request came from and came in: the peer's raw sockaddr, the local address as the inbox has it, the time. */
export interface Arrival {
  readonly name: Uint8Array;
  readonly local: Uint8Array;
  /** The number of the listener, which is that of its service socket: requests are refused from there. */
  readonly listener: number;
  /** The request may have waited to be read, but not for longer than since then. */
  readonly sinceUs: number;
  readonly nowUs: number;
}

/** What tells more of a client than its packet does. */
export interface Lookups {
  readonly interfaces: Interfaces;
  readonly neighbours: Neighbours;
}

export class Question implements Asking {
  readonly name: ByteString;
  readonly isWrite: boolean;
  readonly mode: Asking["mode"];
  readonly listener: string;
  readonly #arrival: Arrival;
  readonly #lookups: Lookups;
  #client: Address | undefined;
  #mac: string | undefined;
  #isMacKnown = false;

  /** `listener` is the name of the one that the request came in by. */
  constructor(request: Request, arrival: Arrival, listener: string, lookups: Lookups) {
    const { name, nameBytes } = request;
    // As long as its bytes, it is ASCII or was read byte by byte: a byte string either way, which costs nothing.
    this.name = name.length === nameBytes.length ? name : byteString(nameBytes);
    this.isWrite = request.kind === "write";
    this.mode = request.mode;
    this.listener = listener;
    this.#arrival = arrival;
    this.#lookups = lookups;
  }

  get client(): Address {
    this.#client ??= addressOf(peerAddress(this.#arrival.name));
    return this.#client;
  }

  get local(): Address | undefined {
    const address = localAddress(this.#arrival.local);
    return address === undefined ? undefined : addressOf(address);
  }

  get interface(): string | undefined {
    const { local, nowUs } = this.#arrival;
    return this.#lookups.interfaces.nameOf(localIfindex(local), nowUs);
  }

  get mac(): string | undefined {
    if (!this.#isMacKnown) {
      const ifindex = localIfindex(this.#arrival.local);
      this.#mac = this.#lookups.neighbours.macOf(bytesOf(this.client), ifindex);
      this.#isMacKnown = true;
    }
    return this.#mac;
  }
}
