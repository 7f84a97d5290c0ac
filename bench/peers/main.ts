// `bun bench/peers/main.ts` (bench): ours beside Debian's tftpd-hpa, atftpd and dnsmasq under the same loads, in turn, each on core 0 under a load on
// core 1, with the floor between them. `--write` puts tables and charts into docs/performance.md and README.md.

import { mkdir, rm } from "node:fs/promises";
import { basename } from "node:path";
import { parseArgs } from "node:util";

import { machineLine, writeBetween } from "../page.ts";
import { benchFolder } from "../server-run.ts";
import { chartsOf } from "./charts.ts";
import { envelopeTable, messagesOf } from "./envelope.ts";
import { figuresOf, type RowFigures } from "./figures.ts";
import { hasGroups, removeGroups } from "./group.ts";
import type { Prices } from "./prices.ts";
import { versionOf } from "./programs.ts";
import { quick, type Row, rowName, rows, shrunk } from "./rows.ts";
import { Grounds, MEASURED_MAX, measureRuns, type Patience, type Run } from "./run.ts";
import { type Contender, findContenders, floorSpinUs, OURS, startFloorServer } from "./servers.ts";
import { figureTable, shortTable, targetTable, winsText } from "./tables.ts";

const HELP = `bun bench/peers/main.ts [--quick] [--only TEXT] [--repeats N] [--scale SHARE] [--limit SECONDS] [--json] [--write]

  --quick      a smoke run: loads of a second
  --only       rows whose name contains TEXT; more than once, any of them
  --repeats    how often every server is started for each row, in turn: 2
  --scale      large files are so much of 32 and 256 MiB, for all servers alike: 0.5
  --limit      what takes longer did not finish: 40
  --json       the figures as they are
  --write      into docs/performance.md, docs/img and README.md

Needs root, for control groups and a network namespace. Packages are unpacked into ~/.cache/snow-owl-tftp, nothing is installed;
IN_TFTPD, ATFTPD, DNSMASQ and SNOW_OWL_TFTP name other executables.`;

/** Set in the process that runs in the namespaces: the folder for what is served. */
const INSIDE = "SNOW_OWL_BENCH_INSIDE";
const FLOOR = "floor";

interface Options {
  readonly isQuick: boolean;
  readonly repeats: number;
  readonly scale: number;
  readonly patience: Patience;
  readonly only: readonly string[];
}

/** One that takes part in a row, with its runs so far. */
interface Entry {
  readonly name: string;
  readonly windowBlocks: number;
  readonly run: () => Promise<readonly Run[]>;
  readonly runs: Run[];
}

const { values } = parseArgs({
  options: {
    help: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [""] },
    repeats: { type: "string" },
    scale: { type: "string", default: "0.5" },
    limit: { type: "string" },
    json: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(HELP);
} else if (values.quick && values.write) {
  console.error("what --quick measures is not for the page: leave out one of --quick and --write");
  process.exitCode = 1;
} else if (process.env[INSIDE] === undefined) {
  process.exitCode = await enterNamespace();
} else {
  await compareAll(process.env[INSIDE]);
}

/**
 * Runs this very command in namespaces of its own: in its network port 69 is free and nobody else's packets come by, and whatever it has started
 * ends with it, however it ends.
 */
async function enterNamespace(): Promise<number> {
  if (!hasGroups()) {
    console.error("the comparison counts what processes cost that have ended: run it as root");
    return 1;
  }
  // Programs are looked for first: the namespace has no network.
  await findContenders();
  // in.tftpd takes no address for one, 127.0.0.1 neither, where it sees none but 127.0.0.1.
  const inside = 'ip link set lo up && ip address add 192.0.2.1/32 dev lo && "$@"';
  const namespaces = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const folder = await benchFolder();
  const child = Bun.spawn(["unshare", ...namespaces, "sh", "-c", inside, "sh", ...process.argv], {
    env: { ...process.env, [INSIDE]: folder },
    stdout: "inherit",
    stderr: "inherit",
  });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill("SIGKILL"));
  const code = await child.exited;
  await rm(folder, { recursive: true });
  await rm(diskFolder(folder), { recursive: true, force: true });
  await removeGroups(basename(folder));
  return code;
}

/** Beside a folder in memory one on a disk, which is where files are that outlive the machine's next start. */
function diskFolder(folder: string): string {
  return `/var/tmp/${basename(folder)}`;
}

