// What bench has found, as one object (cli layer): it is what --json prints, key by key, and what the text and the page are made
// of. Keys stay as they are once they are released; docs/bench.md lists them.

import type { Histogram } from "#base/histogram.ts";
import { type LoadFigures, TimelineChannel } from "#client/load-contract.ts";
import { cpuSecondsBetween, type ProcessUsage } from "#io/process-usage.ts";

import type { BenchFile } from "./bench-files.ts";
import type { BenchInvocation } from "./bench-flags.ts";
import { version } from "./version.ts";

/** What a run knows of itself when it is over. */
export interface BenchFacts {
  readonly startedAt: Date;
  readonly figures: LoadFigures;
  /** The options that were asked for, each kind as `blksize=1468 windowsize=16`. */
  readonly asked: readonly string[];
  readonly clientBefore: ProcessUsage | undefined;
  readonly clientAfter: ProcessUsage | undefined;
  readonly serverBefore: ProcessUsage | undefined;
  readonly serverAfter: ProcessUsage | undefined;
  /** Undefined where nobody asked, or perf may not count. */
  readonly serverSyscalls: number | undefined;
  /** Why it stopped before its end; empty if it did not. */
  readonly stopped: string;
}

/** Times in microseconds, to three digits; count, min, mean and max exactly. */
export interface Percentiles {
  readonly count: number;
  readonly min: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p99_9: number;
  readonly max: number;
}

/** What was done. */
interface Setting {
  readonly direction: "get" | "put";
  readonly files: readonly { readonly url: string; readonly weight: number }[];
  readonly options: readonly string[];
  readonly clients: number;
  readonly from: string | null;
  /** Null is no limit. */
  readonly requests: number | null;
  readonly duration_s: number | null;
  readonly arrivals: string;
  readonly rate_per_s: number | null;
  readonly put_bytes: number | null;
  readonly churn_percent: number;
  readonly loss_percent: number;
  readonly delay_ms: number;
  readonly timeout_s: number;
  readonly retries: number;
  readonly verified: boolean;
  readonly seed: number;
}

interface ServerCost {
  readonly pid: number;
  readonly cpu_s: number;
  readonly cpu_user_s: number;
  readonly cpu_system_s: number;
  readonly cpu_s_per_gb: number | null;
  readonly rss_bytes_before: number;
  readonly rss_bytes_after: number;
  readonly rss_bytes_peak: number;
  readonly switches_voluntary: number;
  readonly switches_involuntary: number;
  readonly syscalls: number | null;
}

export interface BenchReport {
  readonly event: "bench";
  readonly version: string;
  readonly started_at: string;
  readonly setting: Setting;
  readonly stopped: string;
  readonly elapsed_s: number;
  readonly transfers: {
    readonly started: number;
    readonly complete: number;
    readonly failed: number;
    readonly vanished: number;
    readonly cancelled: number;
    readonly late: number;
    readonly active_max: number;
    readonly complete_per_s: number;
    readonly failed_per_s: number;
  };
  readonly bytes: {
    readonly complete: number;
    readonly moved: number;
    readonly moved_per_s: number;
  };
  readonly repeated: {
    readonly requests: number;
    readonly timeouts: number;
    readonly blocks: number;
  };
  readonly lost: { readonly out: number; readonly in: number; readonly unsent: number };
  readonly duration_us: Percentiles;
  readonly first_block_us: Percentiles;
  readonly refusal_us: Percentiles;
  readonly duration_curve: readonly (readonly [percent: number, us: number])[];
  readonly first_block_curve: readonly (readonly [percent: number, us: number])[];
  readonly failures: readonly {
    readonly cause: string;
    readonly error: string;
    readonly error_code: number | null;
    readonly count: number;
  }[];
  readonly timeline: {
    readonly span_s: number;
    readonly bytes: readonly number[];
    readonly complete: readonly number[];
    readonly failed: readonly number[];
  };
  readonly client: { readonly cpu_s: number; readonly rss_bytes_peak: number };
  readonly server: ServerCost | null;
}

/** Where a curve of percentiles is drawn: closer together towards the end, where those lie who wait. */
const curvePercents: readonly number[] = [
  ...Array.from({ length: 46 }, (_, index) => index * 2),
  ...Array.from({ length: 18 }, (_, index) => 91 + index / 2),
  99.6,
  99.7,
  99.8,
  99.9,
  99.95,
  99.99,
  100,
];

