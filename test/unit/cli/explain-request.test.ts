// What `check --explain` prints: each rule with its reason, the files in turn, and what a mistake is answered with.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { explainRequest } from "#cli/explain-request.ts";
import type { TypedRequest } from "#cli/typed-request.ts";
import { defaults } from "#config/config.ts";
import { loadConfig } from "#config/load.ts";
import { resolveSettings } from "#config/settings.ts";

let root = "";

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "snow-owl-explain-"));
  mkdirSync(join(root, "common/Boot"), { recursive: true });
  writeFileSync(join(root, "common/Boot/BCD"), "12345");
});

afterAll(() => rmSync(root, { recursive: true }));

/** The explanation, the root folder as ROOT. */
function explained(given: Partial<TypedRequest>, files = ""): readonly string[] | string {
  const text = `
    root_dir = "${root}"
    roots = ["clients/{mac_dash}", "hosts/{ip}", "common", ""]
    [write_config]
    enabled = true
    allowed_patterns = ["*.cfg"]
    [[rule]]
    name = "lab"
    client = ["192.0.2.0/24"]
    action = "deny"
    code = 1
    [[rule]]
    regex = '(?i)^boot/(.*)$'
    rewrite = "Boot/{1:upper}"
    max_block_size = 1428
    refuse_options = ["tsize"]
    [[template]]
    glob = "hello"
    text = "hello {ip}"
    ${files}`;
  const { config, problems } = loadConfig(text, "f");
  expect(problems).toEqual([]);
  const settings = resolveSettings(config ?? defaults, { cores: 1, memoryBytes: 2 ** 30 });
  const nowhere = { listener: undefined, interface: undefined, local: undefined };
  const plain = { ...nowhere, mac: undefined, mode: undefined, options: undefined, isWrite: false };
  const typed = { name: "a", client: "10.0.0.7", ...plain, ...given };
  const lines = explainRequest(settings, typed);
  return "fault" in lines
    ? `${lines.fault}; ${lines.remedy}`
    : lines.map((line) => line.replaceAll(root, "ROOT"));
}

test("a file that is found", () => {
  expect(explained({ name: "\\boot\\bcd" })).toEqual([
    'request  read "\\\\boot\\\\bcd" from 10.0.0.7',
    "lab      no: the client is in none of 192.0.2.0/24",
    'rule 2   holds: rewrites to "Boot/BCD"; refuses tsize; blksize up to 1428',
    "verdict  allowed by default",
    "file     ROOT/hosts/10.0.0.7/Boot/BCD: missing",
    "file     ROOT/common/Boot/BCD: found",
    "answer   5 bytes",
    "options  blksize up to 1428, windowsize up to 512 and 4 MiB; none of tsize",
  ]);
});

test("a client that is denied, with its hardware address", () => {
  expect(explained({ client: "192.0.2.9", mac: "B8-27-EB-01-02-03", isWrite: true })).toEqual([
    'request  write "a" from 192.0.2.9 (b8:27:eb:01:02:03)',
    "lab      holds: denies",
    "verdict  denied by lab, with ERROR 1",
    "answer   ERROR 1 File not found",
  ]);
});

test("an upload, and one that its patterns do not allow", () => {
  const upload = explained({ name: "sw1.cfg", isWrite: true });
  expect(upload.slice(-2)).toEqual([
    "upload   ROOT/sw1.cfg",
    "options  blksize up to 65464, windowsize up to 512 and 128 KiB",
  ]);
  const refused = explained({ name: "kernel", isWrite: true });
  expect(refused).toContain("upload   refused: file not in allowed_patterns");
  expect(refused).toContain("answer   ERROR 2 Access violation");
});

test("a name that is refused, a folder, and a template", () => {
  expect(explained({ name: "../a" }).slice(-2)).toEqual([
    "verdict  refused: a segment of the name is `..`",
    "answer   ERROR 2 Access violation",
  ]);
  const folder = explained({ name: "Boot" });
  expect(folder).toContain("file     ROOT/common/Boot: no regular file, or not readable");
  expect(folder).toContain("answer   ERROR 2 Access violation");
  expect(explained({ name: "hello" })).toContain("answer   14 bytes from a template");
});

