// Two executables of the server under the same loads, in turn (bench): whether a change made reads dearer.
// Each pair of runs is taken one right after the other, in alternating order, each in a process of its own, warm or cold:
// in its first seconds the engine compiles, on threads whose time counts, and more code takes it longer.

import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { homedir } from "node:os";
import { resolve } from "node:path";

import { measure } from "./measure.ts";
import { markdownTable } from "./page.ts";
import { loadName, standard } from "./scenarios.ts";
import { Files, startServer } from "./server-run.ts";

/** Server CPU seconds per 10⁹ bytes of payload of both executables under one load; the least and the median of all pairs. */
export interface ComparisonRow {
  readonly load: string;
  /** The older executable, by its commit or path. */
  readonly before: string;
  readonly pairs: number;
  readonly beforeLeast: number;
  readonly afterLeast: number;
  readonly beforeMedian: number;
  readonly afterMedian: number;
  /** The median of after ÷ before within a pair, which a machine that changes from minute to minute disturbs least. */
  readonly ratioMedian: number;
  /** In how many pairs the new executable cost more: about half of them if nothing changed. */
  readonly pairsDearer: number;
}

const root: string = resolve(import.meta.dir, "..");
const MIB = 1024 * 1024;
/** Windows by GSO, and lockstep, where whatever a request or a packet costs shows most. */
const loads = [
  { clients: 64, fileMib: 32, blockBytes: 1428, windowBlocks: 16, variant: standard, warmRuns: 5 },
  { clients: 64, fileMib: 16, blockBytes: 1428, windowBlocks: 1, variant: standard, warmRuns: 3 },
  { clients: 64, fileMib: 32, blockBytes: 1428, windowBlocks: 16, variant: standard, warmRuns: 0 },
] as const;

/** Runs the loads whose names contain `only`; rows come as they are done. */
export async function* compare(
  name: string,
  after: string,
  pairs: number,
  only: string,
): AsyncGenerator<ComparisonRow> {
  const before = await executableOf(name);
  const files = await Files.create();
  try {
    for (const load of loads) {
      const loadText = `${loadName(load)}, ${load.warmRuns > 0 ? "warm" : "cold"}`;
      if (!loadText.includes(only)) continue;
      const befores: number[] = [];
      const afters: number[] = [];
      for (let pair = 0; pair < pairs; pair += 1) {
        const isReversed = pair % 2 === 1;
        if (isReversed) afters.push(await costOf(after, files, load));
        befores.push(await costOf(before, files, load));
        if (!isReversed) afters.push(await costOf(after, files, load));
      }
      const ratios = afters.map((cost, pair) => cost / (befores[pair] ?? Number.NaN));
      yield {
        load: loadText,
        before: name,
        pairs,
        beforeLeast: Math.min(...befores),
        afterLeast: Math.min(...afters),
        beforeMedian: median(befores),
        afterMedian: median(afters),
        ratioMedian: median(ratios),
        pairsDearer: ratios.filter((ratio) => ratio > 1).length,
      };
    }
  } finally {
    await files.remove();
  }
}

/** A file as it is; anything else is a commit, which is built once and kept in the cache folder. */
async function executableOf(name: string): Promise<string> {
  if (existsSync(name)) return name;
  const commit = (await output(["git", "rev-parse", "--verify", `${name}^{commit}`], root)).trim();
  const path = `${cacheFolder()}/builds/${commit}`;
  if (existsSync(path)) return path;
  const workshop = `${path}-${process.pid}`;
  await output(["git", "worktree", "add", "--detach", workshop, commit], root);
  try {
    await output([process.execPath, "install", "--frozen-lockfile", "--silent"], workshop);
    await output([process.execPath, "build.ts"], workshop);
    await rename(`${workshop}/dist/snow-owl-tftp`, path);
  } finally {
    await output(["git", "worktree", "remove", "--force", workshop], root);
  }
  return path;
}

function cacheFolder(): string {
  return `${process.env["XDG_CACHE_HOME"] ?? `${homedir()}/.cache`}/snow-owl-tftp`;
}

/** What `command` prints; throws what it complains of. */
async function output(command: readonly string[], folder: string): Promise<string> {
  const child = Bun.spawn([...command], { cwd: folder, stdout: "pipe", stderr: "pipe" });
  const [text, complaint] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")}: ${complaint.trim()}`);
  return text;
}

/** One process: the load as often as it takes until the engine compiles no more, then once for the clock. */
async function costOf(binary: string, files: Files, load: (typeof loads)[number]): Promise<number> {
  const { clients, fileMib, blockBytes, windowBlocks, variant } = load;
  const fileBytes = fileMib * MIB;
  const file = await files.named(fileBytes);
  const server = await startServer(binary, files, variant);
  try {
    const plan = {
      port: server.port,
      clients,
      file,
      fileBytes,
      blockBytes,
      windowBlocks,
      endless: false,
      sha256: "",
    };
    for (let warm = 0; warm < load.warmRuns; warm += 1) await measure(server, plan);
    const run = await measure(server, plan);
    if (run.failed > 0) throw new Error(`${loadName(load)}: ${run.failed} transfers failed`);
    return (run.cpuSeconds / run.bytes) * 1e9;
  } finally {
    await server.stop();
  }
}

/** The table as Markdown. */
export function comparisonTableOf(rows: readonly ComparisonRow[]): string {
  const head = [
    "load",
    "before",
    "pairs",
    "before: least",
    "median",
    "after: least",
    "median",
    "median of the ratios",
    "dearer in",
  ];
  const lines = rows.map((row) => [
    row.load,
    row.before,
    String(row.pairs),
    row.beforeLeast.toFixed(3),
    row.beforeMedian.toFixed(3),
    row.afterLeast.toFixed(3),
    row.afterMedian.toFixed(3),
    row.ratioMedian.toFixed(3),
    `${row.pairsDearer} of ${row.pairs}`,
  ]);
  return markdownTable(head, lines, 2);
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  return ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2;
}
