// Real clients on a network that loses datagrams (end-to-end): 1, 5 and 20 in a hundred, in each direction, below all that the
// server batches and cuts. Each gets and puts its file to the byte: at its first try where the pattern of losses is known to be one that
// the client survives; and at one of a few where the commit chooses the pattern, as long as it is never the server that gives up.

import { afterAll, beforeAll, expect, setDefaultTimeout } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { at } from "#base/bytes.ts";

import { firstSeed } from "../sim/seed.ts";
import { startBundled } from "./bundled.ts";
import { bytesOf, compare } from "./bytes.ts";
import { type Ask, atftp, type Client, curl, hpa, run, testWith } from "./clients.ts";
import type { Server } from "./server.ts";

// A client waits five seconds for what is lost, five times at least.
setDefaultTimeout(120_000);

interface End {
  readonly name: string;
  readonly exitCode: number;
  readonly fate: string;
  readonly figures: string;
}

interface Way {
  readonly client: Client;
  readonly title: string;
  readonly options: Pick<Ask, "blockBytes" | "windowBlocks">;
  readonly isUpload: boolean;
  /** How many blocks at 1, 5 and 20 %. */
  readonly blocks: readonly [number, number, number];
}

const large = { blockBytes: 1428 };
const ways: readonly Way[] = [
  { client: curl, title: "curl gets", options: large, isUpload: false, blocks: [300, 80, 15] },
  { client: hpa, title: "tftp-hpa gets", options: {}, isUpload: false, blocks: [300, 80, 15] },
  // Of the copies of a block that it has it acknowledges one, and each restarts its timer of five seconds.
  { client: atftp, title: "atftp gets", options: large, isUpload: false, blocks: [300, 30, 4] },
  {
    client: atftp,
    title: "atftp gets windows",
    options: { ...large, windowBlocks: 8 },
    isUpload: false,
    blocks: [600, 100, 24],
  },
  { client: curl, title: "curl puts", options: large, isUpload: true, blocks: [300, 80, 15] },
  // It hears nothing but its own timer of five seconds, and waits so long for each block that was lost.
  { client: hpa, title: "tftp-hpa puts", options: {}, isUpload: true, blocks: [60, 12, 2] },
  { client: atftp, title: "atftp puts", options: large, isUpload: true, blocks: [300, 80, 15] },
];

/**
 * What is lost follows from a file's name, and this number of it is one with which no handshake of curl and atftp is hurt at all,
 * since they do not get over that by themselves: atftp gives up when an OACK comes again, because its ACK was lost ("unexpected
 * OACK"), curl waits six seconds for each packet, and does not always get over two of them in an upload (exit code 72).
 */
const series = Number(process.env["SERIES"] ?? 1450);

const percents = [1, 5, 20] as const;
let server: Server;
beforeAll(async () => {
  server = await startBundled("lossy", 1, {
    tables: [
      "[write_config]",
      "enabled = true",
      'allowed_patterns = ["loss-*"]',
      // More than any client's, so that it is not the server that gives up.
      "[transfer]",
      "patience_secs = 120",
      "[uploads]",
      "patience_secs = 120",
    ],
  });
}, 60_000);
afterAll(() => server.stop());

testWith(
  [curl, hpa, atftp],
  "every file is whole, at the first try",
  async () => {
    void transfersInTheEnd();
    const runs = percents.flatMap((percent, rate) => ways.map((way) => ({ percent, rate, way })));
    const ends = await Promise.all(
      runs.map(({ percent, rate, way }) => transfer(way, percent, at(way.blocks, rate), series)),
    );
    console.log(ends.map(({ figures }) => figures).join("\n"));
    expect(ends.map(({ fate }) => fate)).toEqual(
      runs.map(({ percent, way }) => `${percent} %, ${way.title}: identical, exit code 0`),
    );
    for (const percent of percents) {
      expect(server.log()).toContain(`lost to the server, loss-${percent}-`);
      expect(server.log()).toContain(`lost from the server, loss-${percent}-`);
    }
  },
  120_000,
);

