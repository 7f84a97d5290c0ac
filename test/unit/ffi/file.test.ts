// Tests of files below a root: what is contained and what is not, by openat2 and by the walk that replaces it, and reading.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  mkdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";

import { Arena } from "#ffi/arena.ts";
import { Errno } from "#ffi/errno.ts";
import {
  Advice,
  closeFd,
  fadvise,
  openBeneath,
  openByWalk,
  openRoot,
  pread,
  preadNowait,
  preadReady,
  tryOpenat2,
} from "#ffi/file.ts";
import { FileStat, statFd } from "#ffi/stat.ts";

import { afterwards, cleanUp, openDescriptors, opened, temporaryFolder } from "./rig.ts";

let folder: string;
let rootFd: number;

beforeEach(() => {
  folder = temporaryFolder();
  mkdirSync(join(folder, "root/a/b"), { recursive: true });
  writeFileSync(join(folder, "secret"), "outside");
  writeFileSync(join(folder, "root/top"), "top");
  writeFileSync(join(folder, "root/a/b/deep"), "deep");
  writeFileSync(join(folder, "root/a..b"), "dots");
  symlinkSync("a/b/deep", join(folder, "root/inside"));
  symlinkSync("../top", join(folder, "root/a/up-but-inside"));
  symlinkSync("a/b", join(folder, "root/folder-inside"));
  symlinkSync("../secret", join(folder, "root/outside"));
  symlinkSync("..", join(folder, "root/folder-outside"));
  symlinkSync(join(folder, "root/top"), join(folder, "root/absolute"));
  symlinkSync("/proc/self/root/etc/passwd", join(folder, "root/magic"));
  symlinkSync("loop", join(folder, "root/loop"));
  symlinkSync("gone", join(folder, "root/dangling"));
  expect(Bun.spawnSync(["mkfifo", join(folder, "root/fifo")]).exitCode).toBe(0);
  rootFd = opened(openRoot(join(folder, "root")));
});

afterEach(cleanUp);

/** The text of the file that `open` opened, or −errno. */
function textOf(fd: number): string | number {
  if (fd < 0) return fd;
  opened(fd);
  const arena = new Arena(4096);
  const length = pread(fd, arena.address, 4096, 0);
  const text = Buffer.from(arena.u8.subarray(0, Math.max(0, length))).toString();
  arena.unmap();
  return length < 0 ? length : text;
}

const bothWays = [
  { how: "openat2", open: openBeneath },
  { how: "the walk", open: openByWalk },
];

describe.each(bothWays)("$how", ({ open }) => {
  test.each([
    ["top", "top"],
    ["a/b/deep", "deep"],
    ["./a/./b/deep", "deep"],
    ["a//b///deep", "deep"],
    ["a..b", "dots"],
  ])("opens %p", (name, text) => {
    expect(textOf(open(rootFd, name))).toBe(text);
    expect(textOf(open(rootFd, Buffer.from(name)))).toBe(text);
  });

  test.each([
    ["", Errno.ENOENT],
    ["none", Errno.ENOENT],
    ["a/none/deep", Errno.ENOENT],
    ["top/x", Errno.ENOTDIR],
    ["top/", Errno.ENOTDIR],
    ["x".repeat(256), Errno.ENAMETOOLONG],
    ["x/".repeat(2048), Errno.ENAMETOOLONG],
    ["top\0", Errno.EINVAL],
    ["top\0.cfg", Errno.EINVAL],
    // Beyond the root, and what would only pass through there.
    ["..", Errno.EXDEV],
    ["../secret", Errno.EXDEV],
    ["a/../top", Errno.EXDEV],
    ["a/..", Errno.EXDEV],
    ["../root/top", Errno.EXDEV],
    ["/", Errno.EXDEV],
    ["/etc/passwd", Errno.EXDEV],
    ["//top", Errno.EXDEV],
  ])("refuses %j", (name, errno) => {
    expect(open(rootFd, name)).toBe(-errno);
    expect(open(rootFd, Buffer.from(name))).toBe(-errno);
  });

  test("takes a name that is not UTF-8, as bytes", () => {
    const name = Buffer.concat([Buffer.from(`${folder}/root/`), Buffer.of(0xff, 0xfe)]);
    writeFileSync(name, "latin");
    expect(textOf(open(rootFd, Uint8Array.of(0xff, 0xfe)))).toBe("latin");
    expect(open(rootFd, "\xff\xfe")).toBe(-Errno.ENOENT);
  });

  test("a FIFO opens without waiting for a writer, and is seen to be no file", () => {
    const fd = opened(open(rootFd, "fifo"));
    const stat = new FileStat();
    expect(statFd(fd, stat)).toBe(0);
    expect([stat.isRegular, stat.isFolder]).toEqual([false, false]);
  });

  test.each(["a", "a/", ".", "a/b/"])("folder %p opens, and is seen to be one", (name) => {
    const stat = new FileStat();
    expect(statFd(opened(open(rootFd, name)), stat)).toBe(0);
    expect([stat.isRegular, stat.isFolder]).toEqual([false, true]);
  });

  test("does not leak descriptors, whether it succeeds or fails", () => {
    const before = openDescriptors(folder);
    for (let round = 0; round < 50; round++) {
      for (const name of ["a/b/none", "a/b/deep/x", "outside", "a/up-but-inside/x", "loop"]) {
        expect(open(rootFd, name)).toBeLessThan(0);
      }
    }
    opened(open(rootFd, "a/b/deep"));
    expect(openDescriptors(folder)).toBe(before + 1);
  });

  test("a descriptor that is no folder is −ENOTDIR", () => {
    const file = opened(open(rootFd, "top"));
    expect(open(file, "x")).toBe(-Errno.ENOTDIR);
    expect(open(-1, "x")).toBe(-Errno.EBADF);
  });
});

