// What clients see of a worker that dies (end-to-end): the real server from its sources, with workers that certain requests
// kill. The others notice nothing, and whoever asks again is served.

import { expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";

import { bytesOf, compare } from "./bytes.ts";
import { deathsOf, startMortal } from "./mortal.ts";
import { allow, configuration, reload, temporaryFolder } from "./reloading.ts";
import type { Server, ServerOptions } from "./server.ts";
import {
  ack,
  dataPacket,
  openPeer,
  payload,
  type Peer,
  readRequest,
  settled,
  takeRest,
  writeRequest,
} from "./wire.ts";

// Longer than any wait in here, so that the wait says what did not come.
setDefaultTimeout(300_000);

const small = bytesOf(400, 21);
const large = bytesOf(40 * 512 + 7, 22);

test.each([
  [
    "a worker that throws is replaced on its sockets, and the transfers of another one go on",
    false,
  ],
  ["with a single port, too, those of another worker go on", true],
])("%s", async (_, isSinglePort) => {
  await using server = await startServing(2, {
    tables: ["[transfer]", `single_port = ${isSinglePort}`],
  });
  const peers = await Promise.all(Array.from({ length: 24 }, () => openPeer()));
  const firsts = await Promise.all(
    peers.map((peer) => {
      peer.send(readRequest("large"), server.port);
      return peer.next();
    }),
  );
  await kill(server, 1);
  const ends = await Promise.all(
    peers.map(async (peer, index) => {
      const first = firsts[index];
      if (first === undefined) throw new Error("no first block");
      const rest = await takeRest(peer, first, 512);
      return typeof rest === "string" ? rest : compare(rest, large);
    }),
  );
  for (const peer of peers) peer.close();
  // The kernel spreads clients by a hash: 24 of them are never all at one worker.
  expect([...new Set(ends)].toSorted()).toEqual(["ERROR 5 Unknown transfer ID", "identical"]);
  const [death = {}] = deathsOf(server);
  expect(death).toMatchObject({
    error: expect.stringMatching(/^TypeError: poisoned/),
    delay_ms: 0,
  });
  expect(death["stack"]).toMatch(/at decide \(.*; at handle \(.*; at run \(/);
  expect(death["transfers"]).toBe(ends.filter((end) => end !== "identical").length);
  for (let round = 0; round < 10; round += 1) expect(await fetchSmall(server)).toBe("identical");
});

test("an upload that a death has cut off is told so, and its request of before begins none by other terms", async () => {
  using uploads = temporaryFolder();
  const tables = allow("config*", uploads.path);
  await using server = await startServing(1, { tables });
  using peer = await openPeer();
  const request = writeRequest("config", [["blksize", 1448]]);
  const asked = async (): Promise<string> => {
    // An answer may have come twice.
    while (peer.waiting().length > 0) await peer.next();
    peer.send(request, server.port);
    await settled(server.port);
    return peer.waiting().length > 0 ? (await peer.next()).text : "nothing";
  };
  peer.send(request, server.port);
  const { port, text } = await peer.next();
  expect(text).toBe("OACK blksize=1448");
  const logged = ["[logging]", 'format = "json"', ...tables];
  const limited = configuration(server, {
    tables: ["[transfer]", "max_block_size = 1024", ...logged],
  });
  await reload(server, limited);
  await kill(server, 1);
  // As if it had been on its way while the client got the OACK. One that has not got it asks again.
  expect(await asked()).toBe("nothing");
  peer.send(dataPacket(1, large.subarray(0, 1448)), port);
  expect((await peer.next()).text).toBe("ERROR 5 Unknown transfer ID");
  expect(readdirSync(uploads.path)).toEqual([]);
  await soon(async () => (await asked()) === "OACK blksize=1024");
  // Where the terms are what they were, it is answered at once.
  await reload(server, limited);
  await kill(server, 2);
  expect(await asked()).toBe("OACK blksize=1024");
});

test("a worker that never comes back is ended and replaced, while another one serves", async () => {
  await using server = await startServing(2, { tables: ["stuck_secs = 3"] });
  using peer = await openPeer();
  peer.send(readRequest("die-looping"), server.port);
  await soon(() => server.log().includes('"worker_stuck"'));
  await soon(() => deathsOf(server).length === 1);
  expect(deathsOf(server)[0]?.["error"]).toMatch(
    /^stuck in one turn for [\d.]+ s \(state R, [1-9]\d{3} ms of processor time\)$/,
  );
  // Of both workers, and so of the new one.
  for (let round = 0; round < 16; round += 1) expect(await fetchSmall(server)).toBe("identical");
});

test("a worker that waits for a kernel that never answers ends the server, with a message", async () => {
  // It waits for a program, which a confined server could not start.
  const tables = ["stuck_secs = 1", "[process]", "landlock = false", "seccomp = false"];
  await using server = await startServing(1, { tables });
  using peer = await openPeer();
  peer.send(readRequest("die-waiting"), server.port);
  expect(await server.exited).toBe(70);
  expect(server.log()).toMatch(/worker 0 was stuck in one turn for [\d.]+ s \(state S, /);
  expect(server.log()).toContain("does not answer is the usual cause");
});

test("200 deaths during 64 running and 1,000 new transfers: every new one completes", async () => {
  await using server = await startServing(3);
  const load = { isOver: false };
  let fetched = 0;
  let cutOff = 0;
  const fetchAnew = async (pauseMs: number): Promise<void> => {
    const times = await fetchLarge(server, pauseMs);
    cutOff += times;
  };
  const fetchNew = async (): Promise<void> => {
    while (!load.isOver) {
      // A death may come in between the blocks of a large one: it begins anew, and that is none of the thousand.
      if (fetched % 8 === 7) await fetchAnew(0);
      else expect(await fetchSmall(server)).toBe("identical");
      fetched += 1;
    }
  };
  const run = async (): Promise<void> => {
    while (!load.isOver) await fetchAnew(25);
  };
  const clients = [
    ...Array.from({ length: 64 }, () => run()),
    ...Array.from({ length: 16 }, () => fetchNew()),
  ];
  for (let deaths = 1; deaths <= 200; deaths += 1) {
    await soon(() => fetched >= 5 * deaths);
    await kill(server, deaths);
  }
  load.isOver = true;
  await Promise.all(clients);
  expect(cutOff).toBeGreaterThan(0);
  expect(deathsOf(server)).toHaveLength(200);
});

/** One with the files that are fetched here. */
async function startServing(workers: number, options: ServerOptions = {}): Promise<Server> {
  const server = await startMortal(workers, options);
  server.put("small", small);
  server.put("large", large);
  return server;
}

/** Has a worker die, which is the `count`-th. */
async function kill(server: Server, count: number): Promise<void> {
  using peer = await openPeer();
  peer.send(readRequest("die-throwing"), server.port);
  await soon(() => server.log().split('"worker_replaced"').length > count);
}

/** As `until`, but quicker: it is waited for hundreds of times, and at the longest until the test's own limit. */
async function soon(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await Bun.sleep(3);
}

/** Fetches a file of one block; a client repeats a request that is not answered. */
async function fetchSmall(server: Server): Promise<string> {
  using peer = await openPeer();
  const first = await ask(peer, server, "small", small);
  peer.send(ack(1), first.port);
  return compare(payload(first), small);
}

/** Fetches a file of many blocks, with a pause before each ACK, as often as it takes. Returns how often it began anew. */
async function fetchLarge(server: Server, pauseMs: number): Promise<number> {
  for (let times = 0; times < 1000; times += 1) {
    using peer = await openPeer();
    const bytes = await takeLarge(peer, server, pauseMs);
    if (bytes === undefined) continue;
    expect(compare(bytes, large)).toBe("identical");
    return times;
  }
  throw new Error("a file did not arrive in a thousand tries");
}

/** The file; undefined if its worker died on the way. */
async function takeLarge(
  peer: Peer,
  server: Server,
  pauseMs: number,
): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = [];
  let datagram = await ask(peer, server, "large", large.subarray(0, 512));
  const { port } = datagram;
  const acknowledge = (): void => peer.send(ack(parts.length), port);
  for (;;) {
    if (datagram.text.startsWith("ERROR 5")) return undefined;
    if (datagram.text === `DATA ${parts.length + 1} ${payload(datagram).length}`) {
      parts.push(payload(datagram));
      if (pauseMs > 0) await Bun.sleep(pauseMs);
      acknowledge();
      if (payload(datagram).length < 512) return Buffer.concat(parts);
    } else if (!datagram.text.startsWith("DATA")) {
      throw new Error(datagram.text);
    }
    // A request that was repeated just before it was answered leads to a second transfer, from another port.
    do datagram = await repeated(peer, acknowledge);
    while (datagram.port !== port);
  }
}

/** The first block of a file, which is `block`. */
async function ask(
  peer: Peer,
  server: Server,
  name: string,
  block: Uint8Array,
): ReturnType<Peer["next"]> {
  const request = (): void => peer.send(readRequest(name), server.port);
  request();
  for (;;) {
    const datagram = await repeated(peer, request);
    // A port is used again, and who had it before may have left without a word.
    if (datagram.text.startsWith("DATA 1 ") && payload(datagram).length === block.length)
      return datagram;
  }
}

/** The next datagram, with `repeat` after each tenth of a second without one. */
async function repeated(peer: Peer, repeat: () => void): ReturnType<Peer["next"]> {
  for (let tries = 0; tries < 600; tries += 1) {
    try {
      return await peer.next(100);
    } catch {
      repeat();
    }
  }
  throw new Error("no answer for a minute");
}
