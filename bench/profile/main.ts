// `bun run profile SCENARIO` (bench): where the time of one load goes. Runs the server from its sources, whose functions have names, and leaves a CPU profile
// of kernel and user code, a flame graph, context switches, system calls and allocation per packet in profile-out/.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";

import { countEvents } from "../measure.ts";
import { machineLine, markdownTable } from "../page.ts";
import { type Row, rowName, rows, shrunk } from "../peers/rows.ts";
import { Grounds, type Load, loadOf, type LoadRun } from "../peers/run.ts";
import { benchFolder, startPeer } from "../server-run.ts";
import { flameGraph } from "./flame.ts";
import { jitSymbolsOf, livingOf, perfMapOf } from "./jit-symbols.ts";
import { dearestOf, foldedText, hottestOf, sharesOf, type Stack, stacksOf } from "./stacks.ts";

const root: string = resolve(import.meta.dir, "../..");
/** Samples per second of CPU time: a prime number, so as not to keep step with anything. */
const FREQUENCY = 1997;
/** As long as perf takes to attach, several times over; it does not say when it has. */
const ATTACH_MS = 500;
const LIMIT_MS = 60_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { list: { type: "boolean", default: false } },
});
const [wanted] = positionals;
const chosen: Row | undefined = rows.find((row) => rowName(row).includes(wanted ?? "\n"));
if (values.list || chosen === undefined) {
  console.log(`bun run profile SCENARIO, which is a part of one of these:\n`);
  for (const row of rows) console.log(`  ${rowName(row)}`);
  process.exitCode = values.list ? 0 : 1;
} else if (Bun.which("perf") === null) {
  console.error("perf is missing: apt-get install linux-perf");
  process.exitCode = 1;
} else {
  // Half as large, as in the comparison.
  await profile(shrunk(chosen, 0.5));
}

