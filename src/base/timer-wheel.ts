// Timers by slot number (base layer): a hashed wheel of intrusive lists. Arming, cancelling and expiring
// cost O(1) and allocate nothing; a timer fires no earlier than asked and at most one tick late.

import { assert } from "./assert.ts";
import { f64At, i32At } from "./bytes.ts";

// 4 ms: a tenth of the smallest retransmission timeout (50 ms), so that lateness does not show.
const TICK_US_DEFAULT = 4096;
// 1024 × 4 ms covers 4.2 s, which is most timeouts; a later timer goes round again.
const BUCKETS = 1024;
const NONE = -1;

/** Timers numbered 0 … capacity − 1, each armed at most once at a time. Times are microseconds. */
export class TimerWheel {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #bucketOf: Int32Array;
  readonly #heads: Int32Array = new Int32Array(BUCKETS).fill(NONE);
  readonly #deadlinesUs: Float64Array;
  readonly #tickUs: number;
  #tick: number;
  #armed = 0;

  constructor(capacity: number, nowUs: number, tickUs: number = TICK_US_DEFAULT) {
    this.#next = new Int32Array(capacity).fill(NONE);
    this.#previous = new Int32Array(capacity).fill(NONE);
    this.#bucketOf = new Int32Array(capacity).fill(NONE);
    this.#deadlinesUs = new Float64Array(capacity);
    this.#tickUs = tickUs;
    this.#tick = Math.floor(nowUs / tickUs);
  }

  /** How many timers are armed. */
  get armed(): number {
    return this.#armed;
  }

  isArmed(timer: number): boolean {
    return i32At(this.#bucketOf, timer) !== NONE;
  }

  /** When `timer` fires, rounded up to a tick; Infinity if it is not armed. */
  dueUs(timer: number): number {
    return this.isArmed(timer) ? f64At(this.#deadlinesUs, timer) : Infinity;
  }

  /** Arms `timer` for `deadlineUs`, or moves it there. Infinity is never: the timer is disarmed. */
  arm(timer: number, deadlineUs: number): void {
    this.cancel(timer);
    if (deadlineUs === Infinity) return;
    const tick = Math.max(Math.ceil(deadlineUs / this.#tickUs), this.#tick + 1);
    const bucket = tick % BUCKETS;
    const head = i32At(this.#heads, bucket);
    this.#next[timer] = head;
    this.#previous[timer] = NONE;
    if (head !== NONE) this.#previous[head] = timer;
    this.#heads[bucket] = timer;
    this.#bucketOf[timer] = bucket;
    this.#deadlinesUs[timer] = tick * this.#tickUs;
    this.#armed += 1;
  }

  /** Disarms `timer`; nothing happens if it is not armed. */
  cancel(timer: number): void {
    const bucket = i32At(this.#bucketOf, timer);
    if (bucket === NONE) return;
    const next = i32At(this.#next, timer);
    const previous = i32At(this.#previous, timer);
    if (next !== NONE) this.#previous[next] = previous;
    if (previous === NONE) this.#heads[bucket] = next;
    else this.#next[previous] = next;
    this.#bucketOf[timer] = NONE;
    this.#armed -= 1;
  }

  /** Disarms up to `max` timers that are due at `nowUs` and writes them into `due`; returns how many. */
  expire(nowUs: number, due: Int32Array, max: number): number {
    assert(max <= due.length, "due holds what one call may expire");
    const nowTick = Math.floor(nowUs / this.#tickUs);
    let count = 0;
    while (this.#tick < nowTick && this.#armed > 0) {
      const taken = this.#expireBucket((this.#tick + 1) % BUCKETS, nowUs, due, count, max);
      count = taken;
      if (count === max) return count;
      this.#tick += 1;
    }
    if (this.#armed === 0) this.#tick = Math.max(this.#tick, nowTick);
    return count;
  }

  /** No timer is due before this time; Infinity when none is armed. */
  nextUs(): number {
    if (this.#armed === 0) return Infinity;
    for (let ahead = 1; ahead <= BUCKETS; ahead += 1) {
      if (i32At(this.#heads, (this.#tick + ahead) % BUCKETS) !== NONE) {
        return (this.#tick + ahead) * this.#tickUs;
      }
    }
    return Infinity;
  }

  #expireBucket(
    bucket: number,
    nowUs: number,
    due: Int32Array,
    start: number,
    max: number,
  ): number {
    let count = start;
    let timer = i32At(this.#heads, bucket);
    while (timer !== NONE && count < max) {
      const next = i32At(this.#next, timer);
      if (f64At(this.#deadlinesUs, timer) <= nowUs) {
        this.cancel(timer);
        due[count] = timer;
        count += 1;
      }
      timer = next;
    }
    return count;
  }
}