/** Patterns that a client may give up at, one after the other: a fifth of the handshakes of atftp alone ends so where 20 % is lost. A guess. */
const PATTERNS_MAX = 6;

testWith(
  [curl, hpa, atftp],
  "whatever is lost, it is not the server that gives up: another pattern, and other clients, with each commit",
  async () => {
    const ends = await transfersInTheEnd();
    console.log(ends.map(({ figures }) => figures).join("\n"));
    for (const { fate } of ends) expect(fate).toContain(": identical, exit code 0");
  },
  400_000,
);

let drawn: Promise<readonly End[]> | undefined;

/** One transfer at each rate, which the commit chooses. They begin with the first call, so that one test does not wait for another. */
async function transfersInTheEnd(): Promise<readonly End[]> {
  const seed = firstSeed();
  drawn ??= Promise.all(
    percents.map((percent, rate) => {
      const way = at(ways, (seed + 2 * rate) % ways.length);
      return transferInTheEnd(way, percent, at(way.blocks, rate), seed);
    }),
  );
  return drawn;
}

/** Moves one file by patterns from `first` on, until one is none that the client gives up at. Returns what became of the last one. */
async function transferInTheEnd(
  way: Way,
  percent: number,
  blocks: number,
  first: number,
): Promise<End> {
  for (let pattern = first; ; pattern += 1) {
    const end = await transfer(way, percent, blocks, pattern);
    const isLast = pattern + 1 === first + PATTERNS_MAX;
    if (isLast || end.exitCode === 0 || (await hasServerGivenUp(end.name))) return end;
    console.log(`${end.fate.trim()}; the server has not given up`);
  }
}

/**
 * Whether it was the server that ended the transfer of `name`, as its log says. A client that it has never heard from it lets go after
 * five repetitions: then all of them, or all that the client answered, were lost.
 */
async function hasServerGivenUp(name: string): Promise<boolean> {
  // The log may be a moment behind.
  await Bun.sleep(1000);
  const failure = /"error":"(?<error>[^"]*)"/;
  const lines = server.log().split("\n");
  const errors = lines
    .filter((line) => line.includes(`"filename":"${name}"`))
    .map((line) => failure.exec(line)?.groups?.["error"]);
  return errors.some((error) => error !== undefined && !clientsFaults.has(error));
}

/** Ends that are the client's doing: it left, was never heard, began anew, or skipped its first block, as curl does at a second OACK. */
const clientsFaults: ReadonlySet<string> = new Set([
  "closed-by-client",
  "never-answered",
  "replaced",
  "protocol-error",
]);

/** Moves one file, once. Returns what became of it, and how. */
async function transfer(way: Way, percent: number, blocks: number, pattern: number): Promise<End> {
  const { client, title, options, isUpload } = way;
  const name = `loss-${percent}-${pattern}-${title.replaceAll(" ", "-")}`;
  const content = bytesOf(blocks * (options.blockBytes ?? 512) + 7, percent);
  if (!isUpload) server.put(name, content);
  const sinceMs = performance.now();
  const upload = isUpload ? { upload: content } : {};
  const answer = await run(client, { ...options, ...upload, port: server.port, name });
  const seconds = ((performance.now() - sinceMs) / 1000).toFixed(1);
  const stored = join(server.root, name);
  const arrived = isUpload && existsSync(stored) ? readFileSync(stored) : answer.bytes;
  // What the client says of a failure tells whether it was the one that gave up.
  const said = answer.exitCode === 0 ? "" : `: ${answer.printed}`;
  const lost = (way: string): number =>
    server.log().split(`lost ${way} the server, ${name}:`).length - 1;
  return {
    name,
    exitCode: answer.exitCode,
    fate: `${percent} %, ${title}: ${compare(arrived, content)}, exit code ${answer.exitCode}${said}`,
    figures: `${percent} %, ${title} ${content.length} bytes in ${seconds} s; lost: ${lost("to")} to the server, ${lost("from")} from it`,
  };
}
