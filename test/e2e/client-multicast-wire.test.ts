// get --multicast from a server that is played by hand (end-to-end), for what atftpd does not do: no multicast, one that cannot be heard,
// blocks to one client alone, strangers in the group, and its end in the middle of the file.

import { afterEach, describe, expect, test } from "bun:test";

import { bytesOf, compare } from "./bytes.ts";
import { asked, goodbye, oack, strings } from "./client-asked.ts";
import { type Datagram, dataPacket, errorPacket, openPeer, type Peer } from "./wire.ts";

afterEach(goodbye);

const bytes = bytesOf(1200, 12);
const blocks = [bytes.subarray(0, 512), bytes.subarray(512, 1024), bytes.subarray(1024)] as const;
/** A group that nobody else sends to, and a port that the kernel gives to nobody by itself. */
const group = "239.255.77.90";
const groupPort = 20_990;
const words = ["get", "x", "--multicast", "-b", "512"] as const;

function offer(mc: 0 | 1, address: string = group, size: number = bytes.length): Uint8Array {
  return oack("tsize", String(size), "multicast", `${address},${groupPort},${mc}`);
}

/** Plays an ordinary server, without options, to its end. */
async function serve(peer: Peer, { port }: Datagram): Promise<void> {
  for (const [index, block] of blocks.entries()) {
    peer.send(dataPacket(index + 1, block), port);
    expect((await peer.next()).text).toBe(`ACK ${index + 1}`);
  }
}

describe("a multicast", () => {
  test("is asked for with an empty value, and without windows", async () => {
    const { client, request } = await asked(...words);
    expect(strings(request)).toEqual(["x", "octet", "tsize", "0", "multicast", ""]);
    client.kill("SIGKILL");
  });

  test("may come to one client alone; others are masters for a while", async () => {
    const { client, folder, peer, request } = await asked(...words);
    peer.send(offer(0), request.port);
    peer.send(dataPacket(2, blocks[1]), request.port);
    peer.send(oack("multicast", ",,1"), request.port);
    expect((await peer.next()).text).toBe("ACK 0");
    peer.send(oack("multicast", ",,0"), request.port);
    peer.send(dataPacket(1, blocks[0]), request.port);
    // A listener says nothing but that it has everything.
    peer.send(dataPacket(3, blocks[2]), request.port);
    expect((await peer.next()).text).toBe("ACK 3");
    peer.send(oack("multicast", ",,1"), request.port);
    expect((await peer.next()).text).toBe("ACK 3");
    expect((await client.ended).exitCode).toBe(0);
    expect(compare(folder.bytesOf("x"), bytes)).toBe("identical");
    expect(peer.waiting()).toEqual([]);
  });

  test("is heard from its server, and from nobody else", async () => {
    const { client, folder, peer, request } = await asked(...words);
    using stranger = await openPeer();
    for (const each of [peer, stranger]) each.multicastBy("127.0.0.1");
    peer.send(offer(1), request.port);
    expect((await peer.next()).text).toBe("ACK 0");
    for (const [index, block] of blocks.entries()) {
      stranger.send(dataPacket(index + 1, bytesOf(block.length, 99)), groupPort, group);
      stranger.send(errorPacket(0, "end"), groupPort, group);
      peer.send(dataPacket(index + 1, block), groupPort, group);
      expect((await peer.next()).text).toBe(`ACK ${index + 1}`);
    }
    expect((await client.ended).exitCode).toBe(0);
    expect(compare(folder.bytesOf("x"), bytes)).toBe("identical");
    // Others may have clients in the same group: they are not told that they are strangers.
    expect(stranger.waiting()).toEqual([]);
  });

  test("that ends with an ERROR leaves no file", async () => {
    const { client, folder, peer, request } = await asked(...words);
    peer.send(offer(1), request.port);
    expect((await peer.next()).text).toBe("ACK 0");
    peer.send(dataPacket(3, blocks[2]), request.port);
    peer.send(errorPacket(0, "over"), request.port);
    const { exitCode, error } = await client.ended;
    expect(exitCode).toBe(77);
    expect(error).toContain("it says: over (ERROR 0)");
    expect(folder.names()).toEqual([]);
  });

  test("of another file's blocks is refused", async () => {
    const { client, folder, peer, request } = await asked(...words);
    peer.send(offer(1), request.port);
    expect((await peer.next()).text).toBe("ACK 0");
    peer.send(dataPacket(4, blocks[2]), request.port);
    expect((await peer.next()).text).toBe("ERROR 4 Illegal TFTP operation");
    expect((await client.ended).exitCode).toBe(76);
    expect(folder.names()).toEqual([]);
  });

  test("is left with an ERROR by a client that is interrupted", async () => {
    const { client, folder, peer, request } = await asked(...words);
    peer.send(offer(1), request.port);
    expect((await peer.next()).text).toBe("ACK 0");
    client.kill("SIGINT");
    expect((await peer.next()).text).toBe("ERROR 0 Cancelled by the client");
    expect((await client.ended).exitCode).toBe(130);
    expect(folder.names()).toEqual([]);
  });
});

