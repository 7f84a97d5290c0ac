// Containment as a property: over random trees full of hostile symlinks, and while a thread swaps folders for links, no name reads
// a byte from outside. On the real kernel, by openat2 and by the walk, with every policy of symlinks and of case.

import { expect, test } from "bun:test";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";

import { at } from "#base/bytes.ts";
import { Random } from "#base/random.ts";
import { closeFd, openRoot } from "#ffi/file.ts";
import { walkingWay } from "#storage/lookup.ts";
import { Root } from "#storage/root.ts";

import { forEachSeed } from "../../sim/seed.ts";
import { contentOf } from "./content.ts";

/** Trees, and names in each: 24,000 names, each looked up in twelve ways. */
const TREES = 12;
const STILL_NAMES = 500;
const SWAPPED_NAMES = 1500;
const PATIENCE_MS = 5000;

const policies = ["none", "inside", "listed"] as const;
const ways = [undefined, walkingWay];

/** One way to look names up. `reads` is what files that it finds may begin with. */
interface Reader {
  readonly root: Root;
  readonly policy: (typeof policies)[number];
  readonly foldsCase: boolean;
  readonly reads: readonly string[];
}

interface Tree {
  readonly folder: string;
  readonly random: Random;
  /** The links in the root, by their names below it. */
  readonly planted: readonly string[];
  readonly readers: readonly Reader[];
  readonly fds: readonly number[];
}

/** What happened in all trees together: a test in which nothing happens proves nothing. */
const seen = { names: 0, inside: 0, listed: 0, refused: 0, wouldLeak: 0, swaps: 0 };

test("no name, link or swap reads a byte from outside", () => {
  forEachSeed("test/unit/storage/containment.test.ts", TREES, (seed) => {
    process.stdout.write(`containment: seed ${seed}\n`);
    const tree = plant(new Random(seed));
    try {
      for (let index = 0; index < STILL_NAMES; index += 1) readStill(tree, randomName(tree));
      whileSwapping(tree, () => {
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

const folders = ["", "d0", "d1", "D1", "d0/d2", "d0/d2/d3", "d1/d0", "d3", "d3/d2"];
const files = ["f0", "f1", "F1", "f2"];
const links = ["l0", "l1", "l2", "l3", "L3"];
const areas = ["root", "listed", "other", "outside"];

/** Four areas of the same names, each file saying where it is; all but the last have links to anywhere. */
function plant(random: Random): Tree {
  const folder = mkdtempSync(join(tmpdir(), "snow-owl-contained-"));
  for (const area of areas) {
    for (const inner of folders) {
      const path = join(folder, area, inner);
      mkdirSync(path, { recursive: true });
      for (const file of files) {
        if (random.chance(0.6)) writeFileSync(join(path, file), `${area} ${join(inner, file)}`);
      }
    }
  }
  // What lies beside the areas is outside, too.
  writeFileSync(join(folder, "f0"), "outside beside");
  const planted: string[] = [];
  for (const area of areas.slice(0, 3)) {
    for (const inner of folders) {
      for (const link of links) {
        if (!random.chance(0.8)) continue;
        symlinkSync(randomTarget(random, folder), join(folder, area, inner, link));
        if (area === "root") planted.push(join(inner, link));
      }
    }
  }
  mkdirSync(join(folder, "swap"));
  symlinkSync(join(folder, "outside"), join(folder, "swap/absolute"));
  symlinkSync("../outside/d0", join(folder, "swap/relative"));
  symlinkSync("../../outside", join(folder, "swap/deep"));
  symlinkSync("../outside", join(folder, "swap/listed"));
  symlinkSync(join(folder, "f0"), join(folder, "swap/file"));
  symlinkSync("../outside/f1", join(folder, "swap/other-file"));
  for (const area of ["root", "listed"]) writeFileSync(join(folder, area, "f0"), `${area} f0`);
  return { folder, random, planted, ...open(folder) };
}

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

function randomTarget(random: Random, folder: string): string {
  const name = innerPath(random);
  const up = "../".repeat(1 + random.below(4));
  const area = pick(random, [...areas, "outside", "outside", "listed"]);
  switch (random.below(14)) {
    case 0:
    case 1:
      return join(folder, area, name);
    case 2:
      return `${up}${area}/${name}`;
    case 3:
      return `${up}${name}`;
    case 4:
      return `${folder}/${pick(random, areas)}/../${area}/${name}`;
    case 5:
      return pick(random, [
        "/",
        "..",
        ".",
        "/proc/self/root",
        "/proc/self/cwd",
        folder,
        "/dev/null",
      ]);
    case 6:
      return pick(random, links);
    case 7:
      return `${name}/${pick(random, links)}`;
    default:
      return join(folder, area);
  }
}

/** What a client may send, and what it may not: `..` is refused before, but nothing rests on that. */
function randomName({ random, planted }: Tree): string {
  // Mostly by a link that is there, and then on by what is in all areas: chance alone seldom finds a way.
  const segments = random.chance(0.7) ? [pick(random, planted)] : [pick(random, folders)];
  while (random.chance(0.4)) segments.push(pick(random, [...links, ...folders]));
  if (random.chance(0.7)) segments.push(pick(random, files));
  if (random.chance(0.1)) segments.splice(random.below(segments.length + 1), 0, "..");
  if (random.chance(0.1))
    segments.splice(random.below(segments.length + 1), 0, pick(random, areas));
  const name = segments.filter((segment) => segment !== "").join("/");
  return random.chance(0.2) ? name.toUpperCase() : name;
}

function innerPath(random: Random): string {
  return pick(random, [...files, ...files, ...folders, ...folders, "l0", "l1"]);
}

function pick<T>(random: Random, list: readonly T[]): T {
  return at(list, random.below(list.length));
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

/** Whether a segment of `name`, below the folder `path`, is a symlink. */
function hasLink(path: string, name: string): boolean {
  let below = path;
  for (const segment of name.split("/")) {
    below = join(below, segment);
    try {
      if (lstatSync(below).isSymbolicLink()) return true;
    } catch {
      return false;
    }
  }
  return false;
}

/** Runs `body` while another thread swaps things in the tree. */
function whileSwapping(tree: Tree, body: () => void): void {
  const control = new SharedArrayBuffer(12);
  const words = new Int32Array(control);
  const pairs = [
    ["root/d0", "swap/absolute"],
    ["root/f0", "swap/file"],
    ["root/d3/d2", "swap/deep"],
    ["root/d1", "swap/relative"],
    ["listed/d0", "swap/listed"],
    ["listed/f0", "swap/other-file"],
  ];
  const worker = new Worker(new URL("./containment.worker.ts", import.meta.url), {
    workerData: { folder: tree.folder, pairs, control },
  });
  expect(Atomics.wait(words, 1, 0, PATIENCE_MS)).not.toBe("timed-out");
  try {
    body();
  } finally {
    Atomics.store(words, 0, 1);
    expect(Atomics.wait(words, 2, 0, PATIENCE_MS)).not.toBe("timed-out");
    void worker.terminate();
    seen.swaps += Atomics.load(words, 1);
  }
}
