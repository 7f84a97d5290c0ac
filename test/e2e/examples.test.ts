// The examples (end-to-end): each configuration as it is shipped, but for the root, the address and the networks, which are the
// test's, does for real clients what its comments promise.

import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { curl, run, testWith } from "./clients.ts";
import { type Server, startServer } from "./server.ts";
import { ack, openPeer, payload, readRequest } from "./wire.ts";

// Longer than any wait in here, so that the wait says what did not come.
setDefaultTimeout(30_000);

/** Starts the server with an example, whose addresses are this machine's. */
function startExample(name: string, addresses: Readonly<Record<string, string>>): Promise<Server> {
  let configuration = readFileSync(resolve(import.meta.dir, "../../examples", name), "utf8");
  for (const [theirs, ours] of Object.entries(addresses)) {
    expect(configuration).toContain(theirs);
    configuration = configuration.replaceAll(theirs, ours);
  }
  return startServer({ bind: "[::]", configuration });
}

/** What curl gets for `name` when it asks from `from`, or curl's exit code: 68 is ERROR 1, 69 is ERROR 2. */
async function fetched(server: Server, name: string, from: string): Promise<string> {
  const { port } = server;
  const answer = await run(curl, { port, name: encodeURIComponent(name), from });
  return answer.exitCode === 0
    ? new TextDecoder().decode(answer.bytes)
    : `exit code ${answer.exitCode}`;
}

testWith([curl], "pxe.toml", async () => {
  const addresses = { '"10.0.0.7"': '"127.0.0.7"', "10.0.0.0/8": "127.0.0.0/28" };
  await using server = await startExample("pxe.toml", addresses);
  const menu = "pxelinux.cfg/01-52-54-00-12-34-56";
  server.put("common/pxelinux.0", "loader");
  server.put("common/pxelinux.cfg/default", "default menu");
  server.put("common/grub/grub.cfg", "grub menu");
  server.put("common/host.key", "secret");
  server.put("groups/rack1/vmlinuz-6.1", "kernel of the rack");
  const [known, unknown, outside] = ["127.0.0.7", "127.0.0.8", "127.0.0.20"];
  expect(await fetched(server, "pxelinux.0", unknown)).toBe("loader");
  expect(await fetched(server, "pxelinux.0", outside)).toBe("exit code 69");
  expect(await fetched(server, "host.key", known)).toBe("exit code 69");
  expect(await fetched(server, "vmlinuz-6.1", known)).toBe("kernel of the rack");
  expect(await fetched(server, "vmlinuz-6.1", unknown)).toBe("exit code 68");
  const made = await fetched(server, menu, known);
  expect(made).toStartWith("# node7\ndefault linux\n");
  expect(made).toContain("  append console=ttyS0 quiet ip=127.0.0.7\n");
  expect(await fetched(server, menu, unknown)).toBe("exit code 68");
  expect(await fetched(server, "pxelinux.cfg/default", unknown)).toBe("default menu");
  expect(await fetched(server, "grub/grub.cfg-01-52-54-00-12-34-56", unknown)).toBe("grub menu");
  expect(await fetched(server, "boot.ipxe", known)).toContain("BOOTIF=${net0/mac}\nboot\n");
});

testWith([curl], "raspberry-pi.toml", async () => {
  await using server = await startExample("raspberry-pi.toml", {});
  server.put("common/start4.elf", "common firmware");
  server.put("common/config.txt", "common configuration");
  server.put("common/cmdline.txt", "common line");
  server.put("0a1b2c3d/start4.elf", "its own firmware");
  const from = "127.0.0.1";
  // Without a folder: the first question is missed, and the rest comes without the prefix.
  expect(await fetched(server, "11223344/start4.elf", from)).toBe("exit code 68");
  expect(await fetched(server, "start4.elf", from)).toBe("common firmware");
  expect(await fetched(server, "cmdline.txt", from)).toBe("common line");
  // With one: what it lacks is the common one's, and the command line is made.
  expect(await fetched(server, "0a1b2c3d/start4.elf", from)).toBe("its own firmware");
  expect(await fetched(server, "0a1b2c3d/config.txt", from)).toBe("common configuration");
  const line = await fetched(server, "0a1b2c3d/cmdline.txt", from);
  expect(line).toContain("nfsroot=192.168.1.2:/srv/nfs/kiosk,vers=3 rw ip=dhcp hostname=kiosk\n");
});

