// When the machine fails the server (end-to-end): no descriptors, a firewall, an interface that is down, an address that comes
// later, memory that is not there. Each has one fate, those that docs/reliability.md lists.

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { fileURLToPath } from "node:url";

import { bytesOf, compare } from "./bytes.ts";
import { skipBecause } from "./clients.ts";
import { deathsOf, startMortal } from "./mortal.ts";
import { type Server, startServer, until } from "./server.ts";
import { openPeer, type Peer, readRequest, takeRest } from "./wire.ts";

// Longer than any wait in here, so that the wait says what did not come.
setDefaultTimeout(60_000);

const content = bytesOf(100 * 512, 31);
const space = `owl-f-${process.pid.toString(36)}`;
/** Where the client is, in the tests where the way to it fails. */
const clientSpace = `${space}-c`;
const SERVER = "10.80.0.1";
const inSpace = ["ip", "netns", "exec", space];
const mayMake =
  process.getuid?.() === 0 && ip("netns", "add", space) && ip("netns", "add", clientSpace);
afterAll(() => {
  ip("netns", "delete", space);
  ip("netns", "delete", clientSpace);
});

test("without descriptors a request is told to come later; what runs goes on, and a worker is still replaced", async () => {
  // Otherwise root would raise the limit by itself.
  const tables = ["[process]", "open_files = 100"];
  await using server = await startMortal(1, { wrapper: ["prlimit", "--nofile=100:100"], tables });
  for (let file = 0; file < 100; file += 1) server.put(`file-${file}`, content);
  const peers = await Promise.all(Array.from({ length: 100 }, () => openPeer()));
  const firsts = await Promise.all(
    peers.map((peer, file) => {
      peer.send(readRequest(`file-${file}`), server.port);
      return peer.next();
    }),
  );
  const kinds = new Set(firsts.map(({ text }) => text));
  expect([...kinds].toSorted()).toEqual(["DATA 1 512", "ERROR 0 Server busy, try again later"]);

  const running = firsts.findIndex(({ text }) => text.startsWith("DATA"));
  const [peer, first] = [peers[running], firsts[running]];
  if (peer === undefined || first === undefined) throw new Error("nobody is served");
  const rest = await takeRest(peer, first, 512);
  expect(typeof rest === "string" ? rest : compare(rest, content)).toBe("identical");

  peer.send(readRequest("die-throwing"), server.port);
  await until(() => deathsOf(server).length === 1, "the death of the worker");
  // Its descriptors are given back with it.
  expect(await fetch(server, peer)).toBe("identical");
  for (const other of peers) other.close();
});

