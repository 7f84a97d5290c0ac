// Where requests come in and replies leave from (end-to-end): IPv4, IPv6 and both on one socket, the address that
// was asked, link-local scopes, a single port, a range of ports.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import { bytesOf, compare } from "./bytes.ts";
import { clientFolder } from "./client-rig.ts";
import { atftp, type Client, clients, curl, run, skipBecause, testWith } from "./clients.ts";
import { freePort, type Server, startServer, until } from "./server.ts";
import { ack, type Datagram, errorPacket, openPeer, readRequest, takeRest } from "./wire.ts";

// Longer than any wait in here, so that the wait says what did not come.
setDefaultTimeout(30_000);

const content = bytesOf(300 * 512, 9);

async function fetches(
  client: Client,
  server: Server,
  host: string,
  wrapper: string[] = [],
): Promise<void> {
  const answer = await run(client, { port: server.port, host, name: "file", wrapper });
  expect(`${compare(answer.bytes, content)}, ${answer.printed}`).toStartWith("identical");
}

describe("on every address of both families", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startServer({ bind: "[::]" });
    server.put("file", content);
  });
  afterAll(() => server.stop());

  for (const client of clients) {
    testWith([client], `${client.name} over IPv6`, () => fetches(client, server, "::1"));
    testWith([client], `${client.name} over IPv4`, () => fetches(client, server, "127.0.0.1"));
  }

  for (const address of ["127.0.0.1", "127.0.0.2", "127.1.2.3"]) {
    test(`who asks ${address} hears from ${address}`, () => hearsFrom(server, address));
  }

  test("who asks ::1 hears from ::1", () => hearsFrom(server, "::1"));

  test("an IPv4 client is logged as IPv4", async () => {
    using peer = await openPeer();
    peer.send(readRequest("file"), server.port);
    await takeRest(peer, await peer.next(), 512);
    await until(() => server.log().includes(`127.0.0.1:${peer.port}`), "a log line with the peer");
    expect(server.log()).not.toContain("::ffff:");
  });
});

describe("on every IPv4 address", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startServer({ bind: "0.0.0.0" });
    server.put("file", content);
  });
  afterAll(() => server.stop());

  test("who asks 127.0.0.2 hears from 127.0.0.2", () => hearsFrom(server, "127.0.0.2"));
  testWith([curl], "curl fetches from 127.0.0.2", () => fetches(curl, server, "127.0.0.2"));
});

describe("on one IPv6 address", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startServer({ bind: "[::1]" });
    server.put("file", content);
  });
  afterAll(() => server.stop());

  for (const client of clients) {
    testWith([client], client.name, () => fetches(client, server, "::1"));
  }
});

const fourWorkers = ["[performance.platform.worker_pool]", "worker_count = 4"];

describe("with a single port", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startServer({ bind: "[::]", tables: ["[transfer]", "single_port = true"] });
    server.put("file", content);
  });
  afterAll(() => server.stop());

  for (const client of clients) {
    for (const host of ["127.0.0.1", "::1"]) {
      testWith([client], `${client.name} to ${host}`, () => fetches(client, server, host));
    }
  }

  test("every packet comes from the service port", async () => {
    using peer = await openPeer();
    peer.send(readRequest("file", [["tsize", 0]]), server.port);
    const oack = await peer.next();
    expect(oack.port).toBe(server.port);
    peer.send(ack(0), oack.port);
    const first = await peer.next();
    expect(first.port).toBe(server.port);
    const rest = await takeRest(peer, first, 512);
    expect(typeof rest === "string" ? rest : compare(rest, content)).toBe("identical");
  });

  test("a client may ask twice from one port", async () => {
    using peer = await openPeer();
    for (let round = 0; round < 2; round += 1) {
      peer.send(readRequest("file"), server.port);
      const rest = await takeRest(peer, await peer.next(), 512);
      expect(typeof rest === "string" ? rest : compare(rest, content)).toBe("identical");
    }
  });

  test("every packet of a client reaches the worker that has its transfer", async () => {
    const tables = ["[transfer]", "single_port = true", ...fourWorkers];
    await using four = await startServer({ bind: "0.0.0.0", tables });
    four.put("file", content);
    const peers = await Promise.all(Array.from({ length: 24 }, () => openPeer()));
    try {
      for (const peer of peers) peer.send(readRequest("file"), four.port);
      const firsts = await Promise.all(peers.map((peer) => peer.next()));
      const rests = await Promise.all(
        peers.map((peer, at) => takeRest(peer, firsts[at] as Datagram, 512)),
      );
      for (const rest of rests) {
        expect(typeof rest === "string" ? rest : compare(rest, content)).toBe("identical");
      }
    } finally {
      for (const peer of peers) peer.close();
    }
    await until(() => four.log().split(" sent file ").length > peers.length, "a line for each");
    expect(four.log()).not.toContain("never-answered");
  });

  testWith(clients, "twenty clients at once", async () => {
    const twenty = Array.from({ length: 5 }, () => clients).flat();
    await Promise.all(twenty.map((client) => fetches(client, server, "127.0.0.1")));
  });
});

