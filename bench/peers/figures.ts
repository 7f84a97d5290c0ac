// What the runs say (bench): of several runs of one server the figures that count, of several servers the best, and of each target whether it is
// met. Pure: everything on the page that is a number or a verdict comes from here.

import { median } from "../compare.ts";
import { type Aspect, type Row, rowName, type Target } from "./rows.ts";
import type { Run } from "./run.ts";

/** One server in one row. */
export interface Figures {
  readonly server: string;
  /** What its clients asked for. */
  readonly windowBlocks: number;
  /** The least of the runs: what disturbs one can only add to it. Seconds per 10⁹ bytes, and microseconds per transfer. */
  readonly cpuSecondsPerGb: number;
  readonly cpuUsPerTransfer: number;
  /** Of the fastest run, for the same reason. */
  readonly megabytesPerSecond: number;
  /** Medians of the runs. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly rssBytesIdle: number;
  readonly rssBytesOverIdle: number;
  readonly rssBytesPerTransfer: number;
  /** CPU time of the load for each second of the server's, and how much of it was in the kernel. Medians. */
  readonly loadShare: number;
  readonly loadKernelShare: number;
  /** Of all runs. */
  readonly failed: number;
  readonly retransmits: number;
  /** False: one of its runs was broken off at the limit, and what it would have cost is not known. */
  readonly isFinished: boolean;
  readonly hasCrashed: boolean;
}

/** One row with all that was measured in it. */
export interface RowFigures {
  readonly row: Row;
  readonly ours: Figures;
  readonly peers: readonly Figures[];
  readonly floor: Figures | undefined;
}

/** A target and what became of it. */
export interface Verdict {
  readonly row: Row;
  /** `CPU: ≥ 10 × less than the best peer`. */
  readonly target: string;
  /** `12.4 × less than atftpd`. */
  readonly measured: string;
  /** What the floor would reach of a target against a peer: `11.2 ×`. Undefined where there is none, or it is the target. */
  readonly floors: string | undefined;
  readonly isMet: boolean;
}

export function figuresOf(server: string, windowBlocks: number, runs: readonly Run[]): Figures {
  const whole = runs.filter((run) => run.isFinished && run.completed > 0);
  const least = (of: (run: Run) => number): number => Math.min(...whole.map(of));
  return {
    server,
    windowBlocks,
    cpuSecondsPerGb: least((run) => (run.cpuSeconds / run.bytes) * 1e9),
    cpuUsPerTransfer: least((run) => (run.cpuSeconds / run.completed) * 1e6),
    megabytesPerSecond: Math.max(...whole.map((run) => run.bytes / run.seconds / 1e6)),
    p50Ms: median(whole.map((run) => run.p50Ms)),
    p99Ms: median(whole.map((run) => run.p99Ms)),
    rssBytesIdle: median(runs.map((run) => run.rssBytesIdle)),
    rssBytesOverIdle: median(runs.map((run) => run.rssBytesOverIdle)),
    rssBytesPerTransfer: median(runs.map((run) => run.rssBytesOverIdle / run.transfers)),
    loadShare: median(whole.map((run) => run.loadSeconds / run.cpuSeconds)),
    loadKernelShare: median(whole.map((run) => run.loadKernelSeconds / run.loadSeconds)),
    failed: runs.reduce((sum, run) => sum + run.transfers - run.completed, 0),
    retransmits: runs.reduce((sum, run) => sum + run.retransmits, 0),
    isFinished: whole.length === runs.length,
    hasCrashed: runs.some(({ hasCrashed }) => hasCrashed),
  };
}

/** What is compared first in a row: the more of a speed, the less of anything else. */
export function mainAspect(row: Row): Aspect {
  return row.measure === "speed" ? "speed" : "cost";
}

/** The number that `aspect` names, in the unit of the row. */
export function valueOf(row: Row, figures: Figures, aspect: Aspect): number {
  if (aspect === "speed") return figures.megabytesPerSecond;
  if (aspect === "p99") return figures.p99Ms;
  return row.measure === "cost of a transfer" ? figures.cpuUsPerTransfer : figures.cpuSecondsPerGb;
}

/** The best of `candidates` in `aspect`, of those that finished with every transfer complete. Undefined: none did. */
export function bestOf(
  row: Row,
  candidates: readonly Figures[],
  aspect: Aspect,
): Figures | undefined {
  const sign = aspect === "speed" ? -1 : 1;
  return candidates
    .filter((each) => each.isFinished && each.failed === 0)
    .toSorted(
      (left, right) => sign * (valueOf(row, left, aspect) - valueOf(row, right, aspect)),
    )[0];
}

