// What the service manager is told: by a manager that listens here, and by shards that turn when the test says so.

import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ServiceManager } from "#io/service-manager.ts";
import { Counter } from "#server/measures.ts";
import { Notices } from "#supervisor/notices.ts";
import { Watchdog } from "#supervisor/watchdog.ts";

import { DatagramService } from "../../datagram-service.ts";

const folder = mkdtempSync(join(tmpdir(), "snow-owl-notices-"));
const path = join(folder, "notify");
let service = new DatagramService(path);
afterEach(() => {
  service[Symbol.dispose]();
  rmSync(path);
  service = new DatagramService(path);
});

/** Shards of which the test says how they are. */
class FakeShards {
  counts: (number | undefined)[] = [1, 1];
  nudges = 0;
  readonly totals = new Map<number, number>();

  turns(): readonly (number | undefined)[] {
    return [...this.counts];
  }

  nudge(): void {
    this.nudges += 1;
  }

  total(index: number): number {
    return this.totals.get(index) ?? 0;
  }
}

/** Everything that was said, each datagram as its lines. */
function heard(): string[][] {
  return service.waiting().map((text) => text.split("\n"));
}

test("the life of a server, in order", () => {
  const variables: NodeJS.ProcessEnv = { NOTIFY_SOCKET: path, OTHER: "1" };
  const shards = new FakeShards();
  shards.totals.set(Counter.transfersActive, 3);
  shards.totals.set(Counter.writeEnds, 1);
  const notices = new Notices(new ServiceManager(variables, 1), shards);
  notices.ready();
  notices.reloading();
  notices.reloaded();
  notices.stopping(11_000);
  notices.end();
  const [ready, reloading, reloaded, stopping, ...more] = heard();
  expect(ready).toEqual([
    "READY=1",
    "STATUS=serving; transfers: 3 under way, 1 complete, 0 failed",
  ]);
  expect(reloading?.[0]).toBe("RELOADING=1");
  expect(reloading?.[1]).toMatch(/^MONOTONIC_USEC=\d{6,}$/);
  expect(reloaded).toEqual(["READY=1"]);
  expect(stopping).toEqual([
    "STOPPING=1",
    "STATUS=waiting for 3 transfers to end",
    "EXTEND_TIMEOUT_USEC=11000000",
  ]);
  expect(more).toEqual([]);
  expect(variables).toEqual({ OTHER: "1" });
});

describe("the watchdog", () => {
  test("is asked for by the manager, of this process", () => {
    const asked = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "30000000" };
    expect(patienceOf({ ...asked })).toBe(30_000);
    expect(patienceOf({ ...asked, WATCHDOG_PID: "7" })).toBe(30_000);
    expect(patienceOf({ ...asked, WATCHDOG_PID: "8" })).toBeUndefined();
    expect(patienceOf({ NOTIFY_SOCKET: path })).toBeUndefined();
    expect(patienceOf({ WATCHDOG_USEC: "30000000" })).toBeUndefined();
  });

  test("is fed while every shard turns", async () => {
    expect(await feedings([1, 1])).toBeGreaterThanOrEqual(3);
  });

  test("starves when one of them does not", async () => {
    expect(await feedings([1, 0])).toBe(0);
  });

  test("does not wait for one that is being replaced", async () => {
    expect(await feedings([1, undefined])).toBeGreaterThanOrEqual(3);
  });
});

/** How often it is fed while each shard takes so many turns when it is nudged; undefined: it has no worker. */
async function feedings(turns: readonly (number | undefined)[]): Promise<number> {
  const shards = new FakeShards();
  let fed = 0;
  const watchdog = new Watchdog(3, shards, () => (fed += 1));
  for (let nudges = 0; nudges < 5;) {
    await Bun.sleep(1);
    if (shards.nudges === nudges) continue;
    nudges = shards.nudges;
    shards.counts = shards.counts.map((count, shard) => {
      const more = turns[shard];
      return more === undefined ? undefined : (count ?? 0) + more;
    });
  }
  watchdog.end();
  return fed;
}

function patienceOf(variables: NodeJS.ProcessEnv, pid = 7): number | undefined {
  return new ServiceManager(variables, pid).watchdogMs;
}

test("a manager that is not there changes nothing", () => {
  const notices = new Notices(
    new ServiceManager({ NOTIFY_SOCKET: join(folder, "nobody") }, 1),
    new FakeShards(),
  );
  notices.ready();
  notices.end();
  expect(heard()).toEqual([]);
});
