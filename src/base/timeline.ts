// What happened when (base layer), in fixed memory: sums over equal spans of time. When time runs off the end, neighbours are
// added up and every span is twice as long, so that a run of any length has between half and all of the spans.

import { assert } from "./assert.ts";
import { at, f64At } from "./bytes.ts";

export class Timeline {
  readonly #sums: readonly Float64Array[];
  readonly #spans: number;
  #spanUs: number;
  #used = 0;

  /** `channels` sums, each over `spans` (an even number) spans that are `spanUs` long at first. */
  constructor(channels: number, spans: number, spanUs: number) {
    assert(spans % 2 === 0, "spans are halved in pairs");
    this.#sums = Array.from({ length: channels }, () => new Float64Array(spans));
    this.#spans = spans;
    this.#spanUs = spanUs;
  }

  /** How long each span is by now. */
  get spanUs(): number {
    return this.#spanUs;
  }

  /** Adds `amount` to `channel`, `sinceUs` (0 or more) after the beginning. */
  add(channel: number, sinceUs: number, amount: number): void {
    while (sinceUs >= this.#spans * this.#spanUs) this.#fold();
    const span = Math.floor(sinceUs / this.#spanUs);
    const sums = at(this.#sums, channel);
    sums[span] = f64At(sums, span) + amount;
    this.#used = Math.max(this.#used, span + 1);
  }

  /** The sums of `channel`, up to the last span in which anything happened in any. */
  sums(channel: number): readonly number[] {
    return Array.from(at(this.#sums, channel).subarray(0, this.#used));
  }

  #fold(): void {
    const half = this.#spans / 2;
    for (const sums of this.#sums) {
      for (let span = 0; span < half; span += 1) {
        sums[span] = f64At(sums, 2 * span) + f64At(sums, 2 * span + 1);
      }
      sums.fill(0, half);
    }
    this.#spanUs *= 2;
    this.#used = Math.ceil(this.#used / 2);
  }
}
