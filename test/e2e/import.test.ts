// Map files of tftpd-hpa against in.tftpd, and expressions of atftpd against atftpd: for each of many names, the file that it serves, or its refusal, is what the
// translated rules come to. Every file holds its own path, so that what is served says where it was found.

import { describe, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { Random } from "#base/random.ts";
import { importAtftpd } from "#cli/import-atftpd.ts";
import { importTftpdHpa } from "#cli/import-tftpd-hpa.ts";
import { loadConfig } from "#config/load.ts";
import { resolvePolicy } from "#config/settings-policy.ts";
import { parseAddress } from "#policy/address.ts";
import { tidyName } from "#policy/path.ts";
import { compilePolicy, Policy } from "#policy/policy.ts";
import type { Asking } from "#policy/rule.ts";

import { skipBecause } from "./clients.ts";
import { ack, openPeer, payload, readRequest } from "./wire.ts";

/** Where Debian puts it, which is in no user's PATH; or wherever IN_TFTPD says. */
const program =
  process.env["IN_TFTPD"] ??
  Bun.which("in.tftpd", { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` });

interface Case {
  readonly title: string;
  readonly options: string;
  readonly map: string;
  /** What names are made of. */
  readonly pieces: readonly string[];
}

const cases: readonly Case[] = [
  {
    title: "the documented sample",
    options: "--secure",
    map: [
      "ri\t^[a-z]:\t\t\t\t# Remove drive letters",
      "rg\t\\\\\t\t/\t\t# Convert backslashes to slashes",
      "rg\t\\#\t\t@\t\t# Convert hash marks to @ signs",
      "rg\t/../\t\t/..no../\t# Convert /../ to /..no../",
      "e\t^ok/\t\t\t\t# These are always ok",
      "r\t^[^/]\t\t/tftpboot/\\0\t# Convert non-absolute files",
      "a\t\\.pvt$\t\t\t\t# Reject requests for private files",
    ].join("\n"),
    pieces: [
      "C:",
      "c:\\",
      "\\",
      "/",
      "boot",
      "ok/",
      "/ab/",
      "x#y",
      ".pvt",
      ".cfg",
      "BCD",
      "pxelinux.0",
    ],
  },
  {
    title: "the letters of operations and replacements",
    options: "--secure -v",
    map: [
      "r ^/+",
      "rs ^again/ \\U",
      "ri ^boot/(.*)\\.(cfg|conf)$ cfg/\\U\\1\\E.\\L\\2",
      "r4 ^ip/ by-ip/\\i/",
      // One of these at a time: with two, in.tftpd 5.2 writes beyond its buffer and dies.
      "r ^hex/ by-hex/\\x/",
      "r ^low/ by-hex/\\L\\x\\E/",
      "r6 ^boot/ six/",
      "rP ^boot/ uploads/",
      "rG ^(pxe|pxelinux)(.*)$ loaders/\\2/\\1",
      "r (a|ab)(c|bcd)(d*) [\\1-\\2-\\3]",
      "rg x\\+ +x",
      "~e .",
      "a ^(cfg/SECRET)",
      "r \\ $ space\\ here\\#no",
      "rge ^stop/ stopped/",
      "r $ .end",
    ].join("\n"),
    pieces: [
      "again/",
      "boot/",
      "BOOT/",
      "ip/",
      "hex/",
      "low/",
      "pxelinux.0",
      "pxe",
      "abcd",
      "x+",
      ".cfg",
      ".CONF",
      "secret",
      "stop/",
      "a",
      "File",
      "/",
      " ",
    ],
  },
  {
    title: "without --secure, names must begin with the directory",
    options: "",
    map: "r ^/tftpboot/ ROOT/\nre ^early/ ROOT/early/\nr ^[^/] ROOT/\\0",
    pieces: ["/tftpboot/", "early/", "/etc/", "file", "a/b", ".cfg", "ROOT/", "x"],
  },
];

const NAMES_PER_CASE = 120;

describe("in.tftpd and the rules that import makes of its map", () => {
  for (const each of cases) {
    if (program === null || process.getuid?.() !== 0) {
      const reason = program === null ? "apt-get install tftpd-hpa" : "in.tftpd needs root";
      if (process.env["CI"] === "true")
        test(each.title, () => {
          throw new Error(reason);
        });
      else skipBecause(each.title, reason);
      continue;
    }
    test(each.title, () => compare(each, program), 60_000);
  }
});

const atftpd =
  process.env["ATFTPD"] ?? Bun.which("atftpd", { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` });

describe("atftpd and the rules that import makes of its expressions", () => {
  const title = "agree on the name that is tried";
  if (atftpd === null) {
    if (process.env["CI"] === "true") {
      test(title, () => {
        throw new Error("apt-get install atftpd");
      });
    } else skipBecause(title, "apt-get install atftpd");
    return;
  }
  test(title, () => compareExpressions(atftpd));
});

/** The sample of atftpd's documentation, and a few more, asked of `atftpd --pcre-test`. */
function compareExpressions(program: string): void {
  const expressions = [
    "^[p]?pxelinux.cfg/[0-9A-F]{1,6}$      pxelinux.cfg/default",
    "^[p]?pxelinux.0$                      pxelinux.0",
    "linux                                 linux",
    "^str$                                 replaced1",
    "^str                                  replaced2",
    "str$                                  replaced3",
    "repl(ace)                             m$1",
    "(a+?)(b|bc)(c*)                       [$3${2}$1]",
    "^\\w*\\.conf$                         master.conf",
    "\\bx\\d{2,}                            y$$",
  ].join("\n");
  const pieces = [
    "p",
    "pxelinux.",
    "cfg/",
    "0",
    "C0A8",
    "linux",
    "str",
    "replace",
    "aab",
    "bc",
    "c",
    ".conf",
    "switch",
    "x12",
    "/",
  ];
  const names = namesOf(pieces);
  const file = join(mkdtempSync(join(tmpdir(), "snow-owl-pcre-")), "pcre");
  writeFileSync(file, `${expressions}\n`);
  const input = Buffer.from(`${names.join("\n")}\n\n`);
  const { stdout } = Bun.spawnSync([program, "--pcre-test", file], { stdin: input });
  rmSync(dirname(file), { recursive: true, force: true });
  const theirs = [...stdout.toString().matchAll(/^Substitution: "(.*)" -> "(.*)"$/gm)];
  const policy = compiled(
    importAtftpd('OPTIONS="--pcre x /srv"', "f", undefined, () => expressions),
  );
  expect(theirs).toHaveLength(names.length);
  for (const [, name = "", substitution = ""] of theirs) {
    const ours = policy.decide(asking(name)).ruling.fallbacks[0] ?? "";
    expect(`${name} -> ${ours}`).toBe(`${name} -> ${substitution}`);
  }
}

/** Asks in.tftpd for many names, and the rules where they are. */
async function compare({ options, map, pieces }: Case, program: string): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "snow-owl-map-"));
  chmodSync(root, 0o755);
  const mapFile = `${root}.map`;
  const mapText = map.replaceAll("ROOT", root);
  writeFileSync(mapFile, mapText);
  const policy = policyOf(
    `TFTP_DIRECTORY="${root}"\nTFTP_OPTIONS="${options} -m ${mapFile}"`,
    mapText,
  );
  const port = await freePort();
  const listen = ["--foreground", "--ipv4", "--address", `127.0.0.1:${port}`, "--user", "root"];
  const given = options.split(" ").filter((option) => option !== "");
  const child = Bun.spawn([program, ...listen, ...given, "-m", mapFile, root], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  try {
    const names = namesOf(pieces.map((piece) => piece.replaceAll("ROOT", root)));
    const expected = names.map((name) => expectedOf(policy, name, root));
    await ready(port);
    let files = 0;
    for (const [index, name] of names.entries()) {
      const answer = await ask(port, name);
      expect([name, answer]).toEqual([name, expected[index] ?? ""]);
      if (!answer.startsWith("ERROR")) files += 1;
    }
    // Most names must lead to a file, or this would show little.
    expect(files).toBeGreaterThan(NAMES_PER_CASE / 3);
  } finally {
    child.kill("SIGTERM");
    await child.exited;
    rmSync(root, { recursive: true, force: true });
    rmSync(mapFile, { force: true });
  }
}

