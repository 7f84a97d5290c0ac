// Tests of how names are found beneath a root: which symlinks are followed, by openat2 and by the walk that replaces it, and
// names in another case.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { closeFd, openFolderBeneath, openRoot } from "#ffi/file.ts";
import { FoldedNames } from "#storage/folded-names.ts";
import { type LookupRules, type LookupWay, walkingWay } from "#storage/lookup.ts";
import { OpenRefusal, Root } from "#storage/root.ts";

import { contentOf } from "./content.ts";

let folder: string;
let fds: number[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "snow-owl-lookup-"));
  fds = [];
});

afterEach(() => {
  for (const fd of fds) closeFd(fd);
  rmSync(folder, { recursive: true });
});

function put(path: string, content = path): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}

function link(path: string, target: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  symlinkSync(target, join(folder, path));
}

function fdOf(path: string): number {
  const fd = openRoot(path);
  expect(fd).toBeGreaterThanOrEqual(0);
  fds.push(fd);
  return fd;
}

function rootWith(rules: Partial<LookupRules>, way?: LookupWay, targets = ["listed"]): Root {
  const linkTargets = targets.map((name) => {
    const path = join(folder, name);
    return { path, fd: fdOf(path) };
  });
  const rootDir = join(folder, "root");
  const all = { links: "inside", linkTargets, rootDir, foldsCase: false, ...rules } as const;
  return new Root(fdOf(rootDir), all, way);
}

const refusals: ReadonlyMap<number, string> = new Map(
  Object.entries(OpenRefusal).map(([name, value]) => [value, name]),
);

/** The content of the file, or the name of the refusal. */
function read(root: Root, path: string | Uint8Array): string {
  const fd = root.open(path);
  return fd < 0 ? (refusals.get(fd) ?? String(fd)) : contentOf(fd);
}

const ways: readonly (readonly [string, LookupWay | undefined])[] = [
  ["openat2", undefined],
  ["the walk", walkingWay],
];

