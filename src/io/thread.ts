// Threads as the kernel sees them (io layer): the calling one's place among the processors, and whether another one moves.
// Best effort: a kernel that refuses leaves the thread where it is, and one that does not say leaves it unknown.

import { readFileSync } from "node:fs";

import { availableCores, setAffinity } from "#ffi/process.ts";

/** Keeps the calling thread on one core, the `index`-th of those it may use, counting round. */
export function pinThread(index: number): void {
  const cores = availableCores();
  const core = cores[index % Math.max(1, cores.length)];
  // A refusal leaves the scheduler's choice, which is slower at worst.
  if (core !== undefined) setAffinity([core]);
}

/** What a thread that may die holds is noted, and given back by its successor. */
export { createHoldings, giveBackLeft, holdAs, holderOf } from "#ffi/holdings.ts";
export { descriptorsMax } from "#ffi/process.ts";

/** The number of the calling thread, by which {@link threadState} knows it. */
export { threadId } from "#ffi/process.ts";

/** What the kernel says of a thread of this process. */
export interface ThreadState {
  /** `R` runs or could run, `S` waits, `D` waits and cannot be interrupted: proc_pid_stat(5). */
  readonly state: string;
  /** Processor time that it has had. */
  readonly cpuMs: number;
}

/** The state of thread `id`; undefined if it has ended, or where there is no /proc. */
export function threadState(id: number): ThreadState | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/self/task/${id}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The second field is a name in parentheses, which may hold both blanks and parentheses.
  const [state = "", ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[UTIME]) + Number(fields[STIME]);
  return { state, cpuMs: ticks * TICK_MS };
}

// Fields 14 and 15, counted from the one behind the state, which is the third.
const UTIME = 10;
const STIME = 11;
/** USER_HZ is 100 on every machine that Linux runs on but Alpha and ia64: asm-generic/param.h. */
const TICK_MS = 10;
