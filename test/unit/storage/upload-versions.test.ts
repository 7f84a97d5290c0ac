// What an upload replaces is kept as versions: how these move, what crashes and failing disks leave of them, and what the ledger counts.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { cleanUp, temporaryFolder } from "./rig.ts";
import { pattern, textOf, UploadRig } from "./upload-rig.ts";

let root: string;
let rig: UploadRig;

beforeEach(() => {
  root = temporaryFolder();
  rig = new UploadRig(root);
});

afterEach(cleanUp);

describe("versions", () => {
  test("move on by one, and the oldest goes", () => {
    const plan = { mayOverwrite: true, versionsMax: 3 };
    for (const seed of [1, 2, 3, 4, 5]) expect(rig.put(pattern(600, seed), plan)).toBe(0);
    expect(rig.tree()).toEqual({
      file: textOf(pattern(600, 5)),
      "file.~1~": textOf(pattern(600, 4)),
      "file.~2~": textOf(pattern(600, 3)),
      "file.~3~": textOf(pattern(600, 2)),
    });
    expect(rig.ledger.rootBytes).toBe(4 * 600);
  });

  test("lie in a folder of their own where one is named", () => {
    const plan = { mayOverwrite: true, versionsMax: 2, versionsFolder: "old" };
    for (const seed of [1, 2, 3, 4]) expect(rig.put(pattern(600, seed), plan)).toBe(0);
    expect(rig.tree()).toEqual({
      file: textOf(pattern(600, 4)),
      "old/file.~1~": textOf(pattern(600, 3)),
      "old/file.~2~": textOf(pattern(600, 2)),
    });
  });

  test("are right again after a crash between two renames", () => {
    writeFileSync(join(root, "file"), "one");
    // What a crash after the link and before the replacement leaves: two names of one file.
    expect(Bun.spawnSync(["ln", join(root, "file"), join(root, "file.~1~")]).exitCode).toBe(0);
    const plan = { mayOverwrite: true, versionsMax: 2 };
    expect(rig.put(Buffer.from("two"), plan)).toBe(0);
    expect(rig.put(Buffer.from("three"), plan)).toBe(0);
    expect(rig.tree()).toEqual({ file: "three", "file.~1~": "two", "file.~2~": "one" });
  });

  test("of which one is missing do not move, and the oldest is still counted", () => {
    const plan = { mayOverwrite: true, versionsMax: 2 };
    for (const seed of [1, 2, 3]) expect(rig.put(pattern(600, seed), plan)).toBe(0);
    expect(rig.ledger.rootBytes).toBe(1800);
    // As a disk leaves it that fails between two renames.
    renameSync(join(root, "file.~1~"), join(root, "file.~2~"));
    rig.ledger.setRootBytes(1200);
    expect(rig.put(pattern(600, 4), plan)).toBe(0);
    expect(Object.keys(rig.tree())).toHaveLength(3);
    expect(rig.ledger.rootBytes).toBe(1800);
    expect(rig.put(pattern(600, 5), plan)).toBe(0);
    expect(rig.ledger.rootBytes).toBe(1800);
  });

  test("that are one file are counted until its last name goes", () => {
    const plan = { mayOverwrite: true, versionsMax: 2 };
    for (const seed of [1, 2]) expect(rig.put(pattern(600, seed), plan)).toBe(0);
    expect(rig.ledger.rootBytes).toBe(1200);
    // What a disk leaves that fails between two renames: the version has moved on, and is where it was.
    const [first, second] = [join(root, "file.~1~"), join(root, "file.~2~")];
    expect(Bun.spawnSync(["ln", first, second]).exitCode).toBe(0);
    // Moving one name to the other does nothing, and so the second version stays what it is.
    expect(rig.put(pattern(600, 3), plan)).toBe(0);
    expect(rig.ledger.rootBytes).toBe(1800);
    expect(Object.keys(rig.tree())).toHaveLength(3);
    expect(rig.put(pattern(600, 4), plan)).toBe(0);
    expect(rig.ledger.rootBytes).toBe(1800);
  });
});
