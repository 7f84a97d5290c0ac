// Tests of hardware addresses and MTUs on links that are really there: two ends of a cable, each in a network of its own.

import { afterAll, expect, test } from "bun:test";
import { fileURLToPath } from "node:url";

import { Errno } from "#ffi/errno.ts";

const unique = process.pid.toString(36);
const [here, there] = [`owl-n-${unique}`, `owl-p-${unique}`];
const mayMake = process.getuid?.() === 0 && ip("netns", "add", here);
const name = "neighbours by get and by dump, and the MTU of their link";

afterAll(() => {
  for (const space of [here, there]) ip("netns", "delete", space);
});

if (mayMake) {
  test(name, askNeighbours);
} else {
  process.stderr.write(
    `skipped: ${name}: network namespaces need root and a kernel that allows them\n`,
  );
  test.skip(name, () => {});
}

function askNeighbours(): void {
  const commands = [
    `netns add ${there}`,
    `link add owl0 mtu 1400 netns ${here} type veth peer name owl1 mtu 1400 netns ${there}`,
    `-n ${here} link add owl2 mtu 9000 type veth peer name owl3`,
    `-n ${there} link set owl1 address 52:54:00:ab:cd:ef`,
    `-n ${here} address add 10.9.0.1/24 dev owl0`,
    `-n ${there} address add 10.9.0.2/24 dev owl1`,
    `-n ${here} address add fd09::1/64 dev owl0 nodad`,
    `-n ${there} address add fd09::2/64 dev owl1 nodad`,
    `-n ${here} link set owl0 up`,
    `-n ${there} link set owl1 up`,
  ];
  for (const command of commands) {
    expect([command, ip(...command.split(" "))]).toEqual([command, true]);
  }
  // As a client does: it asks who has the server's address, and so the server's kernel learns its own.
  const client = `for (const to of [["10.9.0.1", "udp4"], ["fd09::1", "udp6"]]) {
    const socket = require("node:dgram").createSocket(to[1]);
    socket.on("error", () => {});
    socket.send("x", 69, to[0], () => setTimeout(() => socket.close(), 200));
  }`;
  const sent = inSpace(there, [process.execPath, "-e", client]);
  expect(sent.stderr.toString()).toBe("");

  const script = fileURLToPath(new URL("./neighbours-child.ts", import.meta.url));
  const indexes = ["owl0", "owl2"].map((link) => indexOf(link));
  const { stdout, stderr } = inSpace(here, [process.execPath, script, ...indexes]);
  expect(stderr.toString()).toBe("");
  const { microseconds, ...said } = JSON.parse(stdout.toString()) as { microseconds: number };
  const mac = "52:54:00:ab:cd:ef";
  expect(said as unknown).toEqual({
    macs: [mac, mac, mac, null],
    elsewhere: [null, null, null],
    again: mac,
    dumped: ["525400abcdef", "525400abcdef", -Errno.ENOENT, "525400abcdef"],
    mtus: [1400, 9000, null, null],
  });
  process.stdout.write(`a query of the neighbour table takes ${microseconds.toFixed(1)} µs\n`);
}

function inSpace(space: string, command: readonly string[]): Bun.SyncSubprocess<"pipe", "pipe"> {
  return Bun.spawnSync(["ip", "netns", "exec", space, ...command], {
    stdout: "pipe",
    stderr: "pipe",
  });
}

function indexOf(link: string): string {
  const { stdout } = inSpace(here, ["cat", `/sys/class/net/${link}/ifindex`]);
  return stdout.toString().trim();
}

function ip(...words: readonly string[]): boolean {
  return Bun.spawnSync(["ip", ...words]).exitCode === 0;
}