describe("symlinks", () => {
  test.each([
    ["inside", "deep", -Errno.ELOOP],
    ["a/up-but-inside", "top", -Errno.ELOOP],
    ["folder-inside/deep", "deep", -Errno.ENOTDIR],
    ["outside", -Errno.EXDEV, -Errno.ELOOP],
    ["folder-outside/secret", -Errno.EXDEV, -Errno.ENOTDIR],
    ["folder-outside/root/top", -Errno.EXDEV, -Errno.ENOTDIR],
    // Even if it leads inside: the kernel does not know what "/" means to the author of the link.
    ["absolute", -Errno.EXDEV, -Errno.ELOOP],
    ["magic", -Errno.EXDEV, -Errno.ELOOP],
    ["loop", -Errno.ELOOP, -Errno.ELOOP],
    ["dangling", -Errno.ENOENT, -Errno.ELOOP],
  ])("%s: openat2 follows it only inside, the walk never does", (name, byOpenat2, byWalk) => {
    expect(textOf(openBeneath(rootFd, name))).toBe(byOpenat2);
    expect(textOf(openByWalk(rootFd, name))).toBe(byWalk);
  });

  test("a magic link of /proc does not lead out of a root that holds one", () => {
    const proc = opened(openRoot("/proc/self"));
    expect(readlinkSync("/proc/self/cwd")).toBe(process.cwd());
    expect([-Errno.ELOOP, -Errno.EXDEV]).toContain(openBeneath(proc, "cwd/package.json"));
    expect(openByWalk(proc, "cwd/package.json")).toBe(-Errno.ENOTDIR);
  });

  test("a folder that becomes a symlink while names are opened never lets one out", async () => {
    mkdirSync(join(folder, "root/swap"));
    writeFileSync(join(folder, "root/swap/secret"), "inside");
    symlinkSync("..", join(folder, "root/link"));
    const swapper = Bun.spawn([
      process.execPath,
      "-e",
      `const { renameSync } = require("node:fs"); const at = ${JSON.stringify(`${folder}/root/`)};
       for (const end = Date.now() + 300; Date.now() < end; ) {
         renameSync(at + "swap", at + "real"); renameSync(at + "link", at + "swap");
         renameSync(at + "swap", at + "link"); renameSync(at + "real", at + "swap");
       }`,
    ]);
    const isOver = swapper.exited.then(() => true);
    const seen = new Set<string | number>();
    while (!(await Promise.race([isOver, Promise.resolve(false)]))) {
      for (let round = 0; round < 200; round++) {
        for (const open of [openBeneath, openByWalk]) {
          const fd = open(rootFd, "swap/secret");
          const text = fd < 0 ? fd : contentOf(fd);
          seen.add(text);
        }
      }
      await Bun.sleep(0);
    }
    expect(seen).not.toContain("outside");
    expect(seen).toContain("inside");
    expect(swapper.exitCode).toBe(0);
  });
});

const shared = new Arena(64);

/** Like textOf, for loops of many thousand files. */
function contentOf(fd: number): string | number {
  const length = pread(fd, shared.address, 64, 0);
  closeFd(fd);
  return length < 0 ? length : Buffer.from(shared.u8.subarray(0, length)).toString();
}

describe("the root", () => {
  test("must be a folder that exists", () => {
    expect(openRoot(join(folder, "none"))).toBe(-Errno.ENOENT);
    expect(openRoot(join(folder, "secret"))).toBe(-Errno.ENOTDIR);
    expect(openRoot(`${folder}\0/root`)).toBe(-Errno.EINVAL);
  });

  test("may be a symlink, because its administrator wrote it", () => {
    symlinkSync("root", join(folder, "served"));
    const fd = opened(openRoot(join(folder, "served")));
    expect(textOf(openBeneath(fd, "top"))).toBe("top");
  });

  test("stays the folder that was opened when its name goes elsewhere", () => {
    renameSync(join(folder, "root"), join(folder, "moved"));
    mkdirSync(join(folder, "root"));
    expect(textOf(openBeneath(rootFd, "top"))).toBe("top");
  });

  test("says whether openat2 works in it", () => {
    expect(tryOpenat2(-1)).toBe(-Errno.EBADF);
    expect(tryOpenat2(rootFd)).toBe(0);
  });
});

