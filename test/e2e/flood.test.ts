// The executable while it is abused (end-to-end): thousands of clients that ask and fall silent, and tens of thousands of
// datagrams that are no TFTP. Who really wants a file gets it meanwhile, and the memory is given back.

import { expect, setDefaultTimeout } from "bun:test";
import { readFileSync } from "node:fs";

import { curl, run, testWith } from "./clients.ts";
import { type Server, startServer } from "./server.ts";
import { openPeer, type Peer, readRequest } from "./wire.ts";

setDefaultTimeout(180_000);

const HALF_OPEN = 2000;
const MALFORMED = 50_000;
const IMAGE = new Uint8Array(1_000_000).fill(7);

/** What a fuzzer, a scanner and another protocol send; requests that are cut or have too much, and packets of no transfer. */
const malformed: readonly Uint8Array[] = [
  Uint8Array.of(9),
  Uint8Array.of(0, 1),
  Uint8Array.of(0, 1, 97, 0),
  Uint8Array.of(0, 2, 97, 0, 97, 0),
  Uint8Array.of(0, 9, 1, 1),
  new Uint8Array(1400).fill(255),
  Buffer.concat([Uint8Array.of(0, 1), Buffer.alloc(600, "A")]),
  Uint8Array.of(0, 4, 0, 1),
  Uint8Array.of(0, 3, 0, 1, 5),
];

testWith([curl], "a flood delays nobody for long, and leaves nothing behind", async () => {
  await using server = await startServer({ tables: ["[logging]", 'level = "error"'] });
  server.put("image", IMAGE);
  // What every flood takes once: compiled code, the pages of tables and heaps.
  await flood(server, HALF_OPEN, MALFORMED / 5);
  const beforeKb = residentKb(server);
  const fetched = await flood(server, HALF_OPEN, MALFORMED);
  const duringKb = residentKb(server);
  expect(fetched).toBeGreaterThan(0);
  let afterKb = duringKb;
  for (let waitedMs = 0; afterKb > beforeKb * 1.1 && waitedMs < 90_000; waitedMs += 100) {
    await Bun.sleep(100);
    afterKb = residentKb(server);
  }
  console.log(
    `${fetched} files fetched during the flood; resident: ${beforeKb} KiB before it, ${duringKb} at its end, ${afterKb} after it`,
  );
  expect(afterKb).toBeLessThanOrEqual(beforeKb * 1.1);
});

/** Sends it all while curl fetches one file after the other. Returns how many it got. */
async function flood(server: Server, halfOpen: number, datagrams: number): Promise<number> {
  const peers = await Promise.all(
    Array.from({ length: halfOpen }, (_, index) => silent(server, index)),
  );
  const state = { isOver: false };
  const sending = (async (): Promise<void> => {
    for (let count = 0; count < datagrams; count += 1) {
      const bytes = malformed[count % malformed.length];
      const peer = peers[count % peers.length];
      if (bytes !== undefined) peer?.send(bytes, server.port);
      if (count % 200 === 0) await Bun.sleep(1);
    }
    state.isOver = true;
  })();
  let fetched = 0;
  do {
    const answer = await run(curl, { port: server.port, name: "image", blockBytes: 1428 });
    expect(answer.bytes).toEqual(IMAGE);
    fetched += 1;
  } while (!state.isOver);
  await sending;
  for (const peer of peers) peer.close();
  return fetched;
}

/** A client that asks, and never says anything again. They come from eight networks: half-open transfers are limited in each. */
async function silent(server: Server, index: number): Promise<Peer> {
  const peer = await openPeer("127.0.0.1", `127.0.${1 + (index % 8)}.1`);
  peer.send(readRequest("image", [["blksize", 1428]]), server.port);
  return peer;
}

function residentKb(server: Server): number {
  const status = readFileSync(`/proc/${server.pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(?<kb>\d+)/m.exec(status)?.groups?.["kb"]);
}
