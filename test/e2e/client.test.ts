// get and put against our own server (end-to-end): every awkward size, both modes, windows, wraps, several files at once, and
// what is said of each.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { bytesOf, compare } from "./bytes.ts";
import { clientFolder } from "./client-rig.ts";
import { freePort, type Server, startServer } from "./server.ts";
import { compareFile, uploadTables } from "./uploading.ts";

const sizes: Readonly<Record<string, number>> = {
  empty: 0,
  "one-byte": 1,
  "one-short": 511,
  "one-block": 512,
  "three-blocks": 3 * 512,
  "blocks-of-1428-and-512": 1428 * 512,
  "ten-megabytes": 10_000_000,
};
const contents = new Map(Object.entries(sizes).map(([name, size]) => [name, bytesOf(size, size)]));
// 65,600 blocks of 8: the 16-bit block number wraps.
const wrapping = bytesOf(65_600 * 8, 8);
const lines = `${"x".repeat(510)}\r\n${"y".repeat(511)}\n\n${"z".repeat(509)}\n\rend\r`;

let server: Server;
let at: string;

beforeAll(async () => {
  server = await startServer({ tables: uploadTables() });
  at = `127.0.0.1:${server.port}`;
  for (const [name, bytes] of contents) server.put(name, bytes);
  server.put("wrapping", wrapping);
  server.put("text", lines);
}, 60_000);

afterAll(() => server.stop());

