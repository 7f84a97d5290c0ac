// Forged and unreachable senders (end-to-end): two servers of which each is told that the other one asks, and clients whose port is
// closed. ERRORs are not answered, nothing goes round in circles, and nobody else notices.

import { dlopen } from "bun:ffi";
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";

import { bytesOf, compare } from "./bytes.ts";
import { skipBecause } from "./clients.ts";
import { freePort, type Server, startServer, until } from "./server.ts";
import {
  ack,
  dataPacket,
  errorPacket,
  openPeer,
  readRequest,
  settled,
  takeRest,
  writeRequest,
} from "./wire.ts";

// Longer than any wait in here, so that the wait says what did not come.
setDefaultTimeout(60_000);

/** Datagrams that one forged packet may cost: an answer, an ERROR, and the repetitions of a reply that nobody takes. */
const FORGED_COST = 10;
const content = bytesOf(100 * 512 + 7, 41);
/** One worker, so that `settled` can tell when it has nothing more to say; transfers that nobody answers end after a second. */
function tables(statusPort: number, isSinglePort = false): readonly string[] {
  return [
    "[status]",
    `bind_addr = "127.0.0.1:${statusPort}"`,
    "[transfer]",
    `single_port = ${isSinglePort}`,
    "patience_secs = 1",
    "retransmit_timeout_ms = 100",
    "[write_config]",
    "enabled = true",
    'allowed_patterns = ["up-*"]',
    "[performance.platform.worker_pool]",
    "worker_count = 1",
  ];
}

const AF_INET = 2;
const SOCK_RAW = 3;
/** The kernel adds no header of its own: raw(7). */
const IPPROTO_RAW = 255;
const libc = dlopen("libc.so.6", {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  sendto: { args: ["i32", "ptr", "usize", "i32", "ptr", "u32"], returns: "i64" },
  close: { args: ["i32"], returns: "i32" },
}).symbols;
const rawSocket: number = libc.socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
afterAll(() => void libc.close(rawSocket));

if (rawSocket < 0) skipBecause("forged senders", "raw sockets need root");
else {
  test.each([[false], [true]])(
    "two servers that are pointed at each other fall silent; single_port = %j",
    async (isSinglePort) => {
      const [onePort, otherPort] = [await freePort(), await freePort()];
      await using one = await startServer({ tables: tables(onePort, isSinglePort) });
      await using other = await startServer({ tables: tables(otherPort, isSinglePort) });
      for (const server of [one, other]) server.put("file", content);
      const forged = [
        readRequest("file"),
        readRequest("file", [["blksize", 1428]]),
        readRequest("missing"),
        writeRequest("up-file"),
        writeRequest("up-file", [["blksize", 1428]]),
        ack(1),
        dataPacket(1, content.subarray(0, 512)),
        errorPacket(0, "no"),
        Uint8Array.of(0, 6, 97, 0, 97, 0),
        Uint8Array.of(9, 9, 9, 9),
      ];
      for (const bytes of forged) {
        forge(one.port, other.port, bytes);
        forge(other.port, one.port, bytes);
        // Each on its own, or one request would replace another.
        forge(one.port, one.port, bytes);
        await settled(one.port);
        await settled(other.port);
      }
      for (const port of [onePort, otherPort]) {
        await untilIdle(port);
        const before = await received(port);
        await Bun.sleep(1500);
        expect(await received(port)).toBe(before);
        // Three forged packets lead to a few answers and their repetitions each, and no more; the rest is what this test itself asks.
        expect(before).toBeLessThan(FORGED_COST * 3 * forged.length + 100);
      }
      for (const server of [one, other]) expect(await whole(server)).toBe("identical");
    },
  );
}

