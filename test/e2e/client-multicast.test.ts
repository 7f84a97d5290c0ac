// get --multicast against Debian's atftpd, which serves RFC 2090 (end-to-end): several clients at once, late ones, and some that are
// killed, in a network namespace of their own where multicast goes by the loopback interface.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { bytesOf, compare } from "./bytes.ts";
import { type ClientFolder, clientFolder, type StartedClient } from "./client-rig.ts";
import { serverProgram, skipBecause } from "./clients.ts";
import { until } from "./server.ts";

setDefaultTimeout(120_000);

const space = `owl-c-${process.pid.toString(36)}`;
const wrapper = ["ip", "netns", "exec", space];
const address = "127.0.0.12";
const at = `tftp://${address}`;
/** RFC 2090 recommends it. */
const groupPort = 1758;

const program = serverProgram("ATFTPD", "atftpd");
const isRoot = process.getuid?.() === 0;

const sizes = [0, 1, 511, 512, 3 * 1468, 300_000];
// Enough to be in the middle of it for a while.
const bigBlocks = 8000;
const big = bytesOf(bigBlocks * 512 + 77, 77);
const middling = bytesOf(120 * 512 + 5, 5);

describe("get --multicast from atftpd", () => {
  if (program === null || !isRoot) {
    const reason = isRoot ? "apt-get install atftpd" : "network namespaces need root";
    if (process.env["CI"] === "true") {
      test("files of every size", () => {
        throw new Error(reason);
      });
    } else {
      skipBecause("get --multicast from atftpd", reason);
    }
    return;
  }
  testMulticast(program);
});

function testMulticast(atftpd: string): void {
  const root = mkdtempSync(join(tmpdir(), "snow-owl-multicast-"));
  let server: ReturnType<typeof Bun.spawn> | undefined;

  beforeAll(async () => {
    for (const words of [
      ["netns", "add", space],
      ["-n", space, "link", "set", "lo", "mtu", "1500", "up"],
      ["-n", space, "route", "add", "239.0.0.0/8", "dev", "lo"],
    ]) {
      expect([words, Bun.spawnSync(["ip", ...words]).exitCode]).toEqual([words, 0]);
    }
    chmodSync(root, 0o755);
    for (const size of sizes) writeFileSync(join(root, `of-${size}`), bytesOf(size, size));
    for (const [name, bytes] of Object.entries({ big, middling })) {
      writeFileSync(join(root, name), bytes);
    }
    const words = `--daemon --no-fork --user root --group root --bind-address ${address} --port 69`;
    // A master that is dead is waited for as often as it says in its manual, but not 5 s each time.
    const more = `--retry-timeout 1 --mcast-addr 239.255.0.0-255 --mcast-port ${groupPort}`;
    server = Bun.spawn([...wrapper, atftpd, ...`${words} ${more}`.split(" "), root], {
      stdout: "ignore",
      stderr: "ignore",
    });
    using folder = clientFolder(wrapper);
    for (let attempt = 0; attempt < 100; attempt += 1) {
      const { exitCode } = await folder.run("get", `${at}/of-1`, "-q");
      if (exitCode === 0) return;
      await Bun.sleep(100);
    }
    throw new Error("atftpd does not answer");
  });
  afterAll(async () => {
    server?.kill("SIGKILL");
    await server?.exited;
    Bun.spawnSync(["ip", "netns", "delete", space]);
    rmSync(root, { recursive: true, force: true });
  });

  test("one client gets files of every size, several at a time", async () => {
    using folder = clientFolder(wrapper);
    const urls = sizes.map((size) => `${at}/of-${size}`);
    const { exitCode, out } = await folder.run("get", ...urls, "--multicast", "--json", "--sha256");
    expect(exitCode).toBe(0);
    for (const line of out.trim().split("\n")) {
      const { options, sha256, file } = JSON.parse(line) as Record<string, string>;
      expect(options).toMatch(/blksize=1468 multicast=239\.255\.0\.\d+,1758,1$/);
      const bytes = folder.bytesOf(file ?? "") ?? new Uint8Array();
      expect(sha256).toBe(new Bun.CryptoHasher("sha256").update(bytes).digest("hex"));
    }
    for (const size of sizes) {
      expect(compare(folder.bytesOf(`of-${size}`), bytesOf(size, size))).toBe("identical");
    }
  });

  test("five clients get one file together, in the time of little more than one", async () => {
    const [first, ...others] = await startTogether(5);
    const reports = await Promise.all(others.map((client) => whole(client, big)));
    for (const { blocks, no_multicast: why } of reports) {
      expect(why).toBeUndefined();
      // Five ordinary transfers would have sent everything five times.
      expect(blocks).toBeLessThan(2 * bigBlocks);
    }
    await whole(first, big);
  });

  test("one that comes late gets what it has missed when it is the master", async () => {
    const first = await startStopped();
    const late = startGet("big");
    await until(() => hasJoined(late), "the late client in the group");
    first.client.kill("SIGCONT");
    expect((await whole(late, big)).no_multicast).toBeUndefined();
    await whole(first, big);
  });

  test("the master and a listener are killed: the others have the file, and the dead nothing", async () => {
    const first = await startStopped();
    const others = [startGet("big"), startGet("big")];
    await until(() => others.every(hasJoined), "two more clients in the group");
    // The last one in the queue, so that nobody waits for it.
    const last = startGet("big");
    await until(() => hasJoined(last), "all clients in the group");
    first.client.kill("SIGKILL");
    last.client.kill("SIGKILL");
    await Promise.all(others.map((each) => whole(each, big)));
    for (const dead of [first, last]) await dead.client.ended;
    expect(first.folder.names()).toEqual([]);
    // Done before it was killed, on a busy machine; but never half.
    const left = last.folder.bytesOf("f") ?? big;
    expect([compare(left, big), last.folder.names().length < 2]).toEqual(["identical", true]);
    for (const dead of [first, last]) dead.folder[Symbol.dispose]();
  });

  test("a network that loses one packet in eighty", async () => {
    const rules = [
      "add table ip owl",
      "add chain ip owl in { type filter hook input priority filter; }",
      "add rule ip owl in udp dport != 69 numgen inc mod 80 == 50 drop",
    ];
    for (const rule of rules) {
      expect([rule, Bun.spawnSync([...wrapper, "nft", rule]).exitCode]).toEqual([rule, 0]);
    }
    const clients = [startGet("middling"), startGet("middling"), startGet("middling")];
    const reports = await Promise.all(clients.map((client) => whole(client, middling)));
    // Whoever was given up on a busy machine got it by an ordinary transfer.
    expect(reports.map(({ no_multicast: why }) => why)).toContain(undefined);
    expect(Bun.spawnSync([...wrapper, "nft", "delete table ip owl"]).exitCode).toBe(0);
  });

  test("what is converted, or goes to standard output, comes by an ordinary transfer", async () => {
    using folder = clientFolder(wrapper);
    const text = await folder.run("get", `${at}/of-1;mode=netascii`, "--multicast");
    expect(text.error).toContain("; no multicast: netascii comes in order");
    const out = await folder.run("get", `${at}/of-511`, "--multicast", "-o", "-", "-q");
    expect(out).toMatchObject({ exitCode: 0, error: "" });
    expect((await folder.run("get", `${at}/none`, "--multicast")).exitCode).toBe(66);
  });
}

