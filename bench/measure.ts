// What a run cost (bench): CPU time, memory and system calls of another process, read from /proc and perf.
// The load runs on core 1, what is measured on core 0.

import { readdirSync, readFileSync } from "node:fs";

import type { LoadPlan, LoadResult } from "./load.ts";

/** A process that serves, pinned to core 0. */
export interface Subject {
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

/** One timed run. */
export interface Measurement extends LoadResult {
  /** User and system time of the subject. */
  readonly cpuSeconds: number;
  /** Before the run, and its peak so far (VmRSS, VmHWM). */
  readonly rssBytesBefore: number;
  readonly rssBytesPeak: number;
}

/** Runs the load against `subject`. */
export async function measure(subject: Subject, plan: LoadPlan): Promise<Measurement> {
  const rssBytesBefore = statusBytes(subject.pid, "VmRSS");
  const before = cpuSeconds(subject.pid);
  const result = await runLoad(plan);
  const after = cpuSeconds(subject.pid);
  const rssBytesPeak = statusBytes(subject.pid, "VmHWM");
  return { ...result, cpuSeconds: after - before, rssBytesBefore, rssBytesPeak };
}

/** Runs the load and counts the system calls that `subject` makes meanwhile; undefined where perf may not count. */
export async function countSyscalls(subject: Subject, plan: LoadPlan): Promise<number | undefined> {
  return await countEvents(subject, ["raw_syscalls:sys_enter"], () => runLoad(plan));
}

/**
 * Runs `load` and sums up these events of the kernel in `subject` meanwhile, threads and processes that it starts included;
 * undefined likewise. `task-clock` counts milliseconds of CPU time.
 */
export async function countEvents(
  { pid }: Subject,
  events: readonly string[],
  load: () => Promise<unknown>,
): Promise<number | undefined> {
  if (Bun.which("perf") === null) return undefined;
  const perf = Bun.spawn(["perf", "stat", "-e", events.join(","), "-x", ",", "-p", String(pid)], {
    stdout: "ignore",
    stderr: "pipe",
  });
  // perf says nothing when it has attached; half a second is several times what it takes.
  await Bun.sleep(500);
  await load();
  perf.kill("SIGINT");
  const text = await new Response(perf.stderr).text();
  const counts = [...text.matchAll(/^([\d.]+),/gm)].map(([, count]) => Number(count));
  return counts.length === 0 ? undefined : counts.reduce((sum, count) => sum + count, 0);
}

/** Runs the load on core 1. */
export async function runLoad(plan: LoadPlan): Promise<LoadResult> {
  return await (plan.sink === true ? sinkOnce(plan) : loads.answer(plan));
}

async function sinkOnce(plan: LoadPlan): Promise<LoadResult> {
  const child = Bun.spawn([...onCore1("sink.ts"), JSON.stringify(plan)], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(LOAD_FAILED);
  return JSON.parse(text) as LoadResult;
}

/**
 * One process for all loads, one after the other: one that has just begun would be compiled while it is measured, and a client that is slow makes its
 * server look slow. It ends with us.
 */
class LoadProcess {
  #child: Bun.Subprocess | undefined;
  #asked: PromiseWithResolvers<LoadResult> = Promise.withResolvers();

  async answer(plan: LoadPlan): Promise<LoadResult> {
    this.#asked = Promise.withResolvers();
    this.#child ??= Bun.spawn([...onCore1("load.ts")], {
      stdout: "inherit",
      stderr: "inherit",
      ipc: (answer) => this.#asked.resolve(answer as LoadResult),
      onExit: () => this.#asked.reject(new Error(LOAD_FAILED)),
    });
    this.#child.ref();
    this.#child.send(plan);
    try {
      return await this.#asked.promise;
    } finally {
      this.#child.unref();
    }
  }
}

const LOAD_FAILED = "the load ended with an error";
const loads = new LoadProcess();

function onCore1(script: string): readonly string[] {
  return ["taskset", "-c", "1", process.execPath, `${import.meta.dir}/${script}`];
}

/**
 * CPU time of all threads that now live, seconds. From schedstat, which counts nanoseconds and agrees with the ticks of
 * 10 ms in /proc/PID/stat; a transfer of 256 MiB takes only a few of those.
 */
export function cpuSeconds(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += threadNanoseconds(`/proc/${pid}/task/${thread}/schedstat`);
  }
  return nanoseconds / 1e9;
}

/** 0 of a thread that has ended meanwhile: a server that has just bound its port replaces itself by its second start. */
function threadNanoseconds(path: string): number {
  try {
    return Number(readFileSync(path, "utf8").split(" ")[0]);
  } catch {
    return 0;
  }
}

/** A field of /proc/PID/status that is in kB; 0 of a process without. */
export function statusBytes(pid: number, field: string): number {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) * 1024;
}
