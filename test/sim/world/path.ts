// The way between one client and the server, in virtual time and from a seed: it delays, loses, doubles, garbles and is cut, and
// counts each thing that it did, so that the ends can be held to account for everything else.

import type { Random } from "#base/random.ts";

import type { Agenda } from "./agenda.ts";

/** Probabilities are 0–1 and apply to each datagram. */
export interface PathFaults {
  /** One way, and by how much more at random; order is kept unless a datagram is late. */
  readonly delayUs: number;
  readonly jitterUs: number;
  readonly lossToServer: number;
  readonly lossToClient: number;
  readonly duplicate: number;
  /** The datagram is held back by up to `lateUs`, and others overtake it. */
  readonly late: number;
  readonly lateUs: number;
  /** What a checksum does not notice: one bit, or the end, of a datagram without payload is lost on its way to the server. */
  readonly garble: number;
  /** Nothing passes in one direction, from the first datagram on for so long; 0 never. */
  readonly cutUs: number;
  readonly cutAfterUs: number;
  readonly cutToServer: boolean;
  /** A link that carries so many bytes a second behind a queue of so many datagrams; 0 is no bottleneck. */
  readonly bytesPerSecond: number;
  readonly queueDatagrams: number;
}

export const cleanPath: PathFaults = {
  delayUs: 200,
  jitterUs: 0,
  lossToServer: 0,
  lossToClient: 0,
  duplicate: 0,
  late: 0,
  lateUs: 0,
  garble: 0,
  cutUs: 0,
  cutAfterUs: 0,
  cutToServer: false,
  bytesPerSecond: 0,
  queueDatagrams: 0,
};

/** What a path did to the datagrams that it was given. */
export interface PathCounts {
  lost: number;
  duplicated: number;
  late: number;
  garbled: number;
}

/** How long after a datagram its copy may come. */
const COPY_LATE_US = 2000;
/** IPv4, UDP and Ethernet beside each datagram. */
const OVERHEAD_BYTES = 46;

export class Path {
  readonly counts: PathCounts = { lost: 0, duplicated: 0, late: 0, garbled: 0 };
  readonly faults: PathFaults;
  readonly #agenda: Agenda;
  readonly #random: Random;
  #firstUs = -1;
  readonly #toServer: Direction = new Direction();
  readonly #toClient: Direction = new Direction();

  constructor(agenda: Agenda, random: Random, faults: PathFaults) {
    this.#agenda = agenda;
    this.#random = random;
    this.faults = faults;
  }

  toServer(bytes: Uint8Array, arrive: (bytes: Uint8Array) => void): void {
    if (this.#firstUs < 0) this.#firstUs = this.#agenda.nowUs;
    const { faults } = this;
    const isWhole = bytes[1] === 3 || !this.#random.chance(faults.garble);
    if (!isWhole) this.counts.garbled += 1;
    const sent = isWhole ? bytes : this.#garbled(bytes);
    this.#carry(this.#toServer, sent, faults.lossToServer, faults.cutToServer, arrive);
  }

  toClient(bytes: Uint8Array, arrive: (bytes: Uint8Array) => void): void {
    const { lossToClient, cutToServer } = this.faults;
    this.#carry(this.#toClient, bytes, lossToClient, !cutToServer, arrive);
  }

  #carry(
    direction: Direction,
    bytes: Uint8Array,
    loss: number,
    mayBeCut: boolean,
    arrive: (bytes: Uint8Array) => void,
  ): void {
    const { faults } = this;
    if ((mayBeCut && this.#isCut()) || this.#random.chance(loss)) {
      this.counts.lost += 1;
      return;
    }
    this.#fly(direction, bytes, arrive);
    if (!this.#random.chance(faults.duplicate)) return;
    this.counts.duplicated += 1;
    // The copy took another way: together with the original, or some time after it.
    const moreUs = this.#random.below(COPY_LATE_US);
    this.#agenda.at(Math.max(direction.lastUs, this.#agenda.nowUs) + moreUs, () => arrive(bytes));
  }

  #fly(direction: Direction, bytes: Uint8Array, arrive: (bytes: Uint8Array) => void): void {
    const { delayUs, jitterUs, late, lateUs, bytesPerSecond, queueDatagrams } = this.faults;
    const { nowUs } = this.#agenda;
    let leavesUs = nowUs;
    if (bytesPerSecond > 0) {
      const transmitUs = ((bytes.length + OVERHEAD_BYTES) * 1e6) / bytesPerSecond;
      const waitingUs = Math.max(0, direction.freeUs - nowUs);
      if (waitingUs / transmitUs > queueDatagrams) {
        this.counts.lost += 1;
        return;
      }
      leavesUs = nowUs + waitingUs + transmitUs;
      direction.freeUs = leavesUs;
    }
    let atUs = leavesUs + delayUs + (jitterUs > 0 ? this.#random.below(jitterUs) : 0);
    if (late > 0 && this.#random.chance(late)) {
      this.counts.late += 1;
      atUs += this.#random.below(lateUs);
    } else {
      atUs = Math.max(atUs, direction.lastUs);
      direction.lastUs = atUs;
    }
    this.#agenda.at(atUs, () => arrive(bytes));
  }

  #isCut(): boolean {
    const { cutUs, cutAfterUs } = this.faults;
    const sinceUs = this.#agenda.nowUs - this.#firstUs - cutAfterUs;
    return sinceUs >= 0 && sinceUs < cutUs;
  }

  #garbled(bytes: Uint8Array): Uint8Array {
    const copy = Uint8Array.from(bytes);
    const place = this.#random.below(copy.length);
    if (this.#random.chance(0.3)) return copy.subarray(0, place);
    copy[place] = (copy[place] ?? 0) ^ (1 << this.#random.below(8));
    return copy;
  }
}

/** When the last datagram in order arrives, and when the link is free again. */
class Direction {
  lastUs = 0;
  freeUs = 0;
}

/** What was done from the one count to the other. */
export function damageBetween(before: PathCounts, now: PathCounts): PathCounts {
  return {
    lost: now.lost - before.lost,
    duplicated: now.duplicated - before.duplicated,
    late: now.late - before.late,
    garbled: now.garbled - before.garbled,
  };
}