/** How many times better `ours` is than `other`; less than 1 where it is worse. */
export function timesBetter(row: Row, ours: Figures, other: Figures, aspect: Aspect): number {
  const ratio = valueOf(row, other, aspect) / valueOf(row, ours, aspect);
  return aspect === "speed" ? 1 / ratio : ratio;
}

const SUBJECT: Readonly<Record<Aspect, string>> = { cost: "CPU", speed: "speed", p99: "p99" };
const BETTER: Readonly<Record<Aspect, string>> = { cost: "less", speed: "more", p99: "shorter" };

export function verdictsOf(figures: RowFigures): readonly Verdict[] {
  return figures.row.targets.map((target) => verdictOf(figures, target));
}

function verdictOf(figures: RowFigures, target: Target): Verdict {
  const { row, ours, floor } = figures;
  const floors = undefined;
  const isWhole = ours.isFinished && ours.failed === 0;
  if (target.against === "all complete") {
    const measured = `${ours.failed} failed`;
    return { row, target: "all complete", measured, floors, isMet: isWhole };
  }
  if (target.against === "memory") {
    const kib = ours.rssBytesPerTransfer / 1024;
    return {
      row,
      target: `memory: ≤ ${target.bytesPerTransferMax / 1024} KiB per transfer`,
      measured: `${kib.toFixed(1)} KiB`,
      floors,
      isMet: isWhole && ours.rssBytesPerTransfer <= target.bytesPerTransferMax,
    };
  }
  const { of, factor } = target;
  if (target.against === "floor") {
    const ratio =
      floor === undefined ? Number.NaN : valueOf(row, ours, of) / valueOf(row, floor, of);
    const isMet = isWhole && (of === "speed" ? ratio >= factor : ratio <= factor);
    const sense = of === "speed" ? "≥" : "≤";
    const measured = `${ratio.toFixed(2)} ×`;
    const text = `${SUBJECT[of]}: ${sense} ${factor} × the floor`;
    return { row, target: text, measured, floors, isMet };
  }
  return peerVerdict(figures, of, factor, target.peer, isWhole);
}

function peerVerdict(
  { row, ours, peers, floor }: RowFigures,
  of: Aspect,
  factor: number,
  name: string | undefined,
  isWhole: boolean,
): Verdict {
  const text = `${SUBJECT[of]}: ≥ ${factor} × ${BETTER[of]} than ${name ?? "the best peer"}`;
  const rivals = name === undefined ? peers : peers.filter(({ server }) => server === name);
  const best = bestOf(row, rivals, of);
  if (best === undefined) {
    const measured = "no peer completed it";
    return { row, target: text, measured, floors: undefined, isMet: isWhole };
  }
  const times = timesBetter(row, ours, best, of);
  const measured = `${times.toFixed(1)} × ${BETTER[of]} than ${best.server}`;
  const floors =
    floor === undefined ? undefined : `${timesBetter(row, floor, best, of).toFixed(1)} ×`;
  return { row, target: text, measured, floors, isMet: isWhole && times >= factor };
}

/** Every row, server and aspect in which a peer is ahead of ours. */
export function winsOfPeers(all: readonly RowFigures[]): readonly string[] {
  return all.flatMap(({ row, ours, peers }) =>
    peers.flatMap((peer) => {
      if (!peer.isFinished || peer.failed > 0) return [];
      return aspectsOf(row)
        .filter((aspect) => timesBetter(row, ours, peer, aspect) < 1)
        .map((aspect) => winText(row, ours, peer, aspect));
    }),
  );
}

/** What can be compared in a row: one client has no speed that the row is not about, and misses carry no bytes. */
function aspectsOf({ kind, transfers }: Row): readonly Aspect[] {
  if (kind === "miss") return ["cost", "p99"];
  return transfers === 1 ? ["cost", "speed"] : ["cost", "speed", "p99"];
}

function winText(row: Row, ours: Figures, peer: Figures, aspect: Aspect): string {
  const texts = [peer, ours].map((each) => figureText(row, each, aspect));
  return `${peer.server}, ${SUBJECT[aspect]}, ${rowName(row)}: ${texts.join(" against ")}`;
}

/** The number that `aspect` names, with its unit; or why there is none. */
export function figureText(row: Row, figures: Figures, aspect: Aspect): string {
  if (!figures.isFinished) return figures.hasCrashed ? "crashed" : "did not finish";
  const value = valueOf(row, figures, aspect);
  if (aspect === "speed") return `${value.toFixed(0)} MB/s`;
  if (aspect === "p99") return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
  return row.measure === "cost of a transfer"
    ? `${value.toFixed(1)} µs`
    : `${value.toFixed(value < 1 ? 3 : 2)} s/GB`;
}
