// A bad wire in virtual time: it loses, repeats, delays and so reorders datagrams, from a seed, and counts
// what it did, so that a test can hold the ends to account for everything else.

import { type Random } from "#base/random.ts";

/** Probabilities are 0–1 and apply to each datagram. */
export interface WireFaults {
  readonly loss: number;
  readonly duplicate: number;
  /** The datagram is held back by up to `lateUs`, and others overtake it. */
  readonly late: number;
  readonly lateUs: number;
  /** One way. */
  readonly delayUs: number;
}

export type Arrival = (datagram: Uint8Array, nowUs: number) => void;

interface Flight {
  readonly atUs: number;
  readonly datagram: Uint8Array;
  readonly arrive: Arrival;
}

export class Wire {
  readonly #random: Random;
  readonly #faults: WireFaults;
  /** By time of arrival, and among equals in the order of sending. */
  readonly #flights: Flight[] = [];
  /** What the wire did wrong so far. */
  readonly counts: { lost: number; duplicated: number; late: number } = {
    lost: 0,
    duplicated: 0,
    late: 0,
  };

  constructor(random: Random, faults: WireFaults) {
    this.#random = random;
    this.#faults = faults;
  }

  /** When the next datagram arrives; Infinity when none is under way. */
  get nextUs(): number {
    return this.#flights[0]?.atUs ?? Infinity;
  }

  send(datagram: Uint8Array, nowUs: number, arrive: Arrival): void {
    if (this.#random.chance(this.#faults.loss)) {
      this.counts.lost++;
      return;
    }
    this.#fly(datagram, nowUs, arrive);
    if (this.#random.chance(this.#faults.duplicate)) {
      this.counts.duplicated++;
      this.#fly(datagram, nowUs, arrive);
    }
  }

  /** Delivers the next datagram. */
  deliver(): void {
    const flight = this.#flights.shift();
    flight?.arrive(flight.datagram, flight.atUs);
  }

  #fly(datagram: Uint8Array, nowUs: number, arrive: Arrival): void {
    let atUs = nowUs + this.#faults.delayUs;
    if (this.#random.chance(this.#faults.late)) {
      this.counts.late++;
      atUs += this.#random.below(this.#faults.lateUs);
    }
    let index = this.#flights.length;
    while (index > 0 && (this.#flights[index - 1]?.atUs ?? 0) > atUs) index--;
    this.#flights.splice(index, 0, { atUs, datagram, arrive });
  }
}
