// The page that bench --report writes (cli layer): one file of HTML that needs nothing else, no script and no network, light or
// dark as its reader prefers, and as wide as a phone. Names that servers say are text.

import { formatBytes, formatDuration } from "#supervisor/format.ts";

import { escapeHtml, percentileChart, timeChart } from "./bench-charts.ts";
import type { BenchReport } from "./bench-report.ts";
import {
  formatTime,
  headline,
  percentileCells,
  percentileHeads,
  percentileRows,
} from "./bench-text.ts";

// oxlint-disable-next-line import/default -- it is text
import css from "./bench-page.css" with { type: "text" };

/** Files that are named; the JSON below names all. */
const FILES_SHOWN = 20;

/** The whole page. */
export function benchPage(report: BenchReport): string {
  const title = `A load: ${headline(report)}`;
  return [
    "<!doctype html>",
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<title>${escapeHtml(title)}</title><style>${css}</style></head><body>`,
    `<header><h1>${escapeHtml(headline(report))}</h1>`,
    `<p class="faint">${escapeHtml(report.started_at)}, snow-owl-tftp ${escapeHtml(report.version)}</p></header><main>`,
    tiles(report),
    report.stopped === "" ? "" : `<p class="bad">Stopped: ${escapeHtml(report.stopped)}</p>`,
    '<div class="charts">',
    ...charts(report),
    "</div>",
    percentileTable(report),
    failureTable(report),
    factTable("What the server used", serverFacts(report)),
    factTable("What was done", settingFacts(report)),
    factTable("What else was counted", otherFacts(report)),
    `<details><summary>All of it as JSON</summary><pre tabindex="0">${escapeHtml(JSON.stringify(report, undefined, 1))}</pre></details>`,
    "</main></body></html>\n",
  ].join("\n");
}

function tiles({
  transfers,
  bytes,
  duration_us: duration,
  first_block_us: first,
}: BenchReport): string {
  const facts: readonly (readonly [string, string, boolean])[] = [
    [`${transfers.complete}`, `of ${transfers.started} complete`, false],
    [
      `${transfers.complete_per_s.toFixed(transfers.complete_per_s < 10 ? 1 : 0)}/s`,
      "transfers",
      false,
    ],
    [`${formatBytes(bytes.moved_per_s)}/s`, "of files", false],
    [formatTime(duration.p50), "half of the files took at most", false],
    [formatTime(duration.p99), "99 % of the files took at most", false],
    [formatTime(first.p99), "99 % had their first block after", false],
    [`${transfers.failed}`, "failed", transfers.failed > 0],
  ];
  const items = facts.map(
    ([figure, text, isBad]) => `<li${isBad ? ' class="bad"' : ""}><b>${figure}</b> ${text}</li>`,
  );
  return `<ul class="tiles">${items.join("")}</ul>`;
}

function charts(report: BenchReport): readonly string[] {
  const { timeline, bytes, duration_us: duration, first_block_us: first } = report;
  const waited = `Whole files: half within ${formatTime(duration.p50)}, all within ${formatTime(duration.max)}; first blocks: half within ${formatTime(first.p50)}, all within ${formatTime(first.max)}`;
  return [
    figure(
      "How long it took, by percentile",
      percentileChart(waited, [
        { name: "whole file", kind: "a", points: report.duration_curve },
        { name: "first block", kind: "b", points: report.first_block_curve },
      ]),
      [
        ["a", "until the whole file was there"],
        ["b", "until the first block was there"],
      ],
    ),
    figure(
      "Bytes in a second",
      timeChart(
        `${formatBytes(bytes.moved_per_s)}/s on average`,
        timeline.span_s,
        [{ name: "bytes", kind: "a", amounts: timeline.bytes }],
        (perSecond) => `${formatBytes(Math.round(perSecond))}/s`,
      ),
      [],
    ),
    figure(
      "Transfers that ended in a second",
      timeChart(
        `${report.transfers.complete} complete, ${report.transfers.failed} failed`,
        timeline.span_s,
        [
          { name: "failed", kind: "bad", amounts: timeline.failed },
          { name: "complete", kind: "a", amounts: timeline.complete },
        ],
        (perSecond) => `${Number(perSecond.toPrecision(3))}/s`,
      ),
      [
        ["a", "complete"],
        ["bad", "failed"],
      ],
    ),
  ];
}

function figure(
  title: string,
  svg: string,
  legend: readonly (readonly [kind: string, text: string])[],
): string {
  const keys = legend.map(([kind, text]) => `<li><i class="${kind}"></i>${text}</li>`);
  const list = keys.length === 0 ? "" : `<ul class="legend">${keys.join("")}</ul>`;
  return `<figure><figcaption>${title}</figcaption>${svg}${list}</figure>`;
}

function percentileTable(report: BenchReport): string {
  const heads = percentileHeads.map((head) => `<th scope="col">${head}</th>`).join("");
  const body = percentileRows(report).map(([name, percentiles]) => {
    const cells = percentileCells(percentiles).map((cell) => `<td>${cell}</td>`);
    return `<tr><th scope="row">${name}</th>${cells.join("")}</tr>`;
  });
  return section("Percentiles", `<tr><th></th>${heads}</tr>${body.join("")}`);
}

function failureTable({ failures }: BenchReport): string {
  if (failures.length === 0) return "";
  const rows = failures.map(
    ({ cause, error, count }) =>
      `<tr class="bad"><td>${count}</td><th scope="row">${escapeHtml(cause)}</th><td class="text">${escapeHtml(error)}</td></tr>`,
  );
  return section("What failed", rows.join(""));
}

function factTable(title: string, facts: readonly (readonly [string, string])[]): string {
  if (facts.length === 0) return "";
  const rows = facts.map(
    ([name, value]) =>
      `<tr><th scope="row">${name}</th><td class="text">${escapeHtml(value)}</td></tr>`,
  );
  return section(title, rows.join(""));
}

function section(title: string, rows: string): string {
  return `<section><h2>${title}</h2><div class="wide" tabindex="0" role="group" aria-label="${title}"><table>${rows}</table></div></section>`;
}

function serverFacts({ server }: BenchReport): readonly (readonly [string, string])[] {
  if (server === null) return [];
  const perGb =
    server.cpu_s_per_gb === null ? "" : `, ${server.cpu_s_per_gb.toFixed(3)} s for each GB`;
  return [
    [
      "processor time",
      `${server.cpu_s.toFixed(3)} s (${server.cpu_user_s} s of its own, ${server.cpu_system_s} s of the kernel)${perGb}`,
    ],
    [
      "memory",
      `${formatBytes(server.rss_bytes_before)} before, ${formatBytes(server.rss_bytes_after)} after, ${formatBytes(server.rss_bytes_peak)} at its peak`,
    ],
    [
      "context switches",
      `${server.switches_voluntary} to wait, ${server.switches_involuntary} to let others go on`,
    ],
    ...(server.syscalls === null ? [] : [["system calls", String(server.syscalls)] as const]),
    ["process", String(server.pid)],
  ];
}

function settingFacts({
  setting,
  elapsed_s: elapsed,
}: BenchReport): readonly (readonly [string, string])[] {
  const shown = setting.files
    .slice(0, FILES_SHOWN)
    .map(({ url, weight }) =>
      setting.files.length === 1 ? url : `${url} (weight ${Number(weight.toPrecision(3))})`,
    );
  const more = setting.files.length - shown.length;
  const asked = setting.options.map((options) => (options === "" ? "no options" : options));
  return [
    [
      setting.direction === "get" ? "files" : "written",
      [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join("; "),
    ],
    ["asked for", asked.join("; ")],
    [
      "clients",
      `${setting.clients} at a time${setting.from === null ? "" : `, from ${setting.from}`}`,
    ],
    [
      "arrivals",
      setting.rate_per_s === null
        ? setting.arrivals
        : `${setting.arrivals}, ${setting.rate_per_s} a second`,
    ],
    ["took", formatDuration(elapsed * 1e6)],
    [
      "network",
      `${setting.loss_percent} % lost each way, ${setting.delay_ms} ms longer round trip, ${setting.churn_percent} % of the clients vanish`,
    ],
    ["patience", `${setting.timeout_s} s, then ${setting.retries} repetitions of a request`],
    ["SHA-256", setting.verified ? "compared" : "not compared; lengths were"],
    ["seed", String(setting.seed)],
  ];
}

function otherFacts({
  transfers,
  repeated,
  lost,
  client,
}: BenchReport): readonly (readonly [string, string])[] {
  return [
    [
      "repeated",
      `${repeated.requests} requests, ${repeated.blocks} blocks; ${repeated.timeouts} waits without an answer`,
    ],
    [
      "dropped here",
      `${lost.out} packets that went, ${lost.in} that came; the kernel did not take ${lost.unsent}`,
    ],
    [
      "other ends",
      `${transfers.vanished} vanished as they were told to, ${transfers.cancelled} cancelled`,
    ],
    ["began late", `${transfers.late}, because all clients or this machine were busy`],
    ["most at a time", String(transfers.active_max)],
    [
      "this client",
      `${client.cpu_s.toFixed(3)} s of processor time, ${formatBytes(client.rss_bytes_peak)} of memory at its peak`,
    ],
  ];
}
