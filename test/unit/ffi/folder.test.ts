// Tests of what stands in a folder: names as bytes, targets of symlinks, and opening one segment at a time.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Errno } from "#ffi/errno.ts";
import {
  openBeneath,
  openFolderBeneath,
  openFolderByWalk,
  openRoot,
  openSegment,
} from "#ffi/file.ts";
import { listFolder, readLink } from "#ffi/folder.ts";
import { FileStat, statFd } from "#ffi/stat.ts";

import { cleanUp, opened, temporaryFolder } from "./rig.ts";

let folder: string;
let rootFd: number;

beforeEach(() => {
  folder = temporaryFolder();
  mkdirSync(join(folder, "sub"));
  writeFileSync(join(folder, "file"), "");
  symlinkSync("file", join(folder, "link"));
  symlinkSync("sub", join(folder, "folder-link"));
  rootFd = opened(openRoot(folder));
});

afterEach(cleanUp);

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

describe("a symlink", () => {
  test("tells where it leads, byte by byte", () => {
    const odd = Buffer.concat([Buffer.from("/a b/"), Buffer.of(0xff, 0x0a)]);
    symlinkSync(odd, join(folder, "odd"));
    symlinkSync("x".repeat(4095), join(folder, "long"));
    expect(readLink(rootFd, bytes("link"))).toBe("file");
    expect(readLink(rootFd, bytes("odd"))).toBe("/a b/\u00ff\n");
    expect(readLink(rootFd, bytes("long"))).toBe("x".repeat(4095));
  });

  test.each([
    ["file", Errno.EINVAL],
    ["sub", Errno.EINVAL],
    ["none", Errno.ENOENT],
    ["x\0", Errno.EINVAL],
    ["x".repeat(5000), Errno.ENAMETOOLONG],
  ])("is not %j", (name, errno) => {
    expect(readLink(rootFd, bytes(name))).toBe(-errno);
  });
});

describe("a folder", () => {
  test("lists every name once, as bytes", () => {
    const names = ["file", "folder-link", "link", "sub"];
    for (let index = 0; index < 600; index += 1) {
      const name = `entry-${index}-${"y".repeat(index % 200)}`;
      writeFileSync(join(folder, name), "");
      names.push(name);
    }
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.of(0xff)]), "");
    const listed = listFolder(opened(openFolderBeneath(rootFd, ".")), 4000);
    if (typeof listed === "number") throw new Error(`listFolder: ${listed}`);
    expect(listed.toSorted()).toEqual([...names, "\u00ff"].toSorted());
  });

  test("has no more names than are wanted, or is refused", () => {
    expect(listFolder(opened(openFolderBeneath(rootFd, ".")), 4)).toHaveLength(4);
    expect(listFolder(opened(openFolderBeneath(rootFd, ".")), 3)).toBe(-Errno.EFBIG);
    expect(listFolder(opened(openFolderBeneath(rootFd, "sub")), 0)).toEqual([]);
  });

  test("is a folder, and open for reading", () => {
    expect(listFolder(opened(openBeneath(rootFd, "file")), 9)).toBe(-Errno.ENOTDIR);
    expect(listFolder(rootFd, 9)).toBe(-Errno.EBADF);
  });
});

describe("one segment", () => {
  test("opens as what is wanted", () => {
    const stat = new FileStat();
    expect(statFd(opened(openSegment(rootFd, bytes("file"), "file")), stat)).toBe(0);
    expect(stat.isRegular).toBe(true);
    for (const kind of ["way", "folder"] as const) {
      const fd = opened(openSegment(rootFd, bytes("sub"), kind));
      expect(listFolder(fd, 9)).toEqual(kind === "folder" ? [] : -Errno.EBADF);
      opened(openSegment(rootFd, bytes("."), kind));
    }
  });

  test.each([
    ["link", -Errno.ELOOP, -Errno.ENOTDIR],
    ["folder-link", -Errno.ELOOP, -Errno.ENOTDIR],
    ["none", -Errno.ENOENT, -Errno.ENOENT],
    ["..", -Errno.EXDEV, -Errno.EXDEV],
    ["sub/x", -Errno.EXDEV, -Errno.EXDEV],
    ["sub/", -Errno.EXDEV, -Errno.EXDEV],
    ["/etc", -Errno.EXDEV, -Errno.EXDEV],
    ["", -Errno.ENOENT, -Errno.ENOENT],
  ])("%j is refused", (name, asFile, asFolder) => {
    expect(openSegment(rootFd, bytes(name), "file")).toBe(asFile);
    expect(openSegment(rootFd, bytes(name), "folder")).toBe(asFolder);
    expect(openSegment(rootFd, bytes(name), "way")).toBe(asFolder);
  });
});

describe("no symlink at all", () => {
  test.each(["link", "folder-link", "folder-link/x"])("%s is refused by openat2", (name) => {
    expect(openBeneath(rootFd, name, "none")).toBe(-Errno.ELOOP);
    expect(openFolderBeneath(rootFd, name, "none")).toBe(-Errno.ELOOP);
  });

  test("leaves what is there without one", () => {
    opened(openBeneath(rootFd, "file", "none"));
    opened(openFolderBeneath(rootFd, "sub", "none"));
    opened(openFolderByWalk(rootFd, "sub"));
    expect(openFolderByWalk(rootFd, "folder-link")).toBe(-Errno.ENOTDIR);
    expect(openFolderByWalk(rootFd, "file")).toBe(-Errno.ENOTDIR);
    expect(openFolderByWalk(rootFd, "../x")).toBe(-Errno.EXDEV);
  });
});
