// Whole files from real clients (end-to-end): every client, every awkward size, every option that it can set, over both
// families, byte for byte in the folder when the client has its last ACK.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import { join } from "node:path";

import { bytesOf } from "./bytes.ts";
import {
  type Ask,
  atftp,
  busybox,
  type Client,
  clients,
  curl,
  hpa,
  run,
  testWith,
} from "./clients.ts";
import { type Server, startServer } from "./server.ts";
import { compareFile, everythingIn, uploadTables } from "./uploading.ts";

const sizes: Readonly<Record<string, number>> = {
  empty: 0,
  "one-byte": 1,
  "one-block-of-512": 512,
  "one-more-than-512": 513,
  // 1428 × 512: a multiple of either block size.
  "blocks-of-1428-and-512": 1428 * 512,
  "ten-megabytes": 10_000_000,
};
const contents = new Map(Object.entries(sizes).map(([name, size]) => [name, bytesOf(size, size)]));
// 65,600 blocks: the 16-bit block number wraps.
contents.set("wraps-at-512", bytesOf(65_600 * 512, 7));

let server: Server;
let uploads = 0;

beforeAll(async () => {
  server = await startServer({ bind: "[::]", tables: uploadTables() });
}, 60_000);

afterAll(() => server.stop());

for (const host of ["127.0.0.1", "::1"]) {
  describe(`every client uploads over ${host}`, () => {
    for (const client of clients) {
      for (const name of contents.keys()) {
        // Once is enough for what takes long.
        if (name === "wraps-at-512" && (host === "::1") !== (client === hpa)) continue;
        testWith([client], `${client.name}: ${name}`, () => uploadsWhole(client, { name, host }));
      }
    }
  });
}

describe("without any option", () => {
  for (const name of ["empty", "one-block-of-512", "ten-megabytes", "wraps-at-512"]) {
    testWith([curl], `curl: ${name}`, () => uploadsWhole(curl, { name, isPlain: true }));
  }
});

describe("block sizes", () => {
  for (const client of [curl, atftp, busybox]) {
    // With 8 the block number wraps as well. busybox wants its request to fit into one block.
    const smallest = client === busybox ? 128 : 8;
    for (const blockBytes of [smallest, 512, 1024, 1428, 1468, 8192, 65_464]) {
      const name = "blocks-of-1428-and-512";
      testWith([client], `${client.name}: blksize ${blockBytes}`, () =>
        uploadsWhole(client, { name, blockBytes }),
      );
    }
  }
});

describe("windows", () => {
  for (const windowBlocks of [1, 2, 3, 4, 8, 16, 32, 64]) {
    for (const name of Object.keys(sizes)) {
      testWith([atftp], `atftp: windowsize ${windowBlocks}: ${name}`, () =>
        uploadsWhole(atftp, { name, windowBlocks }),
      );
    }
    testWith([atftp], `atftp: windowsize ${windowBlocks}, blksize 1428`, () =>
      uploadsWhole(atftp, { name: "ten-megabytes", windowBlocks, blockBytes: 1428 }),
    );
  }
  testWith([atftp], "atftp: a window across the wrap of the block number", () =>
    uploadsWhole(atftp, { name: "wraps-at-512", windowBlocks: 48 }),
  );
});

describe("netascii", () => {
  // Line ends, bare carriage returns and pairs that fall on block edges; the client encodes all of them.
  const lines = `${"x".repeat(510)}\r\n${"y".repeat(511)}\n\n${"z".repeat(509)}\n\rend\r`;
  contents.set("text", new TextEncoder().encode(lines));
  for (const client of [hpa, atftp]) {
    testWith([client], `${client.name}: a text arrives as it was`, () =>
      uploadsWhole(client, { name: "text", mode: "netascii" }),
    );
  }
});

describe("many at once", () => {
  testWith(clients, "forty clients of four kinds", async () => {
    const forty = Array.from({ length: 10 }, () => clients).flat();
    const name = "blocks-of-1428-and-512";
    await Promise.all(forty.map((client) => uploadsWhole(client, { name })));
  });
});

/** Uploads one of {@link contents} to a name of its own, and looks for it in the folder. */
async function uploadsWhole(client: Client, ask: Omit<Ask, "port" | "upload">): Promise<void> {
  const content = contents.get(ask.name) ?? new Uint8Array();
  uploads += 1;
  const folder = join("in", String(uploads));
  const name = join(folder, ask.name);
  const answer = await run(client, { ...ask, name, upload: content, port: server.port });
  const stored = compareFile(join(server.root, name), content);
  expect(`${stored}, exit ${answer.exitCode} ${answer.printed}`).toStartWith("identical, exit 0");
  expect(everythingIn(join(server.root, folder))).toEqual([ask.name]);
}
