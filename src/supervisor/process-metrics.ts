// What the process as a whole shows of itself (supervisor layer): one table, of which each row is a family of /metrics and a row
// of docs/metrics.md. Read when a page is asked for.

import { readdirSync } from "node:fs";

import type { FastPaths } from "#server/contract.ts";

import type { EventCounts } from "./event-counts.ts";
import type { Family, Sample } from "./exposition.ts";
import type { HookCounts } from "./hook-lane.ts";
import type { LogSink } from "./logsink.ts";

/** What the rows read. */
export interface ProcessFacts {
  readonly version: string;
  readonly isReady: boolean;
  /** Undefined until the shards are ready. */
  readonly fastPaths: FastPaths | undefined;
  readonly workerDeaths: number;
  readonly diskThreadDeaths: number;
  readonly logs: Readonly<Record<string, Pick<LogSink, "queuedBytes" | "lostLinesTotal">>>;
  readonly hookCalls: Readonly<Record<string, number>>;
  readonly hookCounts: Readonly<HookCounts>;
  readonly events: EventCounts;
  readonly hasSnowOwlNames: boolean;
}

interface Row extends Omit<Family, "samples"> {
  /** The labels that its samples have. */
  readonly labels?: readonly string[];
  readonly read: (facts: ProcessFacts) => readonly Sample[] | number | undefined;
}

/** Every family that is not a shard's. */
export const processRows: readonly Row[] = [
  {
    name: "tftp_build_info",
    type: "gauge",
    help: "Always 1; the version is a label.",
    labels: ["version"],
    read: ({ version }) => [{ labels: { version }, value: 1 }],
  },
  {
    name: "tftp_ready",
    type: "gauge",
    help: "1 while every shard takes new requests.",
    read: ({ isReady }) => Number(isReady),
  },
  {
    name: "tftp_fast_path",
    type: "gauge",
    help: "1 for each feature of the kernel that is used, 0 for each that is not.",
    labels: ["feature"],
    read: ({ fastPaths = {} }) =>
      Object.entries(fastPaths).map(([feature, { isOn }]) => sample({ feature }, Number(isOn))),
  },
  {
    name: "tftp_worker_deaths",
    type: "counter",
    help: "Threads of shards that died of a fault. Each was replaced, or the process has ended.",
    read: ({ workerDeaths }) => workerDeaths,
  },
  {
    name: "tftp_disk_thread_deaths",
    type: "counter",
    help: "Threads that wait for disks and died of a fault.",
    read: ({ diskThreadDeaths }) => diskThreadDeaths,
  },
  {
    name: "tftp_log_queue_bytes",
    type: "gauge",
    help: "Lines of a log that wait to be written.",
    labels: ["log"],
    read: ({ logs }) => logSamples(logs, ({ queuedBytes }) => queuedBytes),
  },
  {
    name: "tftp_log_lines_lost",
    type: "counter",
    help: "Lines of a log that were lost, because its disk or its reader would not have them.",
    labels: ["log"],
    read: ({ logs }) => logSamples(logs, ({ lostLinesTotal }) => lostLinesTotal),
  },
  {
    name: "tftp_hook_calls",
    type: "gauge",
    help: "Calls of hooks that wait, and that run.",
    labels: ["state"],
    read: ({ hookCalls }) =>
      Object.entries(hookCalls).map(([state, value]) => sample({ state }, value)),
  },
  {
    name: "tftp_hook_attempts",
    type: "counter",
    help: "Attempts of hooks that are over. What failed is tried again; what was given up is not.",
    labels: ["outcome"],
    read: ({ hookCounts: { completed, failed, givenUp } }) =>
      Object.entries({ completed, failed, given_up: givenUp }).map(([outcome, value]) =>
        sample({ outcome }, value),
      ),
  },
  {
    name: "tftp_hook_calls_dropped",
    type: "counter",
    help: "Calls of hooks that were dropped, because the hook's queue was full or the server ended.",
    read: ({ hookCounts }) => hookCounts.dropped,
  },
  {
    name: "tftp_audit_events",
    type: "counter",
    help: "Audit events, written or not, by kind and by client as far as clients are told apart.",
    labels: ["event_type", "severity", "client_addr"],
    read: ({ events }) => events.samples,
  },
  {
    name: "tftp_last_audit_event_timestamp",
    type: "gauge",
    help: "When the last audit event was, seconds since 1970.",
    read: ({ events }) => (events.lastMs === 0 ? undefined : events.lastMs / 1000),
  },
  {
    name: "tftp_transfer_throughput_bps",
    type: "gauge",
    help: "Bytes per second of the download that completed last, under the name that Snow-Owl gave it.",
    read: ({ events }) => events.lastTransfer?.bytesPerSecond,
  },
  {
    name: "tftp_transfer_duration_ms",
    type: "gauge",
    help: "Milliseconds that the download took that completed last. Only with metrics.snow_owl_names.",
    read: ({ events, hasSnowOwlNames }) =>
      hasSnowOwlNames ? events.lastTransfer?.durationMs : undefined,
  },
  {
    name: "tftp_avg_block_time_ms",
    type: "gauge",
    help: "The same for each of its blocks. Only with metrics.snow_owl_names.",
    read: ({ events, hasSnowOwlNames }) =>
      hasSnowOwlNames ? events.lastTransfer?.blockMs : undefined,
  },
  {
    name: "tftp_multicast_total_clients",
    type: "gauge",
    help: "Clients of multicast groups: none, because multicast is not served.",
    read: () => 0,
  },
  {
    name: "process_cpu_seconds",
    type: "counter",
    help: "CPU time of the process.",
    read: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  },
  {
    name: "process_resident_memory_bytes",
    type: "gauge",
    help: "Memory of the process that is in RAM.",
    read: () => process.memoryUsage.rss(),
  },
  {
    name: "process_open_fds",
    type: "gauge",
    help: "Open descriptors.",
    read: () => readdirSync("/proc/self/fd").length,
  },
  {
    name: "process_start_time_seconds",
    type: "gauge",
    help: "When the process began, seconds since 1970.",
    read: () => performance.timeOrigin / 1000,
  },
];

/** Every family that has something to show. */
export function processFamilies(facts: ProcessFacts): readonly Family[] {
  return processRows.map(({ name, type, help, read }) => {
    const found = read(facts) ?? [];
    const samples = typeof found === "number" ? [sample({}, found)] : found;
    return { name, type, help, samples };
  });
}

function logSamples(
  logs: ProcessFacts["logs"],
  read: (log: ProcessFacts["logs"][string]) => number,
): readonly Sample[] {
  return Object.entries(logs).map(([log, sink]) => sample({ log }, read(sink)));
}

function sample(labels: Sample["labels"], value: number): Sample {
  return { labels, value };
}
