// Who gets what (end-to-end): one table of requests, each asked of the running server by a real client and of `check --explain`,
// which must say the same. Then what only packets show: options, sizes, interfaces, names that are no text.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { curl, run, testWith } from "./clients.ts";
import { type Server, startServer, until } from "./server.ts";
import { ack, openPeer, payload, readRequest, takeRest } from "./wire.ts";

// Longer than any wait in here, so that the wait says what did not come.
setDefaultTimeout(30_000);

let server: Server;
let other: string;

beforeAll(async () => {
  other = mkdtempSync(join(tmpdir(), "snow-owl-other-"));
  const rules = String.raw`
[write_config]
enabled = true
allow_overwrite = true
allowed_patterns = ["in/*", "quarantined"]
[uploads]
create_folders = true
[[access.root]]
folder = "common/lab"
allow = ["127.0.0.3"]
[[access.root]]
folder = "in/lab"
deny = ["127.0.0.0/8"]
allow = ["127.0.0.2"]
[[host]]
name = "node3"
ip = "127.0.0.3"
group = "lab"
vars = { kernel = "vmlinuz-6.1" }
[[rule]]
name = "banned"
client = ["127.0.0.9"]
action = "deny"
[[rule]]
name = "private"
glob = "*.pvt"
action = "deny"
code = 1
[[rule]]
name = "busy"
glob = "*.later"
action = "deny"
code = 0
[[rule]]
name = "asked elsewhere"
local = ["127.0.0.5"]
action = "deny"
code = 8
[[rule]]
name = "windows"
regex = '(?i)^boot/(.*)$'
rewrite = "Boot/{1:upper}"
[[rule]]
glob = "pxelinux.cfg/*"
fallback = "pxelinux.cfg/default"
[[rule]]
glob = "small*"
max_block_size = 600
max_windowsize = 2
refuse_options = ["tsize"]
[[rule]]
glob = "far"
roots = ["${other}/{ip}"]
[[rule]]
name = "no temporaries"
request = "write"
glob = "*.tmp"
action = "deny"
code = 6
[[rule]]
request = "write"
glob = "dump-*"
rewrite = "in/{ip}/{1}"
[[template]]
glob = "hello*"
text = """
hello {ip} {ip_hex}
kernel {kernel}
"""
[[template]]
glob = "hello*"
text = "hello stranger {ip}"`;
  server = await startServer({
    bind: "0.0.0.0",
    top: [`roots = ["clients/{ip}", "groups/{group}", "common"]`],
    tables: [rules, "[performance.platform.worker_pool]", "worker_count = 1"],
  });
  server.put("clients/127.0.0.2/loader", "loader of 127.0.0.2");
  server.put("groups/lab/loader", "loader of the lab");
  server.put("common/loader", "common loader");
  server.put("common/Boot/BCD", "a store");
  server.put("common/pxelinux.cfg/default", "the default menu");
  server.put("common/pxelinux.cfg/01-aa", "menu of aa");
  server.put("common/lab/image", "for the lab");
  server.put("common/key.pvt", "secret");
  server.put("common/.hidden", "secret");
  server.put("common/small", new Uint8Array(3000));
  server.put("common/0a1b2c3d/config.txt", "a Raspberry Pi");
  mkdirSync(join(server.root, "common/folder"));
  symlinkSync("/etc/passwd", join(server.root, "common/leak"));
  mkdirSync(join(other, "127.0.0.1"));
  writeFileSync(join(other, "127.0.0.1/far"), "from elsewhere");
}, 60_000);

afterAll(async () => {
  await server.stop();
  rmSync(other, { recursive: true, force: true });
});

interface Case {
  readonly name: string;
  /** Default 127.0.0.1. */
  readonly client?: string;
  readonly isWrite?: boolean;
  /** The contents, `ERROR n`, or where an upload lies below the root. */
  readonly answer: string;
}

