// The words of get and put: which file there is which file here, and what a mistake is answered with.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { clientCommandOf, clientFlags, readClientLine } from "#cli/client-flags.ts";
import { clientHelpText } from "#cli/client-help.ts";
import { wantedFiles } from "#cli/client-names.ts";

const before = process.cwd();
let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "snow-owl-names-")));
  process.chdir(folder);
  mkdirSync("into");
  writeFileSync("there", "old");
  chmodSync("there", 0o604);
  symlinkSync("there", "link");
});
afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true, force: true });
});

/** `URL -> here` for each file, or the fault and its remedy. */
function wanted(...argv: readonly string[]): readonly string[] {
  const command = clientCommandOf(argv);
  if (command === undefined) return ["no client's"];
  const invocation = readClientLine(command, argv);
  if ("fault" in invocation) return [invocation.fault, invocation.remedy];
  const files = wantedFiles(invocation);
  if ("fault" in files) return [files.fault, files.remedy];
  return files.map(({ url, path }) => `${url} -> ${path}`);
}

describe("get", () => {
  test.each([
    [["tftp://h/a/b"], ["tftp://h/a/b;mode=octet -> b"]],
    [
      ["h:a\\b", "[::1]:c"],
      ["tftp://h/a%5Cb;mode=octet -> b", "tftp://[::1]/c;mode=octet -> c"],
    ],
    [
      ["-s", "h:6969", "a:b", "tftp://g/c"],
      ["tftp://h:6969/a:b;mode=octet -> a:b", "tftp://g/c;mode=octet -> c"],
    ],
    [["h:a", "--port", "70", "-m", "netascii"], ["tftp://h:70/a;mode=netascii -> a"]],
    [["tftp://h/a;mode=octet", "-m", "netascii"], ["tftp://h/a;mode=octet -> a"]],
    [
      ["h:a", "h:b", "-o", "into"],
      ["tftp://h/a;mode=octet -> into/a", "tftp://h/b;mode=octet -> into/b"],
    ],
    [["h:a", "-o", "c"], ["tftp://h/a;mode=octet -> c"]],
    [["h:a", "-o", "-"], ["tftp://h/a;mode=octet -> -"]],
  ])("%p", (argv, expected) => {
    expect(wanted("get", ...argv)).toEqual(expected);
  });

  test("a file keeps its permissions, and a symlink is followed", () => {
    const invocation = readClientLine("get", ["get", "h:x", "-o", "link"]);
    if ("fault" in invocation) throw new Error(invocation.fault);
    expect(wantedFiles(invocation)).toMatchObject([
      { destination: { kind: "file", path: join(folder, "there"), mode: 0o604 } },
    ]);
  });

  test.each([
    [[], "get needs a file"],
    [["h"], '"h" names no server'],
    [["h:"], "h: names no file"],
    [["h:a/"], "tftp://h/a/;mode=octet ends in no name for a file here"],
    [["h:a/.."], "tftp://h/a/..;mode=octet ends in no name for a file here"],
    [["tftp://h/a%FF"], "tftp://h/a%FF;mode=octet ends in no name for a file here"],
    [["tftp://h/a%1B"], "tftp://h/a%1B;mode=octet ends in no name for a file here"],
    [["h:a", "h:b", "-o", "c"], "2 files and one --output"],
    [["h:a", "g:a"], "tftp://h/a;mode=octet and tftp://g/a;mode=octet would both be a"],
    [["h:a", "-o", "no/such"], "the folder FOLDER/no is not there"],
    [["-b", "7", "h:a"], "--blksize 7 is not between 8 and 65464"],
    [["-b", "many", "h:a"], "--blksize many is no whole number"],
    [["-w", "0", "h:a"], "--windowsize 0 is not between 1 and 65535"],
    [["--retires", "1", "h:a"], "unknown flag --retires"],
    [["--expect-sha256", "abc", "h:a"], "--expect-sha256 abc is no SHA-256"],
    [["-m", "mail", "h:a"], "--mode mail is not there"],
    [["-s", "h:x", "a"], '"h:x" is not a server'],
    [[`h:${"x".repeat(401)}`, "-o", "c"], `tftp://h/${"x".repeat(401)};mode=octet is too long`],
  ])("%p is answered", (argv, fault) => {
    const [said, remedy] = wanted("get", ...argv);
    expect(said).toBe(fault.replace("FOLDER", folder));
    expect(remedy).not.toBe("");
  });
});

describe("put", () => {
  test.each([
    [["there", "h:name"], ["tftp://h/name;mode=octet -> there"]],
    [["there", "h:"], ["tftp://h/there;mode=octet -> there"]],
    [["there", "tftp://h/in/"], ["tftp://h/in/there;mode=octet -> there"]],
    [
      ["a/b", "c", "h:in"],
      ["tftp://h/in/b;mode=octet -> a/b", "tftp://h/in/c;mode=octet -> c"],
    ],
    [
      ["-s", "h", "a/b", "c"],
      ["tftp://h/b;mode=octet -> a/b", "tftp://h/c;mode=octet -> c"],
    ],
  ])("%p", (argv, expected) => {
    expect(wanted("put", ...argv)).toEqual(expected);
  });

  test("without a file or a target", () => {
    expect(wanted("put")).toEqual([
      "put needs a file",
      "write: snow-owl-tftp put FILE tftp://192.0.2.1/NAME",
    ]);
    expect(wanted("put", "h:x")[0]).toBe("put needs a file");
  });
});

describe("Snow-Owl's flags", () => {
  test("stand for a command", () => {
    const [server, file] = ["127.0.0.1:69", "here"];
    expect(wanted("-s", server, "-g", "x", "-f", file)).toEqual([
      "tftp://127.0.0.1/x;mode=octet -> here",
    ]);
    expect(wanted("--server", server, "--put", "in/x", "--file", file)).toEqual([
      "tftp://127.0.0.1/in/x;mode=octet -> here",
    ]);
    expect(wanted("--config", "x")).toEqual(["no client's"]);
  });
});

test("the help has every flag", () => {
  const help = clientHelpText();
  for (const name of Object.keys(clientFlags)) expect(help).toContain(`--${name}`);
});
