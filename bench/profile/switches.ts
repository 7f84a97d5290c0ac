// Context switches of the threads of a process (bench): those that a thread asked for by waiting, and those that it was made to suffer.
// From /proc/PID/task/TID/status, which counts them since the thread began.

import { readdirSync, readFileSync } from "node:fs";

export interface Switches {
  readonly thread: string;
  readonly voluntary: number;
  readonly involuntary: number;
}

/** Of every thread that lives, by its number. */
export function switchesOf(pid: number): ReadonlyMap<string, Switches> {
  const threads = readdirSync(`/proc/${pid}/task`).map((tid): [string, Switches] => {
    const text = statusOf(pid, tid);
    const field = (name: string): string =>
      new RegExp(`^${name}:\\s+(.*)$`, "m").exec(text)?.[1] ?? "0";
    const voluntary = Number(field("voluntary_ctxt_switches"));
    const involuntary = Number(field("nonvoluntary_ctxt_switches"));
    return [tid, { thread: field("Name"), voluntary, involuntary }];
  });
  return new Map(threads);
}

/** Empty of a thread that has ended meanwhile. */
function statusOf(pid: number, tid: string): string {
  try {
    return readFileSync(`/proc/${pid}/task/${tid}/status`, "utf8");
  } catch {
    return "";
  }
}

/** What came since, of threads that switched at all, the busiest first. */
export function switchesSince(
  before: ReadonlyMap<string, Switches>,
  after: ReadonlyMap<string, Switches>,
): readonly Switches[] {
  return [...after]
    .map(([tid, { thread, voluntary, involuntary }]) => ({
      thread: `${thread} ${tid}`,
      voluntary: voluntary - (before.get(tid)?.voluntary ?? 0),
      involuntary: involuntary - (before.get(tid)?.involuntary ?? 0),
    }))
    .filter(({ voluntary, involuntary }) => voluntary + involuntary > 0)
    .toSorted(
      (left, right) => right.voluntary + right.involuntary - (left.voluntary + left.involuntary),
    );
}
