// What a start does with an upload root: left-overs go, everything else stays and is counted.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { createNamed, lockFile } from "#ffi/create.ts";
import { openRoot } from "#ffi/file.ts";
import { cleanName } from "#policy/path.ts";
import { createHiddenName, isHiddenName } from "#storage/upload-name.ts";
import { sweepUploads } from "#storage/upload-sweep.ts";

import { cleanUp as cleanUpDescriptors, openDescriptors, opened } from "../ffi/rig.ts";
import { cleanUp, temporaryFolder } from "./rig.ts";
import { treeOf } from "./upload-rig.ts";

let root: string;
let rootFd: number;

beforeEach(() => {
  root = temporaryFolder();
  rootFd = opened(openRoot(root));
});

afterEach(() => {
  cleanUpDescriptors();
  cleanUp();
});

test("left-overs are removed wherever they are, and only they", () => {
  mkdirSync(join(root, "a/b"), { recursive: true });
  const stays = {
    "a/.snow-owl-upload-short": "1",
    "a/b/.hidden": "22",
    "a/b/file": "333",
    "file.~1~": "4444",
    "snow-owl-upload-0123456789abcdef01234567": "55555",
  };
  for (const [path, text] of Object.entries(stays)) writeFileSync(join(root, path), text);
  for (const folder of ["", "a", "a/b"]) {
    writeFileSync(join(root, folder, createHiddenName()), "half");
  }
  // A folder of such a name is nobody's upload.
  mkdirSync(join(root, createHiddenName()));
  const swept = sweepUploads(rootFd);
  expect(swept).toEqual({ removed: 3, files: 5, bytes: 15 });
  expect(Object.entries(treeOf(root)).filter(([path]) => !path.endsWith("/"))).toEqual(
    Object.entries(stays),
  );
  expect(sweepUploads(rootFd)).toEqual({ removed: 0, files: 5, bytes: 15 });
  expect(openDescriptors(root)).toBe(1);
});

test("names that are no UTF-8 are names", () => {
  const folder = Buffer.from(`${root}/caf\u00e9`, "latin1");
  mkdirSync(folder);
  writeFileSync(Buffer.concat([folder, Buffer.from("/\u00fe", "latin1")]), "333");
  writeFileSync(Buffer.concat([folder, Buffer.from(`/${createHiddenName()}`)]), "half");
  expect(sweepUploads(rootFd)).toEqual({ removed: 1, files: 1, bytes: 3 });
});

test("what another process is writing stays", () => {
  const fd = opened(createNamed(rootFd, createHiddenName()));
  expect(lockFile(fd)).toBe(0);
  expect(sweepUploads(rootFd)).toEqual({ removed: 0, files: 1, bytes: 0 });
});

test("no symlink is followed, and a loop of them is none", () => {
  const outside = temporaryFolder();
  const leftOver = join(outside, createHiddenName());
  writeFileSync(leftOver, "not ours");
  symlinkSync(outside, join(root, "out"));
  symlinkSync(leftOver, join(root, createHiddenName()));
  symlinkSync(".", join(root, "loop"));
  expect(sweepUploads(rootFd)).toEqual({ removed: 0, files: 0, bytes: 0 });
  expect(Object.keys(treeOf(outside))).toHaveLength(1);
});

test("a hidden name is never served nor written, because the policy refuses it", () => {
  for (let round = 0; round < 100; round += 1) {
    const name = createHiddenName();
    expect(isHiddenName(name)).toBe(true);
    for (const asked of [name, `sub/${name}`, `\\${name}`, `/srv/root/${name}`, `${name}/x`]) {
      expect(cleanName(asked, "/srv/root")).toEqual({ isClean: false, cause: "hidden" });
    }
  }
});

test("hidden names are new each time", () => {
  const names = new Set(Array.from({ length: 1000 }, createHiddenName));
  expect(names.size).toBe(1000);
});
