// The supervision of disk threads, which are real: a thread that dies is replaced on its ring, and deaths that repeat are told.

import { expect, test } from "bun:test";

import { createDoorbell } from "#io/start.ts";
import { createHoldings } from "#io/thread.ts";
import { ThreadQueue } from "#storage/disk-queue.ts";
import { diskInits, DiskThreads } from "#supervisor/disk-threads.ts";

import { Results } from "../storage/rig.ts";

const workerUrl = new URL("../../../src/storage/disk-worker.ts", import.meta.url);
/** Not in the table of calls: an assertion in the thread. */
const DEADLY = 999;

test("a disk thread that dies is replaced, and what waited behind its last job is done", async () => {
  const { queues, threads, log } = started();
  const [queue] = queues;
  const results = new Results();
  queue?.submit(results, 1, DEADLY, 0);
  queue?.submit(results, 2, 2, -1);
  await until(() => (queue?.reap() ?? 0) > 0 && results.list.length === 2);
  expect(results.list.map(([token]) => token)).toEqual([1, 2]);
  expect(log).toEqual([expect.stringMatching(/^died \w*Error: a job is one of the table/)]);
  threads.end();
});

test("disk threads that die again and again are given up", async () => {
  const { queues, threads, log } = started();
  const results = new Results();
  for (let job = 0; job < 7; job += 1) queues[0]?.submit(results, job, DEADLY, 0);
  await until(() => log.length === 7);
  expect(log.map((line) => line.split(" ")[0])).toEqual([
    ...Array.from({ length: 6 }, () => "died"),
    "hopeless",
  ]);
  threads.end();
});

interface Started {
  readonly queues: readonly ThreadQueue[];
  readonly threads: DiskThreads;
  readonly log: string[];
}

function started(): Started {
  const doorbellFd = createDoorbell();
  if (typeof doorbellFd !== "number") throw new Error(doorbellFd.fault);
  const inits = diskInits(doorbellFd, 2, createHoldings());
  expect(inits.length).toBeGreaterThan(1);
  const log: string[] = [];
  const threads = new DiskThreads(inits, workerUrl, {
    died: (error) => void log.push(`died ${error}`),
    hopeless: (error) => void log.push(`hopeless ${error}`),
  });
  threads.start();
  return { queues: inits.map((init) => new ThreadQueue(init)), threads, log };
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await Bun.sleep(1);
}
