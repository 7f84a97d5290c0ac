// When requests of a load begin (client layer): all at once, evenly, or as independent clients would come (Poisson). Times are
// planned before they are due, so that a client that starts late is measured from when it should have begun.

import type { Random } from "#base/random.ts";

/** How they come. `storm`: as soon as a client is free. */
export type ArrivalKind = "storm" | "constant" | "poisson";

export class Arrivals {
  readonly #kind: ArrivalKind;
  readonly #meanUs: number;
  readonly #random: Random;
  #nextUs: number;

  /** `ratePerS` is how many begin in a second on average; a storm has no rate. */
  constructor(kind: ArrivalKind, ratePerS: number, startUs: number, random: Random) {
    this.#kind = kind;
    this.#meanUs = 1e6 / ratePerS;
    this.#random = random;
    this.#nextUs = kind === "storm" ? -Infinity : startUs;
  }

  /** When the next one is due; −Infinity in a storm. */
  get nextUs(): number {
    return this.#nextUs;
  }

  /** The next one has begun: plans the one behind it. */
  advance(): void {
    if (this.#kind === "constant") this.#nextUs += this.#meanUs;
    // The gaps of a Poisson process are distributed exponentially. 1 − fraction is never 0.
    else if (this.#kind === "poisson")
      this.#nextUs -= Math.log(1 - this.#random.fraction()) * this.#meanUs;
  }
}