describe("in a network of its own", () => {
  const netTest = mayMake ? test : undefined;
  if (!mayMake)
    skipBecause("failing networks", "namespaces need root, and a kernel that allows them");
  const ports = [
    "[transfer]",
    'port_range = "40000-40015"',
    "patience_secs = 60",
    "[logging]",
    'level = "debug"',
  ];

  function netServer(tables: readonly string[] = ports, bind = "127.0.0.1"): Promise<Server> {
    return startServer({ bind, wrapper: inSpace, readyHost: undefined, tables });
  }

  for (const [name, fail, mend, errno] of [
    [
      "a firewall that forbids to send",
      "nft add table inet owl; nft add chain inet owl out '{ type filter hook output priority 0; }'; " +
        "nft add rule inet owl out udp sport 40000-40015 drop",
      "nft delete table inet owl",
      "EPERM",
    ],
    ["an interface that goes down", "ip link set owl0 down", "ip link set owl0 up", "ENETUNREACH"],
  ] as const) {
    netTest?.(`${name} is told once, and the transfer goes on when it is over`, async () => {
      linkSpaces();
      await using server = await netServer(ports, SERVER);
      server.put("file", content);
      await until(() => server.log().includes("serving"), "the start");
      const fetched = fetchInSpace(server, SERVER, clientSpace, 20);
      await until(() => server.log().includes("asked for file"), "the transfer");
      sh(fail);
      await until(() => server.log().includes(`send_refused errno=${errno} `), "a line about it");
      sh(mend);
      expect(await fetched).toBe(`${content.length} bytes`);
      expect(server.log().split("send_refused")).toHaveLength(2);
      await until(() => server.log().includes("sent file"), "its end");
    });
  }

  netTest?.("an address that comes later is answered from as soon as it is there", async () => {
    expect(ip("-n", space, "link", "set", "lo", "up")).toBe(true);
    const address = "198.51.100.9";
    await using server = await netServer(["[transfer]", "freebind = true"], address);
    server.put("file", content);
    await until(() => server.log().includes(`address_awaited bind_addr=${address}`), "the start");
    const fetched = fetchInSpace(server, address, space, 0);
    expect(ip("-n", space, "address", "add", `${address}/32`, "dev", "lo")).toBe(true);
    expect(await fetched).toBe(`${content.length} bytes`);
  });

  netTest?.(
    "the start waits for an address, and fails in the end if it does not come",
    async () => {
      expect(ip("-n", space, "link", "set", "lo", "up")).toBe(true);
      const address = "198.51.100.10";
      const waiting = (seconds: number): Promise<Server> =>
        startServer({
          bind: address,
          wrapper: inSpace,
          tables: ["[transfer]", `address_wait_secs = ${seconds}`],
          readyHost: undefined,
        });
      await using hopeless = await waiting(1);
      expect(await hopeless.exited).toBe(71);
      expect(hopeless.log()).toMatch(
        /does not have that address \(EADDRNOTAVAIL\); waiting for it, 1 s[^]*error: cannot listen on/,
      );
      await using server = await waiting(3600);
      server.put("file", content);
      await until(() => server.log().includes("waiting for it, 3600 s at the most"), "the line");
      expect(ip("-n", space, "address", "add", `${address}/32`, "dev", "lo")).toBe(true);
      await until(() => server.log().includes("serving"), "the start");
      expect(await fetchInSpace(server, address, space, 0)).toBe(`${content.length} bytes`);
      expect(server.log().match(/waiting for it/g)).toHaveLength(1);
    },
  );

  netTest?.(
    "a datagram that never fits into the send buffer is given up like one that is lost",
    async () => {
      expect(ip("-n", space, "link", "set", "lo", "mtu", "1500", "up")).toBe(true);
      await using server = await netServer([
        "[transfer]",
        "patience_secs = 1",
        "[performance.platform.socket]",
        "send_buffer_kb = 4",
      ]);
      server.put("file", bytesOf(200_000, 32));
      await until(() => server.log().includes("serving"), "the start");
      // Over an MTU of 1500 it is 40 packets, and each takes more memory than it has bytes.
      const fetched = fetchInSpace(server, "127.0.0.1", space, 0, 60_000);
      await until(
        () => server.log().includes("send_refused errno=ENOBUFS "),
        "a line about ENOBUFS",
      );
      await until(() => server.log().includes("failed file (gave-up)"), "its end");
      expect(await fetched).toBe("0 bytes");
    },
  );
});

test("memory that the kernel does not give is told with its remedy", async () => {
  const wrapper = ["prlimit", "--as=12884901888"];
  const tables = ["[cache]", "size_mb = 8192"];
  await using server = await startMortal(1, { wrapper, tables, readyHost: undefined });
  expect(await server.exited).toBe(70);
  expect(server.log()).toContain("the kernel gives no memory");
  expect(server.log()).toContain("cache.size_mb");
});

/** Has a client in the namespace `clients` fetch the file. What it says in the end. */
async function fetchInSpace(
  server: Server,
  host: string,
  clients: string,
  pauseMs: number,
  blockBytes = 512,
): Promise<string> {
  const script = fileURLToPath(new URL("failures-child.ts", import.meta.url));
  const numbers = [pauseMs, blockBytes].map(String);
  const words = [process.execPath, script, String(server.port), host, "file", ...numbers];
  const child = Bun.spawn(["ip", "netns", "exec", clients, ...words], {
    stdout: "pipe",
    stderr: "inherit",
  });
  return await new Response(child.stdout).text();
}

async function fetch(server: Server, peer: Peer): Promise<string> {
  peer.send(readRequest("file-0"), server.port);
  const rest = await takeRest(peer, await peer.next(), 512);
  return typeof rest === "string" ? rest : compare(rest, content);
}

/** One wire between the namespaces, with {@link SERVER} at our end. */
function linkSpaces(): void {
  // A wire that is there already is as good.
  ip(
    "link",
    "add",
    "owl0",
    "netns",
    space,
    "type",
    "veth",
    "peer",
    "name",
    "owl1",
    "netns",
    clientSpace,
  );
  ip("-n", space, "address", "add", `${SERVER}/24`, "dev", "owl0");
  ip("-n", clientSpace, "address", "add", "10.80.0.2/24", "dev", "owl1");
  expect(ip("-n", space, "link", "set", "owl0", "up")).toBe(true);
  expect(ip("-n", clientSpace, "link", "set", "owl1", "up")).toBe(true);
}

function ip(...words: readonly string[]): boolean {
  return Bun.spawnSync(["ip", ...words], { stdout: "ignore", stderr: "ignore" }).success;
}

/** Runs commands in the namespace. */
function sh(script: string): void {
  const run = Bun.spawnSync([...inSpace, "sh", "-ec", script], { stderr: "pipe" });
  expect(run.stderr.toString()).toBe("");
}
