// The load (bench): the one that the executable has, as a process of its own, for what is measured here. Checks the order and length of
// blocks as that one does, and the size of every file; hashes what came only when asked. Takes one plan after the other, so that what it compiles it
// has compiled before the runs that count.

import type { LoadFigures, LoadPlan as ClientPlan } from "#client/load-contract.ts";
import { Load } from "#client/load.ts";
import { monotonicUs } from "#io/clock.ts";
import type { Option } from "#protocol/packet.ts";

/** What one run is to do. */
export interface LoadPlan {
  readonly port: number;
  readonly clients: number;
  readonly file: string;
  readonly fileBytes: number;
  readonly blockBytes: number;
  readonly windowBlocks: number;
  /** The file's SHA-256 in hexadecimal; empty hashes nothing. */
  readonly sha256: string;
  /** The server knows no end: stop at the file's size. */
  readonly endless: boolean;
  /** Take what comes without answering; see sink.ts. */
  readonly sink?: boolean;
  /** So many at a time, each of the others when one has ended; all at once if there is none. */
  readonly concurrent?: number;
  /** Each client asks for a file of its own: `file` with the client's number, from 0 on, behind it. */
  readonly isNumbered?: boolean;
  /** Ask for names that are not there, numbered likewise: a client has what it wants with ERROR 1. */
  readonly misses?: boolean;
  /** Write the names, numbered likewise, instead of reading them. */
  readonly puts?: boolean;
  /** Give up after so long. */
  readonly limitMs?: number;
  /** The share of packets, 0 to 1, that are dropped on their way in and out. */
  readonly loss?: number;
}

/** What came of it. */
export interface LoadResult {
  /** Payload bytes, headers not counted, repetitions not counted. */
  readonly bytes: number;
  readonly seconds: number;
  readonly completed: number;
  readonly failed: number;
  readonly retransmits: number;
  /** From request to end, of those that completed: the middle, and that which one in a hundred exceeds. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time of the load itself, and how much of that was in the kernel. */
  readonly loadSeconds: number;
  readonly loadKernelSeconds: number;
  /** Whether it ended by itself; what was under way at the limit, or had not begun, counts as failed. */
  readonly isFinished: boolean;
}

/** Signals have nobody to hear them here; the limit is looked at as often. */
const SLICE_US = 50_000;
/** Nothing is lost on loopback unless a buffer overflows. */
const TIMEOUT_US = 1_000_000;
/** A server that waits for its disk is not to be hurried. */
const REPETITIONS = { get: 14, put: 59 } as const;

function run(plan: LoadPlan): LoadResult {
  const load = new Load(clientPlan(plan));
  const { figures } = load;
  const before = process.cpuUsage();
  const startUs = monotonicUs();
  const endUs = startUs + (plan.limitMs ?? Infinity) * 1000;
  let isFinished = false;
  let nowUs = startUs;
  while (!isFinished && nowUs < endUs) {
    isFinished = load.run(Math.min(endUs, nowUs + SLICE_US));
    // What lingers only waits whether a last ACK was lost.
    isFinished ||= load.isLingering && figures.started === plan.clients;
    nowUs = monotonicUs();
  }
  const spent = process.cpuUsage(before);
  const elapsedUs = isFinished ? figures.elapsedUs : nowUs - startUs;
  const result = resultOf(plan, figures, elapsedUs, spent, isFinished);
  for (const { text, count } of plan.misses === true ? [] : figures.failures)
    process.stderr.write(`${count} of ${plan.clients}: ${text}\n`);
  load.close();
  return result;
}

function resultOf(
  plan: LoadPlan,
  figures: LoadFigures,
  elapsedUs: number,
  spent: NodeJS.CpuUsage,
  isFinished: boolean,
): LoadResult {
  const { failures, requestsRepeated, timeouts } = figures;
  // Servers may name the file in their ERROR, so that each is another text.
  const missed = failures
    .filter(({ cause }) => cause === "not-found")
    .reduce((sum, { count }) => sum + count, 0);
  const [completed, durations] = plan.endless
    ? [figures.vanished, figures.vanishing]
    : plan.misses === true
      ? [missed, figures.refusal]
      : [figures.completed, figures.duration];
  return {
    bytes: plan.puts === true ? figures.bytesCompleted : figures.bytesMoved,
    seconds: elapsedUs / 1e6,
    completed,
    failed: plan.clients - completed,
    retransmits: requestsRepeated + timeouts,
    p50Ms: durations.percentile(50) / 1000,
    p99Ms: durations.percentile(99) / 1000,
    loadSeconds: (spent.user + spent.system) / 1e6,
    loadKernelSeconds: spent.system / 1e6,
    isFinished,
  };
}

function clientPlan(plan: LoadPlan): ClientPlan {
  const { port, clients, file, fileBytes, sha256, endless } = plan;
  const name = new TextEncoder().encode(file);
  const isPut = plan.puts === true;
  const isMiss = plan.misses === true;
  const isNumbered = isPut || isMiss || plan.isNumbered === true;
  return {
    direction: isPut ? "put" : "get",
    files: [
      {
        server: { address: "127.0.0.1", port },
        name,
        numberAt: isNumbered ? name.length : -1,
        weight: 1,
        sha256: sha256 === "" ? undefined : sha256,
        bytes: fileBytes,
      },
    ],
    asks: [asksOf(plan)],
    putBytes: isPut ? fileBytes : 0,
    clients: Math.min(clients, plan.concurrent ?? clients),
    sources: [],
    transfersMax: clients,
    durationUs: Infinity,
    arrivals: "storm",
    ratePerS: 1,
    patience: {
      firstTimeoutUs: TIMEOUT_US,
      timeoutUsMax: TIMEOUT_US,
      repetitionsMax: REPETITIONS[isPut ? "put" : "get"],
    },
    churn: endless ? 1 : 0,
    // Who asks for what is not there has its answer with the first packet of a server that knows no names, either.
    churnAt: isMiss ? 0 : endShare(plan),
    loss: plan.loss ?? 0,
    delayUs: 0,
    seed: 1,
  };
}

/** As clients ask that know no more than blksize, and windows where they are to have some. */
function asksOf({ blockBytes, windowBlocks }: LoadPlan): readonly Option[] {
  const blksize = { name: "blksize", value: String(blockBytes) } as const;
  if (windowBlocks === 1) return [blksize];
  return [blksize, { name: "windowsize", value: String(windowBlocks) }];
}

/** The share of the file's blocks, the last and shorter one included, behind which all of its bytes have come. */
function endShare({ fileBytes, blockBytes }: LoadPlan): number {
  const blocks = Math.floor(fileBytes / blockBytes) + 1;
  // In the middle between two blocks, where no rounding leads to another one.
  return (Math.ceil(fileBytes / blockBytes) + 0.5) / blocks;
}

/** Plans come as messages, and each is answered with one; or as an argument, for one run. */
function answerPlans(): void {
  const [only] = process.argv.slice(2);
  if (only !== undefined) {
    console.log(JSON.stringify(run(JSON.parse(only) as LoadPlan)));
    return;
  }
  process.on("message", (plan: LoadPlan) => {
    process.send?.(run(plan));
    // Between runs, so that it holds none of them up.
    Bun.gc(true);
  });
  process.on("disconnect", () => process.exit());
}

if (import.meta.main) answerPlans();
