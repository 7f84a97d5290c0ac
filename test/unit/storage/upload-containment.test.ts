// Containment of uploads as a property: over random trees full of hostile symlinks, and while a thread swaps folders for links, no
// upload makes, replaces or removes anything where its policy of symlinks does not let it. On the real kernel.

import { afterEach, expect, test } from "bun:test";
import { readFileSync, realpathSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

import { Random } from "#base/random.ts";
import { DiskCall } from "#ffi/disk-call.ts";
import { closeFd, openRoot } from "#ffi/file.ts";
import { cleanName } from "#policy/path.ts";

import { forEachSeed } from "../../sim/seed.ts";
import {
  areas,
  hasLink,
  type HostileTree,
  plantTree,
  randomName,
  whileSwapping,
} from "./hostile-tree.ts";
import { afterwards, cleanUp } from "./rig.ts";
import { hasHidden, treeOf, UploadRig } from "./upload-rig.ts";

/** Trees, and names in each, which every policy takes an upload to. */
const TREES = 3;
const STILL_NAMES = 150;
const SWAPPED_NAMES = 250;

const policies = ["none", "inside", "listed"] as const;

/** Uploads by one policy. What it stores says so. */
interface Writer {
  readonly policy: (typeof policies)[number];
  readonly rig: UploadRig;
  readonly content: string;
}

/** What happened in all trees together: a test in which nothing happens proves nothing. */
const seen = { stored: 0, behindLinks: 0, listed: 0, refused: 0, wouldLeak: 0, swaps: 0 };

afterEach(cleanUp);

test("no name, link or swap has an upload write outside", () => {
  forEachSeed("test/unit/storage/upload-containment.test.ts", TREES, (seed) => {
    process.stdout.write(`containment of uploads: seed ${seed}\n`);
    const tree = plantTree(new Random(seed));
    afterwards(() => rmSync(tree.folder, { recursive: true }));
    const writers = writersIn(tree);
    const before = worldOf(tree);
    for (let index = 0; index < STILL_NAMES; index += 1) writeStill(tree, writers, nameIn(tree));
    seen.swaps += whileSwapping(tree, () => {
      for (let index = 0; index < SWAPPED_NAMES; index += 1) {
        const name = nameIn(tree);
        for (const { rig, content } of writers) put(rig, name, content);
      }
    });
    expect(worldOf(tree)).toEqual(before);
    for (const area of ["listed", "other"]) checkListed(tree, area);
    expect(hasHidden(tree.folder)).toBe(false);
    cleanUp();
  });
  process.stdout.write(`containment of uploads: ${JSON.stringify(seen)}\n`);
  for (const [what, count] of Object.entries(seen)) {
    expect([what, count > 0]).toEqual([what, true]);
  }
}, 120_000);

function writersIn({ folder }: HostileTree): readonly Writer[] {
  const linkTargets = ["listed", "other"].map((name) => {
    const path = join(folder, name);
    const fd = openRoot(path);
    afterwards(() => closeFd(fd));
    return { path, fd };
  });
  const rootDir = join(folder, "root");
  return policies.map((policy) => {
    const rules = { links: policy, linkTargets, rootDir, foldsCase: false };
    const rig = new UploadRig(rootDir, { rules });
    // What a disk does in its own time is no matter here, and thousands of times a second.
    rig.queue.fault = (call) => (call === DiskCall.fsync ? 0 : undefined);
    return { policy, rig, content: `uploaded by ${policy}` };
  });
}

/** A name as the policy of names lets it through. */
function nameIn(tree: HostileTree): string {
  for (;;) {
    const name = cleanName(randomName(tree), "");
    if (name.isClean) return name.path;
  }
}

/** Everything that lies outside all folders that anybody may write to. */
function worldOf({ folder }: HostileTree): Readonly<Record<string, string>> {
  const outside = treeOf(join(folder, "outside"));
  return { ...outside, "../f0": readFileSync(join(folder, "f0"), "utf8") };
}

/** 0, or why the upload was refused. */
function put(rig: UploadRig, name: string, content: string): number {
  const plan = { path: name, mayOverwrite: true, mayCreateFolders: true };
  const refusal = rig.put(Buffer.from(content), plan);
  seen[refusal === 0 ? "stored" : "refused"] += 1;
  return refusal;
}

/** An upload by every policy, while nothing moves: what is stored is where the name leads, and that is where it may be. */
function writeStill(tree: HostileTree, writers: readonly Writer[], name: string): void {
  const root = join(tree.folder, "root");
  if (areaOf(tree, dirname(join(root, name))) === "outside") seen.wouldLeak += 1;
  for (const { policy, rig, content } of writers) {
    if (put(rig, name, content) !== 0) continue;
    const area = areaOf(tree, join(root, name));
    const isBehindLink = hasLink(root, name);
    if (isBehindLink) seen.behindLinks += 1;
    if (area === "listed" || area === "other") seen.listed += 1;
    const mayBe = policy === "listed" ? ["root", "listed", "other"] : ["root"];
    const isRight = mayBe.includes(area) && !(policy === "none" && isBehindLink);
    if (!isRight || readFileSync(join(root, name), "utf8") !== content) {
      throw new Error(`${name} was stored in ${area} (symlinks ${policy})`);
    }
  }
}

/** Which area of the tree a path leads to; empty for none. */
function areaOf({ folder }: HostileTree, path: string): string {
  let real: string;
  try {
    real = realpathSync(path);
  } catch {
    return "";
  }
  return areas.find((area) => `${real}/`.startsWith(`${realpathSync(folder)}/${area}/`)) ?? "";
}

/** Nobody but who may has stored anything in a listed folder. */
function checkListed({ folder }: HostileTree, area: string): void {
  for (const [path, content] of Object.entries(treeOf(join(folder, area)))) {
    if (content.startsWith("uploaded") && content !== "uploaded by listed") {
      throw new Error(`${area}/${path} was ${content}`);
    }
  }
}
