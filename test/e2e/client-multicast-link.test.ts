// get --multicast over a link between two network namespaces (end-to-end), from the simulator's server: IPv4 and IPv6, on a machine that
// has another interface, to which its routes for groups lead.

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

import { bytesOf, compare } from "./bytes.ts";
import { clientFolder } from "./client-rig.ts";
import { skipBecause } from "./clients.ts";

setDefaultTimeout(60_000);

const unique = process.pid.toString(36);
const [here, there] = [`owl-h-${unique}`, `owl-t-${unique}`];
const port = 6969;
const seed = 90;

const mayMake = process.getuid?.() === 0 && layOut();
afterAll(() => {
  for (const space of [here, there]) ip("netns", "delete", space);
});

const ways = [
  ["10.9.0.1", "239.255.20.90", "10.9.0.1"],
  ["fd00:90::1", "ff15::2090", "[fd00:90::1]"],
  // A group of one link, which has to be told which.
  ["fd00:90::1", "ff12::2090", "[fd00:90::1]"],
] as const;

describe("a multicast is heard by the interface that its server answers by", () => {
  if (!mayMake) {
    skipBecause("a multicast over a link", "network namespaces need root");
    return;
  }
  test.each(ways)("%s sends to %s", async (address, group, host) => {
    const script = join(import.meta.dir, "multicast-server.ts");
    const words = [script, address, String(port), group, String(seed)];
    const server = Bun.spawn(["ip", "netns", "exec", there, process.execPath, ...words], {
      stdout: "pipe",
    });
    try {
      const { value } = await server.stdout.getReader().read();
      expect(Buffer.from(value ?? []).toString()).toBe("ready\n");
      await Promise.all(Array.from({ length: 3 }, () => getOne(`tftp://${host}:${port}/f`, group)));
    } finally {
      server.kill("SIGKILL");
      await server.exited;
    }
  });
});

async function getOne(url: string, group: string): Promise<void> {
  using folder = clientFolder(["ip", "netns", "exec", here]);
  const { exitCode, error, out } = await folder.run(
    "get",
    url,
    "--multicast",
    "--json",
    "-b",
    "512",
  );
  const found = compare(folder.bytesOf("f"), bytesOf(1000 * 512 + 7, seed));
  expect(`${found}, ${exitCode} ${error}`).toStartWith("identical, 0");
  const report = JSON.parse(out) as { options: string; no_multicast?: string };
  expect(report.options).toContain(`multicast=${group},${port + 1},`);
  expect(report.no_multicast).toBeUndefined();
}

/** A link between both places; and in `here` another one, first in every table, that leads nowhere. */
function layOut(): boolean {
  return (
    [here, there].every(
      (space) => ip("netns", "add", space) && ip("-n", space, "link", "set", "lo", "up"),
    ) &&
    ip("-n", here, "link", "add", "away0", "type", "veth", "peer", "name", "away1") &&
    ["away0", "away1"].every((name) => ip("-n", here, "link", "set", name, "up")) &&
    ip("-n", here, "route", "add", "239.0.0.0/8", "dev", "away0") &&
    ip("link", "add", "owl0", "netns", here, "type", "veth", "peer", "owl1", "netns", there) &&
    [
      [here, "owl0", "2"],
      [there, "owl1", "1"],
    ].every(
      ([space = "", name = "", host = ""]) =>
        ip("-n", space, "address", "add", `10.9.0.${host}/24`, "dev", name) &&
        // Without a look whether another one has it, which would take a second.
        ip("-n", space, "address", "add", `fd00:90::${host}/64`, "dev", name, "nodad") &&
        ip("-n", space, "link", "set", name, "up"),
    ) &&
    ip("-n", there, "route", "add", "239.0.0.0/8", "dev", "owl1")
  );
}

function ip(...words: readonly string[]): boolean {
  return Bun.spawnSync(["ip", ...words]).exitCode === 0;
}
