// Transfers byte by byte (end-to-end): a bare UDP peer does what real clients never show on purpose: repeats,
// strangers, changes of mind, files that change under way.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { bytesOf, compare } from "./bytes.ts";
import { type Server, startServer } from "./server.ts";
import {
  ack,
  type Datagram,
  errorPacket,
  openPeer,
  payload,
  type Peer,
  readRequest,
  settled,
  takeRest,
} from "./wire.ts";

// Longer than any wait in here, so that the wait says what did not come.
setDefaultTimeout(30_000);

const kernel = bytesOf(5 * 512 + 100, 3);
const initrd = bytesOf(4 * 512, 4);

let server: Server;

beforeAll(async () => {
  server = await startServer({
    tables: [
      // One worker, so that `settled` can tell when it has nothing more to say; and a timer that stays
      // out of the way, so that whatever is sent twice was provoked.
      "[performance.platform.worker_pool]",
      "worker_count = 1",
      "[transfer]",
      "retransmit_timeout_ms = 5000",
    ],
  });
  server.put("kernel", kernel);
  server.put("initrd", initrd);
}, 60_000);

afterAll(() => server.stop());

describe("options", () => {
  test("a bare request gets one DATA of 512 bytes from a port of its own, and no more", async () => {
    using peer = await openPeer();
    peer.send(readRequest("kernel"), server.port);
    const first = await peer.next();
    expect(first.text).toBe("DATA 1 512");
    expect(first.port).not.toBe(server.port);
    expect(compare(payload(first), kernel.subarray(0, 512))).toBe("identical");
    await settled(server.port);
    expect(peer.waiting()).toEqual([]);
    peer.send(errorPacket(0, "done"), first.port);
  });

  test("the OACK has what was asked for and granted, in that order, and not a byte more", async () => {
    using peer = await openPeer();
    const options = [
      ["TSIZE", 0],
      ["unheard-of", 7],
      ["blksize", 1024],
      ["windowsize", 2],
      ["timeout", 9],
    ] as const;
    peer.send(readRequest("kernel", options), server.port);
    const oack = await peer.next();
    const granted = ["tsize", "2660", "blksize", "1024", "windowsize", "2", "timeout", "9"];
    const expected = `\0\x06${granted.join("\0")}\0`;
    expect(Buffer.from(oack.bytes).toString("latin1").toLowerCase()).toBe(expected);
    await settled(server.port);
    expect(peer.waiting()).toEqual([]);
    peer.send(ack(0), oack.port);
    expect((await peer.next()).text).toBe("DATA 1 1024");
    expect((await peer.next()).text).toBe("DATA 2 1024");
    peer.send(ack(2), oack.port);
    expect((await peer.next()).text).toBe("DATA 3 612");
    peer.send(ack(3), oack.port);
  });

  test("an unknown option alone is ignored: no OACK", async () => {
    using peer = await openPeer();
    peer.send(readRequest("kernel", [["unheard-of", "1"]]), server.port);
    const first = await peer.next();
    expect(first.text).toBe("DATA 1 512");
    peer.send(errorPacket(0, "done"), first.port);
  });

  for (const value of ["7", "0", "-8", "x", ""]) {
    test(`blksize ${JSON.stringify(value)} is not granted, and not replaced by a larger one`, async () => {
      using peer = await openPeer();
      peer.send(readRequest("kernel", [["blksize", value]]), server.port);
      const first = await peer.next();
      expect(first.text).toBe("DATA 1 512");
      peer.send(errorPacket(0, "done"), first.port);
    });
  }

  test("tsize of netascii is exact or absent", async () => {
    server.put("lines", "a\nb\n");
    using peer = await openPeer();
    peer.send(readRequest("lines", [["tsize", 0]], "netascii"), server.port);
    const reply = await peer.next();
    expect(["OACK tsize=6", "DATA 1 6"]).toContain(reply.text);
    if (reply.text.startsWith("OACK")) peer.send(ack(0), reply.port);
    const first = reply.text.startsWith("OACK") ? await peer.next() : reply;
    expect(Buffer.from(payload(first)).toString()).toBe("a\r\nb\r\n");
    peer.send(ack(1), first.port);
  });
});

