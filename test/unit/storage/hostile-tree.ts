// What the tests of containment share: random trees full of hostile symlinks, names that lead through them, and a thread that swaps
// folders for links meanwhile.

import { expect } from "bun:test";
import { lstatSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";

import { at } from "#base/bytes.ts";
import type { Random } from "#base/random.ts";

export interface HostileTree {
  readonly folder: string;
  readonly random: Random;
  /** The links in the root, by their names below it. */
  readonly planted: readonly string[];
}

const PATIENCE_MS = 5000;

const folders = ["", "d0", "d1", "D1", "d0/d2", "d0/d2/d3", "d1/d0", "d3", "d3/d2"];
const files = ["f0", "f1", "F1", "f2"];
const links = ["l0", "l1", "l2", "l3", "L3"];
/** What lies beside one another in a tree: the root that is served, two folders that links may be allowed into, and the world. */
export const areas: readonly string[] = ["root", "listed", "other", "outside"];

/** Four areas of the same names, each file saying where it is; all but the last have links to anywhere. */
export function plantTree(random: Random): HostileTree {
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
  return { folder, random, planted };
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
export function randomName({ random, planted }: HostileTree): string {
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

/** Whether a segment of `name`, below the folder `path`, is a symlink. */
export function hasLink(path: string, name: string): boolean {
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

/** Runs `body` while another thread swaps things in the tree; how often it did. */
export function whileSwapping(tree: HostileTree, body: () => void): number {
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
  }
  return Atomics.load(words, 1);
}