const cases: readonly Case[] = [
  { name: "loader", answer: "common loader" },
  { name: "loader", client: "127.0.0.2", answer: "loader of 127.0.0.2" },
  { name: "loader", client: "127.0.0.3", answer: "loader of the lab" },
  { name: "loader", client: "127.0.0.9", answer: "ERROR 2" },
  { name: "missing", answer: "ERROR 1" },
  { name: "key.pvt", answer: "ERROR 1" },
  { name: "x.later", answer: "ERROR 0" },
  { name: ".hidden", answer: "ERROR 1" },
  { name: "../etc/passwd", answer: "ERROR 2" },
  { name: "folder", answer: "ERROR 2" },
  { name: "leak", answer: "ERROR 2" },
  { name: "\\boot\\bcd", answer: "a store" },
  { name: "BOOT/Bcd", answer: "a store" },
  { name: "pxelinux.cfg/01-aa", answer: "menu of aa" },
  { name: "pxelinux.cfg/01-bb", answer: "the default menu" },
  { name: "far", answer: "from elsewhere" },
  { name: "far", client: "127.0.0.2", answer: "ERROR 1" },
  // A Raspberry Pi asks with its serial number first, and goes on without it after ERROR 1.
  { name: "0a1b2c3d/config.txt", answer: "a Raspberry Pi" },
  { name: "0a1b2c3d/start4.elf", answer: "ERROR 1" },
  { name: "hello", answer: "hello stranger 127.0.0.1" },
  {
    name: "hello",
    client: "127.0.0.3",
    answer: "hello 127.0.0.3 7F000003\nkernel vmlinuz-6.1\n",
  },
  { name: "lab/image", client: "127.0.0.3", answer: "for the lab" },
  // It may not have it from the last of the folders, and the others have no such name.
  { name: "lab/image", answer: "ERROR 1" },
  { name: "in/lab/x", isWrite: true, answer: "ERROR 2" },
  { name: "dump-sw1.cfg", isWrite: true, answer: "in/127.0.0.1/sw1.cfg" },
  { name: "dump-sw2.cfg", client: "127.0.0.2", isWrite: true, answer: "in/127.0.0.2/sw2.cfg" },
  { name: "dump-a.tmp", isWrite: true, answer: "ERROR 6" },
  { name: "in/x", client: "127.0.0.9", isWrite: true, answer: "ERROR 2" },
  { name: "elsewhere", isWrite: true, answer: "ERROR 2" },
];

describe("the server and check --explain agree", () => {
  for (const each of cases) {
    const { name, client = "127.0.0.1", isWrite = false, answer } = each;
    testWith([curl], `${client} ${isWrite ? "writes" : "reads"} ${name}`, async () => {
      expect(await served(each)).toBe(answer);
      expect(explained(each)).toBe(explanationOf(answer, isWrite));
    });
  }
});

/** What a real client gets. */
async function served({ name, client = "127.0.0.1", isWrite = false }: Case): Promise<string> {
  const bytes = Buffer.from("an upload");
  const { exitCode, bytes: got } = await run(curl, {
    port: server.port,
    name: encodeURIComponent(name),
    from: client,
    ...(isWrite ? { upload: bytes } : {}),
  });
  const code = codeOf.get(exitCode);
  if (code !== undefined) return `ERROR ${code}`;
  expect(exitCode).toBe(0);
  if (!isWrite) return new TextDecoder().decode(got);
  const path = `in/${client}/${name.replace("dump-", "")}`;
  expect(readFileSync(join(server.root, path), "utf8")).toBe("an upload");
  return path;
}

/** curl's exit codes for TFTP's errors; 71 is an illegal operation, and what it has no code for. */
const codeOf: ReadonlyMap<number, number> = new Map([
  [68, 1],
  [69, 2],
  [70, 3],
  [71, 0],
  [73, 6],
  [74, 7],
]);

/** The answer in words, as `check --explain` prints it. */
function explained({ name, client = "127.0.0.1", isWrite = false }: Case): string {
  const binary = join(server.folder, "snow-owl-tftp");
  const flags = ["--explain", "--client", client, ...(isWrite ? ["--write"] : [])];
  const { stdout, exitCode, stderr } = Bun.spawnSync(
    [binary, "check", "--config", `${server.folder}.toml`, ...flags, name],
    { cwd: server.folder, env: {} },
  );
  expect([exitCode, stderr.toString()]).toEqual([0, ""]);
  const lines = stdout.toString().split("\n");
  const row = lines.findLast((line) => /^(?:answer|upload) +(?!refused)/.test(line)) ?? "";
  return row.replace(/^\w+ +/, "").replaceAll(server.root, "ROOT");
}

function explanationOf(answer: string, isWrite: boolean): string {
  const sentences: Readonly<Record<string, string>> = {
    "ERROR 0": "Request denied",
    "ERROR 1": "File not found",
    "ERROR 2": "Access violation",
    "ERROR 6": "File already exists",
  };
  const sentence = sentences[answer];
  if (sentence !== undefined) return `${answer} ${sentence}`;
  if (isWrite) return `ROOT/${answer}`;
  return `${Buffer.byteLength(answer)} bytes${answer.startsWith("hello") ? " from a template" : ""}`;
}

test("a denial is logged with the rule's name, and its client hears the code", async () => {
  using peer = await openPeer();
  peer.send(readRequest("key.pvt"), server.port);
  expect((await peer.next()).text).toBe("ERROR 1 File not found");
  await until(() => server.log().includes('denied by the rule "private"'), "a line with the rule");
});

