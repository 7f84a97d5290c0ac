// `bun run bench` (bench): the compiled server on core 0 under the load on core 1, beside its floor in the same minute.
// Flags: --quick for small files, --json for the numbers as they are, --write to put the table into docs/performance.md; --uploads
// for uploads, beside other servers; --scrapes for what reading /metrics costs; --before=EXECUTABLE for reads by an older executable and by this one, in turn.

import { parseArgs } from "node:util";

import { compare, type ComparisonRow, comparisonTableOf, median } from "./compare.ts";
import type { LoadPlan } from "./load.ts";
import { countSyscalls, measure, type Measurement, type Subject } from "./measure.ts";
import { machineLine, markdownTable, writeBetween } from "./page.ts";
import { loadName, type Scenario, scenarios, variantName } from "./scenarios.ts";
import { benchScrapes, type ScrapeRow, scrapeTableOf } from "./scrapes.ts";
import { Files, type FloorVariant, startFloor, startServer } from "./server-run.ts";
import { benchUploads, uploadTableOf } from "./uploads.ts";

/**
 * A row of the table. Seconds of CPU are per 10⁹ bytes of payload, and the least of the repeats: what disturbs a run can
 * only add to it. Speed is that of the fastest run, for the same reason; memory is the median.
 */
interface Row {
  readonly load: string;
  readonly variant: string;
  readonly cpuSecondsPerGb: number;
  readonly megabytesPerSecond: number;
  readonly syscallsPerMb: number | undefined;
  readonly rssBytesPeak: number;
  readonly rssBytesPerTransfer: number;
  readonly echoFloorSecondsPerGb: number;
  readonly sendFloorSecondsPerGb: number;
  readonly gatherFloorSecondsPerGb: number;
  /** Of what the sending floor sent, how much its clients took; the rest was dropped, which costs the kernel less. */
  readonly sendFloorTaken: number;
  readonly failed: number;
  readonly repeated: number;
}

interface Options {
  readonly isQuick: boolean;
  readonly repeats: number;
}

const root: string = `${import.meta.dir}/..`;
const binary: string = `${root}/dist/snow-owl-tftp`;
const page = "docs/performance.md";
const MIB = 1024 * 1024;
const WARM_BYTES = 32 * MIB;

/** The server and its floors for one scenario, measured in turn so that a slow minute of the machine hits all of them. */
async function runScenario(files: Files, scenario: Scenario, options: Options): Promise<Row> {
  const { clients, blockBytes, windowBlocks, variant } = scenario;
  const fileMib = options.isQuick ? Math.max(1, scenario.fileMib / 8) : scenario.fileMib;
  const fileBytes = fileMib * MIB;
  const file = await files.named(fileBytes);
  const warmFile = await files.named(WARM_BYTES);
  const floor = {
    clients,
    fileBytes,
    blockBytes,
    windowBlocks,
    gso: variant.gso,
    framed: true,
  } as const;
  const { spinUs } = variant;
  const plan = { clients, file, fileBytes, blockBytes, windowBlocks, sha256: "" };
  const answered = { ...plan, endless: false };
  const served: Measurement[] = [];
  const echoed: Measurement[] = [];
  const sent: Measurement[] = [];
  const gathered: Measurement[] = [];
  let syscalls: number | undefined;
  // What takes a second is run three times as often as what takes ten.
  const repeats = options.repeats * (isFast(scenario) ? 3 : 1);
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    const server = await startServer(binary, files, variant);
    try {
      // The first fetch fills the server's cache, and is the one whose bytes are compared.
      const check = { ...answered, port: server.port, clients: 1, sha256: files.sha256(fileBytes) };
      const first = await measure(server, check);
      if (first.failed > 0) throw new Error(`${loadName(scenario)}: the file came changed or not`);
      // Compiled code and the heap's first pages are the server's, not a transfer's: they are there before memory is looked at.
      const few = { ...answered, port: server.port, clients: 2, windowBlocks: 1 };
      await measure(server, { ...few, file: warmFile, fileBytes: WARM_BYTES });
      const whole = { ...answered, port: server.port };
      const warm = await measure(server, whole);
      const run = await measure(server, whole);
      // Memory is that of the first run, in which it grows; what fails there counts like what fails in the second.
      const { rssBytesBefore, rssBytesPeak } = warm;
      const failed = run.failed + warm.failed;
      served.push({ ...run, rssBytesBefore, rssBytesPeak, failed });
      if (repeat === 0) syscalls = await countSyscalls(server, whole);
    } finally {
      await server.stop();
    }
    const endless = { ...plan, endless: true };
    echoed.push(await runFloor({ ...floor, mode: "echo", spinUs }, endless));
    const sink = { ...endless, sink: true };
    sent.push(await runFloor({ ...floor, mode: "send", spinUs }, sink));
    gathered.push(await runFloor({ ...floor, mode: "send", spinUs, framed: false }, sink));
  }
  const bytes = clients * fileBytes;
  return {
    load: loadName({ ...scenario, fileMib }),
    variant: variantName(variant),
    cpuSecondsPerGb: Math.min(...served.map((run) => (run.cpuSeconds / run.bytes) * 1e9)),
    megabytesPerSecond: Math.max(...served.map((run) => run.bytes / run.seconds / 1e6)),
    syscallsPerMb: syscalls === undefined ? undefined : syscalls / (bytes / 1e6),
    rssBytesPeak: median(served.map((run) => run.rssBytesPeak)),
    rssBytesPerTransfer: median(
      served.map((run) => (run.rssBytesPeak - run.rssBytesBefore) / clients),
    ),
    echoFloorSecondsPerGb: Math.min(...echoed.map((run) => (run.cpuSeconds / run.bytes) * 1e9)),
    // What a full sink drops was sent all the same: the floor's work is what it sent.
    sendFloorSecondsPerGb: Math.min(...sent.map((run) => (run.cpuSeconds / bytes) * 1e9)),
    sendFloorTaken: median(sent.map((run) => run.bytes / bytes)),
    gatherFloorSecondsPerGb: Math.min(...gathered.map((run) => (run.cpuSeconds / bytes) * 1e9)),
    failed: served.reduce((sum, run) => sum + run.failed, 0),
    repeated: served.reduce((sum, run) => sum + run.retransmits, 0),
  };
}

