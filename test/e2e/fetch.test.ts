// Whole files through real clients (end-to-end): every client, every awkward size, every option that it can set,
// byte for byte.

import { afterAll, beforeAll, describe, expect } from "bun:test";

import { bytesOf, compare } from "./bytes.ts";
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

const sizes: Readonly<Record<string, number>> = {
  empty: 0,
  "one-byte": 1,
  "one-short-of-512": 511,
  "one-block-of-512": 512,
  "three-blocks-of-512": 3 * 512,
  "two-blocks-of-1024": 2 * 1024,
  // 1428 × 512: a multiple of either block size.
  "blocks-of-1428-and-512": 1428 * 512,
  "ten-megabytes": 10_000_000,
};

// 65,600 blocks of 512: the 16-bit block number wraps. 524,800 bytes do it with blocks of 8.
const wrapping512 = bytesOf(65_600 * 512, 7);
const wrapping8 = bytesOf(65_600 * 8, 8);
const contents = new Map(Object.entries(sizes).map(([name, size]) => [name, bytesOf(size, size)]));
contents.set("wraps-at-512", wrapping512);
contents.set("wraps-at-8", wrapping8);

let server: Server;

beforeAll(async () => {
  server = await startServer();
  for (const [name, bytes] of contents) server.put(name, bytes);
}, 60_000);

afterAll(() => server.stop());

describe("every client fetches", () => {
  for (const client of clients) {
    for (const name of contents.keys()) {
      testWith([client], `${client.name}: ${name}`, () => fetches(client, { name }));
    }
  }
});

describe("without any option", () => {
  for (const name of ["empty", "three-blocks-of-512", "ten-megabytes"]) {
    testWith([curl], `curl: ${name}`, () => fetches(curl, { name, isPlain: true }));
  }
});

describe("block sizes", () => {
  for (const client of [curl, atftp, busybox]) {
    // busybox wants its request to fit into one block.
    const smallest = client === busybox ? 128 : 8;
    for (const blockBytes of [smallest, 512, 1024, 1428, 1468, 8192, 65_464]) {
      const name = "blocks-of-1428-and-512";
      testWith([client], `${client.name}: blksize ${blockBytes}`, () =>
        fetches(client, { name, blockBytes }),
      );
    }
  }
  for (const client of [curl, atftp]) {
    testWith([client], `${client.name}: blksize 8 and more than 65,535 blocks`, () =>
      fetches(client, { name: "wraps-at-8", blockBytes: 8 }),
    );
  }
});

describe("windows", () => {
  for (const windowBlocks of [1, 2, 3, 4, 8, 16, 32, 64]) {
    for (const name of [...Object.keys(sizes), "wraps-at-512"]) {
      testWith([atftp], `atftp: windowsize ${windowBlocks}: ${name}`, () =>
        fetches(atftp, { name, windowBlocks }),
      );
    }
    testWith([atftp], `atftp: windowsize ${windowBlocks}, blksize 1428`, () =>
      fetches(atftp, { name: "ten-megabytes", windowBlocks, blockBytes: 1428 }),
    );
  }
  testWith([atftp], "atftp: a window across the wrap of the block number", () =>
    fetches(atftp, { name: "wraps-at-8", windowBlocks: 48, blockBytes: 8 }),
  );
});

describe("netascii", () => {
  // Line ends, bare carriage returns and pairs that fall on block edges; the client undoes all of them.
  const lines = `${"x".repeat(510)}\r\n${"y".repeat(511)}\n\n${"z".repeat(509)}\n\rend\r`;
  testWith([hpa], "tftp-hpa: a text arrives as it was", async () => {
    server.put("text", lines);
    const answer = await run(hpa, { port: server.port, name: "text", mode: "netascii" });
    expect(Buffer.from(answer.bytes ?? []).toString()).toBe(lines);
    expect(answer.exitCode).toBe(0);
  });
});

describe("many at once", () => {
  testWith(clients, "forty clients of four kinds", async () => {
    const name = "blocks-of-1428-and-512";
    const forty = Array.from({ length: 10 }, () => clients).flat();
    await Promise.all(forty.map((client) => fetches(client, { name })));
  });
});

async function fetches(client: Client, ask: Omit<Ask, "port">): Promise<void> {
  const expected = contents.get(ask.name) ?? new Uint8Array();
  // curl takes an OACK with tsize=0 for a malformed one, its own fault; without options it reads empty files.
  const isPlain = ask.isPlain === true || (client === curl && expected.length === 0);
  const answer = await run(client, { ...ask, isPlain, port: server.port });
  // curl leaves no file for an empty one.
  const bytes = answer.bytes ?? (answer.exitCode === 0 ? new Uint8Array() : undefined);
  expect(`${compare(bytes, expected)}, exit ${answer.exitCode} ${answer.printed}`).toStartWith(
    "identical, exit 0",
  );
}