test("raspberry-pi.toml answers a serial number without a folder with ERROR 1, first and alone", async () => {
  await using server = await startExample("raspberry-pi.toml", {});
  server.put("common/start4.elf", "common firmware");
  using peer = await openPeer();
  peer.send(readRequest("11223344/start4.elf", [["tsize", 0]]), server.port);
  expect((await peer.next()).text).toBe("ERROR 1 File not found");
});

testWith([curl], "windows-wds.toml", async () => {
  await using server = await startExample("windows-wds.toml", {});
  server.put("boot/bcd", "store");
  server.put("boot/en-us/bootmgr.exe.mui", "English");
  server.put("boot/bcd.log1", "log");
  const from = "127.0.0.1";
  for (const name of ["\\Boot\\BCD", "\\boot\\bcd", "boot/BCD", "C:\\BOOT\\bcd"]) {
    expect([name, await fetched(server, name, from)]).toEqual([name, "store"]);
  }
  expect(await fetched(server, "\\Boot\\de-DE\\bootmgr.exe.mui", from)).toBe("English");
  expect(await fetched(server, "\\Boot\\BCD.LOG1", from)).toBe("exit code 68");
  using peer = await openPeer();
  peer.send(readRequest("\\Boot\\BCD", [["blksize", 16_384]]), server.port);
  expect((await peer.next()).text).toBe("OACK blksize=1456");
});

testWith([curl], "switch-ztp.toml", async () => {
  const uploads = mkdtempSync(join(tmpdir(), "snow-owl-backups-"));
  await using server = await startExample("switch-ztp.toml", {
    '"10.1.0.11"': '"127.0.0.11"',
    "10.0.0.0/8": "127.0.0.0/8",
    "/var/backups/switches": uploads,
  });
  // The first root_dir of the file is the served one; uploads have a table of their own.
  server.put("images/ios.bin", new Uint8Array(2000));
  const [known, unknown] = ["127.0.0.11", "127.0.0.12"];
  const made = await fetched(server, "network-confg", known);
  expect(made).toStartWith("hostname sw-berlin-1\ninterface Vlan1\n ip address 10.1.255.11 ");
  expect(await fetched(server, "network-confg", unknown)).toBe("exit code 68");
  using peer = await openPeer();
  const asked = [
    ["blksize", 1400],
    ["windowsize", 8],
  ] as const;
  peer.send(readRequest("images/ios.bin", asked), server.port);
  expect((await peer.next()).text).toBe("OACK blksize=512");
  const upload = Buffer.from("hostname sw-berlin-1");
  const ask = { port: server.port, upload };
  const name = encodeURIComponent("sw-hamburg-1/startup-config");
  expect((await run(curl, { ...ask, name, from: known })).exitCode).toBe(0);
  expect(readFileSync(join(uploads, "sw-berlin-1/startup-config"))).toEqual(upload);
  expect((await run(curl, { ...ask, name, from: unknown })).exitCode).toBe(69);
  expect(await fetched(server, "sw-berlin-1/startup-config", known)).toBe("exit code 68");
  rmSync(uploads, { recursive: true });
});

test("nat-container.toml", async () => {
  await using server = await startExample("nat-container.toml", {});
  server.put("pxelinux.cfg/default", "default menu");
  using peer = await openPeer();
  peer.send(readRequest("pxelinux.cfg/01-52-54-00-12-34-56", [["blksize", 1468]]), server.port);
  const oack = await peer.next();
  expect([oack.text, oack.port]).toEqual(["OACK blksize=1300", server.port]);
  peer.send(ack(0), server.port);
  const first = await peer.next();
  expect(new TextDecoder().decode(payload(first))).toBe("default menu");
  expect(first.port).toBe(server.port);
  peer.send(ack(1), server.port);
  using other = await openPeer();
  other.send(readRequest("health"), server.port);
  expect(new TextDecoder().decode(payload(await other.next()))).toBe("ok\n");
});