async function compareAll(folder: string): Promise<void> {
  const isQuick = values.quick;
  const options: Options = {
    isQuick,
    repeats: Number(values.repeats ?? (isQuick ? 1 : 2)),
    scale: Number(values.scale),
    // Three seconds are what our engine needs until it compiles no more; the limit is twice what the slowest of Debian's took.
    patience: {
      limitMs: Number(values.limit ?? (isQuick ? 5 : 40)) * 1000,
      warmMs: isQuick ? 0 : 3000,
      measuredMs: isQuick ? 0 : 1500,
    },
    only: values.only,
  };
  const contenders = await findContenders();
  const memory = await Grounds.create(folder);
  await mkdir(diskFolder(folder));
  const disk = await Grounds.create(diskFolder(folder));
  const all: RowFigures[] = [];
  const wanted = rows
    .map((row) => (isQuick ? quick(row) : shrunk(row, options.scale)))
    .filter((row) => options.only.some((text) => rowName(row).includes(text)));
  const prices = await pricesFor(wanted, folder);
  for (const row of wanted) {
    const figures = await runRow(row, contenders, row.isOnDisk === true ? disk : memory, options);
    all.push(figures);
    console.error(figureTable([figures]).split("\n").slice(2).join("\n"));
  }
  await publish(all, prices, contenders, options);
}

/** What the kernel asks on the server's core, now. */
async function pricesFor(wanted: readonly Row[], folder: string): Promise<Prices> {
  const program = [process.execPath, `${import.meta.dir}/prices.ts`];
  const command = ["taskset", "-c", "0", ...program, folder, ...messagesOf(wanted)];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "inherit" });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error("the prices ended with an error");
  return JSON.parse(text) as Prices;
}

/** All servers and the floor, one after another, and then again: a slow minute of the machine hits all of them. */
async function runRow(
  row: Row,
  contenders: readonly Contender[],
  grounds: Grounds,
  { repeats, patience }: Options,
): Promise<RowFigures> {
  const entries = contenders
    .filter(({ takesUploads }) => takesUploads || row.kind !== "put")
    .map((contender) => entryOf(contender, row, grounds, patience));
  if (row.hasFloor) entries.push(floorEntry(row, grounds, patience));
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    for (const { run, runs } of entries) {
      // What did not finish once would only take its time again.
      if (runs.every(({ isFinished }) => isFinished)) runs.push(...(await run()));
    }
  }
  const figures = entries.map(({ name, windowBlocks, runs }) =>
    figuresOf(name, windowBlocks, runs),
  );
  const ours = figures.find(({ server }) => server === OURS);
  if (ours === undefined) throw new Error("ours takes part in every row");
  return {
    row,
    ours,
    peers: figures.filter(({ server }) => server !== OURS && server !== FLOOR),
    floor: figures.find(({ server }) => server === FLOOR),
  };
}

function entryOf(contender: Contender, row: Row, grounds: Grounds, patience: Patience): Entry {
  const windowBlocks = contender.hasWindows ? row.windowBlocks : 1;
  const start = (): ReturnType<Contender["start"]> =>
    contender.start(grounds.folder, row.variant?.toml ?? "");
  return {
    name: contender.name,
    windowBlocks,
    run: async () => await measureRuns(start, row, windowBlocks, grounds, patience),
    runs: [],
  };
}

function floorEntry(row: Row, grounds: Grounds, patience: Patience): Entry {
  const { concurrent, blockBytes, windowBlocks } = row;
  const start = async (): ReturnType<Contender["start"]> =>
    await startFloorServer({
      mode: "echo",
      clients: concurrent,
      fileBytes: row.fileBytes,
      blockBytes,
      windowBlocks,
      gso: true,
      spinUs: floorSpinUs(concurrent),
      framed: true,
    });
  return {
    name: FLOOR,
    windowBlocks,
    run: async () => await measureRuns(start, row, windowBlocks, grounds, patience, true),
    runs: [],
  };
}

async function publish(
  all: readonly RowFigures[],
  prices: Prices,
  contenders: readonly Contender[],
  options: Options,
): Promise<void> {
  const command = ["bun bench/peers/main.ts", ...process.argv.slice(2)].join(" ");
  const versions = contenders
    .filter(({ name }) => name !== OURS)
    .map(({ name, path }) => `${name} ${versionOf(path)}`);
  const repeats = `best of ${options.repeats} starts, each measured up to ${MEASURED_MAX} times`;
  const line = `${machineLine(command, repeats)}; ${versions.join(", ")}`;
  const tables: readonly (readonly [name: string, text: string])[] = [
    ["peers-targets", `${line}\n\n${targetTable(all)}`],
    ["peers-envelope", envelopeTable(all, prices)],
    ["peers-wins", winsText(all)],
    ["peers", figureTable(all)],
  ];
  if (values.json) console.log(JSON.stringify(all, undefined, 2));
  else console.log(tables.map(([, text]) => text).join("\n\n"));
  if (!values.write) return;
  for (const [name, text] of tables) await writeBetween("docs/performance.md", name, text);
  for (const { name, svg } of chartsOf(all)) {
    await Bun.write(`${import.meta.dir}/../../docs/img/${name}.svg`, svg);
  }
  await writeBetween("README.md", "peers", `${shortTable(all)}\n\n${line}`);
}
