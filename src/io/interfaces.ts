// The names of network interfaces (io layer): by the index that a datagram comes with. The kernel is asked once in a while, for
// an interface may be renamed or replaced by another while the server runs.

import { type Kernel, thisKernel } from "./kernel.ts";

/** How long an answer is believed: a guess, long against the requests of a boot, short against an administrator. */
const BELIEVED_US = 5_000_000;

/** One shard's knowledge of interfaces. */
export class Interfaces {
  readonly #names: Map<number, string | undefined> = new Map();
  readonly #kernel: Kernel;
  #sinceUs = -Infinity;

  constructor(kernel: Kernel = thisKernel) {
    this.#kernel = kernel;
  }

  /** The name of interface `index`; undefined where there is none. `nowUs` is the time of this turn. */
  nameOf(index: number, nowUs: number): string | undefined {
    if (index === 0) return undefined;
    if (nowUs - this.#sinceUs > BELIEVED_US) {
      this.#names.clear();
      this.#sinceUs = nowUs;
    }
    if (!this.#names.has(index)) this.#names.set(index, this.#kernel.interfaceName(index));
    return this.#names.get(index);
  }
}