function arenaOf(bytes: number): Arena {
  const arena = new Arena(bytes);
  afterwards(() => arena.unmap());
  return arena;
}

describe("reading", () => {
  test("stops at the end of the file, and returns nothing beyond it", () => {
    const fd = opened(openBeneath(rootFd, "a/b/deep"));
    const arena = arenaOf(64);
    expect(pread(fd, arena.address + 8, 64 - 8, 1)).toBe(3);
    expect(Buffer.from(arena.u8.subarray(7, 12)).toString()).toBe("\0eep\0");
    expect(pread(fd, arena.address, 64, 4)).toBe(0);
    expect(pread(fd, arena.address, 64, 2 ** 40)).toBe(0);
    expect(pread(-1, arena.address, 64, 0)).toBe(-Errno.EBADF);
    expect(pread(opened(openBeneath(rootFd, "a")), arena.address, 64, 0)).toBe(-Errno.EISDIR);
  });

  test("reaches beyond 4 GiB, without and with waiting", () => {
    const path = join(folder, "root/huge");
    const offset = 0x1_2345_6789;
    writeFileSync(path, "");
    truncateSync(path, offset);
    const huge = Bun.spawnSync(["sh", "-c", 'printf tail >> "$0"', path]);
    expect(huge.exitCode).toBe(0);
    const fd = opened(openBeneath(rootFd, "huge"));
    const arena = arenaOf(64);
    expect(pread(fd, arena.address, 64, offset - 1)).toBe(5);
    expect(Buffer.from(arena.u8.subarray(0, 5)).toString()).toBe("\0tail");
    // In the page cache by now, so that the impatient call finds it, if this file system lets it look.
    arena.u8.fill(0);
    const result = preadNowait(fd, arena.address, 64, offset);
    if (result === -Errno.EOPNOTSUPP) {
      process.stdout.write(
        "not tested here: the temporary folder's file system knows no RWF_NOWAIT\n",
      );
      return;
    }
    expect(result).toBe(4);
    expect(Buffer.from(arena.u8.subarray(0, 4)).toString()).toBe("tail");
  });

  test("a file system that is memory is read without waiting", () => {
    const arena = arenaOf(64);
    const path = `/dev/shm/snow-owl-ready-${process.pid}`;
    writeFileSync(path, "in memory");
    try {
      const shmFd = opened(openRoot("/dev/shm"));
      const fd = opened(openBeneath(shmFd, basename(path)));
      expect(preadReady(fd, arena.address, 64, 3)).toBe(6);
      expect(Buffer.from(arena.u8.subarray(0, 6)).toString()).toBe("memory");
      expect(preadReady(fd, arena.address, 64, 9)).toBe(0);
    } finally {
      rmSync(path);
    }
    // Others say that they cannot, and a file that is gone is no file in memory.
    const proc = opened(openBeneath(opened(openRoot("/proc/self")), "stat"));
    expect(preadNowait(proc, arena.address, 64, 0)).toBe(-Errno.EOPNOTSUPP);
    expect(preadReady(proc, arena.address, 64, 0)).toBe(-Errno.EOPNOTSUPP);
    expect(preadReady(-1, arena.address, 64, 0)).toBe(-Errno.EBADF);
  });

  test("without waiting says that the disk would have to be asked", () => {
    const path = join(folder, "root/cold");
    writeFileSync(path, new Uint8Array(1 << 20).fill(7));
    expect(Bun.spawnSync(["sync", path]).exitCode).toBe(0);
    const fd = opened(openBeneath(rootFd, "cold"));
    expect(fadvise(fd, 0, 0, Advice.dontneed)).toBe(0);
    const arena = arenaOf(4096);
    const result = preadNowait(fd, arena.address, 4096, 0);
    // A file system in memory has it at hand always.
    expect([-Errno.EAGAIN, -Errno.EOPNOTSUPP, 4096]).toContain(result);
    expect(pread(fd, arena.address, 4096, 0)).toBe(4096);
    if (result === -Errno.EAGAIN) expect(preadNowait(fd, arena.address, 4096, 0)).toBe(4096);
    expect(preadNowait(-1, arena.address, 4096, 0)).toBe(-Errno.EBADF);
  });

  test("advice is taken by files and refused by what is none", () => {
    const fd = opened(openBeneath(rootFd, "top"));
    for (const advice of Object.values(Advice)) expect(fadvise(fd, 0, 0, advice)).toBe(0);
    expect(fadvise(fd, 0, 0, 99)).toBe(-Errno.EINVAL);
    expect(fadvise(-1, 0, 0, Advice.normal)).toBe(-Errno.EBADF);
    expect(fadvise(opened(openBeneath(rootFd, "fifo")), 0, 0, 0)).toBe(-Errno.ESPIPE);
  });

  test("a descriptor closes once", () => {
    const fd = openBeneath(rootFd, "top");
    expect(closeFd(fd)).toBe(0);
    expect(closeFd(fd)).toBe(-Errno.EBADF);
  });
});
