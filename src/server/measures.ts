// What a shard measures (server layer): one table, of which each row is one word or several of the counters in shared memory,
// a line or several of /metrics, and a row of docs/metrics.md. A new counter is a new row.

import { limitNames, refusalCauses } from "./contract.ts";

/** One row. Names are without the prefix `tftp_` and without the suffix `_total`. */
interface Row {
  /** The family; rows of one family stand together, and the first of them describes it. */
  readonly name: string;
  readonly help?: string;
  /** A counter unless said otherwise. */
  readonly type?: "gauge" | "histogram";
  /** Whether each shard is shown by itself; otherwise /metrics has their sum. */
  readonly isPerShard?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  /** One word for each value of one more label. */
  readonly by?: keyof typeof valueLists;
  /** The buckets of a histogram. */
  readonly bounds?: keyof typeof boundLists;
  /** Words per unit of the name: a million where words are microseconds and the name says seconds. */
  readonly scale?: number;
}

/** A row with its lists. */
export interface Measure extends Omit<Row, "by" | "bounds"> {
  /** The last value takes what is not among the others. */
  readonly by?: ValueList;
  /**
   * The upper bounds of a histogram's buckets, in the unit of its words. Behind their words follow one for what is above them,
   * and one for the sum.
   */
  readonly bounds?: readonly number[];
}

interface ValueList {
  readonly label: string;
  readonly values: readonly string[];
}

/** How transfers of either direction end. */
const outcomes = [
  "complete",
  "complete-unacknowledged",
  "closed-by-client",
  "gave-up",
  "replaced",
  "protocol-error",
  "io-error",
  "shutdown",
  "killed",
] as const;

const valueLists: Readonly<
  Record<"causes" | "limits" | "readOutcomes" | "writeOutcomes", ValueList>
> = {
  causes: { label: "cause", values: refusalCauses },
  limits: { label: "limit", values: limitNames },
  readOutcomes: {
    label: "outcome",
    values: [...outcomes, "probe", "never-answered", "late-repetition", "file-changed", "other"],
  },
  writeOutcomes: {
    label: "outcome",
    values: [...new Set([...outcomes, ...refusalCauses, "other"])],
  },
};

/** All of them are guesses: what a person tells apart on a graph. */
const boundLists = {
  /** Microseconds: a switch away, a country away, a client that is busy. */
  rtt: [100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 1_000_000],
  /** Microseconds: a small file on a fast network to a large one on a slow network. */
  duration: [1000, 10_000, 50_000, 100_000, 500_000, 1e6, 5e6, 1e7, 3e7, 6e7, 3e8],
  /** 64 is what one call moves at the most, by default. */
  batch: [1, 2, 4, 8, 16, 32, 64],
} as const;

