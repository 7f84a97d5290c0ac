// The only place where a shard sleeps (io layer). It spins for a short while first, because waking up costs
// more than most round trips on a fast network, and stops spinning where that does not pay.

import { assert } from "#base/assert.ts";
import { EPOLLIN, EPOLLOUT } from "#ffi/abi.ts";
import type { Poll } from "#ffi/epoll.ts";

import { type Kernel, thisKernel } from "./kernel.ts";

// A spin that found nothing is skipped this many times at most before it is tried again ("guess": an idle
// shard then spins for 200 µs in every 64 wake-ups, and a busy one finds out within 64 packets).
const SKIPS_MAX = 64;

interface Watched {
  readonly fd: number;
  events: number;
}

/** Waits for sockets. Tokens are the caller's small integers. */
export class Waiter {
  sleeps = 0;
  spins = 0;
  /** Whether something was ready when {@link wait} began, and may have been for a while. */
  wasReady = false;
  /** Time spent asleep, and looking. */
  sleptUs = 0;
  spunUs = 0;
  readonly #kernel: Kernel;
  readonly #epoll: Poll;
  readonly #spinUs: number;
  readonly #watched: Map<number, Watched> = new Map();
  #skips = 0;
  #skipsNext = 1;

  /** Spins up to `spinUs` microseconds before a sleep (0: never), and less often while that finds nothing. */
  constructor(spinUs: number, kernel: Kernel = thisKernel) {
    this.#kernel = kernel;
    this.#epoll = kernel.createPoll();
    this.#spinUs = spinUs;
  }

  watch(fd: number, token: number): void {
    this.#epoll.add(fd, EPOLLIN, token);
    this.#watched.set(token, { fd, events: EPOLLIN });
  }

  /** Also reports when the socket can be written to, or no longer does. */
  watchWritable(token: number, isWanted: boolean): void {
    this.#change(token, EPOLLOUT, isWanted);
  }

  /** Reports no more that there is something to read, or does so again. */
  mute(token: number, isMute: boolean): void {
    this.#change(token, EPOLLIN, !isMute);
  }

  /**
   * Returns how many tokens are ready: at once if any is, else after at most until `untilUs` (Infinity: for ever). `mayPay`: somebody
   * waits for so little that spinning may pay.
   */
  wait(nowUs: number, untilUs: number, mayPay: boolean): number {
    const ready = this.#epoll.wait(0);
    this.wasReady = ready > 0;
    if (ready > 0 || untilUs <= nowUs) return ready;
    const found = mayPay ? this.#spin(nowUs, untilUs) : 0;
    if (found > 0) return found;
    this.sleeps += 1;
    const sinceUs = this.#kernel.nowUs();
    const woken = this.#epoll.wait(Math.max(0, untilUs - sinceUs));
    this.sleptUs += this.#kernel.nowUs() - sinceUs;
    return woken;
  }

  token(index: number): number {
    return this.#epoll.token(index);
  }

  isReadable(index: number): boolean {
    return (this.#epoll.events(index) & ~EPOLLOUT) !== 0;
  }

  isWritable(index: number): boolean {
    return (this.#epoll.events(index) & EPOLLOUT) !== 0;
  }

  close(): void {
    this.#epoll.close();
  }

  #change(token: number, event: number, isWanted: boolean): void {
    const watched = this.#watched.get(token);
    assert(watched !== undefined, "only what is watched is watched otherwise");
    watched.events = isWanted ? watched.events | event : watched.events & ~event;
    this.#epoll.modify(watched.fd, watched.events, token);
  }

  #spin(nowUs: number, untilUs: number): number {
    if (this.#spinUs === 0) return 0;
    if (this.#skips > 0) {
      this.#skips -= 1;
      return 0;
    }
    this.spins += 1;
    const sinceUs = this.#kernel.nowUs();
    const endUs = Math.min(nowUs + this.#spinUs, untilUs);
    let passedUs = sinceUs;
    do {
      const ready = this.#epoll.wait(0);
      if (ready > 0) {
        this.#skipsNext = 1;
        this.spunUs += passedUs - sinceUs;
        return ready;
      }
      passedUs = this.#kernel.nowUs();
    } while (passedUs < endUs);
    this.spunUs += passedUs - sinceUs;
    this.#skips = this.#skipsNext;
    this.#skipsNext = Math.min(this.#skipsNext * 2, SKIPS_MAX);
    return 0;
  }
}
