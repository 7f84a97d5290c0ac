// Uploads on real files: every byte arrives, the name appears whole or not at all, and nothing else is left.

import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import * as creation from "#ffi/create.ts";
import { DiskCall } from "#ffi/disk-call.ts";
import { Errno } from "#ffi/errno.ts";
import { effectiveUid } from "#ffi/process.ts";
import { BUFFER_BYTES } from "#storage/upload-buffers.ts";
import { UploadRefusal } from "#storage/upload-refusal.ts";

import { openDescriptors } from "../ffi/rig.ts";
import { afterwards, cleanUp, temporaryFolder } from "./rig.ts";
import { hasHidden, pattern, textOf, UploadRig } from "./upload-rig.ts";

let root: string;
let rig: UploadRig;

beforeEach(() => {
  root = temporaryFolder();
  rig = new UploadRig(root);
});

afterEach(() => {
  // Whatever a test did: nothing hidden, and no descriptor but the root's.
  const left = [hasHidden(root), openDescriptors(root), rig.uploads.count];
  cleanUp();
  expect(left).toEqual([false, 1, 0]);
});

/** Has the file system know no files without a name. */
function withoutUnnamed(): void {
  const spy = spyOn(creation, "createUnnamed").mockImplementation(() => -Errno.EOPNOTSUPP);
  afterwards(() => spy.mockRestore());
}

describe("content", () => {
  test.each([
    [0, 512],
    [1, 512],
    [511, 512],
    [512, 512],
    [BUFFER_BYTES - 1, 65_464],
    [BUFFER_BYTES, 8192],
    [BUFFER_BYTES + 1, 65_464],
    [3 * BUFFER_BYTES + 17, 1428],
    [9 * BUFFER_BYTES, BUFFER_BYTES],
  ])("%i bytes in blocks of %i arrive", (bytes, blockBytes) => {
    const content = pattern(bytes, 1);
    expect(rig.put(content, {}, blockBytes)).toBe(0);
    expect(rig.tree()).toEqual({ file: textOf(content) });
  });

  test("that comes back short from the disk is written on", () => {
    const content = pattern(2 * BUFFER_BYTES + 5, 2);
    let writes = 0;
    rig.queue.shorten = (length) => {
      writes += 1;
      return Math.max(1, Math.floor(length / 3));
    };
    expect(rig.put(content, { isHashed: true })).toBe(0);
    expect(rig.tree()).toEqual({ file: textOf(content) });
    expect(writes).toBeGreaterThan(30);
    expect(rig.ended[0]?.sha256).toBe(sha256(content));
  });

  test("is hashed, read back and compared", () => {
    const content = pattern(5 * BUFFER_BYTES - 7, 3);
    expect(rig.put(content, { isVerified: true })).toBe(0);
    expect(rig.ended[0]?.sha256).toBe(sha256(content));
    expect(rig.put(new Uint8Array(0), { path: "empty", isVerified: true })).toBe(0);
    expect(rig.ended[1]?.sha256).toBe(sha256(new Uint8Array(0)));
  });

  test("that differs when it is read back is not published", () => {
    const upload = rig.open({ isVerified: true });
    rig.appendAll(upload, pattern(3 * BUFFER_BYTES, 4), 8192);
    let reads = 0;
    rig.queue.fault = (call, _, [fd = -1]) => {
      // Between writing and reading, one bit falls over.
      if (call === DiskCall.pread && reads === 0) {
        reads += 1;
        writeFileSync(`/proc/self/fd/${fd}`, "X", { flag: "r+" });
      }
      return undefined;
    };
    upload.finish();
    rig.settle();
    expect(upload.refusal).toBe(UploadRefusal.corrupt);
    expect(reads).toBe(1);
    expect(rig.tree()).toEqual({});
  });
});

