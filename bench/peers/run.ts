// One server under one load, once (bench): started, warmed up, measured, stopped. What it cost and how it went, as plain numbers.

import { chmod, mkdir, rm } from "node:fs/promises";

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
}

/** What takes less than a tenth of a second is mostly the start of the load. */
const WARM_RUNS_MAX = 12;
const WARM_SHARE = 8;
/** Where memory is what is measured it is warmed up by so many clients at a time: what thousands take is to be seen in the run. */
const WARM_CONCURRENT_MAX = 8;
/** Looking at a thousand processes takes some 20 ms of the core that the load has. */
const LOOK_INTERVAL_MS = 500;

interface LoadRun {
  readonly bytes: number;
  readonly seconds: number;
  readonly completed: number;
  readonly retransmits: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly isFinished: boolean;
}

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

  /** Lays out what `row` asks for; returns its name, or that of its files without their number. */
  async lay(row: Row): Promise<string> {
    if (row.kind === "miss") return "missing-";
    if (row.kind === "put") return "in/";
    const name = await this.#files.named(row.fileBytes);
    if (!row.isManyFiles) return name;
    const content = await Bun.file(`${this.folder}/${name}`).bytes();
    const prefix = `${row.fileBytes}-`;
    for (let index = 0; index < row.transfers; index += 1) {
      await Bun.write(`${this.folder}/${prefix}${index}`, content);
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

/** Measures a server that `start` starts; `windowBlocks` is what its clients ask for. */
export async function measureRun(
  start: () => Promise<Served>,
  row: Row,
  windowBlocks: number,
  grounds: Grounds,
  patience: Patience,
  isEndless = false,
): Promise<Run> {
  const load = await loadOf({ ...row, windowBlocks }, grounds, patience.limitMs, isEndless);
  const server = await start();
  try {
    const since = performance.now();
    for (let warmed = 0; warmed < WARM_RUNS_MAX; warmed += 1) {
      const transfers = warmTransfers(row, warmed);
      const concurrentMax = row.measure === "memory" ? WARM_CONCURRENT_MAX : row.concurrent;
      await load(server.port, transfers, Math.min(transfers, concurrentMax));
      if (performance.now() - since > patience.warmMs) break;
    }
    const idleBytes = server.rssBytes();
    let seenBytes = idleBytes;
    const look = setInterval(() => {
      seenBytes = Math.max(seenBytes, server.rssBytes());
    }, LOOK_INTERVAL_MS);
    const before = server.cpuSeconds();
    const result = await load(server.port, row.transfers, row.concurrent);
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
  } finally {
    await server.stop();
  }
}

/** Twice as many as the last time, but of many files always the same ones: the others are to be new to the server. */
function warmTransfers({ transfers, isManyFiles }: Row, warmed: number): number {
  const share = Math.ceil(transfers / WARM_SHARE);
  return isManyFiles ? share : Math.min(transfers, share * 2 ** warmed);
}

export type Load = (port: number, transfers: number, concurrent: number) => Promise<LoadRun>;

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
  };
  return async (port, transfers, concurrent) => {
    if (plan.puts) await grounds.emptyInbox();
    return await runLoad({ ...plan, port, clients: transfers, concurrent });
  };
}