describe("symlinks", () => {
  beforeEach(() => {
    put("root/top");
    put("root/a/b/deep");
    put("listed/image");
    put("listed/sub/kernel");
    put("secret/key");
    link("root/inside", "a/b/deep");
    link("root/a/up", "../top");
    link("root/folder", "a/b");
    link("root/to-listed", join(folder, "listed/image"));
    link("root/images", join(folder, "listed"));
    link("root/a/relative", "../../listed/sub");
    link("root/roundabout", join(folder, "none") + "/.././listed//sub/../image");
    link("root/own", join(folder, "root/top"));
    link("root/secret", join(folder, "secret/key"));
    link("root/folder-out", "../secret");
    link("root/everything", "/");
    link("root/loop", "loop");
    link("root/ping", "pong");
    link("root/pong", "ping");
    link("root/dangling", "a/none");
    link("root/parent", "..");
    link("root/magic", "/proc/self/cwd");
    link("root/through", "images/back/top");
    link("root/chain", "to-listed");
    link("listed/back", "../root");
    link("listed/out", "../secret/key");
    link("listed/sub/up", "../image");
    link("listed/escape", "/etc/passwd");
  });

  // What each policy makes of a name: none, inside by openat2, inside by the walk, listed.
  const [follows, nothing, denied] = [(text: string) => text, "notFound", "outside"];
  const cases: readonly (readonly [string, string, string, string])[] = [
    ["top", "root/top", "root/top", follows("root/top")],
    ["a/b/deep", "root/a/b/deep", "root/a/b/deep", "root/a/b/deep"],
    ["none", nothing, nothing, nothing],
    ["inside", denied, "root/a/b/deep", "root/a/b/deep"],
    ["a/up", denied, "root/top", "root/top"],
    ["folder/deep", denied, "root/a/b/deep", "root/a/b/deep"],
    ["folder/none", denied, nothing, nothing],
    ["to-listed", denied, denied, "listed/image"],
    ["images/image", denied, denied, "listed/image"],
    ["images/sub/kernel", denied, denied, "listed/sub/kernel"],
    ["images/sub/up", denied, denied, "listed/image"],
    ["images/none", denied, denied, nothing],
    ["a/relative/kernel", denied, denied, "listed/sub/kernel"],
    ["roundabout", denied, denied, "listed/image"],
    ["own", denied, denied, "root/top"],
    ["through", denied, denied, "root/top"],
    ["chain", denied, denied, "listed/image"],
    ["images/back/a/up", denied, denied, "root/top"],
    ["secret", denied, denied, denied],
    ["folder-out/key", denied, denied, denied],
    ["everything/etc/passwd", denied, denied, denied],
    ["images/out", denied, denied, denied],
    ["images/escape", denied, denied, denied],
    ["parent/secret/key", denied, denied, denied],
    // What leads out and in again ends inside, and that is what counts where links are listed.
    ["parent/root/top", denied, denied, "root/top"],
    ["loop", denied, denied, denied],
    ["ping", denied, denied, denied],
    ["dangling", denied, nothing, nothing],
    ["top/x", nothing, nothing, nothing],
    ["magic/package.json", denied, denied, denied],
    ["images", denied, denied, "denied"],
  ];

  describe.each(ways)("by %s", (how, way) => {
    test.each(cases)("%s", (name, none, inside, listed) => {
      // The walk follows no link, and cannot tell one on the way from a file.
      const isOnWay = name.includes("/") && none === denied && name !== "a/up";
      const byWalk = isOnWay ? nothing : none;
      const isByWalk = how === "the walk";
      expect(read(rootWith({ links: "none" }, way), name)).toBe(isByWalk ? byWalk : none);
      expect(read(rootWith({ links: "inside" }, way), name)).toBe(isByWalk ? byWalk : inside);
      expect(read(rootWith({ links: "listed" }, way), name)).toBe(listed);
    });

    test("a chain of 40 links is followed, one of 41 is not", () => {
      link("root/link-1", "top");
      for (let index = 2; index <= 41; index += 1) link(`root/link-${index}`, `link-${index - 1}`);
      const root = rootWith({ links: "listed" }, way);
      expect(read(root, "link-40")).toBe("root/top");
      expect(read(root, "link-41")).toBe("outside");
    });

    test("links that unfold into ever more segments come to an end", () => {
      // Each of them passes through the next one twice.
      link("root/x0", "a/..");
      for (let index = 1; index < 30; index += 1) {
        link(`root/x${index}`, `x${index - 1}/x${index - 1}`);
      }
      expect(read(rootWith({ links: "listed" }, way), "x29/top")).toBe("outside");
    });

    test("leaves no descriptor open, whatever becomes of it", () => {
      const root = rootWith({ links: "listed", foldsCase: true }, way);
      const before = descriptors();
      for (let round = 0; round < 20; round += 1) {
        for (const [name] of cases) {
          read(root, name);
          read(root, name.toUpperCase());
        }
      }
      expect(descriptors()).toBe(before);
    });
  });

  test("a look-up of 256 steps ends with the file, one of 258 does not", () => {
    link("root/long", `${"a/../".repeat(127)}top`);
    link("root/longer", `${"a/../".repeat(128)}top`);
    const root = rootWith({ links: "listed" }, walkingWay);
    expect([read(root, "long"), read(root, "longer")]).toEqual(["root/top", "outside"]);
  });

  test("a folder is listed under the name that links have for it", () => {
    link("alias", "listed");
    link("root/by-alias", join(folder, "alias/image"));
    expect(read(rootWith({ links: "listed" }), "by-alias")).toBe("outside");
    expect(read(rootWith({ links: "listed" }, undefined, ["alias"]), "by-alias")).toBe(
      "listed/image",
    );
  });

  test("of nested folders the inner one is reached by the outer one too", () => {
    link("root/kernel", join(folder, "listed/sub/kernel"));
    link("root/image", join(folder, "listed/image"));
    const inner = rootWith({ links: "listed" }, undefined, ["listed/sub"]);
    expect([read(inner, "kernel"), read(inner, "image")]).toEqual(["listed/sub/kernel", "outside"]);
    const both = rootWith({ links: "listed" }, undefined, ["listed/sub", "listed"]);
    expect([read(both, "kernel"), read(both, "image")]).toEqual([
      "listed/sub/kernel",
      "listed/image",
    ]);
  });

  test("a listed folder stays the one that was opened", () => {
    const root = rootWith({ links: "listed" });
    renameSync(join(folder, "listed"), join(folder, "old"));
    put("listed/image", "new");
    expect(read(root, "to-listed")).toBe("listed/image");
  });
});

function descriptors(): number {
  let count = 0;
  for (const fd of readdirSync("/proc/self/fd")) {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder)) count += 1;
    } catch {
      // The descriptor that listed the folder has closed meanwhile.
    }
  }
  return count;
}