describe("two clients that a NAT has given one port, for they ask two addresses,", () => {
  test.each([
    ["a single port", "single_port = true"],
    ["one transfer socket", "sockets_per_worker = 1"],
    ["several", "sockets_per_worker = 4"],
  ])("are two: %s", async (_, line) => {
    const tables = ["[transfer]", line, "[performance.platform.worker_pool]", "worker_count = 1"];
    await using server = await startServer({ bind: "0.0.0.0", tables });
    server.put("one", "1".repeat(600));
    server.put("two", "2".repeat(600));
    using nat = await openPeer();
    const asked = [
      ["127.0.0.1", "one", 88],
      ["127.0.0.2", "two", 88],
    ] as const;
    const ports = new Map<string, number>();
    // The second time each asks again, as a client does whose DATA was lost: that is no third transfer.
    for (const round of [1, 2]) {
      for (const [address, name] of asked) {
        nat.send(readRequest(name), server.port, address);
        const first = await nat.next();
        expect([round, first.address, first.text]).toEqual([round, address, "DATA 1 512"]);
        expect(ports.get(address) ?? first.port).toBe(first.port);
        ports.set(address, first.port);
      }
    }
    // The later one first, which no look-up finds by chance.
    for (const [address, name, bytes] of asked.toReversed()) {
      nat.send(ack(1), ports.get(address) ?? 0, address);
      const last = await nat.next();
      expect([last.address, last.text]).toEqual([address, `DATA 2 ${bytes}`]);
      expect(new Set(last.bytes.subarray(4))).toEqual(
        new Set(Buffer.from(name === "one" ? "1" : "2")),
      );
      nat.send(ack(2), last.port, address);
    }
    await until(() => server.log().split(" sent ").length === 3, "two lines of the log");
    // One alone again: socket and peer tell it.
    nat.send(readRequest("one"), server.port, "127.0.0.2");
    expect((await nat.next()).text).toBe("DATA 1 512");
  });
});

describe("with a range of ports", () => {
  test("every transfer answers from within it", async () => {
    // Below the ports that the system hands out by itself, so that four in a row are likely free.
    const first = 20_000 + ((await freePort()) % 10_000);
    const range = `port_range = "${first}-${first + 3}"`;
    await using server = await startServer({ tables: ["[transfer]", range] });
    server.put("file", content);
    for (let round = 0; round < 12; round += 1) {
      using peer = await openPeer();
      peer.send(readRequest("file"), server.port);
      const { port, text } = await peer.next();
      expect(text).toBe("DATA 1 512");
      expect(port).toBeGreaterThanOrEqual(first);
      expect(port).toBeLessThanOrEqual(first + 3);
      peer.send(errorPacket(0, "done"), port);
    }
  });
});

describe("when a range of ports, or what may run on them, is used up", () => {
  const oneWorker = ["[performance.platform.worker_pool]", "worker_count = 1"];

  test("many clients share one port; whoever comes after the last transfer hears ERROR 0, and the log says so", async () => {
    const port = 20_000 + ((await freePort()) % 10_000);
    const limits = [`port_range = "${port}"`, "max_transfers = 3"];
    await using server = await startServer({ tables: ["[transfer]", ...limits, ...oneWorker] });
    server.put("file", content);
    const peers = await Promise.all(Array.from({ length: 4 }, () => openPeer()));
    const [, , , last] = peers;
    if (last === undefined) throw new Error("there are four");
    try {
      for (const peer of peers.slice(0, 3)) {
        peer.send(readRequest("file"), server.port);
        expect(await peer.next()).toMatchObject({ text: "DATA 1 512", port });
      }
      last.send(readRequest("file"), server.port);
      expect((await last.next()).text).toStartWith("ERROR 0 ");
      await until(() => /all 3 transfers of (?:this|a) worker/.test(server.log()), "a line of it");
      for (const peer of peers.slice(0, 3)) peer.send(errorPacket(0, "done"), port);
      // The transfers end before the request is read, or it is asked again.
      for (let attempt = 0; ; attempt += 1) {
        last.send(readRequest("file"), server.port);
        const { text } = await last.next();
        if (text === "DATA 1 512") break;
        expect([attempt < 20, text.slice(0, 8)]).toEqual([true, "ERROR 0 "]);
      }
    } finally {
      for (const peer of peers) peer.close();
    }
  });

  test("a range without a free port for every worker stops the start, with a remedy", async () => {
    const port = 20_000 + ((await freePort()) % 10_000);
    using taken = await holdPort(port);
    const server = await startServer({
      readyHost: undefined,
      tables: ["[transfer]", `port_range = "${taken.port}"`, ...oneWorker],
    });
    expect(await server.exited).toBe(71);
    expect(server.log()).toContain(`port_range ${port}-${port} has 0 free ports, and 1 workers`);
    expect(server.log()).toContain("widen [transfer] port_range");
    await server.stop();
  });
});

