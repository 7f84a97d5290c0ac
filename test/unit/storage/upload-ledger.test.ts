// The ledger that shards share: claims of names, bytes in use, clients over time, and what a dead shard leaves.

import { describe, expect, setSystemTime, test } from "bun:test";
import { Worker } from "node:worker_threads";

import {
  ClaimRefusal,
  createUploadLedger,
  UploadLedger,
  type UploadQuotas,
  type UploadTraces,
} from "#storage/upload-ledger.ts";

const unlimited: UploadQuotas = { rootBytesMax: 0, clientBytesMax: 0, clientWindowMs: 1000 };

/** Two shards' views of one ledger, and the clock that both look at. */
function ledgers(quotas: Partial<UploadQuotas> = {}, claimsMax = 8): LedgerPair {
  const memory = createUploadLedger(claimsMax);
  const clock = { ms: 1_000_000 };
  const view = (shard: number): UploadLedger =>
    new UploadLedger(memory, shard, { ...unlimited, ...quotas }, () => clock.ms);
  return { one: view(0), two: view(1), clock, view };
}

interface LedgerPair {
  readonly one: UploadLedger;
  readonly two: UploadLedger;
  readonly clock: { ms: number };
  readonly view: (shard: number) => UploadLedger;
}

describe("claims", () => {
  test("of one name are refused across shards until the first is over", () => {
    const { one, two } = ledgers();
    const first = one.claim("a", "x", false);
    expect(first).toBeGreaterThanOrEqual(0);
    expect(two.claim("a", "x", false)).toBe(ClaimRefusal.taken);
    expect(two.claim("a", "x", true)).toBe(ClaimRefusal.taken);
    expect(two.claim("b", "x", false)).not.toBe(first);
    one.release(first);
    const second = two.claim("a", "x", false);
    expect(second).toBeGreaterThanOrEqual(0);
    two.settle(second, 0, 0);
    expect(one.claim("a", "x", false)).toBeGreaterThanOrEqual(0);
  });

  test("that are abandoned have no name, and keep what they have reserved until they are over", () => {
    const { one, two } = ledgers();
    const first = one.claim("a", "x", false);
    one.reserve(first, 100);
    one.abandon(first);
    const second = two.claim("a", "x", false);
    expect(second).toBeGreaterThanOrEqual(0);
    expect(second).not.toBe(first);
    expect(one.claim("a", "x", false)).toBe(ClaimRefusal.taken);
    expect(one.rootBytes).toBe(100);
    one.release(first);
    expect(one.rootBytes).toBe(0);
    expect(one.claim("a", "x", false)).toBe(ClaimRefusal.taken);
  });

  test("that are shared suffer each other alone", () => {
    const { one, two } = ledgers();
    expect(one.claim("a", "x", true)).toBeGreaterThanOrEqual(0);
    expect(two.claim("a", "y", true)).toBeGreaterThanOrEqual(0);
    expect(two.claim("a", "z", false)).toBe(ClaimRefusal.taken);
  });

  test("beyond the table are refused", () => {
    const { one, two } = ledgers({}, 2);
    const first = one.claim("a", "x", false);
    two.claim("b", "x", false);
    expect(one.claim("c", "x", false)).toBe(ClaimRefusal.busy);
    one.release(first);
    expect(two.claim("c", "x", false)).toBe(first);
  });
});

describe("the root's bytes", () => {
  test("are files and reservations, and never beyond the quota", () => {
    const { one, two } = ledgers({ rootBytesMax: 1000 });
    one.setRootBytes(400);
    const first = one.claim("a", "x", false);
    const second = two.claim("b", "y", false);
    expect(one.reserve(first, 500)).toBe(true);
    expect(two.reserve(second, 101)).toBe(false);
    expect(two.reserve(second, 100)).toBe(true);
    expect(two.rootBytes).toBe(1000);
    one.release(first);
    expect(two.rootBytes).toBe(500);
    // Less came than was announced.
    two.settle(second, 60, 0);
    expect(one.rootBytes).toBe(460);
  });

  test("lose what was replaced, and are never below zero", () => {
    const { one } = ledgers();
    one.setRootBytes(100);
    const claim = one.claim("a", "x", false);
    one.reserve(claim, 30);
    one.settle(claim, 30, 90);
    expect(one.rootBytes).toBe(40);
    one.settle(one.claim("a", "x", false), 0, 1000);
    expect(one.rootBytes).toBe(0);
  });
});

