// Several listeners in one process (end-to-end): each with ports and folders of its own, rules that tell them apart, addresses that
// overlap, interfaces, and what of them a reload changes.

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { curl, run, skipBecause, testWith } from "./clients.ts";
import { isIn, reload } from "./reloading.ts";
import { freePort, startServer, temporaryFolder, until } from "./server.ts";
import { ack, dataPacket, openPeer, type Peer, readRequest, writeRequest } from "./wire.ts";

setDefaultTimeout(30_000);

const workers = "[performance.platform.worker_pool]\nworker_count = 2\n";

/** The tables of a listener; the address of the first one in a file is replaced by that of the server's start. */
function listener(name: string, address: string, ...lines: readonly string[]): string {
  return `${["[[listener]]", `name = "${name}"`, `bind_addr = "${address}"`, ...lines].join("\n")}\n`;
}

/** The text that the listener at `address` and `port` answers `name` with, or its ERROR; and the port that it came from. */
async function asked(peer: Peer, port: number, name: string, address = "127.0.0.1") {
  peer.send(readRequest(name), port, address);
  const answer = await peer.next();
  peer.send(ack(1), answer.port, answer.address);
  const isError = answer.text.startsWith("ERROR");
  const text = isError ? answer.text : Buffer.from(answer.bytes.subarray(4)).toString();
  return { text, port: answer.port, address: answer.address };
}

describe("two listeners", () => {
  test("have folders, rules and ports of their own", async () => {
    using logs = temporaryFolder();
    const audit = join(logs.path, "audit");
    const lab = await freePort();
    // Below the ports that the system hands out by itself, so that four in a row are likely free.
    const first = 20_000 + ((await freePort()) % 10_000);
    await using server = await startServer({
      configuration: [
        'root_dir = "replaced"\n',
        listener("main", "replaced", `port_range = "${first}-${first + 3}"`),
        listener("lab", `127.0.0.1:${lab}`, "single_port = true", 'roots = ["lab", ""]'),
        '[[rule]]\nlistener = ["lab"]\nglob = "secret"\naction = "deny"\n',
        `[logging]\naudit_file = ${JSON.stringify(audit)}\n`,
        workers,
      ].join(""),
    });
    server.put("file", "of all");
    server.put("lab/file", "of the lab");
    server.put("secret", "told");
    server.put("common", "for both");
    using peer = await openPeer();
    const main = await asked(peer, server.port, "file");
    expect(main.text).toBe("of all");
    expect(main.port).toBeGreaterThanOrEqual(first);
    expect(main.port).toBeLessThanOrEqual(first + 3);
    expect(await asked(peer, lab, "file")).toMatchObject({ text: "of the lab", port: lab });
    expect(await asked(peer, lab, "common")).toMatchObject({ text: "for both", port: lab });
    expect((await asked(peer, server.port, "secret")).text).toBe("told");
    expect((await asked(peer, lab, "secret")).text).toBe("ERROR 2 Access violation");
    expect(server.log()).toContain(`on 127.0.0.1:${server.port}, 127.0.0.1:${lab} (UDP)`);
    const isTold = (): boolean => server.log().includes("refused secret: ");
    await until(() => isTold() && isIn(audit, "read_denied"), "the log");
    expect(server.log()).toMatch(/ sent file 10 B .* listener=lab\n/);
    expect(server.log()).toMatch(/ sent file 6 B .* listener=main\n/);
    expect(server.log()).toMatch(/ refused secret: .* listener=lab\n/);
    const events = readFileSync(audit, "utf8").trim().split("\n");
    const ofClients = events.filter((line) => line.includes("client_addr"));
    expect(ofClients.filter((line) => !/"listener":"(?:main|lab)"/.test(line))).toEqual([]);
    expect(ofClients.filter((line) => !line.includes('"local_addr":"127.0.0.1"'))).toEqual([]);
  });

  test("are two servers to a client that asks both from one port at once", async () => {
    const other = await freePort();
    await using server = await startServer({
      configuration: [
        'root_dir = "replaced"\n',
        listener("main", "replaced", "single_port = true"),
        listener("other", `127.0.0.1:${other}`, "single_port = true"),
      ].join(""),
    });
    server.put("one", "1".repeat(600));
    server.put("two", "2".repeat(600));
    using peer = await openPeer();
    const rest = new Map<number, string>();
    for (const [port, name] of [
      [server.port, "one"],
      [other, "two"],
    ] as const) {
      peer.send(readRequest(name), port);
      expect(await peer.next()).toMatchObject({ port, text: "DATA 1 512" });
    }
    for (const port of [server.port, other]) {
      peer.send(ack(1), port);
      const last = await peer.next();
      expect(last).toMatchObject({ port, text: "DATA 2 88" });
      rest.set(port, Buffer.from(last.bytes.subarray(4)).toString());
      peer.send(ack(2), port);
    }
    expect([...rest.values()]).toEqual(["1".repeat(88), "2".repeat(88)]);
  });

  test("take uploads to one folder", async () => {
    const other = await freePort();
    await using server = await startServer({
      configuration: [
        'root_dir = "replaced"\n',
        listener("main", "replaced"),
        listener("other", `127.0.0.1:${other}`, 'roots = ["lab"]'),
        '[write_config]\nenabled = true\nallowed_patterns = ["*.cfg"]\n',
      ].join(""),
    });
    using peer = await openPeer();
    peer.send(writeRequest("a.cfg"), other);
    const { port } = await peer.next();
    peer.send(dataPacket(1, Buffer.from("sent")), port);
    expect((await peer.next()).text).toBe("ACK 1");
    expect((await asked(peer, server.port, "a.cfg")).text).toBe("sent");
    expect((await asked(peer, other, "a.cfg")).text).toBe("ERROR 1 File not found");
  });
});

