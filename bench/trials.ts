// What could be otherwise (bench): one change at a time, of the server's configuration or of what the floor asks of the kernel,
// beside what is, in turn and warm. `bun bench/trials.ts [--repeats N] [--only TEXT] [--write]`.

import { parseArgs } from "node:util";

import { median } from "./compare.ts";
import type { LoadPlan } from "./load.ts";
import { measure, type Measurement, type Subject } from "./measure.ts";
import { machineLine, markdownTable, writeBetween } from "./page.ts";
import { loadName, standard } from "./scenarios.ts";
import { Files, startFloor, startPeer } from "./server-run.ts";

/** What is tried: the first of each group is what is, and the others are measured against it. */
interface Trial {
  readonly name: string;
  /** Lines of TOML for the server; or more flags of the floor. */
  readonly lines?: readonly string[];
  readonly flags?: readonly string[];
}

interface Group {
  readonly load: {
    readonly clients: number;
    readonly fileMib: number;
    readonly blockBytes: number;
    readonly windowBlocks: number;
  };
  readonly trials: readonly Trial[];
}

interface Outcome {
  readonly load: string;
  readonly name: string;
  /** The medians of all runs, and of the ratios to the group's first in the same turn; below 1 is cheaper, or slower. */
  readonly cpuSecondsPerGb: number;
  readonly cpuRatio: number;
  readonly megabytesPerSecond: number;
  readonly speedRatio: number;
}

const MIB = 1024 * 1024;
/** Runs before the one that counts: the engine compiles in the first. */
const WARM_RUNS = 3;
const BATCH = "performance.platform.batch";

const oneLockstep = { clients: 1, fileMib: 64, blockBytes: 1428, windowBlocks: 1 };
const manyLockstep = { clients: 64, fileMib: 8, blockBytes: 1428, windowBlocks: 1 };
const manyWindows = { clients: 64, fileMib: 32, blockBytes: 1428, windowBlocks: 16 };
const manyLarge = { clients: 64, fileMib: 32, blockBytes: 8192, windowBlocks: 16 };

const asIs: Trial = { name: "as it is", lines: [] };
const plain: Trial = { name: "the floor", flags: [] };
const groups: readonly Group[] = [
  {
    load: oneLockstep,
    trials: [
      asIs,
      ...[0, 50, 1000].map((us) => batch(`spinning ${us} µs`, "batch_timeout_us", us)),
    ],
  },
  {
    load: manyLockstep,
    trials: [
      asIs,
      ...[8, 256].map((count) => batch(`batches of ${count}`, "max_batch_size", count)),
      ...[1, 2, 8].map((count) => sockets(count)),
    ],
  },
  {
    load: manyWindows,
    trials: [
      asIs,
      ...[1, 8].map((count) => sockets(count)),
      batch("no spinning", "batch_timeout_us", 0),
    ],
  },
  { load: manyLarge, trials: [asIs, sockets(1)] },
  { load: manyLockstep, trials: [plain, ...floorTrials()] },
  { load: manyWindows, trials: [plain, ...floorTrials()] },
];

function batch(name: string, key: string, value: number): Trial {
  return { name, lines: [`${BATCH}.${key} = ${value}`] };
}

function sockets(count: number): Trial {
  const name = `${count} transfer ${count === 1 ? "socket" : "sockets"}`;
  return { name, lines: [`transfer.sockets_per_worker = ${count}`] };
}

function floorTrials(): readonly Trial[] {
  return [
    { name: "naming the address to send from", flags: ["--local"] },
    { name: "being told the address that was asked", flags: ["--tells-local"] },
    { name: "SO_BUSY_POLL, 50 µs", flags: ["--busy-poll-us=50"] },
  ];
}