describe("the name", () => {
  test("is not there before everything is durable", () => {
    const upload = rig.open();
    rig.appendAll(upload, pattern(1000, 1), 500);
    upload.finish();
    const seen: (readonly [number, boolean])[] = [];
    rig.queue.fault = (call) => {
      seen.push([call, existsSync(join(root, "file"))]);
      return undefined;
    };
    rig.settle();
    expect(seen).toEqual([
      [DiskCall.pwrite, false],
      [DiskCall.fchmod, false],
      [DiskCall.fsync, false],
      [DiskCall.linkat, false],
      [DiskCall.fsync, true],
      [DiskCall.close, true],
      [DiskCall.close, true],
    ]);
    expect(upload.file.isNew).toBe(true);
  });

  test("comes without waiting for the disk where that is not wanted, whatever stood under it", () => {
    for (const mayOverwrite of [false, true]) {
      const seen: number[] = [];
      rig.queue.fault = (call) => {
        seen.push(call);
        return undefined;
      };
      expect(rig.put(pattern(1000, 1), { mayOverwrite, isSynced: false })).toBe(0);
      expect(seen).not.toContain(DiskCall.fsync);
    }
    expect(Object.keys(rig.tree())).toEqual(["file"]);
  });

  test("that is taken refuses, at the request or at the end", () => {
    writeFileSync(join(root, "file"), "old");
    expect(rig.put(pattern(10, 1))).toBe(UploadRefusal.exists);
    const upload = rig.open({ path: "late" });
    rig.appendAll(upload, pattern(10, 1), 512);
    writeFileSync(join(root, "late"), "earlier");
    upload.finish();
    rig.settle();
    expect(upload.refusal).toBe(UploadRefusal.exists);
    expect(rig.tree()).toEqual({ file: "old", late: "earlier" });
  });

  test("is taken over at once where that is allowed", () => {
    writeFileSync(join(root, "file"), "old");
    const content = pattern(1000, 1);
    const upload = rig.open({ mayOverwrite: true });
    rig.appendAll(upload, content, 512);
    upload.finish();
    const seen = new Set<string>();
    rig.queue.fault = () => {
      seen.add(readFileSync(join(root, "file"), "latin1"));
      return undefined;
    };
    rig.settle();
    expect(upload.refusal).toBe(0);
    expect(upload.file.isNew).toBe(false);
    expect(seen).toEqual(new Set(["old", textOf(content)]));
    expect(rig.tree()).toEqual({ file: textOf(content) });
  });

  test.each([
    ["a folder", UploadRefusal.denied, () => mkdirSync(join(root, "file"))],
    ["a symlink", UploadRefusal.outside, () => symlinkSync("elsewhere", join(root, "file"))],
    ["a FIFO", UploadRefusal.denied, () => Bun.spawnSync(["mkfifo", join(root, "file")])],
  ])("of %s is not taken over", (_, refusal, make) => {
    make();
    expect(rig.put(pattern(10, 1), { mayOverwrite: true })).toBe(refusal);
    expect(lstatSync(join(root, "file")).isFile()).toBe(false);
  });

  test("that has become a folder meanwhile refuses", () => {
    const upload = rig.open({ mayOverwrite: true });
    mkdirSync(join(root, "file"));
    upload.finish();
    rig.settle();
    expect(upload.refusal).toBe(UploadRefusal.denied);
    expect(rig.tree()).toEqual({ "file/": "" });
  });

  test("may be as long as the file system allows, and hidden ones are ours", () => {
    expect(rig.put(pattern(1, 1), { path: "x".repeat(255) })).toBe(0);
    expect(rig.put(pattern(1, 1), { path: "x".repeat(256) })).toBe(UploadRefusal.notFound);
    const plan = { path: "y".repeat(251), versionsMax: 9, mayOverwrite: true };
    expect(rig.put(pattern(1, 1), plan)).toBe(0);
    expect(rig.put(pattern(2, 1), plan)).toBe(0);
    expect(rig.put(pattern(1, 1), { ...plan, path: "y".repeat(252) })).toBe(UploadRefusal.notFound);
    const path = ".snow-owl-upload-0123456789abcdef01234567";
    expect(rig.put(pattern(1, 1), { path })).toBe(UploadRefusal.denied);
  });

  test("of two uploads at a time is the first one's", () => {
    const first = rig.open();
    expect(rig.put(pattern(1, 2))).toBe(UploadRefusal.claimed);
    expect(rig.put(pattern(1, 2), { isShared: true })).toBe(UploadRefusal.claimed);
    rig.appendAll(first, pattern(5, 1), 512);
    first.finish();
    rig.settle();
    expect(first.refusal).toBe(0);
    // Over: the name is a file's now.
    expect(rig.put(pattern(1, 2))).toBe(UploadRefusal.exists);
    expect(rig.put(pattern(1, 2), { mayOverwrite: true })).toBe(0);
  });

  test("of uploads that suffer each other is the last one's to complete", () => {
    const change = { mayOverwrite: true, isShared: true };
    const [first, second] = [rig.open(change), rig.open(change)];
    rig.appendAll(second, pattern(700, 2), 512);
    rig.appendAll(first, pattern(500, 1), 512);
    second.finish();
    rig.settle();
    expect(rig.tree()).toEqual({ file: textOf(pattern(700, 2)) });
    first.finish();
    rig.settle();
    expect(rig.tree()).toEqual({ file: textOf(pattern(500, 1)) });
    // Both found the name free, and yet one has taken the place of the other.
    expect(rig.ledger.rootBytes).toBe(500);
    expect([second.file.isNew, first.file.isNew]).toEqual([true, false]);
  });

  test("is free at once when its writer gives up, while the disk still has to remove what there is", () => {
    const first = rig.open();
    rig.appendAll(first, pattern(2 * BUFFER_BYTES, 1), 8192);
    expect(rig.queue.pending).toBeGreaterThan(0);
    first.abort();
    const second = rig.open();
    rig.appendAll(second, pattern(700, 2), 512);
    second.finish();
    rig.settle();
    expect([first.refusal, second.refusal]).toEqual([UploadRefusal.aborted, 0]);
    expect(rig.tree()).toEqual({ file: textOf(pattern(700, 2)) });
  });

  test("is not free while it is being published, whether its writer gives up or not", () => {
    const first = rig.open();
    rig.appendAll(first, pattern(700, 1), 512);
    first.finish();
    first.abort();
    expect(rig.put(pattern(700, 2))).toBe(UploadRefusal.claimed);
    rig.settle();
    expect(rig.put(pattern(700, 2))).toBe(first.refusal === 0 ? UploadRefusal.exists : 0);
  });

  test("is claimed as the folder's, whatever path leads there", () => {
    mkdirSync(join(root, "real"));
    symlinkSync("real", join(root, "also"));
    const first = rig.open({ path: "real/x" });
    expect(rig.put(pattern(1, 2), { path: "also/x" })).toBe(UploadRefusal.claimed);
    first.abort();
    rig.settle();
    expect(rig.put(pattern(1, 2), { path: "also/x" })).toBe(0);
  });
});