test("of listeners that overlap the more exact one is asked, by every client and worker", async () => {
  const port = await freePort();
  await using server = await startServer({
    bind: "0.0.0.0",
    port,
    configuration: [
      'root_dir = "replaced"\n',
      listener("main", "replaced"),
      listener("lab", `127.0.0.2:${port}`, 'roots = ["lab"]'),
      workers,
    ].join(""),
  });
  server.put("file", "of all");
  server.put("lab/file", "of the lab");
  for (let round = 0; round < 8; round += 1) {
    using peer = await openPeer();
    for (const [address, text] of [
      ["127.0.0.1", "of all"],
      ["127.0.0.2", "of the lab"],
    ] as const) {
      expect(await asked(peer, port, "file", address)).toMatchObject({ text, address });
    }
  }
});

test("a reload changes the folders of a listener, and names what waits for a restart", async () => {
  await using server = await startServer({
    configuration: `root_dir = "replaced"\n${listener("main", "replaced", 'roots = ["a"]')}`,
  });
  server.put("a/file", "from a");
  server.put("b/file", "from b");
  using peer = await openPeer();
  expect((await asked(peer, server.port, "file")).text).toBe("from a");
  const changed = [
    `root_dir = ${JSON.stringify(server.root)}\n`,
    listener("main", "127.0.0.1:1", 'roots = ["b"]'),
    listener("more", "127.0.0.1:2"),
  ].join("");
  await reload(server, changed);
  expect((await asked(peer, server.port, "file")).text).toBe("from b");
  for (const line of [
    /configuration_needs_restart key=listener\[main\]\.bind_addr in_force=.*127\.0\.0\.1:\d+.* wanted=.*127\.0\.0\.1:1\b/,
    /configuration_needs_restart key=listener\[more\] in_force=none wanted=.*127\.0\.0\.1:2\b/,
    /configuration_loaded config_file=\S+ changed=listener /,
  ]) {
    expect(server.log()).toMatch(line);
  }
});

describe("listeners on interfaces", () => {
  const name = "share an address and a port, and hear each by its own";
  const unique = process.pid.toString(36);
  const [serverSpace, clientSpace] = [`owl-ls-${unique}`, `owl-lc-${unique}`];
  const mayMake = process.getuid?.() === 0 && ip("netns", "add", serverSpace);
  afterAll(() => {
    for (const space of [serverSpace, clientSpace]) ip("netns", "delete", space);
  });
  if (!mayMake) {
    skipBecause(name, "network namespaces need root, and a kernel or container that allows them");
    return;
  }
  testWith([curl], name, async () => {
    const [here, there] = [
      ["-n", serverSpace],
      ["-n", clientSpace],
    ];
    const link = ["link", "add", "owl0", "netns", serverSpace, "type", "veth"];
    for (const command of [
      ["netns", "add", clientSpace],
      [...link, "peer", "name", "owl1", "netns", clientSpace],
      [...here, "address", "add", "192.0.2.1/24", "dev", "owl0"],
      [...there, "address", "add", "192.0.2.2/24", "dev", "owl1"],
      [...here, "link", "set", "owl0", "up"],
      [...there, "link", "set", "owl1", "up"],
      [...here, "link", "set", "lo", "up"],
    ]) {
      expect([command, ip(...command)]).toEqual([command, true]);
    }
    const port = 6969;
    await using server = await startServer({
      bind: "0.0.0.0",
      port,
      wrapper: ["ip", "netns", "exec", serverSpace],
      readyHost: undefined,
      configuration: [
        'root_dir = "replaced"\n',
        listener("near", "replaced", 'interface = "lo"', 'roots = ["near"]'),
        listener("far", `0.0.0.0:${port}`, 'interface = "owl0"', 'roots = ["far"]'),
        workers,
      ].join(""),
    });
    server.put("near/file", "near");
    server.put("far/file", "far");
    await until(() => server.log().includes("serving"), "the banner");
    expect(server.log()).toContain(`0.0.0.0:${port} by lo, 0.0.0.0:${port} by owl0`);
    for (const [space, host, text] of [
      [serverSpace, "127.0.0.1", "near"],
      [clientSpace, "192.0.2.1", "far"],
    ] as const) {
      const wrapper = ["ip", "netns", "exec", space];
      const answer = await run(curl, { port, host, name: "file", wrapper });
      expect(Buffer.from(answer.bytes ?? []).toString()).toBe(text);
    }
  });
});

function ip(...words: readonly string[]): boolean {
  return Bun.spawnSync(["ip", ...words]).exitCode === 0;
}
