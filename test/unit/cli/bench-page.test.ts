// Tests of what bench tells people: the summary, and the charts of its page.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

import { escapeHtml, percentileChart, timeChart } from "#cli/bench-charts.ts";
import { benchFiles } from "#cli/bench-files.ts";
import { readBenchLine } from "#cli/bench-flags.ts";
import { benchPage } from "#cli/bench-page.ts";
import { type BenchReport, reportOf } from "#cli/bench-report.ts";
import { benchText, formatTime, liveLine } from "#cli/bench-text.ts";
import { LoadTally } from "#client/load-tally.ts";
import type { ProcessUsage } from "#io/process-usage.ts";

/** A hundred transfers of 1 to 100 ms, one every 10 ms; three that failed and two that vanished. */
function tally(): LoadTally {
  const figures = new LoadTally(0);
  figures.started = 105;
  for (let transfer = 1; transfer <= 100; transfer += 1) {
    const nowUs = transfer * 10_000;
    figures.noteBytes(5000, nowUs);
    figures.firstBlock.record(transfer * 10);
    figures.noteComplete(5000, transfer * 1000, nowUs);
  }
  for (const text of ["<b>no</b>", "<b>no</b>", "gone"]) {
    figures.noteFailure({ cause: "refused", text, errorCode: 2 }, 1_000_000);
  }
  figures.refusal.record(2500);
  figures.noteVanished(5000, 1_000_000);
  figures.noteVanished(5000, 1_000_000);
  return figures;
}

function reportOfRun(figures: LoadTally, server?: ProcessUsage): BenchReport {
  const words = ["tftp://h/<x>", "-c", "10", "-n", "105", "--server-pid", "7"];
  const invocation = readBenchLine(words);
  if ("fault" in invocation) throw new Error(invocation.fault);
  const files = benchFiles(invocation);
  if ("fault" in files) throw new Error(files.fault);
  return reportOf(invocation, files, {
    startedAt: new Date(0),
    figures,
    asked: ["tsize=0"],
    clientBefore: undefined,
    clientAfter: undefined,
    serverBefore: server,
    serverAfter: server,
    serverSyscalls: undefined,
    stopped: "",
  });
}

test("the summary says what came of it", () => {
  expect(benchText(reportOfRun(tally()))).toMatchInlineSnapshot(`
    "get tftp://h/%3Cx%3E: 10 clients at once, 1.000 s
      complete      100 of 105, 100/s
      moved         500 kB, 500 kB/s
      failed        3, 3.0/s
        2 × refused: <b>no</b>
        1 × refused: gone
      vanished      2, as they were told to
      repeated      0 requests, 0 blocks; 0 waits without an answer

                         p50       p90       p95       p99     p99.9       max
      whole file     50.0 ms   90.0 ms   95.0 ms   99.0 ms    100 ms    100 ms
      first block     500 µs    900 µs    950 µs    990 µs   1.00 ms   1.00 ms
      refusal        2.50 ms   2.50 ms   2.50 ms   2.50 ms   2.50 ms   2.50 ms

      this client   0.000 s of CPU"
  `);
});

test("the line that moves says how it goes", () => {
  expect(liveLine(tally(), 7, 2_000_000)).toBe(
    "2.000 s  7 active  100 complete  3 failed  2 vanished  250 kB/s  p99 99.0 ms",
  );
});

test("times have three digits", () => {
  expect([0, 1, 420, 12_345, 999_400, 999_600, 12_345_678].map(formatTime)).toEqual([
    "0 µs",
    "1 µs",
    "420 µs",
    "12.3 ms",
    "999 ms",
    "1.00 s",
    "12.3 s",
  ]);
});

test("every key of the JSON is in the documentation", () => {
  const page = readFileSync(resolve(import.meta.dir, "../../../docs/bench.md"), "utf8");
  const usage = {
    preciseSeconds: 0,
    userSeconds: 0,
    systemSeconds: 0,
    rssBytes: 0,
    rssBytesPeak: 0,
    switchesVoluntary: 0,
    switchesInvoluntary: 0,
  };
  const { setting, ...rest } = reportOfRun(tally(), usage);
  expect(rest.server?.pid).toBe(7);
  // Those of the setting are the names of flags.
  const keys = [...keysOf(rest), ...Object.keys(rest.failures[0] ?? {}), "setting"];
  expect(keys.filter((key) => !page.includes(`\`${key}\``))).toEqual([]);
  expect(setting.clients).toBe(10);
});

/** The keys of an object and of those in it. */
function keysOf(value: object): readonly string[] {
  const inner = Object.values(value).filter(
    (each: unknown): each is object =>
      typeof each === "object" && each !== null && !Array.isArray(each),
  );
  return Object.keys(value).concat(inner.flatMap(keysOf));
}

describe("the page", () => {
  test("needs nothing else, and takes names for text", () => {
    const page = benchPage(reportOfRun(tally()));
    expect(page).toContain("&lt;b&gt;no&lt;/b&gt;");
    expect(page).not.toContain("<b>no");
    expect(page).not.toContain("<x>");
    expect(page).not.toMatch(/<script|<link|<img|https?:\/\//);
  });

  test("of a run in which nothing happened has no charts", () => {
    const page = benchPage(reportOfRun(new LoadTally(0)));
    expect(page).not.toContain("<svg");
    expect(page).toContain("there is nothing to draw");
  });
});

describe("a chart", () => {
  test("of percentiles climbs from left to right", () => {
    const svg = percentileChart("label", [
      {
        name: "one",
        kind: "a",
        points: [
          [0, 1000],
          [90, 10_000],
          [100, 100_000],
        ],
      },
    ]);
    // From 1 ms at the bottom, by way of 10 ms in the middle and a quarter of the width, to 100 ms.
    expect(svg).toContain('d="M58 186L141 98L390 10"');
    expect(svg).toContain(">10 ms<");
  });

  test("over time has no more columns than can be told apart, and loses nothing", () => {
    const amounts = Array.from({ length: 240 }, () => 5);
    const svg = timeChart("label", 0.5, [{ name: "x", kind: "a", amounts }], String);
    expect(svg.match(/M[\d.]+ 186V10h/g)?.length).toBe(60);
    expect(svg).toContain(">10<");
    expect(svg).toContain(">100 s<");
  });

  test("puts one series on the other", () => {
    const series = [
      { name: "failed", kind: "bad", amounts: [2] },
      { name: "complete", kind: "a", amounts: [8] },
    ] as const;
    const svg = timeChart("label", 1, series, String);
    expect(svg).toContain('<path class="bar bad" d="M58 186V150.8h332V186z"/>');
    expect(svg).toContain('<path class="bar a" d="M58 150.8V10h332V150.8z"/>');
  });
});

test("nothing in a text ends an attribute or a tag", () => {
  expect(escapeHtml(`a<b>&"c"`)).toBe("a&lt;b&gt;&amp;&quot;c&quot;");
});
