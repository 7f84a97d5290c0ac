// Limits on clients and on bandwidth (end-to-end): the executable with bare packets from several addresses of the loopback
// interface, and with curl. Where time is looked at, it is a transfer that must not have been faster.

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import { curl, run, testWith } from "./clients.ts";
import { type Server, startServer, until } from "./server.ts";
import { ack, errorPacket, openPeer, type Peer, readRequest } from "./wire.ts";

// Longer than any wait in here, so that the wait says what did not come.
setDefaultTimeout(60_000);

const ONE = "127.0.0.1";
const OTHER = "127.0.0.2";
const STRANGER = "127.9.0.1";

const servers: Server[] = [];

afterAll(async () => {
  for (const server of servers) await server.stop();
});

async function serverWith(...tables: readonly string[]): Promise<Server> {
  const server = await startServer({ tables });
  servers.push(server);
  server.put("file", new Uint8Array(2000));
  return server;
}

/** A client that has asked for `file`, and the port that it was answered from. */
interface Client extends Disposable {
  readonly peer: Peer;
  readonly port: number;
}

/** Asks for `file` from `address`, and takes the first reply. It is acknowledged if `isHeard`. */
async function ask(server: Server, address: string, isHeard = true): Promise<Client> {
  const peer = await openPeer(ONE, address);
  peer.send(request, server.port);
  const oack = await peer.next();
  const client = { peer, port: oack.port, [Symbol.dispose]: () => peer.close() };
  if (isHeard) await acknowledge(client);
  return client;
}

const request = readRequest("file", [["blksize", 600]]);

async function acknowledge({ peer, port }: Client): Promise<void> {
  peer.send(ack(0), port);
  expect((await peer.next()).text).toBe("DATA 1 600");
}

async function answerTo(server: Server, address: string): Promise<string> {
  using peer = await openPeer(ONE, address);
  peer.send(request, server.port);
  return (await peer.next()).text;
}

/** Whether the server says nothing to `address`, while it answers `elsewhere`. */
async function isSilentTo(server: Server, address: string, elsewhere: string): Promise<boolean> {
  using peer = await openPeer(ONE, address);
  peer.send(request, server.port);
  // Whichever worker the one goes to, some of these go to it, too.
  for (let count = 0; count < 8; count += 1) {
    using other = await openPeer(ONE, elsewhere);
    other.send(readRequest("missing"), server.port);
    expect((await other.next()).text).toBe("ERROR 1 File not found");
  }
  return peer.waiting().length === 0;
}

const busy = "ERROR 0 Server busy, try again later";

describe("transfers at a time", () => {
  test("of one client: the next is told, other clients are not", async () => {
    const server = await serverWith("[limits]", "transfers_per_client = 2");
    using first = await ask(server, ONE);
    using _second = await ask(server, ONE);
    expect(await answerTo(server, ONE)).toBe(busy);
    using _other = await ask(server, OTHER);
    // An end makes room, in whichever worker it was.
    first.peer.send(errorPacket(0, "that will do"), first.port);
    await until(() => server.log().includes("closed-by-client"), "the end of one");
    using _next = await ask(server, ONE);
    await until(() => server.log().includes("the client has 2 transfers"), "a line in the log");
  });

  test("of one network, whose clients are silently passed over", async () => {
    const server = await serverWith(
      "[limits]",
      "transfers_per_network = 1",
      "network_bits_v4 = 16",
      'at_limit = "drop"',
    );
    using _peer = await ask(server, ONE);
    expect(await isSilentTo(server, OTHER, STRANGER)).toBe(true);
  });

  test("of everybody", async () => {
    const server = await serverWith("[limits]", "transfers = 2", "[logging]", 'format = "json"');
    using _one = await ask(server, ONE);
    using _other = await ask(server, OTHER);
    expect(await answerTo(server, STRANGER)).toBe(busy);
    await until(() => server.log().includes('"resource_exhaustion"'), "the audit event");
  });
});

test("clients that never acknowledge anything are so many, and the next is not even told", async () => {
  const server = await serverWith("[limits]", "half_open_per_network = 2");
  using one = await ask(server, ONE, false);
  using _other = await ask(server, OTHER, false);
  expect(await isSilentTo(server, ONE, STRANGER)).toBe(true);
  // Who acknowledges is no such client any more.
  await acknowledge(one);
  using _third = await ask(server, ONE, false);
});

test("requests beyond the rate of a network are turned away, others are not", async () => {
  const server = await serverWith(
    "[limits]",
    "requests_per_second = 0.001",
    "request_burst = 5",
    "[logging]",
    'format = "json"',
  );
  // Not from where `startServer` has asked until there was an answer.
  const answers: string[] = [];
  for (let count = 0; count < 6; count += 1) {
    answers.push(await answerTo(server, `127.5.0.${count + 1}`));
  }
  expect(answers).toEqual([...Array.from({ length: 5 }, () => "OACK blksize=600"), busy]);
  expect(await answerTo(server, STRANGER)).toStartWith("OACK");
  await until(() => server.log().includes('"rate_limit_triggered"'), "the audit event");
});

