// Tests of new files and folders: whose they are, what they never follow or replace, and the space that is left.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  fstatSync,
  mkdirSync,
  readFileSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

import { AT_FDCWD, AT_SYMLINK_FOLLOW } from "#ffi/abi.ts";
import { Arena } from "#ffi/arena.ts";
import {
  copyBytes,
  createNamed,
  createUnnamed,
  freeBytes,
  lockFile,
  makeFolder,
  openEntry,
  removeEntry,
  setMode,
} from "#ffi/create.ts";
import { DiskCall, makeDiskCall } from "#ffi/disk-call.ts";
import { Errno } from "#ffi/errno.ts";
import { openFolderBeneath, openRoot } from "#ffi/file.ts";
import { FileStat, statFd } from "#ffi/stat.ts";

import { afterwards, cleanUp, opened, temporaryFolder } from "./rig.ts";

let folder: string;
let folderFd: number;

beforeEach(() => {
  folder = temporaryFolder();
  folderFd = opened(openRoot(folder));
});

afterEach(cleanUp);

describe("a new file", () => {
  test("without a name is private, writable, and can be linked", () => {
    const fd = createUnnamed(folderFd);
    if (fd === -Errno.EOPNOTSUPP) {
      process.stdout.write("not tested here: the temporary folder knows no O_TMPFILE\n");
      return;
    }
    opened(fd);
    expect(fstatSync(fd).mode & 0o777).toBe(0o600);
    expect(fstatSync(fd).nlink).toBe(0);
    writeSync(fd, "text");
    const names = new Arena(4096);
    afterwards(() => names.unmap());
    names.u8.set(Buffer.from(`/proc/self/fd/${fd}\0`));
    names.u8.set(Buffer.from("named\0"), 64);
    const { address } = names;
    const flags = AT_SYMLINK_FOLLOW;
    const linked = makeDiskCall(DiskCall.linkat, AT_FDCWD, address, folderFd, address + 64, flags);
    expect(linked).toBe(0);
    expect(readFileSync(join(folder, "named"), "utf8")).toBe("text");
  });

  test("with a name replaces and follows nothing", () => {
    const fd = opened(createNamed(folderFd, "new"));
    writeSync(fd, "text");
    expect(readFileSync(join(folder, "new"), "utf8")).toBe("text");
    expect(statSync(join(folder, "new")).mode & 0o777).toBe(0o600);
    expect(createNamed(folderFd, "new")).toBe(-Errno.EEXIST);
    symlinkSync("elsewhere", join(folder, "link"));
    expect(createNamed(folderFd, "link")).toBe(-Errno.EEXIST);
    expect(existsSync(join(folder, "elsewhere"))).toBe(false);
    expect(createNamed(folderFd, "x".repeat(256))).toBe(-Errno.ENAMETOOLONG);
    expect(() => createNamed(folderFd, "a/b")).toThrow("a segment stays in its folder");
    expect(() => createNamed(folderFd, "..")).toThrow("a segment stays in its folder");
  });

  test("a file is claimed by one open description", () => {
    const first = opened(createNamed(folderFd, "new"));
    const second = opened(openFolderBeneath(folderFd, "."));
    expect(lockFile(first)).toBe(0);
    expect(lockFile(first)).toBe(0);
    expect(lockFile(second)).toBe(0);
    const again = opened(openFolderBeneath(folderFd, "."));
    expect(lockFile(again)).toBe(-Errno.EAGAIN);
  });
});

describe("a new folder", () => {
  test("makes a folder, and follows no symlink", () => {
    expect(makeFolder(folderFd, "sub", 0o750)).toBe(0);
    const fd = opened(openFolderBeneath(folderFd, "sub"));
    expect(setMode(fd, 0o2775)).toBe(0);
    expect(statSync(join(folder, "sub")).mode & 0o7777).toBe(0o2775);
    expect(makeFolder(folderFd, "sub", 0o750)).toBe(-Errno.EEXIST);
    symlinkSync("elsewhere", join(folder, "link"));
    expect(makeFolder(folderFd, "link", 0o750)).toBe(-Errno.EEXIST);
    expect(existsSync(join(folder, "elsewhere"))).toBe(false);
  });

  test("opens as a folder or not at all, beneath the root", () => {
    mkdirSync(join(folder, "a/b"), { recursive: true });
    writeFileSync(join(folder, "file"), "");
    symlinkSync("a", join(folder, "inside"));
    symlinkSync("..", join(folder, "outside"));
    opened(openFolderBeneath(folderFd, "a/b"));
    opened(openFolderBeneath(folderFd, "inside/b"));
    expect(openFolderBeneath(folderFd, "outside")).toBe(-Errno.EXDEV);
    expect(openFolderBeneath(folderFd, "a/../..")).toBe(-Errno.EXDEV);
    expect(openFolderBeneath(folderFd, "file")).toBe(-Errno.ENOTDIR);
    expect(openFolderBeneath(folderFd, "none")).toBe(-Errno.ENOENT);
  });
});

test("removes files, and no folder", () => {
  writeFileSync(join(folder, "file"), "");
  mkdirSync(join(folder, "sub"));
  expect(removeEntry(folderFd, "file")).toBe(0);
  expect(removeEntry(folderFd, "file")).toBe(-Errno.ENOENT);
  expect(removeEntry(folderFd, "sub")).toBe(-Errno.EISDIR);
});

test("an entry is described as it is, also a symlink", () => {
  writeFileSync(join(folder, "file"), "text", { mode: 0 });
  symlinkSync("file", join(folder, "link"));
  const stat = new FileStat();
  expect(statFd(opened(openEntry(folderFd, "file")), stat)).toBe(0);
  expect([stat.isRegular, stat.bytes]).toEqual([true, 4]);
  expect(statFd(opened(openEntry(folderFd, "link")), stat)).toBe(0);
  expect([stat.isRegular, stat.isFolder]).toEqual([false, false]);
  expect(openEntry(folderFd, "none")).toBe(-Errno.ENOENT);
});

test("free space is what df says", () => {
  const { bavail, bsize } = statfsSync(folder);
  // Other processes write meanwhile.
  expect(
    Math.abs(freeBytes(opened(openFolderBeneath(folderFd, "."))) - bavail * bsize),
  ).toBeLessThan(2 ** 32);
  expect(freeBytes(-1)).toBe(-Errno.EBADF);
});

test("copies exactly so many bytes", () => {
  const arena = new Arena(4096);
  afterwards(() => arena.unmap());
  arena.u8.set([1, 2, 3, 4, 5]);
  copyBytes(arena.address + 101, arena.address + 1, 3);
  expect([...arena.u8.subarray(100, 106)]).toEqual([0, 2, 3, 4, 0, 0]);
  copyBytes(arena.address + 200, arena.address, 0);
  expect(arena.u8[200]).toBe(0);
});
