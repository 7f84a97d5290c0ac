// Tests of the calls that may wait for a disk, each on real files.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { RENAME_NOREPLACE, Statvfs } from "#ffi/abi.ts";
import { Arena } from "#ffi/arena.ts";
import { freeBytes, freeBytesAt } from "#ffi/create.ts";
import { DiskCall, makeDiskCall } from "#ffi/disk-call.ts";
import { Errno } from "#ffi/errno.ts";
import { Advice } from "#ffi/file.ts";
import { effectiveUid } from "#ffi/process.ts";

import { afterwards, cleanUp, opened, temporaryFolder } from "./rig.ts";

let folder: string;
let folderFd: number;
let arena: Arena;

beforeEach(() => {
  folder = temporaryFolder();
  folderFd = opened(openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY));
  arena = new Arena(4096);
  afterwards(() => arena.unmap());
});

afterEach(cleanUp);

function call(which: DiskCall, a: number, b = 0, c = 0, d = 0, e = 0): number {
  return makeDiskCall(which, a, b, c, d, e);
}

/** The address of `name`, NUL-terminated, in the arena. */
function address(name: string): number {
  const offset = arena.allocate(name.length + 1, 1);
  arena.u8.set(Buffer.from(`${name}\0`), offset);
  return arena.address + offset;
}

function fileOf(text: string, flags = "r+"): number {
  const path = join(folder, "file");
  writeFileSync(path, text);
  return opened(openSync(path, flags));
}

describe("disk calls", () => {
  test("writes and reads at the offset that is named", () => {
    const fd = fileOf("0123456789");
    const text = address("abc");
    expect(call(DiskCall.pwrite, fd, text, 3, 4)).toBe(3);
    expect(readFileSync(join(folder, "file"), "utf8")).toBe("0123abc789");
    expect(call(DiskCall.pread, fd, text, 4, 8)).toBe(2);
    expect(Buffer.from(arena.u8.subarray(0, 3)).toString()).toBe("89c");
    expect(call(DiskCall.pread, fd, text, 4, 10)).toBe(0);
    expect(call(DiskCall.pwrite, fileOf("x", "r"), text, 3, 0)).toBe(-Errno.EBADF);
    // Beyond 4 GiB, in a file with a hole.
    expect(call(DiskCall.pwrite, fd, text, 3, 0x1_2345_6789)).toBe(3);
    expect(fstatSync(fd).size).toBe(0x1_2345_678c);
  });

  test("syncs files and folders, and nothing else", () => {
    expect(call(DiskCall.fsync, fileOf("text"))).toBe(0);
    expect(call(DiskCall.fsync, folderFd)).toBe(0);
    expect(call(DiskCall.fsync, -1)).toBe(-Errno.EBADF);
    expect(call(DiskCall.fadvise, folderFd, 0, 0, Advice.dontneed)).toBe(0);
  });

  test("sets permissions and owners of an open file", () => {
    const fd = fileOf("text");
    expect(call(DiskCall.fchmod, fd, 0o640)).toBe(0);
    expect(fstatSync(fd).mode & 0o7777).toBe(0o640);
    const { uid, gid } = fstatSync(fd);
    expect(call(DiskCall.fchown, fd, -1, -1)).toBe(0);
    expect([fstatSync(fd).uid, fstatSync(fd).gid]).toEqual([uid, gid]);
    if (effectiveUid() !== 0) {
      process.stdout.write("not tested here: only root may give a file away\n");
      return;
    }
    expect(call(DiskCall.fchown, fd, 12_345, -1)).toBe(0);
    expect([fstatSync(fd).uid, fstatSync(fd).gid]).toEqual([12_345, gid]);
    expect(call(DiskCall.fchown, fd, -1, 54_321)).toBe(0);
    expect([fstatSync(fd).uid, fstatSync(fd).gid]).toEqual([12_345, 54_321]);
  });

  test("links never replace, and renames only when they may", () => {
    fileOf("text");
    const [file, two, three, none] = ["file", "two", "three", "none"].map(address) as [
      number,
      number,
      number,
      number,
    ];
    expect(call(DiskCall.linkat, folderFd, file, folderFd, two)).toBe(0);
    expect(call(DiskCall.linkat, folderFd, file, folderFd, two)).toBe(-Errno.EEXIST);
    writeFileSync(join(folder, "three"), "3");
    const flags = RENAME_NOREPLACE;
    expect(call(DiskCall.renameat2, folderFd, three, folderFd, two, flags)).toBe(-Errno.EEXIST);
    expect(readFileSync(join(folder, "two"), "utf8")).toBe("text");
    expect(call(DiskCall.renameat2, folderFd, three, folderFd, two)).toBe(0);
    expect(readFileSync(join(folder, "two"), "utf8")).toBe("3");
    expect(call(DiskCall.renameat2, folderFd, none, folderFd, two)).toBe(-Errno.ENOENT);
    expect(call(DiskCall.unlinkat, folderFd, two)).toBe(0);
    expect(call(DiskCall.unlinkat, folderFd, two)).toBe(-Errno.ENOENT);
    expect(existsSync(join(folder, "two"))).toBe(false);
  });

  test("fills a struct statvfs, and closes", () => {
    const offset = arena.allocate(Statvfs.size);
    expect(call(DiskCall.fstatvfs, folderFd, arena.address + offset)).toBe(0);
    // Other processes write meanwhile.
    expect(Math.abs(freeBytesAt(arena, offset) - freeBytes(folderFd))).toBeLessThan(2 ** 32);
    const fd = openSync(folder, constants.O_RDONLY);
    expect(call(DiskCall.close, fd)).toBe(0);
    expect(() => closeSync(fd)).toThrow("EBADF");
  });

  test("a call that is not in the table is our own bug", () => {
    expect(() => call(99 as DiskCall, 0)).toThrow("unreachable");
  });
});