/** The policy that a translated map comes to. */
function policyOf(defaults: string, map: string): Policy {
  const toml = importTftpdHpa(defaults, "/etc/default/tftpd-hpa", undefined, () => map);
  expect(toml).not.toContain("# impossible: ");
  return compiled(toml);
}

function compiled(toml: string): Policy {
  const { config, problems } = loadConfig(toml, "imported.toml");
  if (config === undefined) throw new Error(JSON.stringify(problems));
  const policy = compilePolicy(resolvePolicy(config));
  if (!(policy instanceof Policy)) throw new Error(JSON.stringify(policy));
  return policy;
}

/** A read request from this machine. */
function asking(name: string): Asking {
  return {
    name,
    isWrite: false,
    mode: "octet",
    listener: "",
    client: parseAddress("127.0.0.1") ?? "",
    local: undefined,
    interface: undefined,
    mac: undefined,
  };
}

/** Names made of pieces, each once. A name that ends with a slash names a folder for the one and a file for the other. */
function namesOf(pieces: readonly string[]): readonly string[] {
  const random = new Random(1);
  const names = new Set<string>();
  while (names.size < NAMES_PER_CASE) {
    const count = 1 + random.below(4);
    const name = Array.from(
      { length: count },
      () => pieces[random.below(pieces.length)] ?? "",
    ).join("");
    const isFolder = /[/\\]$/.test(name);
    if (!isFolder && name !== "") names.add(name);
  }
  return [...names];
}

/** What the rules say of a name: the path, whose file is made if it can be, or the beginning of the ERROR. */
function expectedOf(policy: Policy, name: string, root: string): string {
  const decision = policy.decide(asking(name));
  if (!decision.isAllowed && decision.cause === "denied") return "ERROR 2";
  // Hidden names are refused here after the rules; in.tftpd serves them, and what the rules made of them still counts.
  const path = decision.isAllowed
    ? (decision.candidates[0]?.path ?? "")
    : tidyName(decision.ruling.name, root);
  try {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), path, { mode: 0o644 });
    return path;
  } catch {
    // Another name has made a folder of it, or a file of its folder: in.tftpd cannot serve it either.
    return "ERROR";
  }
}

/** What in.tftpd says: the contents of the file, which is its path, or the beginning of the ERROR. */
async function ask(port: number, name: string): Promise<string> {
  using peer = await openPeer();
  peer.send(readRequest(name), port);
  const answer = await peer.next();
  if (!answer.text.startsWith("DATA"))
    return answer.text.startsWith("ERROR 2") ? "ERROR 2" : "ERROR";
  peer.send(ack(1), answer.port);
  return new TextDecoder().decode(payload(answer));
}

async function ready(port: number): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    using peer = await openPeer();
    peer.send(readRequest("/no-such-file"), port);
    for (let wait = 0; wait < 10 && peer.waiting().length === 0; wait += 1) await Bun.sleep(10);
    if (peer.waiting().length > 0) return;
  }
  throw new Error("in.tftpd does not answer");
}

async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const { port } = socket.address();
  socket.close();
  return port;
}
