// Which of several things is next (client layer): drawn by weight, from a seeded source.
// The same seed draws the same.

import { assert } from "#base/assert.ts";
import { f64At } from "#base/bytes.ts";
import type { Random } from "#base/random.ts";

export class Mix {
  /** The sum of all weights up to each one. */
  readonly #sums: Float64Array;
  readonly #total: number;

  /** Weights are 0 or more, and not all of them 0. */
  constructor(weights: readonly number[]) {
    let total = 0;
    this.#sums = Float64Array.from(weights, (weight) => (total += weight));
    this.#total = total;
    assert(total > 0, "something is drawn");
  }

  /** The place of what was drawn. What weighs nothing is never drawn. */
  draw(random: Random): number {
    const target = random.fraction() * this.#total;
    let low = 0;
    let high = this.#sums.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (f64At(this.#sums, middle) > target) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