const table = {
  turns: { name: "shard_turns", help: "Turns of the loop of a shard.", isPerShard: true },
  sleeps: { name: "shard_sleeps", help: "Times that a shard slept.", isPerShard: true },
  busyUs: {
    name: "shard_busy_seconds",
    help: "Time that a shard worked: it neither slept nor spun.",
    isPerShard: true,
    scale: 1e6,
  },
  spins: {
    name: "shard_spins",
    help: "Times that a shard spun before it slept.",
    isPerShard: true,
  },
  spunUs: {
    name: "shard_spin_seconds",
    help: "Time that a shard spun: it looked for datagrams instead of sleeping.",
    isPerShard: true,
    scale: 1e6,
  },
  receiveCalls: { name: "receive_calls", help: "System calls that receive.", isPerShard: true },
  receiveBatch: {
    name: "receive_batch_datagrams",
    help: "Datagrams that one system call received.",
    type: "histogram",
    bounds: "batch",
  },
  datagramsReceived: { name: "received_datagrams", help: "Datagrams received.", isPerShard: true },
  wireBytesReceived: { name: "received_bytes", help: "UDP payload received.", isPerShard: true },
  sendCalls: { name: "send_calls", help: "System calls that send.", isPerShard: true },
  sendBatch: {
    name: "send_batch_messages",
    help: "Messages that were handed over at once. One may be many datagrams.",
    type: "histogram",
    bounds: "batch",
  },
  messagesSent: { name: "sent_messages", help: "Messages that the kernel took.", isPerShard: true },
  datagramsSent: { name: "sent_datagrams", help: "Datagrams handed over.", isPerShard: true },
  bytesSent: { name: "sent_bytes", help: "UDP payload handed over.", isPerShard: true },
  segmentedMessages: {
    name: "segmented_messages",
    help: "Messages that the kernel was to cut into datagrams (UDP_SEGMENT).",
  },
  segments: { name: "segments", help: "Datagrams of messages that the kernel was to cut." },
  gsoFallbacks: {
    name: "segmentation_fallbacks",
    help: "Messages that the kernel would not cut. Their transfers go on without.",
  },
  sendsBlocked: { name: "sends_blocked", help: "Times that the buffer of a socket was full." },
  sendsLost: {
    name: "sends_lost",
    help: "Messages that the kernel refused: no route, a firewall, an interface that is down.",
  },
  strayDatagrams: { name: "stray_datagrams", help: "Datagrams that belong to no transfer." },
  readRequests: {
    name: "requests",
    help: "Requests that were decided.",
    labels: { direction: "read" },
  },
  writeRequests: { name: "requests", labels: { direction: "write" } },
  requestsRepeated: {
    name: "requests_repeated",
    help: "Requests that came again while their transfer began, and got its first reply again.",
  },
  requestsLeft: {
    name: "requests_left",
    help: "Requests that a worker which died had answered otherwise, and that its successor has left to be repeated.",
  },
  requestsRefused: {
    name: "requests_refused",
    help: "Requests that were refused, by cause.",
    by: "causes",
  },
  limitsReached: {
    name: "limits_reached",
    help: "Requests that a limit has turned away.",
    by: "limits",
  },
  bandwidthWaits: {
    name: "bandwidth_waits",
    help: "Times that a transfer waited for bandwidth that a limit allows it.",
  },
  transfersActive: {
    name: "transfers_active",
    help: "Transfers under way.",
    type: "gauge",
    isPerShard: true,
  },
  transfersMax: {
    name: "transfers_limit",
    help: "Transfers that may be under way.",
    type: "gauge",
    isPerShard: true,
  },
  readEnds: {
    name: "transfers",
    help: "Transfers that ended, by outcome.",
    labels: { direction: "read" },
    by: "readOutcomes",
  },
  writeEnds: {
    name: "transfers",
    labels: { direction: "write" },
    by: "writeOutcomes",
  },
  fileBytesRead: {
    name: "bytes_transferred",
    help: "Bytes of files that clients have acknowledged, or sent: counted when the transfer ends.",
    labels: { direction: "read" },
  },
  fileBytesWritten: { name: "bytes_transferred", labels: { direction: "write" } },
  blocksResent: {
    name: "blocks_resent",
    help: "Blocks sent again: counted when the transfer ends.",
  },
  blocksRepeated: {
    name: "blocks_repeated",
    help: "Blocks of uploads that came again: counted when the transfer ends.",
  },
  timeouts: {
    name: "transfer_timeouts",
    help: "Times that a client was waited for in vain: counted when the transfer ends.",
  },
  readDuration: {
    name: "transfer_duration_seconds",
    help: "How long transfers took that succeeded.",
    type: "histogram",
    labels: { direction: "read" },
    bounds: "duration",
    scale: 1e6,
  },
  writeDuration: {
    name: "transfer_duration_seconds",
    type: "histogram",
    labels: { direction: "write" },
    bounds: "duration",
    scale: 1e6,
  },
  rtt: {
    name: "rtt_seconds",
    help: "Smoothed round-trip times at the end of transfers.",
    type: "histogram",
    bounds: "rtt",
    scale: 1e6,
  },
  cacheHits: { name: "cache_hits", help: "Runs of blocks that were in the file cache." },
  cacheMisses: { name: "cache_misses", help: "Runs of blocks that were not." },
  cacheBytes: { name: "cache_bytes", help: "File cache in use.", type: "gauge", isPerShard: true },
  cacheBytesMax: {
    name: "cache_limit_bytes",
    help: "File cache that may be used.",
    type: "gauge",
    isPerShard: true,
  },
  readyTransfers: {
    name: "queued_transfers",
    help: "Transfers that wait: for their turn to send, for room in a socket, for the disk.",
    type: "gauge",
    labels: { queue: "send" },
    isPerShard: true,
  },
  blockedTransfers: {
    name: "queued_transfers",
    type: "gauge",
    labels: { queue: "socket" },
    isPerShard: true,
  },
  stalledTransfers: {
    name: "queued_transfers",
    type: "gauge",
    labels: { queue: "disk" },
    isPerShard: true,
  },
  diskJobs: {
    name: "disk_jobs",
    help: "System calls that disk threads have before them.",
    type: "gauge",
    isPerShard: true,
  },
  recordsLost: {
    name: "records_lost",
    help: "Reports of shards that were dropped because the main thread was behind.",
  },
} as const;

/** The name of a row. */
export type CounterName = keyof typeof table;

/** In the order in which they are shown. */
export const measures: Readonly<Record<CounterName, Measure>> = resolved(table);

/** How many words a row has. */
export function wordsOf({ by, bounds }: Measure): number {
  if (bounds !== undefined) return bounds.length + 2;
  return by === undefined ? 1 : by.values.length;
}

/** The first word of each row. */
export const Counter: Readonly<Record<CounterName, number>> = firstWords();

/** How many words there are. */
export const COUNTERS: number = Object.values(measures).reduce((sum, row) => sum + wordsOf(row), 0);

function resolved(rows: Readonly<Record<CounterName, Row>>): Record<CounterName, Measure> {
  const entries = Object.entries(rows).map(([name, { by, bounds, ...row }]) => [
    name,
    {
      ...row,
      ...(by === undefined ? {} : { by: valueLists[by] }),
      ...(bounds === undefined ? {} : { bounds: boundLists[bounds] }),
    },
  ]);
  return Object.fromEntries(entries) as Record<CounterName, Measure>;
}

function firstWords(): Record<CounterName, number> {
  let next = 0;
  const entries = Object.entries(measures).map(([name, row]) => {
    const first = next;
    next += wordsOf(row);
    return [name, first] as const;
  });
  return Object.fromEntries(entries) as Record<CounterName, number>;
}
