// The tables and sentences of the comparison, in Markdown (bench). Pure.
// Nothing here is typed that could be measured: every figure, and who is ahead, comes from figures.ts.

import { markdownTable } from "../page.ts";
import {
  bestOf,
  type Figures,
  figureText,
  mainAspect,
  type RowFigures,
  timesBetter,
  verdictsOf,
  winsOfPeers,
} from "./figures.ts";
import { rowName } from "./rows.ts";

const MIB = 1024 * 1024;

/** Target, what was measured of ours and, against peers, of the floor, and whether it is met. */
export function targetTable(all: readonly RowFigures[]): string {
  const lines = all.flatMap((figures) =>
    verdictsOf(figures).map(({ row, target, measured, floors, isMet }, index) => [
      index === 0 ? rowName(row) : "",
      target,
      measured,
      floors ?? "–",
      isMet ? "yes" : "**no**",
    ]),
  );
  return markdownTable(["load", "target", "measured", "the floor", "met"], lines, 5);
}

/** All that was measured: a line for each server in each row, and for the floor. */
export function figureTable(all: readonly RowFigures[]): string {
  const head = [
    "load",
    "server",
    "windowsize",
    "CPU s/GB",
    "CPU µs/transfer",
    "× ours",
    "MB/s",
    "p50 ms",
    "p99 ms",
    "load's CPU",
    "in the kernel",
    "RSS over idle MiB",
    "KiB/transfer",
    "failed",
    "client timeouts",
  ];
  const lines: string[][] = [];
  for (const figures of all) {
    const { row, ours, peers, floor } = figures;
    let name = rowName(row);
    for (const each of [ours, ...peers, ...(floor === undefined ? [] : [floor])]) {
      lines.push([name, ...figureCells(figures, each)]);
      name = "";
    }
  }
  return markdownTable(head, lines, 2);
}

function figureCells({ row, ours }: RowFigures, each: Figures): string[] {
  const window = row.kind === "miss" || each.windowBlocks === 1 ? "–" : String(each.windowBlocks);
  // Elsewhere it was warmed up by as many clients, and holds already what they take.
  const memory =
    row.measure === "memory"
      ? [(each.rssBytesOverIdle / MIB).toFixed(1), (each.rssBytesPerTransfer / 1024).toFixed(1)]
      : ["–", "–"];
  const ends = [String(each.failed), String(each.retransmits)];
  if (!each.isFinished) {
    return [
      each.server,
      window,
      figureText(row, each, "cost"),
      ...Array.from({ length: 7 }, () => "–"),
      ...memory,
      ...ends,
    ];
  }
  const isMiss = row.kind === "miss";
  return [
    each.server,
    window,
    isMiss ? "–" : each.cpuSecondsPerGb.toFixed(3),
    each.cpuUsPerTransfer.toFixed(each.cpuUsPerTransfer < 100 ? 1 : 0),
    (1 / timesBetter(row, each, ours, mainAspect(row))).toFixed(2),
    isMiss ? "–" : each.megabytesPerSecond.toFixed(0),
    each.p50Ms.toFixed(1),
    each.p99Ms.toFixed(1),
    `${each.loadShare.toFixed(2)} ×`,
    `${(each.loadKernelShare * 100).toFixed(0)} %`,
    ...memory,
    ...ends,
  ];
}

/** Where a peer is ahead, and what each holds when it has nothing to do. */
export function winsText(all: readonly RowFigures[]): string {
  const wins = winsOfPeers(all);
  const text =
    wins.length === 0
      ? "In this run no peer is ahead in any load, in CPU time, speed or duration."
      : `A peer is ahead in:\n\n${wins.map((win) => `- ${win}`).join("\n")}`;
  return `${text}\n\n${idleText(all)}`;
}

/** Idle memory, from the first row: every server is in it. */
function idleText(all: readonly RowFigures[]): string {
  const [first] = all;
  if (first === undefined) return "";
  const held = [first.ours, ...first.peers].map(
    ({ server, rssBytesIdle }) => `${server} ${(rssBytesIdle / MIB).toFixed(1)} MiB`,
  );
  return `Resident memory before the first row's load, warmed up: ${held.join(", ")}.`;
}

/** For README: the main figure of each row of which something is asked, ours beside the best of the peers. */
export function shortTable(all: readonly RowFigures[]): string {
  const asked = all.filter(({ row }) => row.targets.length > 0);
  const lines = asked.map((figures) => {
    const { row, ours, peers } = figures;
    const aspect = mainAspect(row);
    const best = bestOf(row, peers, aspect);
    const text = (each: Figures): string => figureText(row, each, aspect);
    return [
      rowName(row),
      aspect === "speed" ? "speed" : "server CPU",
      text(ours),
      best === undefined ? "none completed it" : `${text(best)} (${best.server})`,
      best === undefined ? "–" : `${timesBetter(row, ours, best, aspect).toFixed(1)} ×`,
    ];
  });
  return markdownTable(["load", "", "snow-owl-tftp", "best of the others", "better by"], lines, 2);
}
