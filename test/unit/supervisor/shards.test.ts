// The supervision of worker threads, with a stand-in for the shard's module.

import { expect, test } from "bun:test";

import { defaults } from "#config/config.ts";
import { resolveSettings } from "#config/settings.ts";
import { createDoorbell } from "#io/start.ts";
import { createAnswers } from "#server/answers.ts";
import { CONTROL_BYTES, ShardCommand, type ShardInit, type ShardTerms } from "#server/contract.ts";
import { createLimitMemory } from "#server/limit-memory.ts";
import { COUNTERS } from "#server/measures.ts";
import { Shards } from "#supervisor/shards.ts";

const fakeWorker = new URL("fake-worker.ts", import.meta.url);

test("the shards are ready once, when the last of them is", async () => {
  const watched = watch("drains", 3);
  watched.shards.start();
  await watched.happened("ready");
  watched.shards.stop();
  await watched.happened("ended");
  expect(watched.log).toEqual(["ready", "ended"]);
});

test("a worker that dies is replaced, and its error is told", async () => {
  const watched = watch("dies-once", 1);
  watched.shards.start();
  await watched.happened("died");
  await watched.happened("second life");
  watched.shards.stop();
  await watched.happened("ended");
  expect(watched.log[1]).toMatch(/^died 0: TypeError: died once/);
  expect(watched.log.at(-1)).toBe("ended");
});

test("workers that die again and again are given up", async () => {
  const watched = watch("dies-always", 1);
  watched.shards.start();
  await watched.happened("hopeless");
  const delays = watched.log.flatMap((line) => /^died .* after (\d+)$/.exec(line)?.[1] ?? []);
  expect(delays.map(Number)).toEqual([0, 50, 100, 200, 400, 800]);
  expect(watched.log).toContainEqual(expect.stringMatching(/^hopeless: TypeError: cannot live/));
});

test("a worker that has worked is replaced at once, however often it dies", async () => {
  const watched = watch("works-and-dies", 1);
  watched.shards.start();
  await watched.happened("ready");
  const deaths = watched.log.filter((line) => line.startsWith("died"));
  expect(deaths).toHaveLength(20);
  for (const death of deaths) expect(death).toMatch(/^died 0: TypeError: died at work .* after 0$/);
  expect(watched.shards.replacements).toBe(20);
  watched.shards.stop();
  await watched.happened("ended");
});

test("a worker in a loop without end is found by its processor time, ended, and replaced", async () => {
  const watched = watch("loops-once", 1);
  watched.shards.start();
  await watched.happened("died");
  await watched.happened("second life");
  expect(watched.log[1]).toMatch(/^stuck 0: state R, [1-9]\d{3} ms of processor time$/);
  expect(watched.log[2]).toMatch(/^died 0: stuck in one turn for /);
  watched.shards.stop();
  await watched.happened("ended");
}, 60_000);

test("a shard that has drained ends when all have", async () => {
  const watched = watch("drains", 2);
  watched.shards.start();
  await watched.happened("ready");
  watched.shards.drain();
  await watched.happened("ended");
  expect(watched.log).toEqual(["ready", "ended"]);
});

test("a worker that dies while others drain is replaced, so that clients are told", async () => {
  const watched = watch("drains-and-dies", 2);
  watched.shards.start();
  await watched.happened("ready");
  watched.shards.drain();
  await watched.happened("ended");
  expect(watched.log[1]).toMatch(/^died 0: TypeError: died of draining/);
  expect(watched.shards.total(0)).toBe(3);
});

test("stop overrules a drain that does not end, and drain never takes a stop back", async () => {
  const watched = watch("drains-never", 1);
  watched.shards.start();
  await watched.happened("ready");
  watched.shards.drain();
  expect(watched.command()).toBe(ShardCommand.drain);
  watched.shards.stop();
  watched.shards.drain();
  expect(watched.command()).toBe(ShardCommand.stop);
  await watched.happened("ended");
});

