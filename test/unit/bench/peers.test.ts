// What the comparison with other servers makes of its runs: which figures count, who is best, which targets are met, and that tables and charts say the
// same. Made-up runs; that real ones can be made is shown by test/e2e/bench-peers.test.ts.

import { describe, expect, test } from "bun:test";

import { replaceBetween } from "../../../bench/page.ts";
import { chartsOf } from "../../../bench/peers/charts.ts";
import { type Envelope, envelopeOf, messagesOf } from "../../../bench/peers/envelope.ts";
import {
  bestOf,
  figuresOf,
  figureText,
  type RowFigures,
  verdictsOf,
  winsOfPeers,
} from "../../../bench/peers/figures.ts";
import type { Prices } from "../../../bench/peers/prices.ts";
import { type Row, rowName, rows, shrunk, type Target } from "../../../bench/peers/rows.ts";
import type { Run } from "../../../bench/peers/run.ts";
import { figureTable, shortTable, targetTable } from "../../../bench/peers/tables.ts";

const [first] = rows;
if (first === undefined) throw new Error("there are rows");

/** A run that served a GB to 64 clients at the price of `cpuSeconds`. */
function run(cpuSeconds: number, changes: Partial<Run> = {}): Run {
  return {
    cpuSeconds,
    seconds: 2,
    bytes: 1e9,
    transfers: 64,
    completed: 64,
    retransmits: 0,
    p50Ms: 10,
    p99Ms: 20,
    loadSeconds: cpuSeconds / 2,
    loadKernelSeconds: cpuSeconds / 4,
    rssBytesIdle: 1e6,
    rssBytesOverIdle: 64 * 1024,
    isFinished: true,
    hasCrashed: false,
    ...changes,
  };
}

/** Ours at 1 s/GB, one peer at `peer`, the floor at `floor`. */
function rowOf(peer: Run, floor: Run, targets: readonly Target[]): RowFigures {
  const row: Row = { ...(first as Row), targets };
  return {
    row,
    ours: figuresOf("snow-owl-tftp", 16, [run(1)]),
    peers: [figuresOf("atftpd", 16, [peer])],
    floor: figuresOf("floor", 16, [floor]),
  };
}

describe("of several runs", () => {
  test("the cheapest and the fastest count, durations are medians, failures are summed", () => {
    const runs = [
      run(3, { seconds: 1, p99Ms: 30 }),
      run(2, { completed: 63, p99Ms: 10 }),
      run(4, { p99Ms: 20 }),
    ];
    expect(figuresOf("x", 1, runs)).toMatchObject({
      cpuSecondsPerGb: 2,
      megabytesPerSecond: 1000,
      p99Ms: 20,
      failed: 1,
      rssBytesPerTransfer: 1024,
      isFinished: true,
    });
  });

  test("one that was broken off makes the server one that did not finish", () => {
    const runs = [run(1), run(0.1, { isFinished: false, completed: 3, bytes: 5 })];
    const figures = figuresOf("x", 1, runs);
    expect(figures).toMatchObject({ isFinished: false, cpuSecondsPerGb: 1 });
    expect(figureText(first, figures, "cost")).toBe("did not finish");
    expect(figureText(first, { ...figures, hasCrashed: true }, "speed")).toBe("crashed");
  });
});

describe("a target", () => {
  const cheaper: Target = { against: "peers", of: "cost", factor: 2 };
  const close: Target = { against: "floor", of: "cost", factor: 1.1 };

  test("is met or not by the ratio to the best peer and to the floor", () => {
    const met = verdictsOf(rowOf(run(2.5), run(0.95), [cheaper, close]));
    expect(met.map(({ isMet }) => isMet)).toEqual([true, true]);
    expect(met.map(({ measured }) => measured)).toEqual(["2.5 × less than atftpd", "1.05 ×"]);
    // What the floor would reach is told where a peer is the measure.
    expect(met.map(({ floors }) => floors)).toEqual(["2.6 ×", undefined]);
    const missed = verdictsOf(rowOf(run(1.5), run(0.5), [cheaper, close]));
    expect(missed.map(({ isMet }) => isMet)).toEqual([false, false]);
  });

  test("is not lost to a peer that failed, and not won by ours if it did", () => {
    const half = run(0.1, { completed: 32 });
    expect(verdictsOf(rowOf(half, run(1), [cheaper]))[0]).toMatchObject({
      measured: "no peer completed it",
      isMet: true,
    });
    const figures = rowOf(run(9), run(1), [cheaper, close, { against: "all complete" }]);
    const ours = figuresOf("snow-owl-tftp", 16, [run(1, { completed: 63 })]);
    expect(verdictsOf({ ...figures, ours }).map(({ isMet }) => isMet)).toEqual([
      false,
      false,
      false,
    ]);
  });

  test("of speed is met by more, of duration by less, of memory by bytes per transfer", () => {
    const peer = run(1, { seconds: 4, p99Ms: 80 });
    const targets: readonly Target[] = [
      { against: "peers", of: "speed", factor: 2 },
      { against: "floor", of: "speed", factor: 0.85 },
      { against: "peers", of: "p99", factor: 4 },
      { against: "memory", bytesPerTransferMax: 1024 },
      { against: "memory", bytesPerTransferMax: 1023 },
    ];
    const verdicts = verdictsOf(rowOf(peer, run(1, { seconds: 2.2 }), targets));
    expect(verdicts.map(({ isMet }) => isMet)).toEqual([true, true, true, true, false]);
  });
});