/** Puts together what is reported. */
export function reportOf(
  invocation: BenchInvocation,
  files: readonly BenchFile[],
  facts: BenchFacts,
): BenchReport {
  const { figures, clientBefore, clientAfter } = facts;
  const seconds = figures.elapsedUs / 1e6;
  const perSecond = (count: number): number => (seconds > 0 ? round(count / seconds, 3) : 0);
  const { duration, firstBlock, timeline } = figures;
  return {
    event: "bench",
    version,
    started_at: facts.startedAt.toISOString(),
    setting: settingOf(invocation, files, facts.asked),
    stopped: facts.stopped,
    elapsed_s: round(seconds, 6),
    transfers: {
      started: figures.started,
      complete: figures.completed,
      failed: figures.failed,
      vanished: figures.vanished,
      cancelled: figures.cancelled,
      late: figures.late,
      active_max: figures.activeMax,
      complete_per_s: perSecond(figures.completed),
      failed_per_s: perSecond(figures.failed),
    },
    bytes: {
      complete: figures.bytesCompleted,
      moved: figures.bytesMoved,
      moved_per_s: Math.round(perSecond(figures.bytesMoved)),
    },
    repeated: {
      requests: figures.requestsRepeated,
      timeouts: figures.timeouts,
      blocks: figures.blocksRepeated,
    },
    lost: { out: figures.droppedOut, in: figures.droppedIn, unsent: figures.unsent },
    duration_us: percentilesOf(duration),
    first_block_us: percentilesOf(firstBlock),
    refusal_us: percentilesOf(figures.refusal),
    duration_curve: curveOf(duration),
    first_block_curve: curveOf(firstBlock),
    failures: figures.failures.map(({ cause, text, errorCode = null, count }) => ({
      cause,
      error: text,
      error_code: errorCode,
      count,
    })),
    timeline: {
      span_s: timeline.spanUs / 1e6,
      bytes: timeline.sums(TimelineChannel.bytes),
      complete: timeline.sums(TimelineChannel.completed),
      failed: timeline.sums(TimelineChannel.failed),
    },
    client: {
      cpu_s: round(secondsBetween(clientBefore, clientAfter), 6),
      rss_bytes_peak: clientAfter?.rssBytesPeak ?? 0,
    },
    server: serverCost(invocation.serverPid, facts),
  };
}

function settingOf(
  invocation: BenchInvocation,
  files: readonly BenchFile[],
  asked: readonly string[],
): Setting {
  const { given, arrivals, requests, durationUs } = invocation;
  return {
    direction: given.put ? "put" : "get",
    files: files.map(({ url, weight }) => ({ url, weight })),
    options: asked,
    clients: invocation.clients,
    from: given.from ?? null,
    requests: finite(requests),
    duration_s: finite(durationUs / 1e6),
    arrivals,
    rate_per_s: arrivals === "storm" ? null : invocation.ratePerS,
    put_bytes: given.put ? invocation.putBytes : null,
    churn_percent: invocation.churn * 100,
    loss_percent: invocation.loss * 100,
    delay_ms: invocation.delayUs / 1000,
    timeout_s: invocation.timeoutS,
    retries: invocation.retries,
    verified: given.verify !== undefined,
    seed: invocation.seed,
  };
}

/** What the server has used meanwhile; null where nobody asked, or it is gone. */
function serverCost(
  pid: number | undefined,
  { figures, serverBefore: before, serverAfter: after, serverSyscalls }: BenchFacts,
): ServerCost | null {
  if (pid === undefined || before === undefined || after === undefined) return null;
  const cpu = cpuSecondsBetween(before, after);
  return {
    pid,
    cpu_s: round(cpu, 6),
    cpu_user_s: round(after.userSeconds - before.userSeconds, 2),
    cpu_system_s: round(after.systemSeconds - before.systemSeconds, 2),
    cpu_s_per_gb: figures.bytesMoved > 0 ? round((cpu * 1e9) / figures.bytesMoved, 4) : null,
    rss_bytes_before: before.rssBytes,
    rss_bytes_after: after.rssBytes,
    rss_bytes_peak: after.rssBytesPeak,
    switches_voluntary: after.switchesVoluntary - before.switchesVoluntary,
    switches_involuntary: after.switchesInvoluntary - before.switchesInvoluntary,
    syscalls: serverSyscalls ?? null,
  };
}

function secondsBetween(before: ProcessUsage | undefined, after: ProcessUsage | undefined): number {
  return before === undefined || after === undefined ? 0 : cpuSecondsBetween(before, after);
}

function percentilesOf(histogram: Histogram): Percentiles {
  return {
    count: histogram.count,
    min: histogram.min,
    mean: Math.round(histogram.mean),
    p50: histogram.percentile(50),
    p90: histogram.percentile(90),
    p95: histogram.percentile(95),
    p99: histogram.percentile(99),
    p99_9: histogram.percentile(99.9),
    max: histogram.max,
  };
}

function curveOf(histogram: Histogram): readonly (readonly [number, number])[] {
  if (histogram.count === 0) return [];
  return curvePercents.map((percent) => [percent, histogram.percentile(percent)]);
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** JSON has no Infinity. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
