// What GSO, batching and spinning are worth (bench): the compiled server on core 0 under the load on core 1, as it is and without them, in turn, and beside a
// loop that only sends. The goals that were set for them are judged here.

import { straceCalls } from "./calls.ts";
import type { LoadPlan } from "./load.ts";
import { countSyscalls, measure, type Measurement, type Subject } from "./measure.ts";
import { markdownTable } from "./page.ts";
import {
  AS_IT_IS,
  loadName,
  type Scenario,
  scenarios,
  SENDING_ONLY,
  type Variant,
  WITHOUT_BATCHING,
  WITHOUT_GSO,
  WITHOUT_SPINNING,
} from "./scenarios.ts";
import { Files, startFloor, startServer } from "./server-run.ts";

/** CPU time is the least of the repeats, because what disturbs a run can only add to it; speed that of the fastest, for the same reason. */
export interface VariantRow {
  readonly load: string;
  readonly name: string;
  readonly cpuSecondsPerGb: number;
  /** Undefined of a loop that only sends: it waits for nobody. */
  readonly megabytesPerSecond: number | undefined;
  /** Per 10⁶ bytes, as perf counts and as strace does; undefined where they did not. */
  readonly callsPerMb: number | undefined;
  readonly straceCallsPerMb: number | undefined;
  /** How often clients had to ask again. */
  readonly repeated: number;
}

const MIB = 1024 * 1024;
/** What our engine takes until it compiles no more. */
const WARM_MS = 3000;
/** Under strace less is enough: each call takes it a dozen times as long. */
const STRACE_FILE_MIB = 4;

/** Runs the loads whose names contain `only`; all rows of a load come as they are done. */
export async function* benchVariants(
  binary: string,
  repeats: number,
  only: string,
  isQuick: boolean,
): AsyncGenerator<readonly VariantRow[]> {
  const files = await Files.create();
  try {
    for (const scenario of scenarios) {
      const fileMib = isQuick ? 4 : scenario.load.fileMib;
      const load = { ...scenario.load, fileMib };
      if (loadName(load).includes(only)) {
        yield await runScenario(binary, files, { ...scenario, load }, repeats);
      }
    }
  } finally {
    await files.remove();
  }
}

interface Outcome {
  readonly runs: Measurement[];
  calls: number | undefined;
  straceCalls: number | undefined;
}

/** All variants of a load one after another, and then again, so that a slow minute of the machine hits all of them. */
async function runScenario(
  binary: string,
  files: Files,
  { load, variants }: Scenario,
  repeats: number,
): Promise<readonly VariantRow[]> {
  const outcomes = variants.map((): Outcome => ({
    runs: [],
    calls: undefined,
    straceCalls: undefined,
  }));
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    for (const [index, variant] of variants.entries()) {
      const outcome = outcomes[index];
      if (outcome !== undefined) await runVariant(binary, files, load, variant, outcome);
    }
  }
  const bytes = load.clients * load.fileMib * MIB;
  return variants.map((variant, index) => {
    const { runs = [], calls, straceCalls: traced } = outcomes[index] ?? {};
    // What a full sink drops was sent all the same: such a loop's work is what it sent.
    const work = (run: Measurement): number => ("server" in variant ? run.bytes : bytes);
    const traceBytes = load.clients * straceMib(load) * MIB;
    return {
      load: loadName(load),
      name: variant.name,
      cpuSecondsPerGb: Math.min(...runs.map((run) => (run.cpuSeconds / work(run)) * 1e9)),
      megabytesPerSecond:
        "server" in variant
          ? Math.max(...runs.map((run) => run.bytes / run.seconds / 1e6))
          : undefined,
      callsPerMb: calls === undefined ? undefined : calls / (bytes / 1e6),
      straceCallsPerMb: traced === undefined ? undefined : traced / (traceBytes / 1e6),
      repeated: runs.reduce((sum, run) => sum + run.retransmits, 0),
    };
  });
}

function straceMib({ fileMib }: Scenario["load"]): number {
  return Math.min(STRACE_FILE_MIB, fileMib);
}

/** A process of its own, warm; in its first turn its calls are counted as well. */
async function runVariant(
  binary: string,
  files: Files,
  load: Scenario["load"],
  variant: Variant,
  outcome: Outcome,
): Promise<void> {
  const { clients, blockBytes, windowBlocks } = load;
  const fileBytes = load.fileMib * MIB;
  const isServer = "server" in variant;
  const subject = isServer
    ? await startServer(binary, files, variant.server)
    : await startSending(load, variant.isFramed);
  const plan: LoadPlan = {
    port: subject.port,
    clients,
    file: await files.named(fileBytes),
    fileBytes,
    blockBytes,
    windowBlocks,
    endless: !isServer,
    sink: !isServer,
    sha256: "",
  };
  try {
    // The first bytes are compared, for all that is gained is nothing if they are others.
    const check = { ...plan, clients: 1, sha256: files.sha256(fileBytes) };
    if (isServer && (await measure(subject, check)).failed > 0) throw new Error("the file changed");
    const since = performance.now();
    do await measure(subject, plan);
    while (performance.now() - since < WARM_MS);
    const run = await measure(subject, plan);
    if (isServer && run.failed > 0) throw new Error(`${variant.name}: ${run.failed} failed`);
    outcome.runs.push(run);
    if (!isServer || outcome.runs.length > 1) return;
    outcome.calls = await countSyscalls(subject, plan);
    // One client waits for every single datagram, and would for strace.
    if (clients > 1) {
      const fewMib = straceMib(load) * MIB;
      const few = { ...plan, file: await files.named(fewMib), fileBytes: fewMib };
      outcome.straceCalls = await straceCalls(subject, few);
    }
  } finally {
    await subject.stop();
  }
}

