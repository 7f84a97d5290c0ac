// Tests of the load generator's command line: what its words come to, and what it refuses.

import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type BenchFile, benchFiles } from "#cli/bench-files.ts";
import { benchFlags, type BenchInvocation, readBenchLine } from "#cli/bench-flags.ts";
import { dialectNames } from "#client/dialects.ts";

function read(...argv: readonly string[]): BenchInvocation {
  const invocation = readBenchLine(argv);
  if ("fault" in invocation) throw new Error(invocation.fault);
  return invocation;
}

function faultOf(...argv: readonly string[]): string {
  const invocation = readBenchLine(argv);
  if ("fault" in invocation) return invocation.fault;
  const files = benchFiles(invocation);
  return "fault" in files ? files.fault : "";
}

function filesOf(...argv: readonly string[]): readonly BenchFile[] {
  const files = benchFiles(read(...argv));
  if ("fault" in files) throw new Error(files.fault);
  return files;
}

describe("what nobody says", () => {
  test("is a storm of one transfer for each client", () => {
    const { clients, requests, arrivals, durationUs } = read("h:x", "--clients=20");
    expect([clients, requests, arrivals, durationUs]).toEqual([20, 20, "storm", Infinity]);
  });

  test("of a rate is that it is Poisson's, and ten seconds", () => {
    const { requests, arrivals, durationUs, ratePerS } = read("h:x", "--rate", "5");
    expect([requests, arrivals, durationUs, ratePerS]).toEqual([Infinity, "poisson", 10e6, 5]);
  });

  test("of a duration is that it is the only limit", () => {
    const { requests, arrivals, durationUs } = read("h:x", "-d", "1.5m");
    expect([requests, arrivals, durationUs]).toEqual([Infinity, "storm", 90e6]);
  });
});

test("units", () => {
  expect(read("h:x", "--put", "--size", "64k").putBytes).toBe(65_536);
  expect(read("h:x", "-d", "500ms").durationUs).toBe(500_000);
  expect(read("h:x", "--loss", "2.5").loss).toBe(0.025);
  expect(read("h:x", "--delay", "0.5").delayUs).toBe(500);
});

test("clients' addresses are those of a network, in its order", () => {
  const of = (network: string): readonly string[] => read("h:x", "--from", network).sources;
  expect(of("127.0.1.0/30")).toEqual(["127.0.1.1", "127.0.1.2"]);
  expect(of("192.0.2.7")).toEqual(["192.0.2.7"]);
  expect(of("2001:db8::/127")).toEqual(["2001:db8::", "2001:db8::1"]);
  expect(of("127.0.0.0/8").at(-1)).toBe("127.0.54.176");
  expect(read("h:x").sources).toEqual([]);
});

test("every dialect is in the help", () => {
  const { description } = benchFlags.dialect;
  expect(dialectNames.filter((name) => !description.includes(name))).toEqual([]);
});

describe("names", () => {
  test("are URLs, pairs, or words on the server that was named", () => {
    expect(filesOf("tftp://h:70/a%20b").map(({ url }) => url)).toEqual(["tftp://h:70/a%20b"]);
    expect(filesOf("h:a", "[::1]:b", "--port=7").map(({ url }) => url)).toEqual([
      "tftp://h:7/a",
      "tftp://[::1]:7/b",
    ]);
    expect(filesOf("-s", "h:70", "a", "tftp://i/b").map(({ url }) => url)).toEqual([
      "tftp://h:70/a",
      "tftp://i/b",
    ]);
  });

  test("may have the number of the transfer in them", () => {
    const [file] = filesOf("h:in/{n}.bin");
    expect(Buffer.from(file?.target.name ?? []).toString()).toBe("in/.bin");
    expect([file?.numberAt, file?.url]).toEqual([3, "tftp://h/in/{n}.bin"]);
  });

  test("come from a list as well", () => {
    const folder = mkdtempSync(join(tmpdir(), "snow-owl-bench-"));
    try {
      writeFileSync(join(folder, "list"), "# names\n\nh:b\n h:c \n");
      const urls = filesOf("h:a", "--list", join(folder, "list")).map(({ url }) => url);
      expect(urls).toEqual(["tftp://h/a", "tftp://h/b", "tftp://h/c"]);
      expect(faultOf("--list", join(folder, "missing"))).toContain("ENOENT");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("share the weight of their label", () => {
    const words = ["small=h:a", "small=h:b", "h:c", "--mix", "small:80,h:c:20"];
    expect(filesOf(...words).map(({ weight }) => weight)).toEqual([40, 40, 20]);
    expect(filesOf("h:a", "h:c").map(({ weight }) => weight)).toEqual([1, 1]);
  });
});

describe("refused is", () => {
  test.each([
    ["a load that can hurt", ["h:x", "--clients=1001"], "1001 clients are more than 1000"],
    ["a long one", ["h:x", "-d", "11m"], "660 seconds are more than 600"],
    ["a fast one", ["h:x", "--rate=2000"], "2000 requests in a second are more than 1000"],
    ["a number that is none", ["h:x", "--loss=few"], "--loss: few is no number"],
    ["more than a machine has", ["h:x", "--heavy", "-c", "20000"], "20000 is not between"],
    ["an unknown dialect", ["h:x", "--dialect=ipxe,dos"], "--dialect dos is not there"],
    ["a storm with a rate", ["h:x", "--arrivals=storm", "-r", "5"], "--rate and --arrivals storm"],
    ["an unknown arrival", ["h:x", "--arrivals=flood"], "--arrivals flood is not there"],
    ["a check of what is written", ["h:x", "--put", "--verify=y"], "--put and --verify"],
    ["a size of what is read", ["h:x", "--size=1k"], "--size without --put"],
    ["a count of nobody's calls", ["h:x", "--syscalls"], "--syscalls without --server-pid"],
    ["no network", ["h:x", "--from=here"], "--from here is no network"],
    ["no name", ["--clients=1"], "bench needs a name"],
    ["a folder", ["tftp://h/"], "tftp://h/ names no file"],
    ["text", ["tftp://h/x;mode=netascii"], "asks for netascii"],
    ["a weight of nothing", ["h:x", "--mix", "y:5"], "--mix names y, and no word does"],
    ["a name without a weight", ["a=h:x", "b=h:y", "--mix=a:5"], "--mix says nothing of b"],
    ["weights of 0", ["a=h:x", "--mix=a:0"], "--mix has nothing but 0"],
    ["one hash for two", ["h:x", "h:y", "--verify", "0".repeat(64)], "and 2 names"],
    ["a copy that is not there", ["h:x", "--verify", "/missing"], "cannot read /missing"],
  ])("%s", (_, argv, fault) => {
    expect(faultOf(...argv)).toContain(fault);
  });

  test("but for whoever says --heavy", () => {
    expect(read("h:x", "--clients=4000", "--heavy").clients).toBe(4000);
  });
});