describe("repeats", () => {
  test("a repeated request repeats the first DATA from the same port and opens nothing", async () => {
    using peer = await openPeer();
    peer.send(readRequest("kernel"), server.port);
    const first = await peer.next();
    peer.send(readRequest("kernel"), server.port);
    const again = await peer.next();
    expect(again.port).toBe(first.port);
    expect(again.bytes).toEqual(first.bytes);
    expect(compare(await takeRestBytes(peer, first), kernel)).toBe("identical");
    await settled(server.port);
    expect(peer.waiting()).toEqual([]);
  });

  test("a repeated request repeats the OACK from the same port", async () => {
    using peer = await openPeer();
    const request = readRequest("kernel", [["tsize", 0]]);
    peer.send(request, server.port);
    const first = await peer.next();
    peer.send(request, server.port);
    const again = await peer.next();
    expect(again.port).toBe(first.port);
    expect(again.bytes).toEqual(first.bytes);
    peer.send(ack(0), first.port);
    expect(compare(await takeRestBytes(peer, await peer.next()), kernel)).toBe("identical");
  });

  test("a repeated request that is read late does not restart a transfer that moves", async () => {
    using peer = await openPeer();
    const request = readRequest("kernel", [["tsize", 0]]);
    peer.send(request, server.port);
    const { port } = await peer.next();
    peer.send(ack(0), port);
    const first = await peer.next();
    expect(first.text).toBe("DATA 1 512");
    peer.send(request, server.port);
    await settled(server.port);
    expect(peer.waiting()).toEqual([]);
    expect(compare(await takeRestBytes(peer, first), kernel)).toBe("identical");
  });

  test("a client that asks again from its port as soon as it has its file is served at once", async () => {
    server.put("small", kernel.subarray(0, 100));
    using peer = await openPeer();
    for (let round = 0; round < 100; round += 1) {
      peer.send(readRequest("small"), server.port);
      expect(compare(await takeRestBytes(peer, await peer.next()), kernel.subarray(0, 100))).toBe(
        "identical",
      );
    }
    await settled(server.port);
    expect(peer.waiting()).toEqual([]);
  });

  test("a repeated ACK is not answered with a repeated DATA", async () => {
    using peer = await openPeer();
    peer.send(readRequest("kernel"), server.port);
    const { port } = await peer.next();
    peer.send(ack(1), port);
    const second = await peer.next();
    expect(second.text).toBe("DATA 2 512");
    for (let repeat = 0; repeat < 5; repeat += 1) peer.send(ack(1), port);
    await settled(server.port);
    expect(peer.waiting()).toEqual([]);
    const rest = await takeRestBytes(peer, second);
    expect(compare(rest, kernel.subarray(512))).toBe("identical");
  });

  test("an ACK of a block that was never sent is ignored", async () => {
    using peer = await openPeer();
    peer.send(readRequest("kernel"), server.port);
    const first = await peer.next();
    for (const block of [2, 6, 40_000, 0]) peer.send(ack(block), first.port);
    await settled(server.port);
    expect(peer.waiting()).toEqual([]);
    expect(compare(await takeRestBytes(peer, first), kernel)).toBe("identical");
  });

  test("the ACK of a block within the window goes on right behind it", async () => {
    using peer = await openPeer();
    peer.send(readRequest("kernel", [["windowsize", 4]]), server.port);
    const { port } = await peer.next();
    peer.send(ack(0), port);
    for (const block of [1, 2, 3, 4]) expect((await peer.next()).text).toBe(`DATA ${block} 512`);
    peer.send(ack(2), port);
    for (const block of [3, 4, 5]) expect((await peer.next()).text).toBe(`DATA ${block} 512`);
    expect((await peer.next()).text).toBe("DATA 6 100");
    peer.send(ack(6), port);
  });
});