test("a template says its size, and is sent in either mode", async () => {
  using peer = await openPeer();
  peer.send(
    readRequest("hello", [
      ["tsize", 0],
      ["blksize", 8],
    ]),
    server.port,
  );
  const oack = await peer.next();
  expect(oack.text).toBe("OACK tsize=24 blksize=8");
  peer.send(ack(0), oack.port);
  const octet = await takeRest(peer, await peer.next(), 8);
  expect(new TextDecoder().decode(octet as Uint8Array)).toBe("hello stranger 127.0.0.1");
  using other = await openPeer();
  other.send(readRequest("hello", [], "netascii"), server.port);
  expect(payload(await other.next())).toEqual(new Uint8Array(octet as Uint8Array));
});

test("a rule refuses an option, and lowers what is granted", async () => {
  using peer = await openPeer();
  const asked = [
    ["tsize", 0],
    ["blksize", 1400],
    ["windowsize", 16],
  ] as const;
  peer.send(readRequest("small", asked), server.port);
  expect((await peer.next()).text).toBe("OACK blksize=600 windowsize=2");
  using other = await openPeer();
  other.send(readRequest("loader", asked), server.port);
  expect((await other.next()).text).toBe("OACK tsize=13 blksize=1400 windowsize=16");
});

test("a rule may ask for the address that was asked", async () => {
  using peer = await openPeer("127.0.0.5");
  peer.send(readRequest("loader"), server.port);
  expect((await peer.next()).text).toBe("ERROR 8 Option refused");
});

test("a name that is no UTF-8 is served to the byte", async () => {
  const name = Buffer.from("caf\u00e9", "latin1");
  writeFileSync(Buffer.concat([Buffer.from(`${server.root}/common/`), name]), "a byte name");
  using peer = await openPeer();
  const request = Buffer.concat([Uint8Array.of(0, 1), name, Buffer.from("\0octet\0")]);
  peer.send(request, server.port);
  expect(new TextDecoder().decode(payload(await peer.next()))).toBe("a byte name");
  // What is UTF-8 is another name.
  using other = await openPeer();
  other.send(readRequest("caf\u00e9"), server.port);
  expect((await other.next()).text).toBe("ERROR 1 File not found");
});

describe("a rule may ask for the interface and for the address that was asked", () => {
  const ways = [
    { bind: "127.0.0.1", host: "127.0.0.1" },
    { bind: "0.0.0.0", host: "127.0.0.1" },
    { bind: "[::]", host: "127.0.0.1" },
    { bind: "[::]", host: "::1" },
    { bind: "[::1]", host: "::1" },
  ];
  test.each(ways)("on $bind, asked at $host", async ({ bind, host }) => {
    const other = host === "::1" ? "::2" : "127.0.0.2";
    await using one = await startServer({
      bind,
      readyHost: host,
      tables: [
        denyRule("interface", "lo", "lo-*"),
        denyRule("interface", "eth77", "eth-*"),
        denyRule("local", host, "here-*"),
        denyRule("local", other, "there-*"),
      ],
    });
    const answers: string[] = [];
    for (const name of ["lo-x", "eth-x", "here-x", "there-x"]) {
      one.put(name, "x");
      using peer = await openPeer(host);
      peer.send(readRequest(name), one.port);
      answers.push((await peer.next()).text);
    }
    const denied = "ERROR 6 File already exists";
    expect(answers).toEqual([denied, "DATA 1 1", denied, "DATA 1 1"]);
  });
});

function denyRule(key: string, value: string, name: string): string {
  return `[[rule]]\n${key} = ["${value}"]\nglob = "${name}"\naction = "deny"\ncode = 6`;
}

test("junk behind a name is cut without rules, too", async () => {
  await using plain = await startServer();
  plain.put("loader", "x");
  using peer = await openPeer();
  const junk = Uint8Array.of(0xff, 0x13, 0x80);
  const name = Buffer.concat([Buffer.from("loader"), junk]);
  peer.send(Buffer.concat([Uint8Array.of(0, 1), name, Buffer.from("\0octet\0")]), plain.port);
  expect((await peer.next()).text).toBe("DATA 1 1");
});

test("who may not read uploads back may not do so by another root", async () => {
  const folder = mkdtempSync(join(tmpdir(), "snow-owl-uploads-"));
  writeFileSync(join(folder, "sw1.cfg"), "secret");
  mkdirSync(join(folder, "inner"));
  writeFileSync(join(folder, "inner/sw2.cfg"), "secret");
  await using box = await startServer({
    top: [`roots = ["", "${folder}", "${folder}/inner", "${dirname(folder)}"]`],
    tables: [
      '[write_config]\nenabled = true\nallowed_patterns = ["*.cfg"]',
      `[uploads]\nroot_dir = "${folder}"\nwrite_only = true`,
    ],
  });
  for (const name of [
    "sw1.cfg",
    "sw2.cfg",
    `${folder.slice(dirname(folder).length + 1)}/sw1.cfg`,
  ]) {
    using peer = await openPeer();
    peer.send(readRequest(name), box.port);
    expect([name, (await peer.next()).text]).toEqual([name, "ERROR 2 Access violation"]);
  }
  rmSync(folder, { recursive: true });
});