describe("a client's bytes", () => {
  const quotas = { clientBytesMax: 100, clientWindowMs: 1000 };

  test("are its own, across shards and uploads", () => {
    const { one, two } = ledgers(quotas);
    const first = one.claim("a", "x", false);
    expect(one.reserve(first, 60)).toBe(true);
    one.settle(first, 60, 0);
    const second = two.claim("b", "x", false);
    expect(two.reserve(second, 41)).toBe(false);
    expect(two.reserve(second, 40)).toBe(true);
    const other = two.claim("c", "y", false);
    expect(two.reserve(other, 100)).toBe(true);
  });

  test("come back when nothing came of them, or less than was announced", () => {
    const { one } = ledgers(quotas);
    const first = one.claim("a", "x", false);
    one.reserve(first, 100);
    one.release(first);
    const second = one.claim("a", "x", false);
    expect(one.reserve(second, 100)).toBe(true);
    one.settle(second, 30, 0);
    const third = one.claim("b", "x", false);
    expect(one.reserve(third, 71)).toBe(false);
    expect(one.reserve(third, 70)).toBe(true);
  });

  test("fade as the window moves on", () => {
    const { one, clock } = ledgers(quotas);
    const first = one.claim("a", "x", false);
    one.reserve(first, 100);
    one.settle(first, 100, 0);
    const claim = one.claim("b", "x", false);
    clock.ms += 999;
    expect(one.reserve(claim, 1)).toBe(false);
    // Half of the period before is still within the window.
    clock.ms += 501;
    expect(one.reserve(claim, 51)).toBe(false);
    expect(one.reserve(claim, 50)).toBe(true);
    clock.ms += 10_000;
    expect(one.reserve(claim, 100)).toBe(true);
  });

  test("do not grow when the clock is set back", () => {
    const { one, clock } = ledgers(quotas);
    const first = one.claim("a", "x", false);
    one.reserve(first, 40);
    one.settle(first, 40, 0);
    clock.ms += 1000;
    const claim = one.claim("b", "x", false);
    clock.ms -= 500_000;
    expect(one.reserve(claim, 61)).toBe(false);
    expect(one.reserve(claim, 60)).toBe(true);
  });

  test("are forgotten for the one with the fewest when there are too many clients", () => {
    const { one } = ledgers(quotas, 2);
    const first = one.claim("a", "heavy", false);
    one.reserve(first, 100);
    one.settle(first, 100, 0);
    for (let client = 0; client < 5000; client += 1) {
      const claim = one.claim("b", `light-${client}`, false);
      expect(one.reserve(claim, 10)).toBe(true);
      one.settle(claim, 10, 0);
    }
    expect(one.reserve(one.claim("a", "heavy", false), 1)).toBe(false);
  });
});

describe("a shard that died", () => {
  test("has its claims given back when its successor says so, and not before", () => {
    const { one, two, view } = ledgers({ rootBytesMax: 100, clientBytesMax: 100 });
    const dead = one.claim("a", "x", false);
    one.reserve(dead, 100);
    const traces: UploadTraces = {
      fd: 77,
      folderFd: 78,
      versionsFd: 79,
      hidden: Int32Array.of(1, -2, 3),
      kept: Int32Array.of(4, -5, 6),
      replacedBytes: 2 ** 40,
    };
    one.note(dead, traces);
    const alive = two.claim("b", "y", false);
    const successor = view(0);
    successor.adopt();
    expect(two.claim("a", "y", false)).toBe(ClaimRefusal.taken);
    const own = successor.claim("c", "z", false);
    expect(successor.left()).toEqual([[dead, traces]]);
    successor.release(dead);
    expect(successor.left()).toEqual([]);
    expect(two.rootBytes).toBe(0);
    expect(two.claim("a", "x", false)).toBeGreaterThanOrEqual(0);
    // Those of the living are theirs.
    expect(two.claim("c", "y", false)).toBe(ClaimRefusal.taken);
    expect(successor.claim("b", "z", false)).toBe(ClaimRefusal.taken);
    successor.release(own);
    two.release(alive);
  });

  test("with the lock in its hand does not stop the others", () => {
    const memory = createUploadLedger(4);
    // As 1 + its number in the first word says.
    new Int32Array(memory)[0] = 1;
    const successor = new UploadLedger(memory, 0, unlimited);
    successor.adopt();
    expect(new UploadLedger(memory, 1, unlimited).claim("a", "x", false)).toBeGreaterThanOrEqual(0);
  });
});

test("threads that reserve at the same time lose no byte", async () => {
  const memory = createUploadLedger(16);
  const rounds = 20_000;
  const url = new URL("ledger.worker.ts", import.meta.url);
  const workers = [0, 1, 2].map(
    (shard) => new Worker(url, { workerData: { memory, shard, rounds } }),
  );
  await Promise.all(
    workers.map(
      (worker) =>
        new Promise((resolve, reject) => {
          worker.on("exit", resolve);
          worker.on("error", reject);
        }),
    ),
  );
  expect(new UploadLedger(memory, 9, unlimited).rootBytes).toBe(3 * 3 * rounds);
});

test("quotas that are adjusted hold for what is in use, and for claims that were made before", () => {
  const { one } = ledgers({ clientBytesMax: 100 });
  const claim = one.claim("a", "x", false);
  expect(one.reserve(claim, 80)).toBe(true);
  one.adjust({ ...unlimited, clientBytesMax: 90 });
  expect(one.reserve(claim, 20)).toBe(false);
  one.adjust(unlimited);
  expect(one.reserve(claim, 1000)).toBe(true);
  one.adjust({ ...unlimited, rootBytesMax: 1080 });
  expect(one.reserve(claim, 1)).toBe(false);
});

test("a date that jumps gives no quota back, and takes none", () => {
  const quotas = { rootBytesMax: 0, clientBytesMax: 100, clientWindowMs: 3_600_000 };
  const ledger = new UploadLedger(createUploadLedger(4), 0, quotas);
  const upload = (bytes: number): boolean => {
    const claim = ledger.claim("a", "x", false);
    const isReserved = ledger.reserve(claim, bytes);
    if (isReserved) ledger.settle(claim, bytes, 0);
    else ledger.release(claim);
    return isReserved;
  };
  try {
    expect(upload(60)).toBe(true);
    setSystemTime(new Date(Date.now() + 1e10));
    expect(upload(60)).toBe(false);
    setSystemTime(new Date(0));
    expect(upload(60)).toBe(false);
    expect(upload(40)).toBe(true);
  } finally {
    setSystemTime();
  }
});
