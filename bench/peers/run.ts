// One server under one load (bench): started, warmed up, measured, stopped. What it cost and how it went, as plain numbers.

import { existsSync } from "node:fs";
import { chmod, mkdir, rm } from "node:fs/promises";

import type { LoadResult } from "../load.ts";
import { runLoad } from "../measure.ts";
import { Files } from "../server-run.ts";
import type { Row } from "./rows.ts";
import type { Served } from "./servers.ts";

/** What came of it. */
export interface Run {
  /** User and system time of the server, processes of its own included. */
  readonly cpuSeconds: number;
  readonly seconds: number;
  /** Payload. */
  readonly bytes: number;
  readonly transfers: number;
  readonly completed: number;
  readonly retransmits: number;
  /** From a client's request to its end. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time of the load, and how much of that was in the kernel. */
  readonly loadSeconds: number;
  readonly loadKernelSeconds: number;
  /** Resident memory after the warm-up. */
  readonly rssBytesIdle: number;
  /** The most memory during the run, less what the server had before it. */
  readonly rssBytesOverIdle: number;
  /** False: it was broken off at the limit, or the server crashed. */
  readonly isFinished: boolean;
  readonly hasCrashed: boolean;
}

/** How long one run may take. */
export interface Patience {
  readonly limitMs: number;
  /** A server is warmed up, with an eighth of the load and then always more, until so much time has passed. */
  readonly warmMs: number;
  /** It is then measured again, up to {@link MEASURED_MAX} times in all, until so much time has passed: what is short is a matter of luck. */
  readonly measuredMs: number;
}

/** How often the same server is measured at the most. Of many files each has a set of its own. */
export const MEASURED_MAX = 4;
const WARM_SHARE = 8;
/** Where memory is what is measured it is warmed up by so many clients at a time: what thousands take is to be seen in the run. */
const WARM_CONCURRENT_MAX = 8;
/** Looking at a thousand processes takes some 20 ms of the core that the load has. */
const LOOK_INTERVAL_MS = 500;

/** The folder that all servers serve, with the files of one row at a time, in memory. */
export class Grounds {
  readonly #files: Files;

  private constructor(files: Files) {
    this.#files = files;
  }

  /** Lays everything out below `folder`. */
  static async create(folder: string): Promise<Grounds> {
    return new Grounds(await Files.create(folder));
  }

  /** What is served; uploads go to `in` below it. */
  get folder(): string {
    return `${this.#files.folder}/root`;
  }

  /**
   * Lays out what `row` asks for; returns its name, or that of its files without the numbers of the set and within it: set 0 is for warming up,
   * and each of the others for being new.
   */
  async lay(row: Row): Promise<string> {
    if (row.kind === "miss") return "missing-";
    if (row.kind === "put") return "in/";
    const name = await this.#files.named(row.fileBytes);
    if (!row.isManyFiles) return name;
    const content = await Bun.file(`${this.folder}/${name}`).bytes();
    const prefix = `${row.fileBytes}-`;
    for (let set = 0; set <= MEASURED_MAX; set += 1) {
      for (let index = 0; index < row.transfers; index += 1) {
        const path = `${this.folder}/${prefix}${set}-${index}`;
        // Written once: a peer that has answered is as if the files had always been there.
        if (!existsSync(path)) await Bun.write(path, content);
      }
    }
    return prefix;
  }

  /** An empty folder for uploads, which everybody may write to: atftpd asks for that. */
  async emptyInbox(): Promise<void> {
    await rm(`${this.folder}/in`, { recursive: true, force: true });
    await mkdir(`${this.folder}/in`);
    await chmod(`${this.folder}/in`, 0o777);
  }
}

/** Measures a server that `start` starts, as often as `patience` says; `windowBlocks` is what its clients ask for. */
export async function measureRuns(
  start: () => Promise<Served>,
  row: Row,
  windowBlocks: number,
  grounds: Grounds,
  patience: Patience,
  isEndless = false,
): Promise<readonly Run[]> {
  const load = await loadOf({ ...row, windowBlocks }, grounds, patience.limitMs, isEndless);
  const server = await start();
  try {
    const isAboutMemory = row.measure === "memory";
    const warmSince = performance.now();
    for (let warmed = 0; warmed === 0 || since(warmSince) < patience.warmMs; warmed += 1) {
      const transfers = Math.min(
        row.transfers,
        Math.ceil(row.transfers / WARM_SHARE) * 2 ** warmed,
      );
      const concurrentMax = isAboutMemory ? WARM_CONCURRENT_MAX : row.concurrent;
      await load(server.port, transfers, Math.min(transfers, concurrentMax), 0);
      if (server.hasEnded()) break;
    }
    const runs: Run[] = [];
    const measuredSince = performance.now();
    // The most memory of a process is the most that it ever had: that is seen once.
    const runsMax = isAboutMemory ? 1 : MEASURED_MAX;
    do {
      const set = runs.length + 1;
      const run = await measureRun(
        server,
        row,
        async () => await load(server.port, row.transfers, row.concurrent, set),
      );
      runs.push(run);
      if (!run.isFinished) break;
    } while (runs.length < runsMax && since(measuredSince) < patience.measuredMs);
    return runs;
  } finally {
    await server.stop();
  }
}

async function measureRun(
  server: Served,
  row: Row,
  runLoadOnce: () => Promise<LoadResult>,
): Promise<Run> {
  const idleBytes = server.rssBytes();
  let seenBytes = idleBytes;
  const look = setInterval(() => {
    seenBytes = Math.max(seenBytes, server.rssBytes());
  }, LOOK_INTERVAL_MS);
  const before = server.cpuSeconds();
  const result = await runLoadOnce();
  const cpu = server.cpuSeconds() - before;
  clearInterval(look);
  return {
    ...result,
    isFinished: result.isFinished && !server.hasEnded(),
    hasCrashed: server.hasEnded(),
    cpuSeconds: cpu,
    transfers: row.transfers,
    rssBytesIdle: idleBytes,
    rssBytesOverIdle: Math.max(seenBytes, server.rssBytesPeak()) - idleBytes,
  };
}

function since(startMs: number): number {
  return performance.now() - startMs;
}

/** Of many files it asks for those of one set; see {@link Grounds.lay}. */
export type Load = (
  port: number,
  transfers: number,
  concurrent: number,
  set: number,
) => Promise<LoadResult>;

/** What runs the load of `row` against a port. */
export async function loadOf(
  row: Row,
  grounds: Grounds,
  limitMs: number,
  isEndless: boolean,
): Promise<Load> {
  const { fileBytes, blockBytes, windowBlocks } = row;
  const file = await grounds.lay(row);
  const plan = {
    file,
    fileBytes,
    blockBytes,
    windowBlocks,
    sha256: "",
    endless: isEndless,
    isNumbered: row.isManyFiles,
    misses: row.kind === "miss",
    puts: row.kind === "put",
    limitMs,
    loss: row.loss ?? 0,
  };
  return async (port, transfers, concurrent, set) => {
    if (plan.puts) await grounds.emptyInbox();
    const names = row.isManyFiles ? `${file}${set}-` : file;
    return await runLoad({ ...plan, file: names, port, clients: transfers, concurrent });
  };
}
