// Behind address translation (end-to-end): a client whose NAT lets in only answers from the port that was asked, and a server of which
// only one port is published. Real packets through nftables, each place in a network namespace of its own.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout } from "bun:test";

import { bytesOf, compare } from "./bytes.ts";
import { atftp, curl, hpa, run, skipBecause, start, testWith } from "./clients.ts";
import { type Server, startServer, until } from "./server.ts";

setDefaultTimeout(60_000);

const content = bytesOf(100 * 512 + 7, 5);
const port = 6969;

const unique = process.pid.toString(36);
const [near, middle, far] = [`owl-n-${unique}`, `owl-m-${unique}`, `owl-f-${unique}`];

/** Three places in a row: `near` (10.77.0.2), `middle` (10.77.0.1 and 192.0.2.1) and `far` (192.0.2.2), which knows no way to `near`. */
function layOut(): boolean {
  const links = [
    [near, "owl0", "10.77.0.2/24", middle, "owl1", "10.77.0.1/24"],
    [middle, "owl2", "192.0.2.1/24", far, "owl3", "192.0.2.2/24"],
  ] as const;
  return (
    [near, middle, far].every(
      (space) => ip("netns", "add", space) && ip("-n", space, "link", "set", "lo", "up"),
    ) &&
    links.every(([one, left, address, other, right, opposite]) => {
      const link = ["link", "add", left, "netns", one, "type", "veth", "peer", "name", right];
      return (
        ip(...link, "netns", other) &&
        ip("-n", one, "address", "add", address, "dev", left) &&
        ip("-n", other, "address", "add", opposite, "dev", right) &&
        ip("-n", one, "link", "set", left, "up") &&
        ip("-n", other, "link", "set", right, "up")
      );
    }) &&
    ip("-n", near, "route", "add", "default", "via", "10.77.0.1") &&
    inside(middle, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward") &&
    nft("add table ip owl")
  );
}

const mayMake = process.getuid?.() === 0 && layOut();
afterAll(() => {
  for (const space of [near, middle, far]) ip("netns", "delete", space);
});

const ways = [
  {
    title: "a client behind a NAT that hides it",
    client: near,
    server: far,
    asked: "192.0.2.2",
    rules: [
      "add chain ip owl out { type nat hook postrouting priority srcnat; }",
      "add rule ip owl out oifname owl2 masquerade",
    ],
  },
  {
    title: "a server of which one port is published, as containers are",
    client: far,
    server: near,
    asked: "192.0.2.1",
    rules: [
      "add chain ip owl in { type nat hook prerouting priority dstnat; }",
      `add rule ip owl in iifname owl2 udp dport ${port} dnat to 10.77.0.2:${port}`,
      // What it begins itself does not come out: nothing else is published.
      "add chain ip owl through { type filter hook forward priority filter; policy drop; }",
      "add rule ip owl through ct state established accept",
      `add rule ip owl through udp dport ${port} accept`,
    ],
  },
] as const;

for (const { title, client, server: place, asked, rules } of ways) {
  describe(title, () => {
    if (!mayMake) {
      skipBecause(title, "network namespaces and nftables need root, and a kernel that has them");
      return;
    }
    beforeAll(() => {
      for (const rule of ["delete table ip owl", "add table ip owl", ...rules]) {
        expect([rule, nft(rule)]).toEqual([rule, true]);
      }
    });
    const wrapper = ["ip", "netns", "exec", client];

    testWith([curl, hpa, atftp], "has every file over a single port", async () => {
      await using server = await serve(place, "true");
      for (const each of [curl, hpa, atftp]) {
        const answer = await run(each, { port, host: asked, name: "file", wrapper });
        expect(`${compare(answer.bytes, content)}, ${answer.printed}`).toStartWith("identical");
      }
      expect(server.log()).not.toContain("never-answered");
    });

    testWith([curl], "has none over a port for each transfer", async () => {
      await using server = await serve(place, "false");
      // Without options: curl would ask for a timeout of six seconds, and the server heeds it.
      const running = start(curl, { port, host: asked, name: "file", isPlain: true, wrapper });
      // The request came in, and its answer did not come through.
      await until(() => server.log().includes("(never-answered)"), "the end of the transfer");
      running.kill("SIGKILL");
      const { bytes } = await running.answer;
      expect(bytes?.length ?? 0).toBe(0);
    });
  });
}

async function serve(place: string, isSinglePort: string): Promise<Server> {
  const server = await startServer({
    bind: "0.0.0.0",
    port,
    wrapper: ["ip", "netns", "exec", place],
    readyHost: undefined,
    tables: [
      "[transfer]",
      `single_port = ${isSinglePort}`,
      "patience_secs = 2",
      "retransmit_timeout_ms = 100",
    ],
  });
  server.put("file", content);
  await until(() => server.log().includes("serving"), "the banner");
  return server;
}

function nft(rule: string): boolean {
  return inside(middle, "nft", rule);
}

function inside(space: string, ...words: readonly string[]): boolean {
  return ip("netns", "exec", space, ...words);
}

function ip(...words: readonly string[]): boolean {
  return Bun.spawnSync(["ip", ...words]).exitCode === 0;
}
