// Seeded random numbers (base layer) for simulations and jitter: the same seed gives the same numbers on
// every machine. Not for secrets.

/**
 * SplitMix32: a counter pushed through a 32-bit mixer. Every seed is good, 0 included, and neighbouring
 * seeds give unrelated streams, which is what a test that counts its seeds up needs.
 * Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014), with the
 * 32-bit constants of MurmurHash3's finalizer.
 */
export class Random {
  #state: number;

  /** `seed` is taken modulo 2³². */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** The next integer, 0 to 2³² − 1. */
  uint32(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return (mixed ^ (mixed >>> 16)) >>> 0;
  }

  /** A number from 0 up to, not including, 1. */
  fraction(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** An integer from 0 up to, not including, `limit` (1 to 2³²). The bias is below `limit` / 2³². */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit);
  }

  /** True with the given probability, 0 to 1. */
  chance(probability: number): boolean {
    return this.uint32() < probability * 0x1_0000_0000;
  }
}
