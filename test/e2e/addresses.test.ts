// Where requests come in and replies leave from (end-to-end): IPv4, IPv6 and both on one socket, the address that
// was asked, link-local scopes, a single port, a range of ports.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import { bytesOf, compare } from "./bytes.ts";
import { clientFolder } from "./client-rig.ts";
import { atftp, type Client, clients, curl, run, skipBecause, testWith } from "./clients.ts";
import { freePort, type Server, startServer, until } from "./server.ts";
import { ack, errorPacket, openPeer, readRequest, takeRest } from "./wire.ts";

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

  testWith(clients, "twenty clients at once", async () => {
    const twenty = Array.from({ length: 5 }, () => clients).flat();
    await Promise.all(twenty.map((client) => fetches(client, server, "127.0.0.1")));
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