test("a storm of ERRORs, at the service and at a transfer, is not answered and ends nothing", async () => {
  await using server = await startServer({ tables: tables(await freePort()) });
  server.put("file", content);
  using client = await openPeer();
  client.send(readRequest("file"), server.port);
  const first = await client.next();
  using stranger = await openPeer();
  for (let count = 0; count < 1000; count += 1) {
    stranger.send(errorPacket(count % 9, "no"), count % 2 === 0 ? server.port : first.port);
    if (count % 100 === 0) await settled(server.port);
  }
  await settled(server.port);
  expect(stranger.waiting()).toEqual([]);
  const rest = await takeRest(client, first, 512);
  expect(typeof rest === "string" ? rest : compare(rest, content)).toBe("identical");
});

test("a storm of strays is answered at most once a second", async () => {
  await using server = await startServer({ tables: tables(await freePort()) });
  using stranger = await openPeer();
  const sinceMs = performance.now();
  for (let count = 0; count < 1000; count += 1) {
    stranger.send(ack(count), server.port);
    if (count % 100 === 0) await settled(server.port);
  }
  await settled(server.port);
  const secondsMax = Math.ceil((performance.now() - sinceMs) / 1000);
  const texts = stranger.waiting().map(({ text }) => text);
  expect(texts[0]).toBe("ERROR 5 Unknown transfer ID");
  expect(texts.length).toBeLessThanOrEqual(secondsMax);
});

test.each([[false], [true]])(
  "a client whose port is closed (ICMP) is given up like a silent one, and no other notices; single_port = %j",
  async (isSinglePort) => {
    await using server = await startServer({ tables: tables(await freePort(), isSinglePort) });
    server.put("file", content);
    using client = await openPeer();
    client.send(readRequest("file"), server.port);
    const first = await client.next();
    for (let count = 0; count < 20; count += 1) {
      const gone = await openPeer();
      gone.send(readRequest("file"), server.port);
      const { port } = await gone.next();
      gone.send(ack(1), port);
      await gone.next();
      gone.close();
    }
    const rest = await takeRest(client, first, 512);
    expect(typeof rest === "string" ? rest : compare(rest, content)).toBe("identical");
    await until(() => server.log().split("(gave-up)").length === 21, "the ends of the others");
    expect(server.log()).not.toContain("send_refused");
    expect(await whole(server)).toBe("identical");
  },
);

/** Fetches the file. */
async function whole(server: Server): Promise<string> {
  using peer = await openPeer();
  peer.send(readRequest("file"), server.port);
  const rest = await takeRest(peer, await peer.next(), 512);
  return typeof rest === "string" ? rest : compare(rest, content);
}

/** Waits until no transfer runs. */
async function untilIdle(statusPort: number): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    if ((await sumOf(statusPort, "tftp_transfers_active")) === 0) return;
    await Bun.sleep(20);
  }
  throw new Error("transfers go on for ever");
}

async function received(statusPort: number): Promise<number> {
  return sumOf(statusPort, "tftp_received_datagrams_total");
}

async function sumOf(statusPort: number, metric: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${statusPort}/metrics`);
  const lines = (await response.text()).split("\n").filter((line) => line.startsWith(metric));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

/** Sends `bytes` to a port as if they came from another one, both of this machine. */
function forge(fromPort: number, toPort: number, bytes: Uint8Array): void {
  const packet = Buffer.alloc(28 + bytes.length);
  // RFC 791 §3.1: version 4, five words, 64 hops, UDP; the kernel fills in length, number and checksum.
  packet.set([0x45], 0);
  packet.set([64, 17], 8);
  packet.set([127, 0, 0, 1, 127, 0, 0, 1], 12);
  // RFC 768: a checksum of 0 is none.
  packet.writeUInt16BE(fromPort, 20);
  packet.writeUInt16BE(toPort, 22);
  packet.writeUInt16BE(8 + bytes.length, 24);
  packet.set(bytes, 28);
  const address = new Uint8Array(16);
  address.set([AF_INET, 0, 0, 0, 127, 0, 0, 1]);
  const sent = libc.sendto(rawSocket, packet, BigInt(packet.length), 0, address, address.length);
  expect(Number(sent)).toBe(packet.length);
}
