// Real clients on a network that loses datagrams (end-to-end): 1, 5 and 20 in a hundred, in each direction, below all that the
// server batches and cuts. Each gets and puts its file to the byte, at its first try.

import { afterAll, beforeAll, expect, setDefaultTimeout } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { at } from "#base/bytes.ts";

import { startBundled } from "./bundled.ts";
import { bytesOf, compare } from "./bytes.ts";
import { type Ask, atftp, type Client, curl, hpa, run, testWith } from "./clients.ts";
import type { Server } from "./server.ts";

// A client waits five seconds for what is lost, five times at least.
setDefaultTimeout(120_000);

interface End {
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
    tables: ["[write_config]", "enabled = true", 'allowed_patterns = ["loss-*"]'],
  });
}, 60_000);
afterAll(() => server.stop());

testWith(
  [curl, hpa, atftp],
  "every file is whole, at the first try",
  async () => {
    const runs = percents.flatMap((percent, rate) => ways.map((way) => ({ percent, rate, way })));
    const ends = await Promise.all(
      runs.map(({ percent, rate, way }) => transfer(way, percent, at(way.blocks, rate))),
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

/** Moves one file, once. Returns what became of it, and how. */
async function transfer(way: Way, percent: number, blocks: number): Promise<End> {
  const { client, title, options, isUpload } = way;
  const name = `loss-${percent}-${series}-${title.replaceAll(" ", "-")}`;
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
    fate: `${percent} %, ${title}: ${compare(arrived, content)}, exit code ${answer.exitCode}${said}`,
    figures: `${percent} %, ${title} ${content.length} bytes in ${seconds} s; lost: ${lost("to")} to the server, ${lost("from")} from it`,
  };
}
