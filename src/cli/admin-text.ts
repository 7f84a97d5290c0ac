// What a running server answers, as text (cli layer): columns for people and for awk. Pure; names come from clients, and the
// server has escaped what a terminal would obey.

import type {
  ClientView,
  StatusView,
  StepView,
  TimelineView,
  TransferView,
} from "#supervisor/api-shapes.ts";
import { formatBytes } from "#supervisor/format.ts";

export function statusLines(status: StatusView): readonly string[] {
  const { state, because, totals } = status;
  const standing = because === "" ? state : `${state} (${because})`;
  return [
    `${standing} on ${status.address}, version ${status.version}, up for ${spanText(status.uptime_ms)}`,
    `clients    ${status.clients_stuck} stuck, ${status.clients_loading} loading, ${status.clients_idle} idle`,
    `transfers  ${status.transfers} under way`,
    `now        ${rateText(status.sent_bytes_per_second)} sent, ${rateText(status.received_bytes_per_second)} received, ${status.requests_per_second} requests/s`,
    `ever       ${Object.entries(totals)
      .map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`)
      .join(", ")}`,
    `workers    ${status.workers}, of which ${status.workers_replaced} were replaced`,
  ];
}

export function transferLines(transfers: readonly TransferView[]): readonly string[] {
  const rows = transfers.map((each) => [
    String(each.id),
    each.client,
    percentText(each.bytes, each.file_bytes),
    rateText(each.bytes_per_second),
    spanText(each.silent_ms),
    each.file,
  ]);
  return columns([["transfer", "client", "done", "rate", "not moved", "file"], ...rows]);
}

export function clientLines(clients: readonly ClientView[]): readonly string[] {
  return columns(clients.map(({ client, state, sentence }) => [state, client, sentence])).flatMap(
    (line, index) => {
      const remedy = clients[index]?.remedy ?? "";
      return remedy === "" ? [line] : [line, `         help: ${remedy}`];
    },
  );
}

export function timelineLines({ client, steps, steps_dropped }: TimelineView): readonly string[] {
  const { mac, boot_started: started, boots } = client;
  const head = [client.client, ...(mac === null ? [] : [mac])].join(" ");
  const dropped = steps_dropped === 0 ? [] : [`(${steps_dropped} earlier steps are not kept)`];
  return [
    `${head}: ${client.sentence}`,
    ...(client.remedy === "" ? [] : [`help: ${client.remedy}`]),
    `began ${started}, boot ${client.boot} (${boots} seen)`,
    ...dropped,
    ...columns(steps.map((step) => [step.time.slice(11, 23), stepText(step), step.file])),
  ];
}

function stepText(step: StepView): string {
  const often = step.times > 1 ? ` ${step.times} times` : "";
  const far = percentText(step.bytes, step.file_bytes);
  if (step.state === "running") return `running, ${far}`;
  if (step.state === "refused") return `refused (${step.because})${often}`;
  if (step.state !== "complete") return `${step.state} (${step.because}) at ${far}${often}`;
  if (step.because === "probe") return "told its size";
  return `${formatBytes(step.bytes)} in ${spanText(step.duration_ms)}`;
}

/** Columns that are as wide as they need; the last one is not padded. */
function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    }
  }
  return rows.map((row) =>
    row
      .map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0)))
      .join("  "),
  );
}

export function percentText(bytes: number, all: number | null): string {
  if (all === null || all === 0) return formatBytes(bytes);
  return `${Math.floor((100 * bytes) / all)} % of ${formatBytes(all)}`;
}

export function rateText(bytesPerSecond: number): string {
  return `${formatBytes(Math.round(bytesPerSecond))}/s`;
}

/** `350 ms`, `12 s`, `7 min`, `3 h`, `2 d`. */
export function spanText(ms: number): string {
  if (ms < 1000) return `${ms} ms`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Math.round(seconds / 3600)} h`
    : `${Math.round(seconds / 86_400)} d`;
}
