// Tests of the clock that all threads share.

import { afterEach, expect, setSystemTime, test } from "bun:test";
import { Worker } from "node:worker_threads";

import { bootMs } from "#ffi/clock.ts";

afterEach(() => {
  setSystemTime();
});

test("counts on whatever the date does", async () => {
  const before = bootMs();
  setSystemTime(new Date(0));
  const inThePast = bootMs();
  setSystemTime(new Date(2 ** 42));
  await Bun.sleep(2);
  const after = bootMs();
  expect(inThePast).toBeGreaterThanOrEqual(before);
  expect(after).toBeGreaterThan(inThePast);
  expect(after - before).toBeLessThan(60_000);
});

test("is the machine's, and so every thread's", async () => {
  const before = bootMs();
  const worker = new Worker(new URL("clock.worker.ts", import.meta.url));
  const there = await new Promise<number>((resolve) => {
    worker.on("message", resolve);
  });
  expect(there).toBeGreaterThanOrEqual(before);
  expect(there).toBeLessThanOrEqual(bootMs());
});
