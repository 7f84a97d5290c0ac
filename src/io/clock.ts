// The clock of a shard (io layer): monotonic, so that no change of the date moves a timer, and the same in every thread, so that
// shards can tell each other a time. It is read once per turn.

import { monotonicClockUs } from "#ffi/process.ts";

/** The engine's own clock costs less to read, but begins anew in each thread. */
const originUs: number = monotonicClockUs() - Bun.nanoseconds() / 1000;

/** Monotonic time in microseconds, the same in every thread of every process. */
export function monotonicUs(): number {
  return Bun.nanoseconds() / 1000 + originUs;
}