describe("peers", () => {
  test("another request from the same port replaces the transfer", async () => {
    using peer = await openPeer();
    peer.send(readRequest("kernel"), server.port);
    const first = await peer.next();
    peer.send(readRequest("initrd"), server.port);
    const other = await peer.next();
    expect(other.port).not.toBe(first.port);
    expect(compare(await takeRestBytes(peer, other), initrd)).toBe("identical");
    await settled(server.port);
    expect(peer.waiting().filter(({ text }) => text.startsWith("DATA"))).toEqual([]);
  });

  test("a stranger at a transfer's port gets ERROR 5 and disturbs nothing", async () => {
    using peer = await openPeer();
    using stranger = await openPeer();
    peer.send(readRequest("kernel"), server.port);
    const first = await peer.next();
    stranger.send(ack(1), first.port);
    expect((await stranger.next()).text).toStartWith("ERROR 5");
    stranger.send(errorPacket(0, "stop it"), first.port);
    await settled(server.port);
    expect(stranger.waiting()).toEqual([]);
    expect(peer.waiting()).toEqual([]);
    expect(compare(await takeRestBytes(peer, first), kernel)).toBe("identical");
  });

  test("a client's ERROR ends its transfer without an answer", async () => {
    using peer = await openPeer();
    peer.send(readRequest("kernel"), server.port);
    const { port } = await peer.next();
    peer.send(errorPacket(0, "changed my mind"), port);
    await settled(server.port);
    expect(peer.waiting()).toEqual([]);
    // A late ACK of an ended transfer starts nothing again.
    peer.send(ack(1), port);
    await settled(server.port);
    expect(peer.waiting().filter(({ text }) => !text.startsWith("ERROR 5"))).toEqual([]);
  });
});

describe("files that change under way", () => {
  // Far more than is read ahead for the first blocks.
  const before = bytesOf(4_000_000, 5);
  const after = bytesOf(4_000_000, 6);

  test("one replaced by rename is sent as it was", async () => {
    server.put("replaced", before);
    using peer = await openPeer();
    peer.send(readRequest("replaced", [["blksize", 8192]]), server.port);
    const { port } = await peer.next();
    peer.send(ack(0), port);
    const first = await peer.next();
    writeFileSync(join(server.root, "replacement"), after);
    renameSync(join(server.root, "replacement"), join(server.root, "replaced"));
    expect(compare(await takeRestBytes(peer, first, 8192), before)).toBe("identical");

    peer.send(readRequest("replaced", [["blksize", 8192]]), server.port);
    const oack = await peer.next();
    peer.send(ack(0), oack.port);
    expect(compare(await takeRestBytes(peer, await peer.next(), 8192), after)).toBe("identical");
  });

  for (const [how, content] of [
    ["overwritten in place", after],
    ["truncated", after.subarray(0, 100_000)],
  ] as const) {
    test(`one ${how} ends with an ERROR, never with a mixture`, async () => {
      server.put("changed", before);
      // File times advance in ticks of some milliseconds.
      await Bun.sleep(50);
      using peer = await openPeer();
      peer.send(readRequest("changed", [["blksize", 8192]]), server.port);
      const { port } = await peer.next();
      peer.send(ack(0), port);
      const first = await peer.next();
      server.put("changed", content);
      const rest = await takeRest(peer, first, 8192);
      expect(typeof rest === "string" ? rest : `${rest.length} bytes`).toMatch(/^ERROR [0-8] /);
    });
  }
});

async function takeRestBytes(peer: Peer, first: Datagram, blockBytes = 512): Promise<Uint8Array> {
  const rest = await takeRest(peer, first, blockBytes);
  if (typeof rest === "string") throw new Error(`the server ended the transfer: ${rest}`);
  return rest;
}
