// Containment as a property: over random trees full of hostile symlinks, and while a thread swaps folders for links, no name reads
// a byte from outside. On the real kernel, by openat2 and by the walk, with every policy of symlinks and of case.

import { expect, test } from "bun:test";
import { lstatSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { at } from "#base/bytes.ts";
import { Random } from "#base/random.ts";
import { closeFd, openRoot } from "#ffi/file.ts";
import { walkingWay } from "#storage/lookup.ts";
import { Root } from "#storage/root.ts";

import { forEachSeed } from "../../sim/seed.ts";
import { contentOf } from "./content.ts";
import { hasLink, type HostileTree, plantTree, randomName, whileSwapping } from "./hostile-tree.ts";

/** Trees, and names in each: 24,000 names, each looked up in twelve ways. */
const TREES = 12;
const STILL_NAMES = 500;
const SWAPPED_NAMES = 1500;

const policies = ["none", "inside", "listed"] as const;
const ways = [undefined, walkingWay];

/** One way to look names up. `reads` is what files that it finds may begin with. */
interface Reader {
  readonly root: Root;
  readonly policy: (typeof policies)[number];
  readonly foldsCase: boolean;
  readonly reads: readonly string[];
}

interface Tree extends HostileTree {
  readonly readers: readonly Reader[];
  readonly fds: readonly number[];
}

/** What happened in all trees together: a test in which nothing happens proves nothing. */
const seen = { names: 0, inside: 0, listed: 0, refused: 0, wouldLeak: 0, swaps: 0 };

test("no name, link or swap reads a byte from outside", () => {
  forEachSeed("test/unit/storage/containment.test.ts", TREES, (seed) => {
    process.stdout.write(`containment: seed ${seed}\n`);
    const hostile = plantTree(new Random(seed));
    const tree = { ...hostile, ...open(hostile.folder) };
    try {
      for (let index = 0; index < STILL_NAMES; index += 1) readStill(tree, randomName(tree));
      seen.swaps += whileSwapping(tree, () => {
        for (let index = 0; index < SWAPPED_NAMES; index += 1) readAll(tree, randomName(tree));
      });
    } finally {
      for (const fd of tree.fds) closeFd(fd);
      rmSync(tree.folder, { recursive: true });
    }
  });
  process.stdout.write(`containment: ${JSON.stringify(seen)}\n`);
  const { names, ...happened } = seen;
  expect(names).toBeGreaterThanOrEqual(STILL_NAMES + SWAPPED_NAMES);
  for (const [what, count] of Object.entries(happened)) {
    expect([what, count > 0]).toEqual([what, true]);
  }
}, 120_000);

function open(folder: string): Pick<Tree, "readers" | "fds"> {
  const linkTargets = ["listed", "other"].map((name) => {
    const path = join(folder, name);
    return { path, fd: openRoot(path) };
  });
  const rootDir = join(folder, "root");
  const rootFd = openRoot(rootDir);
  const readers: Reader[] = [];
  for (const policy of policies) {
    for (const way of ways) {
      for (const foldsCase of [false, true]) {
        const root = new Root(rootFd, { links: policy, linkTargets, rootDir, foldsCase }, way);
        const reads = policy === "listed" ? ["root", "listed", "other"] : ["root"];
        readers.push({ root, policy, foldsCase, reads });
      }
    }
  }
  return { readers, fds: [rootFd, ...linkTargets.map(({ fd }) => fd)] };
}

/** Looks `name` up in every way, and returns what each found; fails for a byte from outside. */
function readAll(tree: Tree, name: string): (string | undefined)[] {
  seen.names += 1;
  return tree.readers.map(({ root, policy, foldsCase, reads }) => {
    const fd = root.open(name);
    if (fd < 0) {
      seen.refused += 1;
      return undefined;
    }
    const content = contentOf(fd);
    const [area = ""] = content.split(" ");
    if (!reads.includes(area)) {
      throw new Error(`${name} reads "${content}" (symlinks ${policy}, any case ${foldsCase})`);
    }
    seen[area === "root" ? "inside" : "listed"] += 1;
    return content;
  });
}

/** {@link readAll}, while nothing moves: what is found must also be the right file, and no link is followed where none may be. */
function readStill(tree: Tree, name: string): void {
  const path = join(tree.folder, "root");
  const truth = textAt(`${path}/${name}`);
  if (truth?.startsWith("outside") === true) seen.wouldLeak += 1;
  const isPlain = !name.includes("..") && !hasLink(path, name);
  for (const [index, content] of readAll(tree, name).entries()) {
    const { policy, foldsCase } = at(tree.readers, index);
    if (foldsCase && truth === undefined) continue;
    const isRefused = content === undefined;
    const isRight =
      policy === "none" && isPlain ? content === truth : isRefused || content === truth;
    if (!isRight || (policy === "none" && !isPlain && !isRefused)) {
      throw new Error(`${name} is "${truth}", and "${content}" is read (symlinks ${policy})`);
    }
  }
}

function textAt(path: string): string | undefined {
  try {
    return lstatSync(path.replace(/\/$/, "")) && readFileSync(path, "utf8").slice(0, 256);
  } catch {
    return undefined;
  }
}