describe("where files without a name are unknown", () => {
  test("a hidden one is written, and renamed without replacing", () => {
    withoutUnnamed();
    const upload = rig.open();
    rig.appendAll(upload, pattern(1000, 1), 512);
    expect(hasHidden(root)).toBe(true);
    upload.finish();
    rig.settle();
    expect(rig.tree()).toEqual({ file: textOf(pattern(1000, 1)) });
    expect(rig.put(pattern(9, 2))).toBe(UploadRefusal.exists);
    expect(rig.put(pattern(9, 2), { mayOverwrite: true, versionsMax: 2 })).toBe(0);
    expect(rig.tree()).toEqual({
      file: textOf(pattern(9, 2)),
      "file.~1~": textOf(pattern(1000, 1)),
    });
  });

  test("and renaming without replacing neither, it is linked", () => {
    withoutUnnamed();
    rig.queue.fault = (call, _, numbers) =>
      call === DiskCall.renameat2 && numbers[4] !== 0 ? -Errno.EINVAL : undefined;
    expect(rig.put(pattern(1000, 1))).toBe(0);
    expect(rig.tree()).toEqual({ file: textOf(pattern(1000, 1)) });
  });

  test("a refusal leaves nothing", () => {
    withoutUnnamed();
    const first = rig.open();
    expect(rig.put(pattern(1, 1))).toBe(UploadRefusal.claimed);
    first.abort();
    rig.settle();
    expect(rig.tree()).toEqual({});
  });
});