/** Warms the floor up once, as the server was, then measures it. */
async function runFloor(variant: FloorVariant, plan: Omit<LoadPlan, "port">): Promise<Measurement> {
  const floor: Subject = await startFloor(variant);
  try {
    await measure(floor, { ...plan, port: floor.port });
    return await measure(floor, { ...plan, port: floor.port });
  } finally {
    await floor.stop();
  }
}

function isFast({ variant, windowBlocks }: Scenario): boolean {
  return variant.gso && windowBlocks > 1;
}

function tableOf(rows: readonly Row[]): string {
  const head = [
    "load",
    "configuration",
    "CPU s/GB",
    "MB/s",
    "syscalls/MB",
    "peak RSS MiB",
    "RSS growth KiB/transfer",
    "echo floor",
    "ratio",
    "send floor",
    "ratio",
    "taken",
    "send floor, gathered",
    "ratio",
    "failed",
    "client timeouts",
  ];
  const lines = rows.map((row) => [
    row.load,
    row.variant,
    row.cpuSecondsPerGb.toFixed(3),
    row.megabytesPerSecond.toFixed(0),
    row.syscallsPerMb?.toFixed(1) ?? "–",
    (row.rssBytesPeak / MIB).toFixed(0),
    (row.rssBytesPerTransfer / 1024).toFixed(1),
    row.echoFloorSecondsPerGb.toFixed(3),
    (row.cpuSecondsPerGb / row.echoFloorSecondsPerGb).toFixed(2),
    row.sendFloorSecondsPerGb.toFixed(3),
    (row.cpuSecondsPerGb / row.sendFloorSecondsPerGb).toFixed(2),
    `${Math.min(100, row.sendFloorTaken * 100).toFixed(0)} %`,
    row.gatherFloorSecondsPerGb.toFixed(3),
    (row.cpuSecondsPerGb / row.gatherFloorSecondsPerGb).toFixed(2),
    String(row.failed),
    String(row.repeated),
  ]);
  return markdownTable(head, lines, 2);
}

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    uploads: { type: "boolean", default: false },
    scrapes: { type: "boolean", default: false },
    before: { type: "string", default: "" },
    only: { type: "string", default: "" },
    repeats: { type: "string", default: "3" },
  },
});
if (!(await Bun.file(binary).exists())) {
  console.error("dist/snow-owl-tftp is missing; `bun run build` makes it");
  process.exit(1);
}
const options: Options = { isQuick: values.quick, repeats: Number(values.repeats) };
const command: string = ["bun run bench", ...process.argv.slice(2)].join(" ");
if (values.uploads) {
  const rows = await benchUploads({ binary, ...options });
  await publish("bench-uploads", rows, uploadTableOf(rows), `best of ${options.repeats}`);
} else if (values.scrapes) {
  const rows: ScrapeRow[] = [];
  for await (const row of benchScrapes(binary, options.repeats, values.only)) {
    rows.push(row);
    console.error(scrapeTableOf([row]).split("\n")[2]);
  }
  await publish("bench-scrapes", rows, scrapeTableOf(rows), `${options.repeats} pairs`);
} else if (values.before !== "") {
  const rows: ComparisonRow[] = [];
  for await (const row of compare(values.before, binary, options.repeats, values.only)) {
    rows.push(row);
    console.error(comparisonTableOf([row]).split("\n")[2]);
  }
  await publish("bench-before", rows, comparisonTableOf(rows), `${options.repeats} pairs`);
} else {
  const rows = await runScenarios();
  const repeats = `best of ${options.repeats}, or of ${3 * options.repeats} where windows go out by GSO`;
  await publish("bench", rows, tableOf(rows), repeats);
}

async function runScenarios(): Promise<readonly Row[]> {
  const files = await Files.create();
  const rows: Row[] = [];
  try {
    for (const scenario of scenarios) {
      if (!`${loadName(scenario)} ${variantName(scenario.variant)}`.includes(values.only)) continue;
      const row = await runScenario(files, scenario, options);
      rows.push(row);
      console.error(tableOf([row]).split("\n")[2]);
    }
  } finally {
    await files.remove();
  }
  return rows;
}

/** Prints a table with its circumstances, or the numbers as they are, and puts it on the page where that was asked for. */
async function publish(
  name: string,
  rows: readonly object[],
  table: string,
  repeats: string,
): Promise<void> {
  const text = `${machineLine(command, repeats)}\n\n${table}`;
  console.log(values.json ? JSON.stringify(rows, undefined, 2) : text);
  if (values.write) await writeBetween(page, name, text);
}
