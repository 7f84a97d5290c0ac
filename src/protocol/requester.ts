// A client's request until somebody answers (protocol layer, pure): when it is sent, when again, and when it is hopeless.
// Knows no bytes, no socket and no clock. Once there is an answer, a Sender or a Receiver goes on.
//
// Order of calls: `start`; then `pollTransmit` until it says no; `handleTimeout` once `deadlineUs` is reached.

import { mark } from "#base/mark.ts";

/** How patient a client is. */
export interface Patience {
  /** How long the first answer is waited for. */
  readonly firstTimeoutUs: number;
  /** The longest wait; at least the first one. */
  readonly timeoutUsMax: number;
  /** How often the request is sent again. */
  readonly repetitionsMax: number;
}

/** How long all of these waits take together: what a transfer that stands still is given, too. */
export function patienceUs({ firstTimeoutUs, timeoutUsMax, repetitionsMax }: Patience): number {
  let sumUs = 0;
  for (let repetition = 0; repetition <= repetitionsMax; repetition++) {
    sumUs += Math.min(firstTimeoutUs * 2 ** repetition, timeoutUsMax);
  }
  return sumUs;
}

/** One request. */
export class Requester {
  readonly #patience: Patience;
  #isDue = false;
  #sent = 0;
  #timeoutUs: number;
  #deadlineUs = Infinity;
  #hasGivenUp = false;

  constructor(patience: Patience) {
    this.#patience = patience;
    this.#timeoutUs = patience.firstTimeoutUs;
  }

  /** When {@link handleTimeout} is due. */
  get deadlineUs(): number {
    return this.#deadlineUs;
  }

  /** Nobody has answered any of them. */
  get hasGivenUp(): boolean {
    return this.#hasGivenUp;
  }

  /** How often it was sent. */
  get sent(): number {
    return this.#sent;
  }

  /** Makes the request due, with all of its patience. Another request may be begun with this, too. */
  start(): void {
    this.#isDue = true;
    this.#sent = 0;
    this.#hasGivenUp = false;
    this.#timeoutUs = this.#patience.firstTimeoutUs;
    this.#deadlineUs = Infinity;
  }

  /** Whether the request is to be sent now; if so, it counts as sent. */
  pollTransmit(nowUs: number): boolean {
    if (!this.#isDue) return false;
    this.#isDue = false;
    this.#sent++;
    this.#deadlineUs = nowUs + this.#timeoutUs;
    return true;
  }

  /** Time has passed. Before `deadlineUs` nothing happens. RFC 1123 §4.2.3.2: each wait is twice the one before. */
  handleTimeout(nowUs: number): void {
    if (nowUs < this.#deadlineUs) return;
    this.#deadlineUs = Infinity;
    if (this.#sent > this.#patience.repetitionsMax) {
      mark("request-given-up");
      this.#hasGivenUp = true;
      return;
    }
    mark("request-repeated-with-back-off");
    this.#timeoutUs = Math.min(this.#timeoutUs * 2, this.#patience.timeoutUsMax);
    this.#isDue = true;
  }
}