test("where the request came in, and its mode", () => {
  const rules = `
    [[rule]]
    name = "asked"
    local = ["192.0.2.1"]
    [[rule]]
    name = "port"
    interface = ["eth9"]
    [[rule]]
    name = "text"
    mode = "netascii"`;
  const rows = (given: Partial<TypedRequest>): readonly string[] | string => {
    const lines = explained({ name: "boot/bcd", ...given }, rules);
    return typeof lines === "string"
      ? lines
      : lines.filter((line) => /^(?:re|as|po|te)/.test(line));
  };
  expect(rows({})).toEqual([
    'request  read "boot/bcd" from 10.0.0.7',
    "asked    no: the address that was asked is in none of 192.0.2.1",
    "port     no: the interface is not known and is none of eth9",
    "text     no: is for mode netascii",
  ]);
  expect(rows({ local: "::ffff:192.0.2.1", interface: "eth9", mode: "netascii" })).toEqual([
    'request  read "boot/bcd" in netascii from 10.0.0.7 to 192.0.2.1 by eth9',
    "asked    holds: does nothing",
    "port     holds: does nothing",
    "text     holds: does nothing",
  ]);
});

test("a listener has its own folders, rules and interface", () => {
  const files = `
    [[listener]]
    name = "main"
    bind_addr = "0.0.0.0:69"
    [[listener]]
    name = "lab"
    bind_addr = "0.0.0.0:69"
    interface = "eth9"
    roots = ["common/Boot"]
    [[rule]]
    name = "here"
    listener = ["lab"]`;
  const told = (listener?: string): readonly string[] =>
    [explained({ name: "BCD", listener }, files)]
      .flat()
      .filter((line) => /^(?:request|here|file|answer|--)/.test(line))
      .map((line) => line.replaceAll(/ +/g, " "));
  expect(told("lab")).toEqual([
    'request read "BCD" from 10.0.0.7 at lab by eth9',
    "here holds: does nothing",
    "file ROOT/common/Boot/BCD: found",
    "answer 5 bytes",
  ]);
  expect(told()).toEqual([
    'request read "BCD" from 10.0.0.7 at main',
    "here no: it came in by main, and this is for lab",
    "file ROOT/hosts/10.0.0.7/BCD: missing",
    "file ROOT/common/BCD: missing",
    "file ROOT/BCD: missing",
    "answer ERROR 1 File not found",
  ]);
  expect(told("office")).toEqual(["--listener office is none; there are main, lab"]);
});

describe("options", () => {
  const none = "; none of tsize";

  test("are those that the server would grant", () => {
    const options = "blksize=8192, TSIZE=0 windowsize=64,timeout=7";
    expect(granted({ options })).toEqual([
      `options  blksize up to 1428, windowsize up to 512 and 4 MiB${none}`,
      "granted  blksize=1428 windowsize=64 timeout=7",
    ]);
    expect(granted({ options, name: "Boot/BCD", mode: "netascii" })).toEqual([
      `options  blksize up to 1428, windowsize up to 512 and 50.7 KiB${none}`,
      "granted  blksize=1428 windowsize=36 timeout=7",
    ]);
    expect(granted({ options: "tsize=0" }).at(-1)).toBe(
      "granted  none: the transfer begins without an OACK",
    );
    expect(granted({ name: "hello", options: "tsize=0 x=y" }).at(-1)).toBe("granted  tsize=14");
    expect(granted({ name: "a.cfg", isWrite: true, options: "tsize=9 blksize=512" }).at(-1)).toBe(
      "granted  tsize=9 blksize=512",
    );
  });

  test("fit the interface's MTU", () => {
    const clamp = 'mtu_clamp = "interface"\nmax_block_size = 65464';
    const at = (given: Partial<TypedRequest>): string =>
      granted({ name: "hello", ...given }, clamp)[0]?.split(", windowsize")[0] ?? "";
    // What the clamp makes of smaller ones, test/e2e/mtu.test.ts asks of this command and of the server.
    expect(at({ interface: "lo" })).toBe("options  blksize up to 65464, the MTU of lo being 65536");
    expect(at({})).toBe(
      "options  blksize up to 65464, or less by the MTU of the interface that --interface names",
    );
    expect(at({ interface: "eth99" })).toBe(
      "options  blksize up to 65464, or less by the MTU of eth99, which is not here",
    );
  });
});

