// What another process of this machine has used (io layer): processor time, memory and context switches, from /proc.
// Sources: proc_pid_stat(5), proc_pid_status(5), and schedstat of Documentation/scheduler/sched-stats.rst.

import { readdirSync, readFileSync } from "node:fs";

/** What a process has used since it began. */
export interface ProcessUsage {
  /** Of the threads that live, to the nanosecond, and of children that it has waited for, in ticks of 10 ms. */
  readonly preciseSeconds: number;
  /** The same in ticks of 10 ms, and of threads that have ended as well. */
  readonly userSeconds: number;
  readonly systemSeconds: number;
  /** Resident memory now, and at its most (VmRSS, VmHWM). */
  readonly rssBytes: number;
  readonly rssBytesPeak: number;
  /** Of the threads that live: they waited, or were told to wait. */
  readonly switchesVoluntary: number;
  readonly switchesInvoluntary: number;
}

/** The processor time between two looks. Precise, unless so much is missing from that that threads must have ended meanwhile. */
export function cpuSecondsBetween(before: ProcessUsage, after: ProcessUsage): number {
  const precise = after.preciseSeconds - before.preciseSeconds;
  const ticks =
    after.userSeconds - before.userSeconds + (after.systemSeconds - before.systemSeconds);
  return ticks - precise > TICKS_DOUBT_S ? ticks : precise;
}

/** User and system time are each cut off to a tick at both ends. */
const TICKS_DOUBT_S = 0.04;

/** What process `pid` has used; undefined where there is no such process. */
export function processUsage(pid: number): ProcessUsage | undefined {
  try {
    return readUsage(pid);
  } catch {
    return undefined;
  }
}

function readUsage(pid: number): ProcessUsage {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The second field is a name in parentheses, which may hold both blanks and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const seconds = (field: number): number => Number(fields[field]) / TICKS_PER_S;
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  let switchesVoluntary = 0;
  let switchesInvoluntary = 0;
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const text = threadText(pid, thread, "status");
    nanoseconds += Number(threadText(pid, thread, "schedstat").split(" ")[0]);
    switchesVoluntary += numberIn(text, "voluntary_ctxt_switches");
    switchesInvoluntary += numberIn(text, "nonvoluntary_ctxt_switches");
  }
  return {
    preciseSeconds: nanoseconds / 1e9 + seconds(CUTIME) + seconds(CSTIME),
    userSeconds: seconds(UTIME) + seconds(CUTIME),
    systemSeconds: seconds(STIME) + seconds(CSTIME),
    rssBytes: numberIn(status, "VmRSS") * 1024,
    rssBytesPeak: numberIn(status, "VmHWM") * 1024,
    switchesVoluntary,
    switchesInvoluntary,
  };
}

// Fields 14 to 17, counted from the third, which is the first behind the name.
const UTIME = 11;
const STIME = 12;
const CUTIME = 13;
const CSTIME = 14;
/** USER_HZ is 100 on every machine that Linux runs on but Alpha and ia64: asm-generic/param.h. */
const TICKS_PER_S = 100;

/** Empty of a thread that has ended meanwhile. */
function threadText(pid: number, thread: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/task/${thread}/${file}`, "latin1");
  } catch {
    return "";
  }
}

function numberIn(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
}