test("the best is the cheapest of those that completed everything", () => {
  const all = [
    figuresOf("a", 1, [run(3)]),
    figuresOf("b", 1, [run(1, { completed: 0, isFinished: false })]),
    figuresOf("c", 1, [run(2)]),
  ];
  expect(bestOf(first, all, "cost")?.server).toBe("c");
});

test("where a peer is ahead is said for each aspect", () => {
  const ahead = rowOf(run(0.5, { seconds: 1 }), run(1), []);
  expect(winsOfPeers([ahead])).toEqual([
    `atftpd, CPU, ${rowName(ahead.row)}: 0.500 s/GB against 1.00 s/GB`,
    `atftpd, speed, ${rowName(ahead.row)}: 1000 MB/s against 500 MB/s`,
  ]);
  expect(winsOfPeers([rowOf(run(1.5), run(1), [])])).toEqual([]);
});

test("tables have a line for each server and target, with as many cells as their head", () => {
  const figures = rowOf(run(2.5), run(1), [{ against: "all complete" }]);
  const tables = [figureTable([figures]), targetTable([figures]), shortTable([figures])];
  expect(tables.map((table) => table.split("\n").length)).toEqual([5, 3, 3]);
  for (const table of tables) {
    const cells = table.split("\n").map((line) => line.split("|").length);
    expect(new Set(cells).size).toBe(1);
  }
  expect(tables[2]).toContain("2.50 s/GB (atftpd) | 2.5 ×");
});

test("charts are well-formed, in two themes, with a bar for each server as long as its figure says", () => {
  const charts = chartsOf([rowOf(run(2), run(0.5), [])]);
  expect(charts.map(({ name }) => name)).toEqual(["peers-cpu-light", "peers-cpu-dark"]);
  for (const { svg } of charts) {
    const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) =>
      Number(width),
    );
    expect(widths).toHaveLength(3);
    const [ours = 0, peer = 0, floor = 0] = widths;
    expect(peer / ours).toBeCloseTo(2, 1);
    expect(ours / floor).toBeCloseTo(2, 1);
    const opened = [...svg.matchAll(/<(\w+)/g)].length;
    const closed = [...svg.matchAll(/<\/\w+>|\/>/g)].length;
    expect(opened).toBe(closed);
  }
});

describe("the back of an envelope", () => {
  const price = { sendUs: 2, receiveUs: 1, sendAloneUs: 3, receiveAloneUs: 2 };
  const messages = Object.fromEntries(messagesOf(rows).map((key) => [key, price]));
  const prices: Prices = { messages, fileUs: 6, missUs: 0.5 };
  const of = (part: string): Envelope | undefined => {
    const row = rows.find((each) => rowName(each).includes(part));
    return row === undefined ? undefined : envelopeOf(row, prices);
  };

  test("asks for every message that a window is made of", () => {
    expect(messagesOf(rows)).toEqual([
      "1 × 4",
      "16 × 1432",
      "7 × 8196",
      "2 × 8196",
      "1 × 1432",
      "45 × 1432",
      "19 × 1432",
      "8 × 1432",
      "1 × 516",
    ]);
  });

  test("counts windows, ACKs and what begins a transfer", () => {
    // 32 MiB are 1,469 windows of 16 blocks, each for 2 + 1 µs, and a request with its OACK for 3.
    const bytes = 32 * 1024 * 1024;
    expect(of("blksize 1428, windowsize 16")?.value).toBeCloseTo((1469 * 3 + 3) / (bytes / 1e3), 6);
    // 64 KiB are 46 blocks.
    expect(of("64 KiB, 200 at a time, blksize 1428, lockstep")?.value).toBe(46 * 3 + 3 + 6);
    expect(of("not there")?.value).toBe(3.5);
  });

  test("has a single client and its server wait for each other", () => {
    expect(of("1 × 256 MiB, blksize 1428, lockstep")?.value).toBeCloseTo(1428 / 10, 6);
    // 64 blocks are a message of 45 and one of 19.
    expect(of("1 × 256 MiB, blksize 1428, windowsize 64")?.value).toBeCloseTo((64 * 1428) / 15, 6);
  });

  test("says nothing of uploads", () => {
    expect(of("uploads")).toBeUndefined();
  });
});

test("only large files shrink", () => {
  expect(rows.map((row) => shrunk(row, 0.5).fileBytes / row.fileBytes)).toEqual(
    rows.map(({ fileBytes }) => (fileBytes === 0 ? Number.NaN : fileBytes > 8e6 ? 0.5 : 1)),
  );
});

test("what stands between the markers of a page is replaced, and nothing else", () => {
  const page = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n";
  expect(replaceBetween(page, "x", "new")).toBe(
    "a\n<!-- x: begin -->\n\nnew\n\n<!-- x: end -->\nb\n",
  );
  expect(() => replaceBetween(page, "y", "new")).toThrow("markers of y");
});