interface RunningGet {
  readonly folder: ClientFolder;
  readonly client: StartedClient;
}

function startGet(name: string): RunningGet {
  const folder = clientFolder(wrapper);
  const words = ["get", `${at}/${name}`, "-o", "f", "--multicast", "--json", "-b", "512"];
  return { folder, client: folder.start(...words) };
}

/** The first of a multicast, stopped in the middle of the big file. */
async function startStopped(): Promise<RunningGet> {
  const before = packets();
  const first = startGet("big");
  await until(() => hasJoined(first) && packets() - before > 1000, "the middle of the file");
  first.client.kill("SIGSTOP");
  return first;
}

/** Several of one multicast, of which the first is held back until the others listen, too; the server may give that one up meanwhile. */
async function startTogether(count: number): Promise<readonly [RunningGet, ...RunningGet[]]> {
  const first = await startStopped();
  const others = Array.from({ length: count - 1 }, () => startGet("big"));
  await until(() => others.every(hasJoined), "all clients in the group");
  first.client.kill("SIGCONT");
  return [first, ...others];
}

interface Report {
  readonly options: string;
  readonly blocks: number;
  readonly no_multicast?: string;
}

/** Waits for the end of a get, and sees that it has `bytes`. Returns its report. */
async function whole({ folder, client }: RunningGet, bytes: Uint8Array): Promise<Report> {
  const { exitCode, out, error } = await client.ended;
  const found = compare(folder.bytesOf("f"), bytes);
  expect(`${found}, ${exitCode} ${error}`).toStartWith("identical, 0");
  folder[Symbol.dispose]();
  return JSON.parse(out) as Report;
}

/** Whether a client has the second socket, that of the group, or has come to its end since. */
function hasJoined({ client }: RunningGet): boolean {
  const folder = `/proc/${client.pid}/fd`;
  try {
    const links = readdirSync(folder).map((fd) => readlinkSync(join(folder, fd)));
    return links.filter((link) => link.startsWith("socket:")).length >= 2;
  } catch {
    return !existsSync(folder);
  }
}

/** Packets that have come in by the loopback interface. */
function packets(): number {
  return Number(/lo:\s*\d+\s+(\d+)/.exec(read("/proc/net/dev"))?.[1]);
}

/** What a file of /proc says in the namespace. */
function read(path: string): string {
  return Bun.spawnSync([...wrapper, "cat", path]).stdout.toString();
}
