// What bench tells people on a terminal (cli layer): a summary of some lines, and the one that moves meanwhile.
// Pure: the same report gives the same text.

import type { LoadFigures } from "#client/load-contract.ts";
import { formatBytes, formatDuration } from "#supervisor/format.ts";

import type { BenchReport, Percentiles } from "./bench-report.ts";

/** Failures that are told; the JSON has all. */
const FAILURES_SHOWN = 5;

/** The summary, without the last newline. */
export function benchText(report: BenchReport): string {
  const { transfers, bytes, repeated, lost, server, client } = report;
  const lines = [
    headline(report),
    `  complete      ${transfers.complete} of ${transfers.started}, ${perSecond(transfers.complete_per_s)}`,
    `  moved         ${formatBytes(bytes.moved)}, ${formatBytes(bytes.moved_per_s)}/s`,
    ...otherEnds(report),
    `  repeated      ${repeated.requests} requests, ${repeated.blocks} blocks; ${repeated.timeouts} waits without an answer`,
  ];
  if (lost.out + lost.in > 0) {
    lines.push(`  dropped here  ${lost.out} packets that went, ${lost.in} that came`);
  }
  if (lost.unsent > 0)
    lines.push(`  not sent      ${lost.unsent} packets that the kernel did not take`);
  if (percentileRows(report).length > 0) lines.push("", ...percentileTable(report), "");
  if (server !== null) {
    const perGb = server.cpu_s_per_gb === null ? "" : `, ${server.cpu_s_per_gb.toFixed(3)} s/GB`;
    lines.push(
      `  server        ${server.cpu_s.toFixed(3)} s of CPU${perGb}; memory ${formatBytes(server.rss_bytes_before)}, at its peak ${formatBytes(server.rss_bytes_peak)}; ` +
        `${server.switches_voluntary} + ${server.switches_involuntary} context switches` +
        (server.syscalls === null ? "" : `; ${server.syscalls} system calls`),
    );
  }
  lines.push(`  this client   ${client.cpu_s.toFixed(3)} s of CPU`);
  if (report.stopped !== "") lines.push(`  stopped       ${report.stopped}`);
  return lines.join("\n");
}

/** The line that is drawn again and again. */
export function liveLine(figures: LoadFigures, active: number, elapsedUs: number): string {
  const bytesPerS = elapsedUs > 0 ? Math.round((figures.bytesMoved * 1e6) / elapsedUs) : 0;
  const parts = [
    formatDuration(elapsedUs),
    `${active} active`,
    `${figures.completed} complete`,
    ...(figures.failed > 0 ? [`${figures.failed} failed`] : []),
    ...(figures.vanished > 0 ? [`${figures.vanished} vanished`] : []),
    `${formatBytes(bytesPerS)}/s`,
    ...(figures.duration.count > 0 ? [`p99 ${formatTime(figures.duration.percentile(99))}`] : []),
  ];
  return parts.join("  ");
}

/** `420 µs`, `12.3 ms`, `4.21 s`: three digits, as many as are known. */
export function formatTime(us: number): string {
  if (us < 1000) return `${us} µs`;
  return us < 999_500 ? `${(us / 1000).toPrecision(3)} ms` : `${(us / 1e6).toPrecision(3)} s`;
}

/** What the run was, in a line. */
export function headline({ setting, elapsed_s: elapsed }: BenchReport): string {
  const [first] = setting.files;
  const others = setting.files.length > 1 ? ` and ${setting.files.length - 1} more` : "";
  const how =
    setting.arrivals === "storm"
      ? `${setting.clients} clients at once`
      : `${setting.rate_per_s} clients/s (${setting.arrivals}), ${setting.clients} at a time`;
  return `${setting.direction} ${first?.url ?? ""}${others}: ${how}, ${formatDuration(elapsed * 1e6)}`;
}

function otherEnds({ transfers, failures }: BenchReport): string[] {
  const lines: string[] = [];
  if (transfers.failed > 0)
    lines.push(`  failed        ${transfers.failed}, ${perSecond(transfers.failed_per_s)}`);
  for (const { cause, error, count } of failures.slice(0, FAILURES_SHOWN)) {
    lines.push(`    ${count} × ${cause}: ${error}`);
  }
  if (transfers.vanished > 0)
    lines.push(`  vanished      ${transfers.vanished}, as they were told to`);
  if (transfers.cancelled > 0)
    lines.push(`  cancelled     ${transfers.cancelled}, under way when it was stopped`);
  if (transfers.late > 0)
    lines.push(
      `  late          ${transfers.late} began later than planned: all clients, or this machine, were busy`,
    );
  return lines;
}

function percentileTable(report: BenchReport): string[] {
  return [
    row("", percentileHeads),
    ...percentileRows(report).map(([name, percentiles]) => row(name, percentileCells(percentiles))),
  ];
}

/** What was timed, by name; what never happened is left out. */
export function percentileRows({
  duration_us: duration,
  first_block_us: first,
  refusal_us: refusal,
}: BenchReport): readonly (readonly [name: string, percentiles: Percentiles])[] {
  const rows = [
    ["whole file", duration],
    ["first block", first],
    ["refusal", refusal],
  ] as const;
  return rows.filter(([, { count }]) => count > 0);
}

export const percentileHeads: readonly string[] = ["p50", "p90", "p95", "p99", "p99.9", "max"];

/** The times that stand under {@link percentileHeads}. */
export function percentileCells({ p50, p90, p95, p99, p99_9, max }: Percentiles): string[] {
  return [p50, p90, p95, p99, p99_9, max].map(formatTime);
}

function row(name: string, cells: readonly string[]): string {
  return `  ${name.padEnd(12)}${cells.map((cell) => cell.padStart(10)).join("")}`;
}

function perSecond(count: number): string {
  return `${count >= 10 ? count.toFixed(0) : count.toPrecision(2)}/s`;
}
