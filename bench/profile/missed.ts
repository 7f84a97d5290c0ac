// Why targets are missed (bench): from the page which, and from profiles of ours and of the floor where the difference between them goes. Pure.
// Every figure of the section comes from here.

import { markdownTable } from "../page.ts";
import type { Row } from "../peers/rows.ts";
import { rowName, rows, shrunk } from "../peers/rows.ts";
import {
  callOf,
  isOfMainThread,
  type Kind,
  kindOf,
  KINDS,
  NO_CALL,
  samplesIn,
  sharesBy,
} from "./kinds.ts";
import { dearestOf, type Stack } from "./stacks.ts";

/** A row of which a target was missed, with these words for each: `CPU: ≤ 1.1 × the floor: 1.47 ×`. */
export interface Missed {
  readonly row: Row;
  readonly targets: readonly string[];
}

/** What one server spent in one row, in all of its profiled runs. */
export interface Spent {
  /** CPU time, in the row's unit: microseconds per transfer, or seconds per 10⁹ bytes. */
  readonly cost: number;
  readonly stacks: readonly Stack[];
  /** Context switches per run. */
  readonly waits: number;
  readonly preemptions: number;
}

export interface Account extends Missed {
  readonly ours: Spent;
  /** Undefined: the row has none. */
  readonly floor: Spent | undefined;
}

/** The rows of the comparison's table of targets in `page` that say no. The table names loads; whether they were halved is seen by that. */
export function missedIn(page: string): readonly Missed[] {
  const [, table = ""] =
    /<!-- peers-targets: begin -->(.*?)<!-- peers-targets: end -->/s.exec(page) ?? [];
  const byName = new Map(
    [...rows, ...rows.map((row) => shrunk(row, 0.5))].map((row) => [rowName(row), row]),
  );
  const missed = new Map<Row, string[]>();
  let current: Row | undefined;
  for (const line of table.split("\n")) {
    // The last cell is the verdict; of the floor the table tells in one of its own.
    const cells = line.split("|").map((cell) => cell.trim());
    const [, load = "", target = "", measured = "", floors = "–"] = cells;
    if (load !== "") current = byName.get(load);
    if (cells.at(-2) !== "**no**") continue;
    if (current === undefined) throw new Error(`the comparison knows no load like that: ${line}`);
    const beside = /^\d/.test(floors) ? ` (the floor: ${floors})` : "";
    const text = `${target}: ${measured}${beside}`;
    missed.set(current, [...(missed.get(current) ?? []), text]);
  }
  return [...missed].map(([row, targets]) => ({ row, targets }));
}

/** All the tables of the section. */
export function missedTables(accounts: readonly Account[]): string {
  return [sharesTable(accounts), shortfallTable(accounts), placesTable(accounts)].join("\n\n");
}

/** What the CPU time of ours was spent on. */
function sharesTable(accounts: readonly Account[]): string {
  const head = [
    "load",
    "missed",
    "kernel",
    "our code",
    "engine",
    "of it compiling",
    "collecting",
    "passing records",
    "main thread",
    "waits",
    "preemptions",
    "samples",
  ];
  const lines = accounts.map(({ row, targets, ours }) => {
    const shares = sharesBy(ours.stacks, kindOf);
    const of = (kind: Kind): number => shares.get(kind) ?? 0;
    const main = sharesBy(ours.stacks, (stack) => (isOfMainThread(stack) ? "main" : undefined));
    return [
      rowName(row),
      targets.join("; "),
      percent(of("kernel")),
      percent(of("our code")),
      percent(1 - of("kernel") - of("our code")),
      percent(of("compiling")),
      percent(of("collecting")),
      percent(of("passing records")),
      percent(main.get("main") ?? 0),
      ours.waits.toFixed(0),
      ours.preemptions.toFixed(0),
      String(samplesIn(ours.stacks)),
    ];
  });
  return markdownTable(head, lines, 2);
}

/** What ours costs more than the floor, and what that is spent on: the last columns add up to the one before them. */
function shortfallTable(accounts: readonly Account[]): string {
  const kinds = KINDS.filter((kind) => kind !== "kernel");
  const head = [
    "load",
    "unit",
    "ours",
    "floor",
    "ours − floor",
    "in the floor's calls",
    "in other calls",
    "in no call",
    ...kinds.map((kind) => (kind === "engine" ? "engine, the rest" : kind)),
  ];
  const lines = accounts.map(({ row, ours, floor }) => {
    const digits = isPerTransfer(row) ? 2 : 3;
    const more = (costOf: (spent: Spent) => number): string =>
      signed(costOf(ours) - (floor === undefined ? 0 : costOf(floor)), digits);
    const floors = new Set(floor === undefined ? [] : callCosts(floor).keys());
    floors.delete(NO_CALL);
    const inCalls = (isWanted: (call: string) => boolean): string =>
      more((spent) =>
        sum([...callCosts(spent)].filter(([call]) => isWanted(call)).map(([, cost]) => cost)),
      );
    return [
      rowName(row),
      isPerTransfer(row) ? "µs/transfer" : "s/GB",
      ours.cost.toFixed(digits),
      floor?.cost.toFixed(digits) ?? "none",
      more(({ cost }) => cost),
      inCalls((call) => floors.has(call)),
      inCalls((call) => call !== NO_CALL && !floors.has(call)),
      inCalls((call) => call === NO_CALL),
      ...kinds.map((kind) =>
        more((spent) => (sharesBy(spent.stacks, kindOf).get(kind) ?? 0) * spent.cost),
      ),
    ];
  });
  return markdownTable(head, lines, 2);
}

/** The dearest system calls, ours beside the floor's, and the dearest of our functions with all that they call elsewhere. */
function placesTable(accounts: readonly Account[]): string {
  const head = [
    "load",
    "system calls: ours, floor",
    "our functions, with the calls they make elsewhere",
  ];
  const lines = accounts.map(({ row, ours, floor }) => {
    const digits = isPerTransfer(row) ? 2 : 3;
    const theirs = floor === undefined ? undefined : callCosts(floor);
    const calls = largest(callCosts(ours), 6).map(([call, cost]) => {
      const least = theirs === undefined ? "–" : (theirs.get(call) ?? 0).toFixed(digits);
      return `${call} ${cost.toFixed(digits)}, ${least}`;
    });
    const functions = dearestOf(ours.stacks, 6).map(
      ([name, share]) => `\`${name}\` ${percent(share)}`,
    );
    return [rowName(row), calls.join("; "), functions.join(", ")];
  });
  return markdownTable(head, lines, 3);
}

function callCosts({ stacks, cost }: Spent): ReadonlyMap<string, number> {
  return new Map([...sharesBy(stacks, callOf)].map(([call, share]) => [call, share * cost]));
}

function largest(
  costs: ReadonlyMap<string, number>,
  count: number,
): readonly (readonly [string, number])[] {
  return [...costs].toSorted(([, left], [, right]) => right - left).slice(0, count);
}

export function isPerTransfer({ measure }: Row): boolean {
  return measure === "cost of a transfer";
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function signed(value: number, digits: number): string {
  const text = Math.abs(value).toFixed(digits);
  return Number(text) === 0 ? text : `${value < 0 ? "−" : "+"}${text}`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
