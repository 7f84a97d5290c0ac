// What went on in each of the last seconds (supervisor layer), for graphs: sums of the shards' counters, of which each second keeps
// the difference. Bounded by time.

import { Counter, measures, wordsOf } from "#server/measures.ts";

import type { HistoryView } from "./api-shapes.ts";

/** Five minutes: as long as a rack needs to boot. */
const SAMPLES_MAX = 300;

/** The sum of a counter's word over all shards; see {@link Shards.total}. */
type Total = (index: number) => number;

/** One second, or the sums until now. */
type Sample = Readonly<Record<keyof HistoryView, number>>;

export class History {
  readonly #samples: Sample[] = [];
  #before: Sample | undefined;

  /** Takes the sample of the second that has passed. */
  sample(total: Total, nowMs: number): void {
    const sums = sumsOf(total, nowMs);
    const before = this.#before ?? sums;
    this.#before = sums;
    // Between samples lies a second or more, where the process was busy.
    const span = Math.max(1, sums.seconds - before.seconds);
    const rate = (name: keyof Sample): number => Math.round((sums[name] - before[name]) / span);
    this.#samples.push({
      seconds: sums.seconds,
      sent_bytes: rate("sent_bytes"),
      received_bytes: rate("received_bytes"),
      requests: rate("requests"),
      refused: rate("refused"),
      transfers: sums.transfers,
    });
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
  }

  /** The last second; all of it 0 before there is one. */
  get latest(): Sample {
    return this.#samples.at(-1) ?? nothing;
  }

  /** Columns, oldest first. */
  view(): HistoryView {
    const column = (name: keyof Sample): readonly number[] =>
      this.#samples.map((sample) => sample[name]);
    return {
      seconds: column("seconds"),
      sent_bytes: column("sent_bytes"),
      received_bytes: column("received_bytes"),
      requests: column("requests"),
      refused: column("refused"),
      transfers: column("transfers"),
    };
  }
}

const nothing: Sample = {
  seconds: 0,
  sent_bytes: 0,
  received_bytes: 0,
  requests: 0,
  refused: 0,
  transfers: 0,
};

function sumsOf(total: Total, nowMs: number): Sample {
  return {
    seconds: Math.round(nowMs / 1000),
    sent_bytes: total(Counter.bytesSent),
    received_bytes: total(Counter.wireBytesReceived),
    requests: total(Counter.readRequests) + total(Counter.writeRequests),
    refused: allOf("requestsRefused", total) + allOf("limitsReached", total),
    transfers: total(Counter.transfersActive),
  };
}

function allOf(name: "requestsRefused" | "limitsReached", total: Total): number {
  let sum = 0;
  for (let word = 0; word < wordsOf(measures[name]); word += 1) sum += total(Counter[name] + word);
  return sum;
}
