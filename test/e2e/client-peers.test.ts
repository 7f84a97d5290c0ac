// get and put against the servers that Debian ships (end-to-end): tftpd-hpa, atftpd and dnsmasq, all on port 69 of a network
// namespace of their own, whose packets have 1,500 bytes. What is asked here is what they would be asked in earnest.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { bytesOf, compare } from "./bytes.ts";
import { type ClientFolder, clientFolder } from "./client-rig.ts";
import { serverProgram, skipBecause } from "./clients.ts";
import { compareFile } from "./uploading.ts";

setDefaultTimeout(60_000);

const space = `owl-p-${process.pid.toString(36)}`;
const isRoot = process.getuid?.() === 0;
const wrapper = ["ip", "netns", "exec", space];

interface PeerServer {
  readonly name: string;
  readonly program: string | null;
  readonly debianPackage: string;
  /** The address in the namespace that it has to itself. */
  readonly address: string;
  readonly takesFiles: boolean;
  readonly hasWindows: boolean;
  /** Its words, for a folder whose path has no spaces. */
  command(folder: string): string;
}

const peers: readonly PeerServer[] = [
  {
    name: "tftpd-hpa",
    program: serverProgram("IN_TFTPD", "in.tftpd"),
    debianPackage: "tftpd-hpa",
    address: "127.0.0.11",
    takesFiles: true,
    hasWindows: false,
    command: (folder) =>
      `--foreground --listen --create --permissive --user root --address 127.0.0.11:69 --secure ${folder}`,
  },
  {
    name: "atftpd",
    program: serverProgram("ATFTPD", "atftpd"),
    debianPackage: "atftpd",
    address: "127.0.0.12",
    takesFiles: true,
    hasWindows: true,
    command: (folder) =>
      `--daemon --no-fork --user root --group root --bind-address 127.0.0.12 --port 69 ${folder}`,
  },
  {
    name: "dnsmasq",
    program: serverProgram("DNSMASQ", "dnsmasq"),
    debianPackage: "dnsmasq-base",
    address: "127.0.0.13",
    takesFiles: false,
    hasWindows: false,
    command: (folder) =>
      "--keep-in-foreground --conf-file=/dev/null --port=0 --user=root --pid-file= --bind-interfaces " +
      `--listen-address=127.0.0.13 --enable-tftp --tftp-root=${folder}`,
  },
];

const sizes = [0, 1, 511, 512, 3 * 512, 1468 * 3, 3_000_000];
// 65,600 blocks of 8: the 16-bit block number wraps.
const wrapping = bytesOf(65_600 * 8, 8);
const lines = `${"x".repeat(510)}\r\n${"y".repeat(511)}\n\n${"z".repeat(509)}\n\rend\n`;

for (const peer of peers) {
  describe(peer.name, () => {
    const { program } = peer;
    const name = "files of every size, both ways";
    if (program === null || !isRoot) {
      const reason = isRoot ? `apt-get install ${peer.debianPackage}` : "port 69 needs root";
      if (process.env["CI"] === "true") {
        test(name, () => {
          throw new Error(reason);
        });
      } else {
        skipBecause(`${peer.name}: ${name}`, reason);
      }
      return;
    }
    testPeer(peer, program);
  });
}

