// How far each rate of bytes is used up (policy layer, pure): one clock for each, in memory that all shards share. Who wants
// to send books a span of it behind what others have booked, so that a limit holds for the whole process.

/** Clocks 0 … count − 1. A span is booked for one booker, and never given back. */
export class RateClocks {
  /** Nanoseconds of the clock that all shards share. Integers, because a lost update would be a limit that does not hold. */
  readonly #bookedNs: BigInt64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#bookedNs = new BigInt64Array(memory);
  }

  /** Memory for `count` clocks. */
  static createMemory(count: number): SharedArrayBuffer {
    return new SharedArrayBuffer(count * BigInt64Array.BYTES_PER_ELEMENT);
  }

  /** Books `spanUs` of `clock`, from `earliestUs` on or behind all that is booked. Returns when the span begins. */
  book(clock: number, earliestUs: number, spanUs: number): number {
    const earliestNs = BigInt(Math.round(earliestUs * 1000));
    const spanNs = BigInt(Math.ceil(spanUs * 1000));
    let seenNs = Atomics.load(this.#bookedNs, clock);
    for (;;) {
      const startNs = seenNs > earliestNs ? seenNs : earliestNs;
      const foundNs = Atomics.compareExchange(this.#bookedNs, clock, seenNs, startNs + spanNs);
      if (foundNs === seenNs) return Number(startNs) / 1000;
      seenNs = foundNs;
    }
  }
}
