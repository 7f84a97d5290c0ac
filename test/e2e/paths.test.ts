// Names and misses as real firmware has them (end-to-end): what is the same file, what is none, and what a storm of misses does to the
// log. What a name becomes is shown case by case in test/unit/policy.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { startServer, temporaryFolder, until } from "./server.ts";
import { ack, openPeer, readRequest } from "./wire.ts";

setDefaultTimeout(60_000);

const oneWorker = ["[performance.platform.worker_pool]", "worker_count = 1"];

/** The text of a file of one block, or the ERROR. */
async function answer(port: number, name: string, host = "127.0.0.1"): Promise<string> {
  using peer = await openPeer(host);
  peer.send(readRequest(name), port);
  const { text, bytes, port: from } = await peer.next();
  if (!text.startsWith("DATA")) return text;
  peer.send(ack(1), from);
  return Buffer.from(bytes.subarray(4)).toString();
}

describe("names", () => {
  test("of Windows, of dnsmasq's clients and with odd dots are the same file", async () => {
    await using server = await startServer();
    server.put("boot/a..b", "here");
    for (const name of [
      "boot/a..b",
      "/boot/a..b",
      "\\boot\\a..b",
      "C:\\boot\\a..b",
      "//boot///a..b",
      "./boot/a..b",
      `${server.root}/boot/a..b`,
    ]) {
      expect([name, await answer(server.port, name)]).toEqual([name, "here"]);
    }
    for (const name of ["boot/../boot/a..b", "..", "\\..\\a..b"]) {
      expect([name, await answer(server.port, name)]).toEqual([name, "ERROR 2 Access violation"]);
    }
  });

  test("that are hidden are not there: our audit files, uploads under way, and all others", async () => {
    await using server = await startServer();
    for (const name of [".audit/tftp-audit.jsonl", ".snow-owl-upload-0", "a/.hidden"]) {
      server.put(name, "secret");
      expect([name, await answer(server.port, name)]).toEqual([name, "ERROR 1 File not found"]);
    }
  });
});

test("every name that PXELINUX tries is ERROR 1, once and with one line of the log, and the last is served", async () => {
  await using server = await startServer({ tables: oneWorker });
  server.put("pxelinux.cfg/default", "menu");
  const hex = "C0A80207";
  const tried = [
    "b8945908-d6a6-41a9-611d-74a6ab80b83d",
    "01-88-99-aa-bb-cc-dd",
    ...Array.from(hex, (_, length) => hex.slice(0, hex.length - length)),
  ].map((name) => `pxelinux.cfg/${name}`);
  using peer = await openPeer();
  for (const name of tried) {
    peer.send(readRequest(name, [["tsize", 0]]), server.port);
    expect([name, (await peer.next()).text]).toEqual([name, "ERROR 1 File not found"]);
  }
  expect(await answer(server.port, "pxelinux.cfg/default")).toBe("menu");
  expect(peer.waiting()).toEqual([]);
  const lines = (): readonly string[] =>
    server
      .log()
      .split("\n")
      .filter((line) => line.includes("refused pxelinux.cfg/"));
  await until(() => lines().length >= tried.length, "a line for each");
  for (const [index, name] of tried.entries()) {
    expect(lines()[index]).toEndWith(` refused ${name}: File not found (not-found, error 1)`);
  }
  expect(lines()).toHaveLength(tried.length);
});

test("a storm of misses is answered whole and logged in part; what is left out is counted", async () => {
  const asked = 300;
  using folder = temporaryFolder();
  const audit = join(folder.path, "audit");
  const tables = [...oneWorker, "[logging]", `audit_file = "${audit}"`];
  await using server = await startServer({ tables });
  using peer = await openPeer();
  for (let index = 0; index < asked; index += 1) {
    peer.send(readRequest(`missing-${index}`), server.port);
    expect((await peer.next()).text).toBe("ERROR 1 File not found");
  }
  server.kill("SIGTERM");
  expect(await server.exited).toBe(0);
  await until(() => server.log().includes("server_shutdown"), "the last line");
  const told = server.log().match(/ refused missing-\d+: /g)?.length ?? 0;
  const counts = [
    ...server
      .log()
      .matchAll(
        /warn: refusals_not_logged client_addr=127\.0\.0\.1 cause=not-found count=(\d+) last=missing-/g,
      ),
  ].map(([, count]) => Number(count));
  expect(counts.length).toBeGreaterThan(0);
  expect(told + counts.reduce((sum, count) => sum + count, 0)).toBe(asked);
  // An interval may end in between on a slow machine.
  expect(told).toBeLessThanOrEqual(50 * (counts.length + 1));
  const audited = readFileSync(audit, "utf8").match(/"read_denied".*"missing-\d+"/g);
  expect(audited).toHaveLength(asked);
});

test("a client with an IPv4 address is one in rules, paths and logs of a socket of both families", async () => {
  await using server = await startServer({
    bind: "[::]",
    readyHost: "127.0.0.1",
    top: ['roots = ["clients/{ip}"]'],
    tables: [
      ["[[rule]]", 'client = ["127.0.0.0/8"]', 'glob = "secret"', 'action = "deny"', "code = 6"],
      ["[[rule]]", 'local = ["127.0.0.1"]', 'glob = "asked"', 'rewrite = "file"'],
      ["[[template]]", 'glob = "self"', 'text = "{ip} {ip_hex} {local}"'],
    ].flat(),
  });
  server.put("clients/127.0.0.1/file", "its own");
  expect(await answer(server.port, "secret")).toBe("ERROR 6 File already exists");
  expect(await answer(server.port, "asked")).toBe("its own");
  expect(await answer(server.port, "self")).toBe("127.0.0.1 7F000001 127.0.0.1");
  expect(await answer(server.port, "secret", "::1")).toBe("ERROR 1 File not found");
  await until(() => / 127\.0\.0\.1:\d+ refused secret/.test(server.log()), "its line");
  expect(server.log()).not.toContain("ffff:");
});