test("every shard goes by the new terms before the switch is over", async () => {
  const watched = watch("drains", 3);
  watched.shards.start();
  await watched.happened("ready");
  for (let generation = 1; generation <= 100; generation += 1) {
    await watched.shards.switchTo(termsOf("any", generation));
  }
  watched.shards.stop();
  await watched.happened("ended");
  expect(watched.log).toEqual(["ready", "ended"]);
});

test("a shard that dies of new terms is not waited for, and its successor begins with them", async () => {
  const watched = watch("drains", 1);
  watched.shards.start();
  await watched.happened("ready");
  await watched.shards.switchTo(termsOf("dies-of-it", 1));
  await watched.happened("second life");
  expect(watched.log[1]).toMatch(/^died 0: TypeError: died of its terms/);
  // The successor knows of generation 1, so that only the next is news to it.
  await watched.shards.switchTo(termsOf("any", 2));
  watched.shards.stop();
  await watched.happened("ended");
  expect(watched.log.filter((line) => line.startsWith("died"))).toHaveLength(1);
});

test("a switch waits for a shard that has not acknowledged, and ends with it", async () => {
  const watched = watch("drains", 2);
  watched.shards.start();
  await watched.happened("ready");
  let isOver = false;
  const switching = watched.shards.switchTo(termsOf("silent", 1)).then(() => (isOver = true));
  await Bun.sleep(50);
  expect(isOver).toBe(false);
  watched.shards.stop();
  await switching;
  await watched.happened("ended");
  await watched.shards.switchTo(termsOf("any", 2));
});

interface Watched {
  readonly shards: Shards;
  readonly log: string[];
  readonly command: () => number;
  /** Resolves when a line of the log starts with `event`; `second life`: when a worker has been started twice. */
  readonly happened: (event: string) => Promise<void>;
}

function termsOf(rootDir: string, generation: number): ShardTerms {
  const settings = {
    ...resolveSettings(defaults, { cores: 1, memoryBytes: 1e9 }),
    rootDir,
    stuckMs: 3000,
  };
  return { generation, settings, folderFds: [-1], linkTargetFds: [], writes: undefined };
}

function watch(rootDir: string, count: number): Watched {
  const limits = createLimitMemory({ shards: 2, transfersPerShard: 1 }, 1);
  const inits: ShardInit[] = Array.from({ length: count }, (_, shardIndex) => ({
    shardIndex,
    terms: termsOf(rootDir, 0),
    listeners: [],
    doorbellFd: doorbell(),
    disks: [],
    limits,
    answers: createAnswers(1),
    control: new SharedArrayBuffer(CONTROL_BYTES),
    holdings: new SharedArrayBuffer(0),
    counters: new SharedArrayBuffer(COUNTERS * 8),
  }));
  const log: string[] = [];
  const shards = new Shards(inits, fakeWorker, {
    ready: () => void log.push("ready"),
    progress() {},
    record: (record) => void log.push(`record ${record.kind}`),
    stuck: (shard, { doing }) => void log.push(`stuck ${shard}: ${doing}`),
    died: (shard, { error }, delayMs) => void log.push(`died ${shard}: ${error} after ${delayMs}`),
    lost: (records) => void log.push(`lost ${records}`),
    hopeless: (error) => void log.push(`hopeless: ${error}`),
    unending: (shard) => void log.push(`unending ${shard}`),
    ended: () => void log.push("ended"),
  });
  const happened = async (event: string): Promise<void> => {
    const isSeen = (): boolean =>
      event === "second life" ? shards.total(0) >= 2 : log.some((line) => line.startsWith(event));
    while (!isSeen()) await Bun.sleep(2);
  };
  const [first] = inits;
  const command = (): number =>
    first === undefined ? -1 : Atomics.load(new Int32Array(first.control), 0);
  return { shards, log, happened, command };
}

function doorbell(): number {
  const fd = createDoorbell();
  if (typeof fd !== "number") throw new Error(fd.fault);
  return fd;
}
