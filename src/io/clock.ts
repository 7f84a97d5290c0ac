// The clock of a shard (io layer): monotonic, so that no change of the date moves a timer.
// It is read once per turn.

/** Monotonic time in microseconds since the process began. */
export function monotonicUs(): number {
  return Bun.nanoseconds() / 1000;
}
