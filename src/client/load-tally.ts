// What a load counts (client layer): the sums of all its transfers, and how long they took. Written by the load alone; everybody
// else reads. Its memory does not grow with the run.

import { Histogram } from "#base/histogram.ts";
import { Timeline } from "#base/timeline.ts";

import type { Failure } from "./contract.ts";
import {
  FAILURE_KINDS_MAX,
  type FailureCount,
  type LoadFigures,
  TimelineChannel,
} from "./load-contract.ts";

/** Columns of a chart on a phone; 10 ms is as short as a run that is worth a chart can use. */
const SPANS = 240;
const SPAN_US = 10_000;

/** What one transfer adds when it is over. */
export interface TransferSums {
  readonly requestsRepeated: number;
  readonly timeouts: number;
  readonly blocksRepeated: number;
}

export class LoadTally implements LoadFigures {
  started = 0;
  completed = 0;
  failed = 0;
  vanished = 0;
  cancelled = 0;
  late = 0;
  activeMax = 0;
  bytesCompleted = 0;
  bytesMoved = 0;
  requestsRepeated = 0;
  timeouts = 0;
  blocksRepeated = 0;
  droppedOut = 0;
  droppedIn = 0;
  unsent = 0;
  elapsedUs = 0;
  readonly duration: Histogram = new Histogram();
  readonly firstBlock: Histogram = new Histogram();
  readonly refusal: Histogram = new Histogram();
  readonly vanishing: Histogram = new Histogram();
  readonly timeline: Timeline = new Timeline(Object.keys(TimelineChannel).length, SPANS, SPAN_US);
  readonly #startUs: number;
  readonly #failures: Map<string, { failure: Failure; count: number }> = new Map();

  constructor(startUs: number) {
    this.#startUs = startUs;
  }

  get failures(): readonly FailureCount[] {
    return [...this.#failures.values()]
      .map(({ failure, count }) => Object.assign({ count }, failure))
      .toSorted((one, other) => other.count - one.count);
  }

  /** `bytes` of a file came, or were acknowledged. */
  noteBytes(bytes: number, nowUs: number): void {
    this.bytesMoved += bytes;
    this.timeline.add(TimelineChannel.bytes, nowUs - this.#startUs, bytes);
  }

  noteComplete(bytes: number, durationUs: number, nowUs: number): void {
    this.completed += 1;
    this.bytesCompleted += bytes;
    this.duration.record(durationUs);
    this.timeline.add(TimelineChannel.completed, nowUs - this.#startUs, 1);
    this.elapsedUs = nowUs - this.#startUs;
  }

  noteVanished(durationUs: number, nowUs: number): void {
    this.vanished += 1;
    this.vanishing.record(durationUs);
    this.elapsedUs = nowUs - this.#startUs;
  }

  noteCancelled(nowUs: number): void {
    this.cancelled += 1;
    this.elapsedUs = nowUs - this.#startUs;
  }

  noteFailure(failure: Failure, nowUs: number): void {
    this.failed += 1;
    this.timeline.add(TimelineChannel.failed, nowUs - this.#startUs, 1);
    this.elapsedUs = nowUs - this.#startUs;
    const key = `${failure.cause} ${failure.text}`;
    const isKnown = this.#failures.has(key) || this.#failures.size < FAILURE_KINDS_MAX;
    const known = isKnown ? this.#failures.get(key) : this.#firstOf(failure);
    if (known === undefined) this.#failures.set(key, { failure, count: 1 });
    else known.count += 1;
  }

  noteSums({ requestsRepeated, timeouts, blocksRepeated }: TransferSums): void {
    this.requestsRepeated += requestsRepeated;
    this.timeouts += timeouts;
    this.blocksRepeated += blocksRepeated;
  }

  /** What stands for a failure that there is no room for: one of its cause, or of any. */
  #firstOf({ cause }: Failure): { failure: Failure; count: number } | undefined {
    const known = [...this.#failures.values()];
    return known.find(({ failure }) => failure.cause === cause) ?? known[0];
  }
}