async function profile(row: Row): Promise<void> {
  const name = rowName(row);
  const out = `${root}/profile-out/${name.replaceAll(/[^\w]+/g, "-")}`;
  await rm(out, { recursive: true, force: true });
  await mkdir(`${out}/jit`, { recursive: true });
  const folder = await benchFolder();
  try {
    const grounds = await Grounds.create(folder);
    const load = await loadOf(row, grounds, LIMIT_MS, false);
    const server = await startPeer((port) => serverCommand(grounds.folder, port, out), {
      BUN_JSC_useJITDump: "1",
      BUN_JSC_jitDumpDirectory: `${out}/jit`,
    });
    try {
      const run = (): ReturnType<Load> => load(server.port, row.transfers, row.concurrent);
      // What is compiled while it is looked at has no place in a profile of what is compiled.
      for (let warmed = 0; warmed < 3; warmed += 1) await run();
      const before = switchesOf(server.pid);
      const result = await run();
      const switches = switchesSince(before, switchesOf(server.pid));
      const syscalls = await countEvents(server, ["raw_syscalls:sys_enter"], run);
      await record(server.pid, `${out}/perf.data`, run);
      await nameCompiledCode(server.pid, `${out}/jit`);
      const stacks = await stacksIn(`${out}/perf.data`);
      await rm(`/tmp/perf-${server.pid}.map`, { force: true });
      await Bun.write(`${out}/stacks.folded`, foldedText(stacks));
      await Bun.write(`${out}/flame.svg`, flameGraph(stacks, name));
      const allocation = await allocationText();
      const text = summary(row, result, { stacks, switches, syscalls, allocation });
      await Bun.write(`${out}/summary.md`, text);
      console.log(`${text}\n${out}/flame.svg`);
    } finally {
      await server.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The server from its sources, free to write the engine's dump: a sandbox would refuse that. */
function serverCommand(folder: string, port: number, out: string): readonly string[] {
  const config = `root_dir = "${folder}"
bind_addr = "127.0.0.1:${port}"
[logging]
level = "error"
[process]
landlock = false
seccomp = false
[transfer]
max_transfers = 4500
[performance.platform.worker_pool]
worker_count = 1
[write_config]
enabled = true
allow_overwrite = true
allowed_patterns = ["in/*"]
`;
  const path = `${out}/server.toml`;
  writeFileSync(path, config);
  return [process.execPath, `${root}/src/main.ts`, "--config", path];
}

/** Context switches of a thread so far: those that it asked for by waiting, and those that it was made to suffer. */
interface Switches {
  readonly thread: string;
  readonly voluntary: number;
  readonly involuntary: number;
}

/** Of every thread that lives, by its number. */
function switchesOf(pid: number): ReadonlyMap<string, Switches> {
  const threads = readdirSync(`/proc/${pid}/task`).map((tid): [string, Switches] => {
    const text = readFileSync(`/proc/${pid}/task/${tid}/status`, "utf8");
    const field = (name: string): string =>
      new RegExp(`^${name}:\\s+(.*)$`, "m").exec(text)?.[1] ?? "";
    const voluntary = Number(field("voluntary_ctxt_switches"));
    const involuntary = Number(field("nonvoluntary_ctxt_switches"));
    return [tid, { thread: field("Name"), voluntary, involuntary }];
  });
  return new Map(threads);
}

/** What came since, of threads that switched at all, the busiest first. */
function switchesSince(
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

/** Runs `load` while perf takes samples of every thread, with the stacks that frame pointers give. */
async function record(pid: number, path: string, load: () => Promise<unknown>): Promise<void> {
  const flags = ["-q", "-g", "-e", "cpu-clock", "-F", String(FREQUENCY), "-o", path];
  const perf = Bun.spawn(["perf", "record", ...flags, "-p", String(pid)], {
    stdout: "ignore",
    stderr: "inherit",
  });
  await Bun.sleep(ATTACH_MS);
  await load();
  perf.kill("SIGINT");
  await perf.exited;
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

async function stacksIn(path: string): Promise<readonly Stack[]> {
  const fields = "comm,tid,ip,sym,dso";
  const perf = Bun.spawn(["perf", "script", "-i", path, "-F", fields], {
    stdout: "pipe",
    stderr: "ignore",
  });
  const stacks = stacksOf(await new Response(perf.stdout).text());
  if ((await perf.exited) !== 0 || stacks.length === 0) throw new Error("perf took no samples");
  return stacks;
}

/** What bench/allocation.ts says: of a load of its own, for a heap has to be asked from within. */
async function allocationText(): Promise<string> {
  const child = Bun.spawn([process.execPath, `${root}/bench/allocation.ts`], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  await child.exited;
  const found = JSON.parse(text) as { shard: { packets: number; bytesPerPacketMax: number } };
  const { packets, bytesPerPacketMax } = found.shard;
  return `at most ${bytesPerPacketMax.toFixed(2)} bytes of heap per packet, in ${packets} packets`;
}

interface Findings {
  readonly stacks: readonly Stack[];
  readonly switches: readonly Switches[];
  readonly syscalls: number | undefined;
  readonly allocation: string;
}

function summary(row: Row, result: LoadRun, findings: Findings): string {
  const { stacks, switches, syscalls, allocation } = findings;
  const megabytes = result.bytes / 1e6;
  const calls =
    syscalls === undefined
      ? "System calls could not be counted."
      : `System calls: ${(syscalls / row.transfers).toFixed(1)} per transfer` +
        (megabytes > 0 ? `, ${(syscalls / megabytes).toFixed(1)} per MB.` : ".");
  const dearest = dearestOf(stacks, 25).map(([name, share]) => [`\`${name}\``, percent(share)]);
  const hottest = hottestOf(stacks, 25).map(([name, share]) => [`\`${name}\``, percent(share)]);
  const shares = sharesOf(stacks).map(([origin, share]) => [origin, percent(share)]);
  const threads = switches.map(({ thread, voluntary, involuntary }) => [
    thread,
    String(voluntary),
    String(involuntary),
  ]);
  return [
    `# ${rowName(row)}`,
    machineLine(["bun run profile", ...process.argv.slice(2)].join(" "), "one run"),
    `${result.completed} of ${row.transfers} complete in ${result.seconds.toFixed(2)} s. ${calls} Allocation: ${allocation}.`,
    markdownTable(["samples in", "share"], shares, 1),
    markdownTable(["our function, with what it calls elsewhere", "share"], dearest, 1),
    markdownTable(["place, by itself", "share"], hottest, 1),
    markdownTable(["thread", "waits", "preemptions"], threads, 1),
  ].join("\n\n");
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