describe("names in another case", () => {
  let root: Root;
  beforeEach(() => {
    put("root/boot/BCD");
    put("root/Boot-2/x");
    put("root/README");
    put("root/ReadMe");
    put("root/readme2/a");
    put("root/README2/B");
    put("root/grün/Öl");
    mkdirSync(join(folder, "listed"));
    root = rootWith({ foldsCase: true });
  });

  test("are found, and need no remark", () => {
    for (const name of ["boot/BCD", "Boot/bcd", "BOOT/Bcd"]) {
      expect([name, read(root, name), root.remark]).toEqual([name, "root/boot/BCD", ""]);
    }
    expect(read(root, "boot/bcd2")).toBe("notFound");
    expect(read(root, "boo/bcd")).toBe("notFound");
    expect(read(root, "BOOT")).toBe("denied");
  });

  test("are found in one case alone where that is not asked for", () => {
    expect(read(rootWith({}), "BOOT/Bcd")).toBe("notFound");
  });

  test("give way to the name that is there exactly", () => {
    expect([read(root, "ReadMe"), root.remark]).toEqual(["root/ReadMe", ""]);
    expect([read(root, "README"), root.remark]).toEqual(["root/README", ""]);
  });

  test("of several, the first by its bytes is taken, and said so", () => {
    expect(read(root, "readme")).toBe("root/README");
    expect(root.remark).toBe("README was chosen, and not ReadMe: they differ in case alone");
    expect([read(root, "boot/BCD"), root.remark]).toEqual(["root/boot/BCD", ""]);
  });

  test("a folder that is there exactly is not left for another", () => {
    expect(read(root, "readme2/B")).toBe("notFound");
    expect(read(root, "ReadMe2/b")).toBe("root/README2/B");
  });

  test("letters beyond A to Z are what they are", () => {
    expect(read(root, "GRün/Öl")).toBe("root/grün/Öl");
    expect(read(root, "GRÜN/Öl")).toBe("notFound");
    expect(read(root, "grün/öl")).toBe("notFound");
  });

  test("names that are no UTF-8 keep their bytes", () => {
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/root/X`), Buffer.of(0xff, 0xfe)]), "raw");
    expect(read(root, Uint8Array.of(0x78, 0xff, 0xfe))).toBe("raw");
    expect(read(root, Uint8Array.of(0x78, 0xff, 0xfd))).toBe("notFound");
  });

  test("what is made, renamed or removed is seen soon", async () => {
    expect(read(root, "NEW")).toBe("notFound");
    put("root/new");
    // At the latest when a listing is not believed any more: one second.
    for (let waitedMs = 0; read(root, "NEW") !== "root/new"; waitedMs += 20) {
      expect(waitedMs).toBeLessThan(5000);
      await Bun.sleep(20);
    }
    rmSync(join(folder, "root/new"));
    expect(read(root, "NEW")).toBe("notFound");
    appendFileSync(join(folder, "root/boot/BCD"), "!");
    expect(read(root, "boot/bcd")).toBe("root/boot/BCD!");
  });

  test("a folder of more names than may be read at once is not searched", () => {
    const rootFd = fdOf(join(folder, "root"));
    const open = (path: string): number => openFolderBeneath(rootFd, path);
    // The root has seven names, and no folder in it more than one.
    expect(new FoldedNames(open, 7).find("BOOT/bcd")).toBe("boot/BCD");
    expect(new FoldedNames(open, 6).find("BOOT/bcd")).toBeUndefined();
  });

  test("a name is searched 16 folders deep and no deeper", () => {
    const path = Array.from({ length: 15 }, (_, index) => `d${index}`).join("/");
    put(`root/${path}/f`, "16");
    put(`root/${path}/e/f`, "17");
    expect(read(root, `${path}/F`.toUpperCase())).toBe("16");
    expect(read(root, `${path}/E/F`)).toBe("notFound");
  });

  test("symlinks are followed as the policy says", () => {
    put("listed/Image");
    link("root/Inside", "boot/BCD");
    link("root/Listed", join(folder, "listed"));
    const none = rootWith({ foldsCase: true, links: "none" });
    const listed = rootWith({ foldsCase: true, links: "listed" });
    expect(read(none, "INSIDE")).toBe("outside");
    expect(read(root, "INSIDE")).toBe("root/boot/BCD");
    expect(read(root, "LISTED/image")).toBe("notFound");
    expect(read(listed, "LISTED/image")).toBe("listed/Image");
  });
});