describe("get", () => {
  // Without options; lockstep; a window that is longer than the file; one that ends with it.
  const ways: readonly (readonly string[])[] = [
    ["--plain"],
    ["-w", "1", "-b", "512"],
    ["-w", "64", "-b", "1428"],
    ["-w", "3", "-b", "512"],
    [],
  ];
  test.each(ways)("every size arrives: %p", async (...way) => {
    using folder = clientFolder();
    const names = [...contents.keys()];
    const { exitCode, error } = await folder.run("get", "-s", at, ...names, ...way);
    expect({ exitCode, error }).toMatchObject({ exitCode: 0 });
    for (const [name, bytes] of contents) {
      expect(`${name} ${compare(folder.bytesOf(name), bytes)}`).toBe(`${name} identical`);
    }
    expect(folder.names()).toEqual(names.toSorted());
  });

  test.each([["1"], ["7"], ["16"]])("more than 65,535 blocks, windowsize %s", async (window) => {
    using folder = clientFolder();
    await folder.run("get", `tftp://${at}/wrapping`, "-b", "8", "-w", window);
    expect(compare(folder.bytesOf("wrapping"), wrapping)).toBe("identical");
  });

  test("netascii, by the flag and by the URL", async () => {
    using folder = clientFolder();
    await folder.run("get", `tftp://${at}/text;mode=netascii`, "-o", "a", "-w", "1", "-b", "512");
    await folder.run("get", "-s", at, "text", "-m", "netascii", "-o", "b", "-w", "5", "-b", "512");
    expect(Buffer.from(folder.bytesOf("a") ?? []).toString()).toBe(lines);
    expect(Buffer.from(folder.bytesOf("b") ?? []).toString()).toBe(lines);
  });

  test("a file goes to standard output, into a folder, and to a device", async () => {
    using folder = clientFolder();
    const printed = await folder.run("get", "-s", at, "text", "-o", "-", "-q");
    expect(printed).toEqual({ exitCode: 0, out: lines, error: "" });
    mkdirSync(join(folder.path, "into"));
    await folder.run("get", "-s", at, "text", "one-byte", "-o", "into");
    expect(readdirSync(join(folder.path, "into")).toSorted()).toEqual(["one-byte", "text"]);
    expect((await folder.run("get", "-s", at, "text", "-o", "/dev/null")).exitCode).toBe(0);
  });

  test("what is there is replaced as a whole, through a symlink too, and keeps its permissions", async () => {
    using folder = clientFolder();
    folder.put("old", "old");
    Bun.spawnSync(["chmod", "640", join(folder.path, "old")]);
    symlinkSync("old", join(folder.path, "link"));
    await folder.run("get", "-s", at, "text", "-o", "link");
    expect(Buffer.from(folder.bytesOf("old") ?? []).toString()).toBe(lines);
    expect(folder.names()).toEqual(["link", "old"]);
    const mode = Bun.spawnSync(["stat", "-c", "%a", join(folder.path, "old")]).stdout.toString();
    expect(mode).toBe("640\n");
  });

  test("one of several fails: the others arrive, and its exit code counts", async () => {
    using folder = clientFolder();
    const { exitCode, error } = await folder.run("get", "-s", at, "one-byte", "missing", "text");
    expect(exitCode).toBe(66);
    expect(error).toContain("/missing;mode=octet: it says: File not found (ERROR 1)\nhelp: ");
    expect(folder.names()).toEqual(["one-byte", "text"]);
  });

  test("a report in JSON, with the SHA-256", async () => {
    using folder = clientFolder();
    const { out } = await folder.run("get", "-s", at, "text", "missing", "--json", "--sha256");
    const reports = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    const good = reports.find((report) => "sha256" in report);
    const sha256 = new Bun.CryptoHasher("sha256").update(lines).digest("hex");
    const bytes = lines.length;
    expect(good).toMatchObject({ event: "get", file: "text", status: "complete", bytes, sha256 });
    expect(reports).toContainEqual(
      expect.objectContaining({ status: "failed", cause: "not-found", error_code: 1 }),
    );
  });

  test("sha256sum accepts what --sha256 prints", async () => {
    using folder = clientFolder();
    const { out } = await folder.run("get", "-s", at, "text", "ten-megabytes", "--sha256");
    folder.put("sums", out);
    const check = Bun.spawnSync(["sha256sum", "-c", "sums"], { cwd: folder.path });
    expect(check.stdout.toString()).toContain("ten-megabytes: OK");
    expect(check.exitCode).toBe(0);
  });

  test("another SHA-256 than was expected leaves no file", async () => {
    using folder = clientFolder();
    const wrong = "0".repeat(64);
    const { exitCode, error } = await folder.run("get", "-s", at, "text", "--expect-sha256", wrong);
    expect(exitCode).toBe(65);
    expect(error).toContain(`instead of ${wrong}`);
    expect(folder.names()).toEqual([]);
  });

  test("the trace has each packet", async () => {
    using folder = clientFolder();
    const { error } = await folder.run(
      "get",
      "-s",
      at,
      "one-byte",
      "--trace",
      "-b",
      "512",
      "-w",
      "1",
    );
    const packets = error
      .split("\n")
      .map((line) => line.replace(/^[0-9:.]+ \+[0-9.]+ (.) \S+ /, "$1 "));
    expect(packets.slice(0, 5)).toEqual([
      '> RRQ "one-byte" octet tsize=0',
      "< OACK tsize=1",
      "> ACK 0",
      "< DATA 1 1 bytes",
      "> ACK 1",
    ]);
  });
});