/** Keeps a port from the server. */
async function holdPort(port: number): Promise<Disposable & { readonly port: number }> {
  const socket = await Bun.udpSocket({ hostname: "127.0.0.1", port });
  return { port, [Symbol.dispose]: () => socket.close() };
}

describe("on a link-local address", () => {
  const name = "curl and atftp fetch with the scope of the interface";
  const unique = process.pid.toString(36);
  const [serverSpace, clientSpace] = [`owl-s-${unique}`, `owl-c-${unique}`];
  const mayMake = process.getuid?.() === 0 && ip("netns", "add", serverSpace);
  afterAll(() => {
    for (const space of [serverSpace, clientSpace]) ip("netns", "delete", space);
  });

  if (!mayMake) {
    skipBecause(name, "network namespaces need root, and a kernel or container that allows them");
  } else {
    testWith([curl, atftp], name, async () => {
      const there = ["-n", clientSpace];
      const here = ["-n", serverSpace];
      const commands = [
        ["netns", "add", clientSpace],
        [
          "link",
          "add",
          "owl0",
          "netns",
          serverSpace,
          "type",
          "veth",
          "peer",
          "name",
          "owl1",
          "netns",
          clientSpace,
        ],
        [...here, "address", "add", "fe80::1/64", "dev", "owl0", "nodad"],
        [...there, "address", "add", "fe80::2/64", "dev", "owl1", "nodad"],
        [...here, "link", "set", "owl0", "up"],
        [...there, "link", "set", "owl1", "up"],
      ];
      for (const command of commands) expect([command, ip(...command)]).toEqual([command, true]);

      for (const bind of ["[::]", "[fe80::1%owl0]"]) {
        await using server = await startServer({
          bind,
          wrapper: ["ip", "netns", "exec", serverSpace],
          readyHost: undefined,
        });
        server.put("file", content);
        const wrapper = ["ip", "netns", "exec", clientSpace];
        const ask = { port: server.port, host: "fe80::1%owl1", name: "missing", wrapper };
        // This socket cannot see into the namespace, so a client asks until the server is up.
        for (let attempt = 0; attempt < 20; attempt += 1) {
          if ((await run(curl, ask)).exitCode === 68) break;
          await Bun.sleep(100);
        }
        await fetches(curl, server, "fe80::1%owl1", wrapper);
        await fetches(atftp, server, "fe80::1%owl1", wrapper);
        using folder = clientFolder(wrapper);
        for (const host of ["fe80::1%owl1", "fe80::1%25owl1"]) {
          const ours = await folder.run("get", `tftp://[${host}]:${server.port}/file`, "-q");
          expect(ours).toEqual({ exitCode: 0, out: "", error: "" });
          expect(compare(folder.bytesOf("file"), content)).toBe("identical");
        }
      }
    });
  }
});

async function hearsFrom(server: Server, address: string): Promise<void> {
  using peer = await openPeer(address);
  peer.send(readRequest("missing"), server.port);
  expect((await peer.next()).address).toBe(address);
  peer.send(readRequest("file"), server.port);
  const first = await peer.next();
  expect(first.address).toBe(address);
  const rest = await takeRest(peer, first, 512);
  expect(typeof rest === "string" ? rest : compare(rest, content)).toBe("identical");
}

function ip(...words: readonly string[]): boolean {
  return Bun.spawnSync(["ip", ...words]).exitCode === 0;
}
