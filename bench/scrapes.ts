// What reading /metrics costs a server at full load (bench): the same load without and with ten scrapes a second, in turn. The
// server has one core for everything, its main thread too, so that nothing of the cost hides on another.

import { median } from "./compare.ts";
import { cpuSeconds, measure, type Subject } from "./measure.ts";
import { markdownTable } from "./page.ts";
import { loadName, standard } from "./scenarios.ts";
import { Files, startServer } from "./server-run.ts";

/** One load: the medians of all pairs, and of the ratios within each. */
export interface ScrapeRow {
  readonly load: string;
  readonly pairs: number;
  readonly megabytesPerSecond: number;
  readonly megabytesPerSecondScraped: number;
  /** Scraped ÷ not. */
  readonly speedRatio: number;
  readonly cpuRatio: number;
  /** CPU time that one scrape costs a server that does nothing else. */
  readonly cpuMsPerScrape: number;
  readonly scrapes: number;
  readonly pageBytes: number;
}

interface Run {
  readonly megabytesPerSecond: number;
  readonly cpuSecondsPerGb: number;
}

const MIB = 1024 * 1024;
const SCRAPE_INTERVAL_MS = 100;
/** Scrapes of an idle server, which say what one costs whatever else the machine does. */
const IDLE_SCRAPES = 300;
/** Windows by GSO, where a second is worth gigabytes, and lockstep, where it is worth most packets. */
const loads = [
  { clients: 64, fileMib: 64, blockBytes: 1428, windowBlocks: 16, variant: standard },
  { clients: 64, fileMib: 8, blockBytes: 1428, windowBlocks: 1, variant: standard },
] as const;

/** Runs the loads whose names contain `only`; rows come as they are done. */
export async function* benchScrapes(
  binary: string,
  pairs: number,
  only: string,
): AsyncGenerator<ScrapeRow> {
  const files = await Files.create();
  try {
    for (const load of loads) {
      if (loadName(load).includes(only)) yield await runLoad(binary, files, load, pairs);
    }
  } finally {
    await files.remove();
  }
}

async function runLoad(
  binary: string,
  files: Files,
  load: (typeof loads)[number],
  pairs: number,
): Promise<ScrapeRow> {
  const { clients, fileMib, blockBytes, windowBlocks, variant } = load;
  const fileBytes = fileMib * MIB;
  const file = await files.named(fileBytes);
  const server = await startServer(binary, files, { ...variant, hasStatus: true });
  const plain: Run[] = [];
  const scraped: Run[] = [];
  let scrapes = 0;
  let pageBytes = 0;
  let cpuMsPerScrape = 0;
  try {
    const { port } = server;
    const rest = { endless: false, sha256: "" };
    const plan = { port, clients, file, fileBytes, blockBytes, windowBlocks, ...rest };
    const runOnce = async (): Promise<Run> => {
      const run = await measure(server, plan);
      if (run.failed > 0) throw new Error(`${loadName(load)}: ${run.failed} transfers failed`);
      return {
        megabytesPerSecond: run.bytes / run.seconds / 1e6,
        cpuSecondsPerGb: (run.cpuSeconds / run.bytes) * 1e9,
      };
    };
    const runScraped = async (): Promise<Run> => {
      const scraper = new Scraper(port);
      const run = await runOnce();
      await scraper.stop();
      scrapes += scraper.scrapes;
      ({ pageBytes } = scraper);
      return run;
    };
    await runOnce();
    cpuMsPerScrape = await idleCost(server);
    for (let pair = 0; pair < pairs; pair += 1) {
      const isReversed = pair % 2 === 1;
      if (isReversed) scraped.push(await runScraped());
      plain.push(await runOnce());
      if (!isReversed) scraped.push(await runScraped());
    }
  } finally {
    await server.stop();
  }
  const ratios = (of: keyof Run): number =>
    median(scraped.map((run, pair) => run[of] / (plain[pair]?.[of] ?? Number.NaN)));
  return {
    load: loadName(load),
    pairs,
    megabytesPerSecond: median(plain.map((run) => run.megabytesPerSecond)),
    megabytesPerSecondScraped: median(scraped.map((run) => run.megabytesPerSecond)),
    speedRatio: ratios("megabytesPerSecond"),
    cpuRatio: ratios("cpuSecondsPerGb"),
    cpuMsPerScrape,
    scrapes,
    pageBytes,
  };
}

/** Milliseconds of CPU time per scrape, one after the other. */
async function idleCost({ pid, port }: Subject): Promise<number> {
  const url = `http://127.0.0.1:${port}/metrics`;
  // Twice: the first time the engine compiles what makes the page.
  let cost = 0;
  for (let round = 0; round < 2; round += 1) {
    const before = cpuSeconds(pid);
    for (let scrape = 0; scrape < IDLE_SCRAPES; scrape += 1) await (await fetch(url)).text();
    cost = ((cpuSeconds(pid) - before) * 1000) / IDLE_SCRAPES;
  }
  return cost;
}

/** Asks for the page ten times a second. The server answers TCP where it answers UDP. */
class Scraper {
  scrapes = 0;
  pageBytes = 0;
  readonly #url: string;
  readonly #loop: Promise<void>;
  #isRunning = true;

  constructor(port: number) {
    this.#url = `http://127.0.0.1:${port}/metrics`;
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (this.#isRunning) {
      const startMs = performance.now();
      const response = await fetch(this.#url);
      this.pageBytes = (await response.text()).length;
      if (!response.ok) throw new Error(`the page says ${response.status}`);
      this.scrapes += 1;
      await Bun.sleep(Math.max(0, SCRAPE_INTERVAL_MS - (performance.now() - startMs)));
    }
  }
}

/** The table as Markdown. */
export function scrapeTableOf(rows: readonly ScrapeRow[]): string {
  const head = [
    "load",
    "pairs",
    "MB/s",
    "MB/s, scraped",
    "ratio",
    "CPU ratio",
    "CPU ms/scrape",
    "a core at 10/s",
    "scrapes",
    "page KiB",
  ];
  const lines = rows.map((row) => [
    row.load,
    String(row.pairs),
    row.megabytesPerSecond.toFixed(0),
    row.megabytesPerSecondScraped.toFixed(0),
    row.speedRatio.toFixed(3),
    row.cpuRatio.toFixed(3),
    row.cpuMsPerScrape.toFixed(2),
    // Ten times so many milliseconds of a thousand: per cent.
    `${row.cpuMsPerScrape.toFixed(2)} %`,
    String(row.scrapes),
    (row.pageBytes / 1024).toFixed(0),
  ]);
  return markdownTable(head, lines, 1);
}
