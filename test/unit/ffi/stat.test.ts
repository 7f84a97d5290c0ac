// Tests of what is said about an open file: exact, the same by both system calls, and which changes count as new bytes.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  renameSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { Errno } from "#ffi/errno.ts";
import { openBeneath, openRoot } from "#ffi/file.ts";
import { FileStat, fstatFd, statFd, statxFd } from "#ffi/stat.ts";

import { cleanUp, opened, temporaryFolder } from "./rig.ts";

let folder: string;
let rootFd: number;

beforeEach(() => {
  folder = temporaryFolder();
  rootFd = opened(openRoot(folder));
});

afterEach(cleanUp);

function fileOf(name: string, text: string): number {
  writeFileSync(join(folder, name), text);
  return opened(openBeneath(rootFd, name));
}

function statOf(fd: number): FileStat {
  const stat = new FileStat();
  expect(statFd(fd, stat)).toBe(0);
  return stat;
}

describe.each([
  { how: "statx", describe: statxFd },
  { how: "fstat", describe: fstatFd },
  { how: "the one that was chosen", describe: statFd },
])("$how", ({ describe }) => {
  test("tells what the file system says elsewhere", () => {
    const fd = fileOf("file", "1234567");
    chmodSync(join(folder, "file"), 0o640);
    linkSync(join(folder, "file"), join(folder, "second"));
    utimesSync(join(folder, "file"), 1, 1_700_000_000.25);
    const stat = new FileStat();
    expect(describe(fd, stat)).toBe(0);
    const truth = statSync(join(folder, "file"), { bigint: true });
    expect(stat.mode).toBe(Number(truth.mode));
    expect(stat.linkCount).toBe(2);
    expect(stat.bytes).toBe(7);
    expect(BigInt(stat.inodeHigh) * 0x1_0000_0000n + BigInt(stat.inodeLow)).toBe(truth.ino);
    expect([stat.modifySeconds, stat.modifyNanoseconds]).toEqual([1_700_000_000, 250_000_000]);
    const changed = BigInt(stat.changeSeconds) * 1_000_000_000n + BigInt(stat.changeNanoseconds);
    expect(changed).toBe(truth.ctimeNs);
    const minor = BigInt(stat.deviceMinor);
    const device = ((minor & ~0xffn) << 12n) | (BigInt(stat.deviceMajor) << 8n) | (minor & 0xffn);
    expect(device).toBe(truth.dev);
    expect([stat.isRegular, stat.isFolder]).toEqual([true, false]);
  });

  test.each([0, 0xffff_ffff, 0x1_0000_0000, 0x1_2345_6789, 2 ** 43 + 1])(
    "%i bytes exactly",
    (bytes) => {
      const fd = fileOf("sparse", "");
      truncateSync(join(folder, "sparse"), bytes);
      const stat = new FileStat();
      expect(describe(fd, stat)).toBe(0);
      expect(stat.bytes).toBe(bytes);
    },
  );

  test("times before 1970 are negative", () => {
    const fd = fileOf("old", "");
    const touched = Bun.spawnSync(["touch", "-d", "@-86400", join(folder, "old")]);
    expect(touched.exitCode).toBe(0);
    const stat = new FileStat();
    expect(describe(fd, stat)).toBe(0);
    expect([stat.modifySeconds, stat.modifyNanoseconds]).toEqual([-86_400, 0]);
  });

  test("a failure leaves the record as it was", () => {
    const stat = statOf(fileOf("file", "1234567"));
    const before = stat.versionKey();
    expect(describe(-1, stat)).toBe(-Errno.EBADF);
    expect(stat.versionKey()).toBe(before);
  });
});

describe("versions", () => {
  test("both calls tell the same version", () => {
    const fd = fileOf("file", "1234567");
    const [first, second] = [new FileStat(), new FileStat()];
    expect([statxFd(fd, first), fstatFd(fd, second)]).toEqual([0, 0]);
    expect(first).toEqual(second);
    expect(first.versionKey()).toBe(second.versionKey());
  });

  test("a file that was replaced by rename still has the bytes it had", () => {
    const fd = fileOf("file", "old");
    const before = statOf(fd);
    writeFileSync(join(folder, "new"), "new");
    renameSync(join(folder, "new"), join(folder, "file"));
    const after = statOf(fd);
    expect(after.linkCount).toBe(0);
    expect(after.hasSameBytes(before)).toBe(true);
    // The new file under the name is another one, of the same size.
    const replacement = statOf(opened(openBeneath(rootFd, "file")));
    expect(replacement.hasSameBytes(before)).toBe(false);
    expect(replacement.versionKey()).not.toBe(before.versionKey());
  });

  test.each([
    ["appended to", (path: string) => appendFileSync(path, "more")],
    ["cut short", (path: string) => truncateSync(path, 1)],
    ["made longer with the old time put back", appendAtOldTime],
    ["given a time 1 ms later, in the same second", (path: string) => utimesSync(path, 1, 1.001)],
    ["written over with as many bytes", (path: string) => overwrite(path)],
  ])("a file that was %s has other bytes", (_how, change) => {
    const fd = fileOf("file", "1234567");
    utimesSync(join(folder, "file"), 1, 1);
    const before = statOf(fd);
    change(join(folder, "file"));
    const after = statOf(fd);
    expect(after.hasSameBytes(before)).toBe(false);
    expect(after.versionKey()).not.toBe(before.versionKey());
  });

  test("bytes that were written with the old time put back are another version all the same", () => {
    const fd = fileOf("file", "1234567");
    utimesSync(join(folder, "file"), 1, 1);
    const before = statOf(fd);
    overwrite(join(folder, "file"));
    utimesSync(join(folder, "file"), 1, 1);
    const after = statOf(fd);
    expect(after.hasSameBytes(before)).toBe(true);
    expect(after.versionKey()).not.toBe(before.versionKey());
  });

  test("folders are folders", () => {
    mkdirSync(join(folder, "folder"));
    const stat = statOf(opened(openBeneath(rootFd, "folder")));
    expect([stat.isRegular, stat.isFolder]).toEqual([false, true]);
  });
});

function appendAtOldTime(path: string): void {
  appendFileSync(path, "more");
  utimesSync(path, 1, 1);
}

/** Writes into the file in place: same inode, same size. */
function overwrite(path: string): void {
  writeFileSync(path, "7654321", { flag: "r+" });
}
