// Block sizes and the MTU of the interface that a request comes in by (end-to-end): with `mtu_clamp` a block never needs
// more than one packet, and without it sizes are granted as ever.

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { skipBecause } from "./clients.ts";
import { type Server, startServer } from "./server.ts";

setDefaultTimeout(30_000);

const space = `owl-m-${process.pid.toString(36)}`;
const mayMake = process.getuid?.() === 0 && ip("netns", "add", space);
afterAll(() => ip("netns", "delete", space));

const asked = [512, 1428, 1448, 1449, 1468, 1469, 65_464];

describe("over an interface with an MTU of 1500", () => {
  const cases = [
    { bind: "[::]", host: "127.0.0.1", most: 1468 },
    { bind: "[::]", host: "::1", most: 1448 },
    { bind: "0.0.0.0", host: "127.0.0.1", most: 1468 },
    { bind: "127.0.0.1", host: "127.0.0.1", most: 1468 },
    { bind: "[::1]", host: "::1", most: 1448 },
    { bind: "[::]", host: "127.0.0.1", most: 65_464, clamp: "off" },
    { bind: "[::]", host: "127.0.0.1", most: 1024, cap: 1024 },
  ];
  for (const { bind, host, most, clamp = "interface", cap = 65_464 } of cases) {
    const name = `${host} is granted up to ${most} bytes (listening on ${bind}, clamp ${clamp})`;
    if (!mayMake) {
      skipBecause(name, "network namespaces need root, and a kernel or container that allows them");
      continue;
    }
    test(name, async () => {
      expect(ip("-n", space, "link", "set", "lo", "mtu", "1500", "up")).toBe(true);
      const wrapper = ["ip", "netns", "exec", space];
      await using server = await startServer({
        bind,
        wrapper,
        readyHost: undefined,
        tables: ["[transfer]", `mtu_clamp = "${clamp}"`, `max_block_size = ${cap}`],
      });
      server.put("file", "content");
      const script = fileURLToPath(new URL("./mtu-child.ts", import.meta.url));
      const command = [...wrapper, process.execPath, script, String(server.port), host];
      const child = Bun.spawnSync(command, { stdout: "pipe", stderr: "pipe" });
      expect(child.stderr.toString()).toBe("");
      expect(JSON.parse(child.stdout.toString())).toEqual(
        asked.map((blksize) => `OACK blksize=${Math.min(blksize, most)}`),
      );
      expect(asked.map((blksize) => explained(server, wrapper, host, blksize))).toEqual(
        asked.map((blksize) => `granted blksize=${Math.min(blksize, most)}`),
      );
    });
  }
});

/** What `check --explain` says is granted to the client at `host` that asks for `blksize`. */
function explained(server: Server, wrapper: string[], host: string, blksize: number): string {
  const check = [join(server.folder, "snow-owl-tftp"), "check", "-c", `${server.folder}.toml`];
  const request = [
    "--client",
    host,
    "--interface",
    "lo",
    "--options",
    `blksize=${blksize}`,
    "file",
  ];
  const { stdout } = Bun.spawnSync([...wrapper, ...check, "--explain", ...request]);
  return stdout.toString().trim().split("\n").at(-1)?.replaceAll(/ +/g, " ") ?? "";
}

function ip(...words: readonly string[]): boolean {
  return Bun.spawnSync(["ip", ...words]).exitCode === 0;
}