describe("put", () => {
  const ways: readonly (readonly string[])[] = [
    ["--plain"],
    ["-w", "1"],
    ["-w", "7", "-b", "512"],
    [],
  ];
  test.each(ways)("every size arrives: %p", async (...way) => {
    using folder = clientFolder();
    const into = `in/${way.join("")}`;
    for (const [name, bytes] of contents) folder.put(name, bytes);
    const { exitCode, error } = await folder.run(
      "put",
      ...contents.keys(),
      `${at.split(":")[0]}:${into}/`,
      "--port",
      String(server.port),
      ...way,
    );
    expect({ exitCode, error }).toMatchObject({ exitCode: 0 });
    for (const [name, bytes] of contents) {
      const found = compareFile(join(server.root, into, name), bytes);
      expect(`${name} ${found}`).toBe(`${name} identical`);
    }
  });

  test("more than 65,535 blocks, in windows", async () => {
    using folder = clientFolder();
    folder.put("w", wrapping);
    await folder.run("put", "w", `tftp://${at}/in/wrapping`, "-b", "8", "-w", "48");
    expect(compareFile(join(server.root, "in/wrapping"), wrapping)).toBe("identical");
  });

  test("netascii is converted on the way and back", async () => {
    using folder = clientFolder();
    folder.put("t", lines);
    for (const window of ["1", "16"]) {
      const url = `tftp://${at}/in/text-${window};mode=netascii`;
      const { exitCode, error } = await folder.run("put", "t", url, "-w", window, "-b", "512");
      expect({ exitCode, error }).toMatchObject({ exitCode: 0 });
      expect(readFileSync(join(server.root, `in/text-${window}`), "latin1")).toBe(lines);
    }
  });

  test("what the server refuses is told in its words, with its code", async () => {
    using folder = clientFolder();
    folder.put("t", lines);
    const { exitCode, error } = await folder.run("put", "t", `tftp://${at}/elsewhere/t`);
    expect(exitCode).toBe(77);
    expect(error).toContain("it says: Access violation (ERROR 2)\nhelp: ");
  });

  test("a file that is not here never leaves", async () => {
    using folder = clientFolder();
    const { exitCode, error } = await folder.run("put", "no-such", `tftp://${at}/in/x`);
    expect(exitCode).toBe(66);
    expect(error).toContain("there is no such file here\nhelp: ");
  });
});

describe("Snow-Owl's flags", () => {
  test("get and put as its client did", async () => {
    using folder = clientFolder();
    const got = await folder.run(
      "-s",
      at,
      "-g",
      "text",
      "-f",
      "here",
      "-m",
      "octet",
      "-b",
      "8192",
      "-t",
      "5",
      "-w",
      "16",
      "-v",
    );
    expect(got.exitCode).toBe(0);
    expect(Buffer.from(folder.bytesOf("here") ?? []).toString()).toBe(lines);
    const put = await folder.run(
      "--server",
      at,
      "--put",
      "in/snow",
      "--file",
      "here",
      "--block-size",
      "8192",
    );
    expect(put.exitCode).toBe(0);
    expect(readFileSync(join(server.root, "in/snow"), "latin1")).toBe(lines);
  });
});

describe("the resume list", () => {
  test("skips what is complete and still here, and fetches what is not", async () => {
    using folder = clientFolder();
    const get = ["get", "-s", at, "text", "one-byte", "--resume-list", "list"];
    expect((await folder.run(...get)).error).toContain("text: ");
    expect((await folder.run(...get)).error).toBe(
      "text: is complete already\none-byte: is complete already\n",
    );
    folder.put("text", "changed");
    const { error } = await folder.run(...get);
    expect(error).toContain("one-byte: is complete already\n");
    expect(error).not.toContain("text: is complete");
    expect(Buffer.from(folder.bytesOf("text") ?? []).toString()).toBe(lines);
  });

  test("a run that was killed while it wrote its last line spoils nothing", async () => {
    using folder = clientFolder();
    const get = ["get", "-s", at, "text", "one-byte", "--resume-list", "list"];
    await folder.run(...get);
    const whole = Buffer.from(folder.bytesOf("list") ?? []).toString();
    folder.put("list", whole.slice(0, -20));
    expect((await folder.run(...get)).error).toContain(": is complete already\n");
    expect((await folder.run(...get)).error).toBe(
      "text: is complete already\none-byte: is complete already\n",
    );
  });
});

describe("nobody there", () => {
  test("a closed port is told at once", async () => {
    using folder = clientFolder();
    const port = await freePort();
    const { exitCode, error } = await folder.run("get", `tftp://127.0.0.1:${port}/x`);
    expect(exitCode).toBe(69);
    expect(error).toContain(`127.0.0.1:${port}: nothing listens on that port (ECONNREFUSED)`);
  });

  test("a host of two addresses is tried at both", async () => {
    using folder = clientFolder();
    // Only IPv4 is served; where localhost is an IPv6 address as well, that one is refused first.
    const { exitCode } = await folder.run("get", `tftp://localhost:${server.port}/one-byte`);
    expect(exitCode).toBe(0);
  });
});
