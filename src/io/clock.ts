// The clock of a shard (io layer): monotonic, read once per turn.

/** Monotonic time in microseconds since the process began. */
export function monotonicUs(): number {
  return Bun.nanoseconds() / 1000;
}