function testPeer(peer: PeerServer, program: string): void {
  const root = mkdtempSync(join(tmpdir(), "snow-owl-peer-"));
  const at = `tftp://${peer.address}`;
  let server: ReturnType<typeof Bun.spawn> | undefined;

  beforeAll(async () => {
    chmodSync(root, 0o755);
    for (const size of sizes) writeFileSync(join(root, `of-${size}`), bytesOf(size, size));
    writeFileSync(join(root, "wrapping"), wrapping);
    writeFileSync(join(root, "text"), lines);
    // atftpd writes only into what is there or may be made by everybody.
    mkdirSync(join(root, "in"));
    chmodSync(join(root, "in"), 0o777);
    server = Bun.spawn([...wrapper, program, ...peer.command(root).split(" ")], {
      stdout: "ignore",
      stderr: "ignore",
    });
    using folder = clientFolder(wrapper);
    for (let attempt = 0; attempt < 100; attempt += 1) {
      const { exitCode } = await folder.run("get", `${at}/of-1`, "-q");
      if (exitCode === 0) return;
      await Bun.sleep(100);
    }
    throw new Error(`${peer.name} does not answer`);
  });
  afterAll(async () => {
    server?.kill("SIGKILL");
    await server?.exited;
    rmSync(root, { recursive: true, force: true });
  });

  const ways: readonly (readonly string[])[] = [
    ["--plain"],
    ["-w", "1"],
    ["-b", "8192", "-w", "1"],
    ["-w", "8", "-b", "512"],
    [],
  ];

  for (const way of ways) {
    test(`get, ${way.join(" ") || "as it comes"}`, async () => {
      using folder = clientFolder(wrapper);
      const urls = sizes.map((size) => `${at}/of-${size}`);
      const { exitCode, error } = await folder.run("get", ...urls, ...way);
      expect({ exitCode, error }).toMatchObject({ exitCode: 0 });
      for (const size of sizes) {
        const found = compare(folder.bytesOf(`of-${size}`), bytesOf(size, size));
        expect(`${size}: ${found}`).toBe(`${size}: identical`);
      }
    });
  }

  test("get, several at a time, with the block size of the path", async () => {
    using folder = clientFolder(wrapper);
    const urls = sizes.map((size) => `${at}/of-${size}`);
    const { exitCode, out } = await folder.run("get", ...urls, "--json", "-j", "8");
    expect(exitCode).toBe(0);
    const reports = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { options: string });
    expect(reports).toHaveLength(sizes.length);
    for (const { options } of reports) expect(options).toContain("blksize=1468");
    for (const size of sizes) {
      expect(compare(folder.bytesOf(`of-${size}`), bytesOf(size, size))).toBe("identical");
    }
  });

  test("get, more than 65,535 blocks", async () => {
    using folder = clientFolder(wrapper);
    const { exitCode, error } = await folder.run("get", `${at}/wrapping`, "-b", "8");
    const found = compare(folder.bytesOf("wrapping"), wrapping);
    expect(`${found}, ${exitCode} ${error}`).toStartWith("identical, 0");
  });

  test("get, netascii", async () => {
    using folder = clientFolder(wrapper);
    const { exitCode, error } = await folder.run("get", `${at}/text;mode=netascii`);
    expect({ exitCode, error }).toMatchObject({ exitCode: 0 });
    expect(Buffer.from(folder.bytesOf("text") ?? []).toString()).toBe(lines);
  });

  test("get, what is not there", async () => {
    using folder = clientFolder(wrapper);
    const { exitCode, error } = await folder.run("get", `${at}/missing`);
    expect({ exitCode, error }).toMatchObject({ exitCode: 66 });
    expect(error).toContain("(ERROR 1)");
    expect(folder.names()).toEqual([]);
  });

  test(peer.takesFiles ? "put, every size" : "put is refused", async () => {
    using folder = clientFolder(wrapper);
    if (!peer.takesFiles) {
      folder.put("f", "x");
      const { exitCode } = await folder.run("put", "f", `${at}/in/f`, "--retries", "1");
      expect(exitCode).toBe(77);
      return;
    }
    for (const [index, way] of ways.entries()) await putsAll(folder, way, `in/way-${index}`);
  });

  if (peer.takesFiles) {
    test("put, more than 65,535 blocks, and netascii", async () => {
      using folder = clientFolder(wrapper);
      folder.put("w", wrapping);
      folder.put("t", lines);
      const wrapped = await folder.run("put", "w", `${at}/in/wrapped`, "-b", "8");
      expect(wrapped).toMatchObject({ exitCode: 0 });
      expect(compareFile(join(root, "in/wrapped"), wrapping)).toBe("identical");
      const text = await folder.run("put", "t", `${at}/in/text;mode=netascii`);
      expect(text).toMatchObject({ exitCode: 0 });
      expect(readFileSync(join(root, "in/text"), "latin1")).toBe(lines);
    });
  }

  async function putsAll(
    folder: ClientFolder,
    way: readonly string[],
    into: string,
  ): Promise<void> {
    mkdirSync(join(root, into));
    chmodSync(join(root, into), 0o777);
    for (const size of sizes) folder.put(`of-${size}`, bytesOf(size, size));
    const names = sizes.map((size) => `of-${size}`);
    const { exitCode, error } = await folder.run("put", ...names, `${at}/${into}/`, ...way);
    expect({ way, exitCode, error }).toMatchObject({ exitCode: 0 });
    for (const name of names) {
      const found = compareFile(join(root, into, name), folder.bytesOf(name) ?? new Uint8Array());
      expect(`${way.join(" ")} ${name}: ${found}`).toBe(`${way.join(" ")} ${name}: identical`);
    }
  }
}

beforeAll(() => {
  if (!isRoot) return;
  const commands = [
    ["netns", "add", space],
    ["-n", space, "link", "set", "lo", "mtu", "1500", "up"],
    // in.tftpd reads no address on a machine that has none but loopback's (AI_ADDRCONFIG, getaddrinfo(3)).
    ["-n", space, "link", "add", "owl0", "type", "veth", "peer", "name", "owl1"],
    ["-n", space, "address", "add", "192.0.2.1/32", "dev", "owl0"],
    ["-n", space, "link", "set", "owl0", "up"],
  ];
  for (const command of commands) {
    expect([command, Bun.spawnSync(["ip", ...command]).exitCode]).toEqual([command, 0]);
  }
});

afterAll(() => {
  if (isRoot) Bun.spawnSync(["ip", "netns", "delete", space]);
});