test("lists of folders, and a default that denies", () => {
  const access = `
    [access]
    default = "deny"
    [[access.root]]
    folder = "common"
    allow = ["10.0.0.0/8"]
    [[access.root]]
    folder = ""
    deny = ["10.0.0.7"]`;
  const file = "ROOT/common/Boot/BCD";
  expect(explained({ name: "Boot/bcd" }, access).slice(3)).toEqual([
    "access   passed over: ROOT/hosts/10.0.0.7/Boot/BCD, for in ROOT 10.0.0.7 is denied",
    `access   admitted: ${file}, for in ROOT/common 10.0.0.0/8 is allowed`,
    "access   passed over: ROOT/Boot/BCD, for in ROOT 10.0.0.7 is denied",
    "verdict  allowed by the lists of folders",
    `file     ${file}: found`,
    "answer   5 bytes",
    "options  blksize up to 1428, windowsize up to 512 and 4 MiB; none of tsize",
  ]);
  expect(explained({ name: "a.cfg", isWrite: true }, access).slice(3)).toEqual([
    "access   passed over: ROOT/a.cfg, for in ROOT 10.0.0.7 is denied",
    "verdict  denied by the lists of ROOT",
    "answer   ERROR 2 Access violation",
  ]);
  expect(explained({ client: "11.0.0.1", name: "a" }, access).slice(3)).toEqual([
    "access   no matter: ROOT/hosts/11.0.0.1/a, for in ROOT nothing is said of this client",
    "access   passed over: ROOT/common/a, for in ROOT/common only 10.0.0.0/8 is allowed",
    "access   no matter: ROOT/a, for in ROOT nothing is said of this client",
    "verdict  denied by the lists of ROOT/common",
    "answer   ERROR 2 Access violation",
  ]);
});

test("a name in another case, and links", () => {
  const files =
    '[files]\ncase_insensitive = true\nsymlinks = "listed"\nsymlink_targets = ["/proc"]';
  writeFileSync(join(root, "common/One"), "1");
  writeFileSync(join(root, "common/ONE"), "2");
  symlinkSync("/proc/version", join(root, "common/Kernel"));
  expect(explained({ name: "common/boot/bcd" }, files)).toContain(
    "file     ROOT/common/boot/bcd: found as common/Boot/BCD",
  );
  expect(explained({ name: "one" }, files)).toContain(
    "file     ROOT/common/one: found as common/ONE (ONE was chosen, and not One: they differ in case alone)",
  );
  expect(explained({ name: "one" })).toContain("file     ROOT/common/one: missing");
  expect(explained({ name: "kernel" }, files)).toContain(
    "file     ROOT/common/kernel: found as common/Kernel",
  );
  expect(explained({ name: "Kernel" })).toContain(
    "file     ROOT/common/Kernel: a symbolic link that is not followed",
  );
});

test.each([
  [{ name: undefined }, "--explain needs a name"],
  [{ client: undefined }, "--explain needs a client"],
  [{ client: "localhost" }, "--client localhost is no IP address"],
  [{ mac: "x" }, "--mac x is no hardware address"],
  [{ local: "lo" }, "--local lo is no IP address"],
  [{ mode: "mail" }, "--mode mail is not served"],
  [{ options: "tsize=0 blksize" }, "--options has blksize, which is no option"],
])("%j is answered with a remedy", (given, fault) => {
  expect(explained(given)).toContain(fault);
});

/** The last rows: what may be granted, and what is. */
function granted(given: Partial<TypedRequest>, transfer = ""): readonly string[] {
  const lines = explained({ name: "Boot/BCD", ...given }, `[transfer]\n${transfer}`);
  if (typeof lines === "string") return [lines];
  return lines.slice(lines.findIndex((line) => line.startsWith("options")));
}

test("the bandwidth that the transfer shares, where there are limits", () => {
  const slow = `
    [limits]
    mbit_per_second = 100
    [[rate_class]]
    name = "slow"
    mbit_per_second = 8
    client_mbit_per_second = 0.5
    [[rule]]
    name = "branch"
    client = ["10.9.0.0/16"]
    rate_class = "slow"`;
  const lines = explained({ name: "boot/bcd", client: "10.9.1.2" }, slow);
  expect(lines).toContain("branch   holds: rate slow");
  expect(lines).toContain(
    "rate     class slow: 8 Mbit/s for all of it, 0.5 Mbit/s for each client; 100 Mbit/s for all",
  );
  expect(explained({ name: "boot/bcd" }, slow)).toContain("rate     100 Mbit/s for all");
});
