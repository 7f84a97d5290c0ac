// A load under perf (bench): the server from its sources or the floor, warmed up and measured as the comparison does it, with samples, context
// switches and CPU time of what is between the comparison's two looks at the CPU time, and of nothing else.

import { writeFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { basename, resolve } from "node:path";

import { monotonicUs } from "#io/clock.ts";

import { countEvents, statusBytes, type Subject } from "../measure.ts";
import { Group } from "../peers/group.ts";
import type { Row } from "../peers/rows.ts";
import { Grounds, loadOf, measureRuns, type Run } from "../peers/run.ts";
import { configText, floorSpinUs } from "../peers/servers.ts";
import { benchFolder, startFloor, startPeer, type Wrapping } from "../server-run.ts";
import { jitSymbolsOf, livingOf, perfMapOf } from "./jit-symbols.ts";
import { samplesIn } from "./kinds.ts";
import { type Stack, stacksOf } from "./stacks.ts";
import { type Switches, switchesOf, switchesSince } from "./switches.ts";

export interface Profile {
  /** Sums of {@link runs} runs in a row; seconds are all of theirs. */
  readonly run: Pick<Run, "bytes" | "completed" | "cpuSeconds" | "seconds" | "transfers">;
  readonly runs: number;
  readonly stacks: readonly Stack[];
  readonly switches: readonly Switches[];
  /** In one more run; undefined where that was not asked for or perf may not count. */
  readonly syscalls: number | undefined;
}

const root: string = resolve(import.meta.dir, "../..");
/** Samples per second of CPU time: a prime number, so as not to keep step with anything. */
const FREQUENCY = 1997;
/** As long as perf takes to attach, several times over; it does not say when it has. */
const ATTACH_MS = 500;
/**
 * Measured as in the comparison. Warmed up for longer: while the engine writes its dump it takes longer until all that is hot is compiled. The
 * comparison's limit is for the slowest of the peers; here nothing is to be broken off that is slow because of perf.
 */
const PATIENCE = { limitMs: 300_000, warmMs: 8000, measuredMs: 1500 } as const;
/** It writes down what is compiled, for as long as it is asked to. */
const DUMP_THREAD = "JSC PerfLog";
/** What the engine writes down a sandbox would refuse. */
const UNCONFINED = "[process]\nlandlock = false\nseccomp = false\n";

/** Profiles some runs of one server; what perf took is left in `out`, an empty folder. */
export async function profiled(
  who: "ours" | "floor",
  row: Row,
  out: string,
  isCounting = false,
): Promise<Profile> {
  await mkdir(`${out}/jit`, { recursive: true });
  const folder =
    row.isOnDisk === true ? await mkdtemp("/var/tmp/snow-owl-bench-") : await benchFolder();
  const group = new Group(basename(folder));
  const how: Wrapping = {
    wrapped: (command) => group.entering(command),
    environment: { BUN_JSC_useJITDump: "1", BUN_JSC_jitDumpDirectory: `${out}/jit` },
  };
  try {
    const grounds = await Grounds.create(folder);
    const subject =
      who === "ours" ? await startOurs(row, grounds.folder, out, how) : await startLeast(row, how);
    try {
      return await profileSubject(subject, group, row, grounds, out, who === "floor", isCounting);
    } finally {
      await subject.stop();
    }
  } finally {
    await group.end();
    await rm(folder, { recursive: true, force: true });
  }
}

async function profileSubject(
  subject: Subject,
  group: Group,
  row: Row,
  grounds: Grounds,
  out: string,
  isEndless: boolean,
  isCounting: boolean,
): Promise<Profile> {
  const { pid, port } = subject;
  const looks: { readonly us: number; readonly switches: ReadonlyMap<string, Switches> }[] = [];
  const perf = await startRecording(pid, `${out}/perf.data`);
  const start = async (): ReturnType<Parameters<typeof measureRuns>[0]> => ({
    port,
    cpuSeconds: () => {
      looks.push({ us: monotonicUs(), switches: switchesOf(pid) });
      return group.cpuSeconds();
    },
    rssBytes: () => statusBytes(pid, "VmRSS"),
    rssBytesPeak: () => statusBytes(pid, "VmHWM"),
    hasEnded: () => false,
    // Not yet: what it has compiled must be named.
    stop: async () => {},
  });
  const runs = await measureRuns(start, row, row.windowBlocks, grounds, PATIENCE, isEndless);
  perf.kill("SIGINT");
  await perf.exited;
  if (runs.some((run) => !run.isFinished || run.completed < row.transfers))
    throw new Error("the load did not complete");
  const sum = (of: (run: Run) => number): number => runs.reduce((all, run) => all + of(run), 0);
  const [first, last] = [looks[0], looks.at(-1)];
  if (first === undefined || last === undefined) throw new Error("nobody looked at the CPU time");
  let syscalls: number | undefined;
  if (isCounting) {
    const load = await loadOf(row, grounds, PATIENCE.limitMs, isEndless);
    const once = async (): Promise<unknown> => await load(port, row.transfers, row.concurrent, 2);
    syscalls = await countEvents(subject, ["raw_syscalls:sys_enter"], once);
  }
  await nameCompiledCode(pid, `${out}/jit`);
  const taken = await stacksIn(`${out}/perf.data`, first.us, last.us);
  await rm(`/tmp/perf-${pid}.map`, { force: true });
  // What the dump itself costs is left out of samples, time and switches.
  const stacks = taken.filter(({ places }) => places[0]?.name !== DUMP_THREAD);
  const share = samplesIn(stacks) / samplesIn(taken);
  const run = {
    bytes: sum(({ bytes }) => bytes),
    completed: sum(({ completed }) => completed),
    cpuSeconds: sum(({ cpuSeconds }) => cpuSeconds) * share,
    seconds: sum(({ seconds }) => seconds),
    transfers: sum(({ transfers }) => transfers),
  };
  const switches = switchesSince(first.switches, last.switches).filter(
    ({ thread }) => !thread.startsWith(DUMP_THREAD),
  );
  return { run, runs: runs.length, stacks, switches, syscalls };
}

/** The server from its sources, whose functions have names, and free to write the engine's dump: a sandbox would refuse that. */
async function startOurs(row: Row, folder: string, out: string, how: Wrapping): Promise<Subject> {
  return await startPeer((port) => {
    const path = `${out}/server.toml`;
    writeFileSync(path, configText(folder, port, UNCONFINED + (row.variant?.toml ?? "")));
    return how.wrapped([process.execPath, `${root}/src/main.ts`, "--config", path]);
  }, how.environment);
}

async function startLeast(row: Row, how: Wrapping): Promise<Subject> {
  const { concurrent: clients, fileBytes, blockBytes, windowBlocks } = row;
  const spinUs = floorSpinUs(clients);
  const rest = { mode: "echo", gso: true, spinUs, framed: true } as const;
  return await startFloor({ clients, fileBytes, blockBytes, windowBlocks, ...rest }, how);
}

/** Has perf take samples of every thread, with the stacks that frame pointers give, on the clock that we read as well. */
async function startRecording(pid: number, path: string): Promise<Bun.Subprocess> {
  await Bun.sleep(ATTACH_MS);
  const flags = ["-q", "-g", "-e", "cpu-clock", "-F", String(FREQUENCY), "-k", "CLOCK_MONOTONIC"];
  const perf = Bun.spawn(["perf", "record", ...flags, "-o", path, "-p", String(pid)], {
    stdout: "ignore",
    stderr: "inherit",
  });
  await Bun.sleep(ATTACH_MS);
  return perf;
}

/** Writes the map in which perf looks up code that no file holds. */
async function nameCompiledCode(pid: number, folder: string): Promise<void> {
  const maps = await Promise.all(
    (await readdir(folder)).map(async (file) =>
      perfMapOf(livingOf(jitSymbolsOf(await Bun.file(`${folder}/${file}`).bytes()))),
    ),
  );
  await Bun.write(`/tmp/perf-${pid}.map`, maps.join(""));
}

/** The samples between two times of the clock that does not jump. */
async function stacksIn(path: string, fromUs: number, toUs: number): Promise<readonly Stack[]> {
  const time = [fromUs, toUs].map((us) => (us / 1e6).toFixed(6)).join(",");
  const perf = Bun.spawn(
    ["perf", "script", "-i", path, "--time", time, "-F", "comm,tid,ip,sym,dso"],
    { stdout: "pipe", stderr: "ignore" },
  );
  const stacks = stacksOf(await new Response(perf.stdout).text());
  if ((await perf.exited) !== 0 || stacks.length === 0) throw new Error("perf took no samples");
  return stacks;
}
