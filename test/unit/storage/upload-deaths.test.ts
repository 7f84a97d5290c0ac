// A shard that dies at every step of an upload: its successor gives back all that it held, the name holds the old bytes or the new
// ones, whole, and what the ledger counts is what lies on the disk.

import { afterEach, describe, expect, spyOn, test } from "bun:test";
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";

import * as creation from "#ffi/create.ts";
import { Errno } from "#ffi/errno.ts";
import { createHoldings, giveBackLeft, holdAs, holderOf, NO_HOLDER } from "#ffi/holdings.ts";
import { createUploadLedger } from "#storage/upload-ledger.ts";

import { openDescriptors } from "../ffi/rig.ts";
import { afterwards, cleanUp, temporaryFolder } from "./rig.ts";
import { hasHidden, UploadRig } from "./upload-rig.ts";
import { content, mixtureIn, prepareRoot, type Way, ways } from "./upload-ways.ts";

const holdings = createHoldings();
/** Of this thread, which is each of the shard's in turn. */
let lives = 0;

// What modules have mapped already is nobody's to give back.
holdAs(holdings, NO_HOLDER);
afterEach(() => {
  holdAs(holdings, NO_HOLDER);
  cleanUp();
});

describe.each(ways)("$way", (way) => {
  test("its shard dies before each of its calls", () => {
    for (let call = 0; dieAt(way, call); call += 1) cleanUp();
  });
});

/** Has the shard die before the `call`-th call, and looks at what its successor makes of that. False: there is no such call. */
function dieAt(way: Way, call: number): boolean {
  const root = temporaryFolder();
  prepareRoot(root, way);
  if (!way.isUnnamed) {
    const spy = spyOn(creation, "createUnnamed").mockImplementation(() => -Errno.EOPNOTSUPP);
    afterwards(() => spy.mockRestore());
  }
  const ledger = createUploadLedger(8);
  const dead = new UploadRig(root, { ledger });
  dead.ledger.setRootBytes(bytesIn(dead));
  const isOver = uploadUntil(dead, way, call);

  const successor = new UploadRig(root, { ledger });
  asNextLife(() => {
    successor.settle();
    giveBackLeft();
  });
  expect(openDescriptors(root)).toBe(2);
  expect(hasHidden(root)).toBe(false);
  expect(mixtureIn(successor.tree(), way.plan)).toBe("");
  expect(successor.ledger.rootBytes).toBe(bytesIn(successor));
  // Nobody else has the name any more.
  const isThere = successor.tree()[way.plan.path ?? "file"] !== undefined;
  expect(successor.put(content, { ...way.plan, mayOverwrite: isThere }, 8192)).toBe(0);
  return !isOver;
}

/** Whether the upload came to its end before its `call`-th call. */
function uploadUntil(rig: UploadRig, { plan }: Way, call: number): boolean {
  rig.queue.fault = (_, index) => {
    if (index === call) throw new Error("the shard dies");
    return undefined;
  };
  return asNextLife(() => {
    try {
      return rig.put(content, plan, 8192) === 0;
    } catch {
      return false;
    }
  });
}

/** Runs `body` as the shard's next thread. */
function asNextLife<T>(body: () => T): T {
  holdAs(holdings, holderOf(0, lives));
  lives += 1;
  const result = body();
  holdAs(holdings, NO_HOLDER);
  return result;
}

/** Bytes of all files; one that is its own latest version for now has two names, and counts once. */
function bytesIn({ root }: UploadRig): number {
  const bytes = new Map<number, number>();
  for (const path of readdirSync(root, { recursive: true, encoding: "utf8" })) {
    const stat = lstatSync(join(root, path));
    if (stat.isFile()) bytes.set(stat.ino, stat.size);
  }
  return [...bytes.values()].reduce((sum, size) => sum + size, 0);
}
