// Tests of what a process gives up for good, each in a process of its own: the user, capabilities, paths, system calls.

import { afterEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { isX64 } from "#ffi/abi.ts";
import { Errno } from "#ffi/errno.ts";
import { landlockVersion } from "#ffi/landlock.ts";
import { filterProgram, type Instruction, trySeccomp, Verdict } from "#ffi/seccomp.ts";
import { servingCalls, startingCalls, UNKNOWN_FROM } from "#ffi/system-calls.ts";

import { cleanUp, temporaryFolder } from "./rig.ts";

afterEach(cleanUp);

const child = fileURLToPath(new URL("./confined-child.ts", import.meta.url));
const isRoot = process.geteuid?.() === 0;
const hasLandlock = landlockVersion() > 0;
if (!isRoot) process.stdout.write("not tested here: only root can become another user\n");
if (!hasLandlock) process.stdout.write("not tested here: this kernel has no Landlock\n");

type Fields = Readonly<Record<string, string>>;

/** What the child printed, parsed where it is JSON. */
function run(scenario: string, folder = "/"): unknown {
  const command = [process.execPath, child, scenario, folder];
  const { stdout, stderr } = Bun.spawnSync(command, { stdin: "ignore" });
  expect(stderr.toString()).toBe("");
  const text = stdout.toString();
  return /^[[{\d-]/.test(text) ? JSON.parse(text) : text;
}

describe("the user", () => {
  test.skipIf(!isRoot)(
    "changes for every thread, with all groups, and leaves no capability",
    () => {
      const [result, threads] = run("become") as [number, Fields[]];
      expect(result).toBe(0);
      expect(threads.length).toBeGreaterThan(1);
      for (const fields of threads) {
        expect(fields).toMatchObject({
          Uid: "65534 65534 65534 65534",
          Gid: "65533 65533 65533 65533",
          Groups: "7 100",
          CapEff: "0000000000000000",
          CapPrm: "0000000000000000",
        });
      }
    },
  );
});

describe("capabilities", () => {
  test.skipIf(!isRoot)("that are not kept are gone, and bound what is started later", () => {
    const [bounded, kept, held, fields] = run("bound") as [number, number, boolean[], Fields];
    expect([bounded, kept, held]).toEqual([0, 0, [false, true]]);
    expect(fields).toMatchObject({
      CapInh: "0000000000000000",
      CapPrm: "0000000000000008",
      CapEff: "0000000000000008",
      CapBnd: "0000000000000009",
      CapAmb: "0000000000000000",
    });
  });

  test("are never gained again", () => {
    expect(run("privileges")).toEqual([0, "1"]);
  });
});

test("as many files may be open as are asked for", () => {
  const [few, before, many, after] = run("files") as [number, string, number, string];
  expect(few).toBe(Number(before));
  expect(many).toBe(Math.max(5000, Number(before)));
  expect(Number(after)).toBe(many);
});

describe("a process that is confined to paths", () => {
  test.skipIf(!hasLandlock)("reads and writes what is listed, and nothing else", () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o755);
    for (const name of ["served/below", "uploads"])
      mkdirSync(join(folder, name), { recursive: true });
    const texts = { "served/below/name": "told", file: "one", secret: "kept", "uploads/old": "up" };
    for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text);
    expect(run("landlock", folder)).toEqual([
      0,
      0,
      {
        readServed: "told",
        listServed: "below",
        writeServed: "EACCES",
        readFile: "one",
        readSecret: "EACCES",
        listFolder: "EACCES",
        readUpload: "up",
        writeUpload: "",
        truncateUpload: "",
        folderInUploads: "",
        moveInUploads: landlockVersion() >= 2 ? "" : "EXDEV",
        moveOut: landlockVersion() >= 2 ? "EACCES" : "EXDEV",
      },
    ]);
  });

  test.skipIf(!hasLandlock || isRoot)("has forbidden new privileges before", () => {
    expect(run("landlock-without")).toBe(-Errno.EPERM);
  });
});

