// The calling thread's place among the processors (io layer).
// Best effort: a kernel that refuses leaves the thread where it is.

import { availableCores, setAffinity } from "#ffi/process.ts";

/** Keeps the calling thread on one core, the `index`-th of those it may use, counting round. */
export function pinThread(index: number): void {
  const cores = availableCores();
  const core = cores[index % Math.max(1, cores.length)];
  // A refusal leaves the scheduler's choice, which is slower at worst.
  if (core !== undefined) setAffinity([core]);
}