test("a name is kept to the byte, in its folders and its versions as well", () => {
  // 0xE9 alone is no UTF-8; the two bytes of the other one are.
  const change = { path: "caf\u00e9/x\u00e9", mayCreateFolders: true, mayOverwrite: true };
  expect(rig.put(pattern(9, 1), change)).toBe(0);
  expect(rig.put(pattern(9, 2), { ...change, versionsMax: 1 })).toBe(0);
  expect(rig.put(pattern(9, 3), { ...change, path: "caf\u00c3\u00a9/x" })).toBe(0);
  expect(bytesOfNames(Buffer.from(root))).toEqual(["caf\u00c3\u00a9", "caf\u00e9"]);
  const folder = Buffer.from(`${root}/caf\u00e9`, "latin1");
  expect(bytesOfNames(folder)).toEqual(["x\u00e9", "x\u00e9.~1~"]);
  // Whoever looks for left-overs after the test reads names as text.
  renameSync(folder, join(root, "cafe"));
});

describe("folders", () => {
  test("that are missing refuse, or are made with their mode", () => {
    expect(rig.put(pattern(1, 1), { path: "a/b/c/file" })).toBe(UploadRefusal.notFound);
    mkdirSync(join(root, "a"));
    const plan = { path: "a/b/c/file", mayCreateFolders: true, folderMode: 0o2777 };
    expect(rig.put(pattern(1, 1), plan)).toBe(0);
    expect(statSync(join(root, "a/b")).mode & 0o7777).toBe(0o2777);
    expect(statSync(join(root, "a/b/c")).mode & 0o7777).toBe(0o2777);
    expect(existsSync(join(root, "a/b/c/file"))).toBe(true);
    // The folder itself, and the two in which one was made.
    expect(rig.queue.made.filter((call) => call === DiskCall.fsync)).toHaveLength(1 + 3);
  });

  test("are not made by the hundred, nor outside, nor in place of anything", () => {
    const plan = { mayCreateFolders: true };
    const path = `${"d/".repeat(40)}file`;
    expect(rig.put(pattern(1, 1), { ...plan, path })).toBe(UploadRefusal.denied);
    symlinkSync("/tmp", join(root, "out"));
    symlinkSync("nowhere", join(root, "dangling"));
    writeFileSync(join(root, "plain"), "");
    const refusals = ["out/x/file", "dangling/file", "plain/file", "plain/x/file", "../x/file"].map(
      (path) => rig.put(pattern(1, 1), { ...plan, path }),
    );
    const { outside, notFound } = UploadRefusal;
    expect(refusals).toEqual([outside, notFound, notFound, notFound, outside]);
    expect(readlinkSync(join(root, "dangling"))).toBe("nowhere");
  });

  test("behind symlinks inside are found, and made", () => {
    mkdirSync(join(root, "real"));
    symlinkSync("real", join(root, "link"));
    const plan = { path: "link/new/file", mayCreateFolders: true };
    expect(rig.put(pattern(1, 1), plan)).toBe(0);
    expect(existsSync(join(root, "real/new/file"))).toBe(true);
  });

  test("that go while an upload runs refuse it, and leave nothing", () => {
    mkdirSync(join(root, "sub"));
    const upload = rig.open({ path: "sub/file" });
    rig.appendAll(upload, pattern(3 * BUFFER_BYTES, 1), 8192);
    rmdirSync(join(root, "sub"));
    upload.finish();
    rig.settle();
    expect(upload.refusal).toBe(UploadRefusal.notFound);
    expect(rig.tree()).toEqual({});
  });
});

describe("permissions and owners", () => {
  test("are those of the plan, whatever the umask", () => {
    const umask = process.umask(0o077);
    expect(rig.put(pattern(1, 1), { fileMode: 0o664 })).toBe(0);
    process.umask(umask);
    expect(statSync(join(root, "file")).mode & 0o7777).toBe(0o664);
    if (effectiveUid() !== 0) {
      process.stdout.write("not tested here: only root may give a file away\n");
      return;
    }
    chownSync(root, 1, 1);
    const plan = { path: "sub/owned", mayCreateFolders: true, userId: 12_345, groupId: 54_321 };
    expect(rig.put(pattern(1, 1), plan)).toBe(0);
    for (const path of ["sub", "sub/owned"]) {
      const { uid, gid } = statSync(join(root, path));
      expect([uid, gid]).toEqual([12_345, 54_321]);
    }
  });
});

function sha256(content: Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(content).digest("hex");
}

/** What the folder `path` holds, each name as a byte string. */
function bytesOfNames(path: Buffer): readonly string[] {
  const names = readdirSync(path, { encoding: "buffer" });
  return names.map((name) => name.toString("latin1")).toSorted();
}