/** Every trial of a group once per turn, there and back, each in a process of its own. */
async function runGroup(files: Files, group: Group, turns: number): Promise<readonly Outcome[]> {
  const runs: Measurement[][] = group.trials.map(() => []);
  const [first] = group.trials;
  // Once for nothing: to the load what it compiles for these clients is new, and the first in turn would pay for it.
  if (first !== undefined) await runTrial(files, group.load, first);
  for (let turn = 0; turn < turns; turn += 1) {
    const order = group.trials.map((trial, index) => ({ trial, index }));
    if (turn % 2 === 1) order.reverse();
    for (const { trial, index } of order) {
      runs[index]?.push(await runTrial(files, group.load, trial));
    }
  }
  const base = runs[0] ?? [];
  return group.trials.map(({ name }, index) => {
    const own = runs[index] ?? [];
    return {
      load: loadName(group.load),
      name,
      cpuSecondsPerGb: median(own.map(cost)),
      cpuRatio: median(own.map((run, turn) => cost(run) / costAt(base, turn))),
      megabytesPerSecond: median(own.map(speed)),
      speedRatio: median(own.map((run, turn) => speed(run) / speedAt(base, turn))),
    };
  });
}

async function runTrial(files: Files, load: Group["load"], trial: Trial): Promise<Measurement> {
  const { clients, fileMib, blockBytes, windowBlocks } = load;
  const fileBytes = fileMib * MIB;
  const file = await files.named(fileBytes);
  const subject =
    trial.lines === undefined
      ? await startFloor({ ...load, fileBytes, ...floorShape, extra: trial.flags ?? [] })
      : await startServerWith(files, trial.lines);
  const plan: LoadPlan = {
    port: subject.port,
    clients,
    file,
    fileBytes,
    blockBytes,
    windowBlocks,
    endless: trial.lines === undefined,
    sha256: "",
  };
  try {
    for (let run = 0; run < WARM_RUNS; run += 1) await measure(subject, plan);
    const run = await measure(subject, plan);
    if (run.failed > 0) throw new Error(`${trial.name}: ${run.failed} transfers failed`);
    return run;
  } finally {
    await subject.stop();
  }
}

const floorShape = { mode: "echo", gso: true, spinUs: standard.spinUs, framed: true } as const;

/** The compiled server with one worker; dotted keys leave every table open to a trial's own lines. */
async function startServerWith(files: Files, lines: readonly string[]): Promise<Subject> {
  return await startPeer(async (port) => {
    const path = `${files.folder}/${port}.toml`;
    const text = [
      `root_dir = "${files.folder}/root"`,
      `bind_addr = "127.0.0.1:${port}"`,
      `logging.level = "warn"`,
      `cache.size_mb = 512`,
      `performance.platform.worker_pool.worker_count = 1`,
      ...lines,
    ];
    await Bun.write(path, `${text.join("\n")}\n`);
    return [`${import.meta.dir}/../dist/snow-owl-tftp`, "--config", path];
  });
}

function cost(run: Measurement): number {
  return (run.cpuSeconds / run.bytes) * 1e9;
}

function speed(run: Measurement): number {
  return run.bytes / run.seconds / 1e6;
}

function costAt(runs: readonly Measurement[], turn: number): number {
  const run = runs[turn];
  return run === undefined ? Number.NaN : cost(run);
}

function speedAt(runs: readonly Measurement[], turn: number): number {
  const run = runs[turn];
  return run === undefined ? Number.NaN : speed(run);
}

const { values } = parseArgs({
  options: {
    repeats: { type: "string", default: "5" },
    only: { type: "string", default: "" },
    write: { type: "boolean", default: false },
  },
});
const files = await Files.create();
const outcomes: Outcome[] = [];
try {
  for (const group of groups) {
    if (!loadName(group.load).includes(values.only)) continue;
    const rows = await runGroup(files, group, Number(values.repeats));
    for (const row of rows) console.error(`${row.load}: ${row.name}: ${row.cpuRatio.toFixed(3)}`);
    outcomes.push(...rows);
  }
} finally {
  await files.remove();
}
const table = markdownTable(
  ["load", "trial", "CPU s/GB", "ratio", "MB/s", "ratio"],
  outcomes.map((row) => [
    row.load,
    row.name,
    row.cpuSecondsPerGb.toFixed(3),
    row.cpuRatio.toFixed(3),
    row.megabytesPerSecond.toFixed(0),
    row.speedRatio.toFixed(3),
  ]),
  2,
);
const command = ["bun bench/trials.ts", ...process.argv.slice(2)].join(" ");
const text = `${machineLine(command, `medians of ${values.repeats}`)}\n\n${table}`;
console.log(text);
if (values.write) await writeBetween("docs/performance.md", "bench-trials", text);