describe("a process that is sealed", () => {
  const { EPERM, ENOSYS, EAFNOSUPPORT } = Errno;
  const refused = {
    file: "",
    packetSocket: -EAFNOSUPPORT,
    socket: 0,
    unshare: -EPERM,
    clone3: -ENOSYS,
    unknown: -ENOSYS,
    typing: -EPERM,
  };

  test("makes no other system calls and starts no program, in any thread", () => {
    const [forbidden, sealed, attempts, threads] = run("sealed") as [
      number,
      number,
      object,
      Fields[],
    ];
    expect([forbidden, sealed]).toEqual([0, 0]);
    expect(attempts).toEqual({ ...refused, program: "EPERM" });
    expect(threads.length).toBeGreaterThan(1);
    for (const fields of threads) {
      expect(fields).toMatchObject({ NoNewPrivs: "1", Seccomp: "2" });
    }
  });

  test("starts programs where these are allowed", () => {
    expect(run("sealed-but-programs")).toEqual([0, 0, { ...refused, program: "0" }]);
  });

  test("is possible here", () => {
    expect(trySeccomp()).toBe(0);
  });
});

describe("the filter", () => {
  test.each([false, true])(
    "lets exactly the calls of the table pass (programs: %s)",
    (programs) => {
      const calls = { ...servingCalls, ...(programs ? startingCalls : {}) };
      const allowed = new Set(Object.values(calls).map(([x64, arm64]) => (isX64 ? x64 : arm64)));
      const program = filterProgram(programs);
      const wrong: number[] = [];
      for (let call = 0; call < 600; call += 1) {
        // Arguments that every checked call allows: AF_INET6 is 10, and no thread flag is no program only where there are none.
        const verdict = verdictOn(program, call, programs ? 10 : 0x10000 | 10);
        const isSocket = call === (isX64 ? 41 : 198);
        const isAllowed = allowed.has(call) && (programs || !isSocket);
        if ((verdict === Verdict.allow) !== isAllowed) wrong.push(call);
      }
      expect(wrong).toEqual([]);
    },
  );

  test("kills what makes calls of another machine", () => {
    expect(verdictOn(filterProgram(true), 0, 0, 0x4000_0003)).toBe(Verdict.kill);
  });
});

/** What the kernel's packet filter makes of a call whose arguments are all `argument`. Source: linux/filter.h. */
function verdictOn(
  program: readonly Instruction[],
  call: number,
  argument: number,
  machine: number = isX64 ? 0xc000_003e : 0xc000_00b7,
): number {
  let word = 0;
  for (let at = 0; at < program.length; at += 1) {
    const [code, ifTrue, ifFalse, k] = program[at] ?? [0, 0, 0, 0];
    if (code === 0x06) return k;
    if (code === 0x20) word = k === 0 ? call : k === 4 ? machine : argument;
    else if (code === 0x05) at += k;
    else if (code === 0x15) at += word === k ? ifTrue : ifFalse;
    else if (code === 0x35) at += word >= k ? ifTrue : ifFalse;
    else if (code === 0x45) at += (word & k) === 0 ? ifFalse : ifTrue;
    else throw new Error(`unknown instruction ${code}`);
  }
  throw new Error("the program has no end");
}

describe("the table of system calls", () => {
  const calls = { ...servingCalls, ...startingCalls };

  test("has the numbers of the C headers", () => {
    const headers = [
      "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
      "/usr/include/asm-generic/unistd.h",
    ];
    for (const [machine, header] of headers.entries()) {
      if (!existsSync(header)) {
        process.stdout.write(`not tested here: there is no ${header}\n`);
        continue;
      }
      const lines = readFileSync(header, "utf8").matchAll(
        /^#define __NR(?:3264)?_(\w+)\s+(\d+)$/gm,
      );
      const numbers = new Map([...lines].map(([, name = "", number]) => [name, Number(number)]));
      for (const [name, both] of Object.entries(calls)) {
        const there =
          name === "newfstatat" ? (numbers.get("fstatat") ?? numbers.get(name)) : numbers.get(name);
        expect([name, both[machine]]).toEqual([name, there ?? -1]);
      }
    }
  });

  test("names each call once, and none that is newer than it says", () => {
    const names = [...Object.keys(servingCalls), ...Object.keys(startingCalls)];
    expect(new Set(names).size).toBe(names.length);
    for (const number of Object.values(calls).flat()) expect(number).toBeLessThan(UNKNOWN_FROM);
  });
});

describe("another program in this one's place", () => {
  test("gets its words and variables, and the descriptors that were kept", () => {
    expect(run("execute")).toBe("zero one äö 1 2 1 0\n");
  });

  test("that is not there, or cannot be named, changes nothing", () => {
    expect(run("execute-nothing")).toEqual([-Errno.ENOENT, -Errno.EINVAL]);
  });
});
