// Names of hosts (cli layer): to the addresses that are tried in their order. Each name is looked up once, by the system's
// resolver, and an address not at all.

import { lookup } from "node:dns/promises";

import { isAddress } from "#io/client-socket.ts";

import { errorCode } from "./exit.ts";

/** Which addresses of a host count: all (0), or those of one family. */
export type Family = 0 | 4 | 6;

/** Looks names up. */
export class Hosts {
  readonly #family: Family;
  readonly #found: Map<string, Promise<readonly string[] | string>> = new Map();

  constructor(family: Family) {
    this.#family = family;
  }

  /** The addresses of `host`, best first, or why there are none. An address is its own. */
  async addressesOf(host: string): Promise<readonly string[] | string> {
    const known = this.#found.get(host);
    if (known !== undefined) return known;
    const asked = this.#lookUp(host);
    this.#found.set(host, asked);
    return asked;
  }

  async #lookUp(host: string): Promise<readonly string[] | string> {
    if (isAddress(host)) return [host];
    try {
      const found = await lookup(host, { all: true, family: this.#family, verbatim: true });
      return [...new Set(found.map(({ address }) => address))];
    } catch (cause) {
      return errorCode(cause);
    }
  }
}