describe("the file comes by an ordinary transfer where", () => {
  test("no multicast is offered: with windows, if those are", async () => {
    const all = await asked(...words);
    all.peer.send(oack("tsize", "1200"), all.request.port);
    expect((await all.peer.next()).text).toBe("ERROR 8 Option refused");
    await endAlone("the server offered none", all);
  });

  test("no multicast is offered, and no windows are wanted", async () => {
    const { client, folder, peer, request } = await asked(...words, "-w", "1");
    peer.send(oack("tsize", "1200"), request.port);
    expect((await peer.next()).text).toBe("ACK 0");
    await serve(peer, request);
    const { exitCode, error } = await client.ended;
    expect(exitCode).toBe(0);
    expect(error).toContain("; no multicast: the server offered none");
    expect(compare(folder.bytesOf("x"), bytes)).toBe("identical");
  });

  test("the server knows no options", async () => {
    const { client, folder, peer, request } = await asked(...words);
    await serve(peer, request);
    const { exitCode, error } = await client.ended;
    expect(exitCode).toBe(0);
    expect(error).toContain("; no multicast: the server offered none");
    expect(compare(folder.bytesOf("x"), bytes)).toBe("identical");
  });

  test("the option is refused, with whatever ERROR", async () => {
    const { client, folder, peer, request } = await asked(...words);
    peer.send(errorPacket(0, "too long for a multicast"), request.port);
    await endAlone("the server refused it", { client, folder, peer, request });
  });

  test("nobody answers when it is asked for", async () => {
    const all = await asked(...words, "-t", "1", "--retries", "0");
    await endAlone("no answer came to that", all);
  });

  test.each([
    ["the group is no group", "192.0.2.1", 1200, "192.0.2.1 is no multicast address"],
    ["the group is of another family", "ff15::2090", 1200, "is not of the server's family, IPv4"],
    ["the file has too many blocks", group, 65_535 * 512, "or one of more than 65,535 blocks"],
  ])("%s", async (_what, address, size, why) => {
    const all = await asked(...words);
    all.peer.send(offer(1, address, size), all.request.port);
    expect((await all.peer.next()).text).toBe("ERROR 0 Left the multicast");
    await endAlone(why, all);
  });

  test("no block is heard", async () => {
    const { client, folder, peer, request } = await asked(...words, "-t", "1");
    const answer = oack("tsize", "1200", "timeout", "1", "multicast", `${group},${groupPort},1`);
    peer.send(answer, request.port);
    for (let ask = 0; ask < 3; ask += 1) expect((await peer.next()).text).toBe("ACK 0");
    expect((await peer.next()).text).toBe("ERROR 0 Left the multicast");
    await endAlone("nothing came by it", { client, folder, peer, request });
  }, 30_000);

  test("the server has left, in the middle of the file", async () => {
    const { client, folder, peer, request } = await asked(...words);
    const transfer = await openPeer();
    transfer.send(offer(1), request.port);
    expect((await transfer.next()).text).toBe("ACK 0");
    transfer.send(dataPacket(1, blocks[0]), request.port);
    expect((await transfer.next()).text).toBe("ACK 1");
    transfer.close();
    await endAlone("the server has left it", { client, folder, peer, request });
  }, 30_000);
});

/** The client asks again, from another port and for no multicast; it gets the file, and says why it did. */
async function endAlone(
  why: string,
  { client, folder, peer, request }: Awaited<ReturnType<typeof asked>>,
): Promise<void> {
  const again = await peer.next(20_000);
  expect(strings(again).slice(0, 4)).toEqual(["x", "octet", "tsize", "0"]);
  expect(strings(again)).not.toContain("multicast");
  expect(strings(again)).toContain("windowsize");
  expect(again.port).not.toBe(request.port);
  await serve(peer, again);
  const { exitCode, error } = await client.ended;
  expect(exitCode).toBe(0);
  expect(error).toContain("; no multicast: ");
  expect(error).toContain(why);
  expect(compare(folder.bytesOf("x"), bytes)).toBe("identical");
}
