// How a load waits for its clients' sockets (client layer). With few clients it waits for each datagram, as get does. With many it
// sleeps for microseconds, whatever comes, and finds several: to be woken costs the server that sends as much as the load.

import { nap, setTimerSlack } from "#io/nap.ts";
import { Waiter } from "#io/waiter.ts";

/** As get and put have it. */
const SPIN_US = 200;
/** With so many transfers under way a nap passes while others are served. */
const NAP_CLIENTS = 16;
/** A server needs more than this for a packet, so that it does not run out of work meanwhile: docs/performance.md has 3 to 6 µs. */
const NAP_US_PER_CLIENT = 1;
const NAP_US_FIRST_MAX = 50;
/** Where nothing comes a nap is twice as long as the one before, up to this. A guess. */
const NAP_US_MAX = 200;
/** Where so large a part of the clients was ready, nothing is gained by waiting for more. */
const READY_SHARE = 1 / 4;
/** The least; 0 would be the usual 50 µs. */
const SLACK_NS = 1;

export class LoadWait {
  readonly #waiter: Waiter = new Waiter(SPIN_US);
  /** How many were ready the last time. */
  #found = 0;
  #napUs = 0;

  constructor() {
    // Where it is refused naps are longer, and batches larger.
    setTimerSlack(SLACK_NS);
  }

  watch(fd: number, token: number): void {
    this.#waiter.watch(fd, token);
  }

  token(index: number): number {
    return this.#waiter.token(index);
  }

  /** Returns how many of the `active` clients are ready, 0 at `untilUs` at the latest. */
  wait(active: number, nowUs: number, untilUs: number): number {
    if (active < NAP_CLIENTS) return this.#waiter.wait(nowUs, untilUs, true);
    if (this.#found < active * READY_SHARE) {
      const firstUs = Math.min(active * NAP_US_PER_CLIENT, NAP_US_FIRST_MAX);
      this.#napUs = this.#found > 0 ? firstUs : Math.min(2 * this.#napUs + firstUs, NAP_US_MAX);
      const leftUs = Math.min(this.#napUs, untilUs - nowUs);
      if (leftUs > 0) nap(leftUs);
    }
    this.#found = this.#waiter.wait(nowUs, -Infinity, false);
    return this.#found;
  }

  close(): void {
    this.#waiter.close();
  }
}
