// A histogram of durations (base layer) that keeps three significant digits from one microsecond to nineteen hours in fixed memory:
// log-linear buckets, as HdrHistogram has them (https://hdrhistogram.org). Two histograms add up without loss.

import { assert } from "./assert.ts";
import { u32At } from "./bytes.ts";

/** Values below this have a bucket each; above, every doubling has half as many. 1,024 in a doubling are less than 0.1 % apart. */
const EXACT_BELOW = 2048;
const PER_DOUBLING: number = EXACT_BELOW / 2;
const VALUE_BITS = 36;
const VALUE_MAX: number = 2 ** VALUE_BITS - 1;
const BUCKETS: number = EXACT_BELOW + (VALUE_BITS - Math.log2(EXACT_BELOW)) * PER_DOUBLING;

export class Histogram {
  /** How often each bucket was met: 108 KiB. */
  readonly #counts: Uint32Array = new Uint32Array(BUCKETS);
  #count = 0;
  #sum = 0;
  #min = Infinity;
  #max = 0;

  /** How many values were recorded. */
  get count(): number {
    return this.#count;
  }

  /** The smallest and the largest value, exactly; 0 where there is none. */
  get min(): number {
    return this.#count === 0 ? 0 : this.#min;
  }

  get max(): number {
    return this.#max;
  }

  /** The arithmetic mean, exactly; 0 where there is no value. */
  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count;
  }

  /** Counts `value`, in whole units. What is negative counts as 0, and what is beyond 2³⁶ − 1 as that. */
  record(value: number): void {
    const whole = Math.min(Math.max(Math.round(value), 0), VALUE_MAX);
    const bucket = bucketOf(whole);
    this.#counts[bucket] = u32At(this.#counts, bucket) + 1;
    this.#count += 1;
    this.#sum += whole;
    this.#min = Math.min(this.#min, whole);
    this.#max = Math.max(this.#max, whole);
  }

  /** Adds everything that `other` has counted. */
  merge(other: Histogram): void {
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      this.#counts[bucket] = u32At(this.#counts, bucket) + u32At(other.#counts, bucket);
    }
    this.#count += other.#count;
    this.#sum += other.#sum;
    this.#min = Math.min(this.#min, other.#min);
    this.#max = Math.max(this.#max, other.#max);
  }

  /**
   * The value that `percent` (0–100) of all values do not exceed, to three digits: never less than the true one, and never
   * more than the largest. 0 where there is none.
   */
  percentile(percent: number): number {
    assert(percent >= 0 && percent <= 100, "a percentage");
    // Rounding may make 99.9 % of 1,000 a hair more than 999.
    const rank = Math.max(1, Math.ceil((percent / 100) * this.#count - 1e-6));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      seen += u32At(this.#counts, bucket);
      if (seen >= rank) return Math.min(highestOf(bucket), this.#max);
    }
    return this.#max;
  }
}

function bucketOf(value: number): number {
  if (value < EXACT_BELOW) return value;
  const doubling = bitsOf(value) - bitsOf(EXACT_BELOW) + 1;
  const within = Math.floor(value / 2 ** doubling) - PER_DOUBLING;
  return EXACT_BELOW + (doubling - 1) * PER_DOUBLING + within;
}

/** The largest value that falls into `bucket`. */
function highestOf(bucket: number): number {
  if (bucket < EXACT_BELOW) return bucket;
  const doubling = Math.floor((bucket - EXACT_BELOW) / PER_DOUBLING) + 1;
  const within = (bucket - EXACT_BELOW) % PER_DOUBLING;
  return (PER_DOUBLING + within + 1) * 2 ** doubling - 1;
}

/** How many binary digits `value` has, up to 2⁵³; a logarithm would round. */
function bitsOf(value: number): number {
  const high = Math.floor(value / 2 ** 32);
  return high > 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(value);
}