async function startSending(load: Scenario["load"], framed: boolean): Promise<Subject> {
  const fileBytes = load.fileMib * MIB;
  return await startFloor({ ...load, fileBytes, mode: "send", gso: true, spinUs: 200, framed });
}

/** The figures, and below them what they say of each goal. */
export function variantTablesOf(rows: readonly VariantRow[]): string {
  return `${figuresOf(rows)}\n\n${goalsOf(rows)}`;
}

function figuresOf(rows: readonly VariantRow[]): string {
  const head = [
    "load",
    "configuration",
    "CPU s/GB",
    "× as it is",
    "MB/s",
    "× as it is",
    "calls/MB",
    "under strace",
    "client timeouts",
  ];
  const lines = rows.map((row) => {
    const base = rows.find(({ load, name }) => load === row.load && name === AS_IT_IS) ?? row;
    return [
      row.load,
      row.name,
      row.cpuSecondsPerGb.toFixed(3),
      (row.cpuSecondsPerGb / base.cpuSecondsPerGb).toFixed(2),
      row.megabytesPerSecond?.toFixed(0) ?? "–",
      ratioOf(row.megabytesPerSecond, base.megabytesPerSecond)?.toFixed(2) ?? "–",
      row.callsPerMb?.toFixed(1) ?? "–",
      row.straceCallsPerMb?.toFixed(1) ?? "–",
      String(row.repeated),
    ];
  });
  return markdownTable(head, lines, 2);
}

function ratioOf(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one / other;
}

/** A goal for a load as it is, beside `other` of the same load. */
interface Goal {
  readonly text: string;
  readonly other: string;
  readonly isOfLoad: (load: string) => boolean;
  /** Undefined where it could not be measured. */
  readonly ratio: (asItIs: VariantRow, other: VariantRow) => number | undefined;
  readonly isMet: (ratio: number) => boolean;
}

const hasWindows = (load: string): boolean =>
  load.startsWith("64 ") && !load.endsWith("windowsize 1");

const goals: readonly Goal[] = [
  {
    text: "CPU: ≥ 6 × less than without GSO",
    other: WITHOUT_GSO,
    isOfLoad: hasWindows,
    ratio: (asItIs, other) => other.cpuSecondsPerGb / asItIs.cpuSecondsPerGb,
    isMet: (ratio) => ratio >= 6,
  },
  {
    text: "CPU: ≤ 1.2 × a loop that only sends",
    other: SENDING_ONLY,
    isOfLoad: hasWindows,
    ratio: (asItIs, other) => asItIs.cpuSecondsPerGb / other.cpuSecondsPerGb,
    isMet: (ratio) => ratio <= 1.2,
  },
  {
    text: "speed: ≥ 2 × more than without spinning",
    other: WITHOUT_SPINNING,
    isOfLoad: (load) => load.startsWith("1 "),
    ratio: (asItIs, other) => ratioOf(asItIs.megabytesPerSecond, other.megabytesPerSecond),
    isMet: (ratio) => ratio >= 2,
  },
  {
    text: "calls, by strace: ≥ 5 × fewer than without batching",
    other: WITHOUT_BATCHING,
    isOfLoad: (load) => load.startsWith("64 "),
    ratio: (asItIs, other) => ratioOf(other.straceCallsPerMb, asItIs.straceCallsPerMb),
    isMet: (ratio) => ratio >= 5,
  },
];

function goalsOf(rows: readonly VariantRow[]): string {
  const lines: string[][] = [];
  for (const { text, other, isOfLoad, ratio, isMet } of goals) {
    for (const row of rows) {
      const base = rows.find(({ load, name }) => load === row.load && name === AS_IT_IS);
      if (row.name !== other || base === undefined || !isOfLoad(row.load)) continue;
      const measured = ratio(base, row);
      const cells =
        measured === undefined
          ? ["not measured", "–"]
          : [`${measured.toFixed(2)} ×`, isMet(measured) ? "yes" : "**no**"];
      lines.push([row.load, text, ...cells]);
    }
  }
  return markdownTable(["load", "goal", "measured", "met"], lines, 4);
}