/** Bytes a second since `startMs`. */
function rateOf(bytes: number, startMs: number): number {
  return bytes / ((performance.now() - startMs) / 1000);
}

describe("bandwidth", () => {
  testWith([curl], "of all, of a class and of a client is not exceeded", async () => {
    const server = await serverWith(
      "[limits]",
      "mbit_per_second = 16",
      "[[rate_class]]",
      'name = "slow"',
      "mbit_per_second = 4",
      "[[rate_class]]",
      'name = "narrow"',
      "client_mbit_per_second = 2",
      "[[rule]]",
      'glob = "slow*"',
      'rate_class = "slow"',
      "[[rule]]",
      'glob = "narrow*"',
      'rate_class = "narrow"',
    );
    for (const [name, mbit] of [
      ["slow", 4],
      ["narrow", 2],
      ["any", 16],
    ] as const) {
      const bytes = new Uint8Array(mbit * 62_500);
      server.put(name, bytes);
      const startMs = performance.now();
      const ask = { port: server.port, name, blockBytes: 1428 };
      const answers = await Promise.all([run(curl, ask), run(curl, ask)]);
      for (const answer of answers) expect(answer.bytes).toEqual(bytes);
      expect(rateOf(2 * bytes.length, startMs)).toBeLessThan(mbit * 125_000 * 1.1);
    }
  });

  testWith([curl], "that a reload changes holds for transfers that run", async () => {
    const server = await serverWith(
      "[limits]",
      "mbit_per_second = 0.1",
      "[logging]",
      'level = "debug"',
    );
    const bytes = new Uint8Array(2_000_000);
    server.put("image", bytes);
    // At the rate that it begins with this would take three minutes.
    const answer = run(curl, { port: server.port, name: "image", blockBytes: 1428 });
    await until(() => server.log().includes("asked for image"), "the start");
    server.configure(
      `root_dir = ${JSON.stringify(server.root)}\nbind_addr = "127.0.0.1:${server.port}"\n`,
    );
    server.kill("SIGHUP");
    expect((await answer).bytes).toEqual(bytes);
    await until(() => server.log().includes("configuration_loaded"), "the line of the reload");
  });

  testWith([curl], "of an upload is not exceeded either", async () => {
    const server = await serverWith(
      "[limits]",
      "mbit_per_second = 4",
      "[write_config]",
      "enabled = true",
      'allowed_patterns = ["up*"]',
    );
    const bytes = new Uint8Array(500_000);
    const startMs = performance.now();
    const answer = await run(curl, { port: server.port, name: "up", upload: bytes });
    expect(answer.exitCode).toBe(0);
    expect(rateOf(bytes.length, startMs)).toBeLessThan(4 * 125_000 * 1.1);
  });
});

describe("a forged request costs its victim little", () => {
  /** Everything that is sent to whoever asks so, says nothing more and is given up. */
  async function costOf(server: Server, request: Uint8Array): Promise<readonly string[]> {
    using victim = await openPeer(ONE);
    victim.send(request, server.port);
    const ended = (): number => server.log().split("(never-answered)").length;
    const before = ended();
    await until(() => ended() > before, "the transfer is given up");
    await until(() => victim.waiting().at(-1)?.text.startsWith("ERROR") === true, "the ERROR");
    bytesSent = victim.waiting().reduce((sum, { bytes }) => sum + bytes.length, 0);
    return victim.waiting().map(({ text }) => text);
  }

  let bytesSent = 0;
  const hasty = ["[transfer]", "retransmit_timeout_ms = 10"];

  test("at the worst 156 times what it cost the forger, and 44 times with headers", async () => {
    const server = await serverWith(...hasty);
    server.put("f", new Uint8Array(2000));
    const smallest = readRequest("f");
    expect(smallest.length).toBe(10);
    expect(await costOf(server, smallest)).toEqual([
      "DATA 1 512",
      "DATA 1 512",
      "DATA 1 512",
      "ERROR 0 Timed out",
    ]);
    expect(bytesSent / smallest.length).toBeLessThan(156.5);
    const headers = 28;
    expect((bytesSent + 4 * headers) / (smallest.length + headers)).toBeLessThan(44.1);
  });

  test("little more than its own size where options were asked for", async () => {
    const server = await serverWith(...hasty);
    const asking = readRequest("file", [
      ["blksize", 65_464],
      ["windowsize", 64],
    ]);
    const answers = await costOf(server, asking);
    expect(answers.slice(0, -1)).toEqual(
      Array.from({ length: 6 }, () => "OACK blksize=65464 windowsize=64"),
    );
    expect(bytesSent / asking.length).toBeLessThan(5);
  });

  test("and nothing is repeated where nothing may be", async () => {
    const server = await serverWith("[limits]", "unanswered_bytes = 0", ...hasty);
    expect(await costOf(server, readRequest("file"))).toEqual(["DATA 1 512", "ERROR 0 Timed out"]);
  });
});
