// Tests of facts about this process, and of keeping a thread on chosen processors.

import { afterEach, describe, expect, test } from "bun:test";
import { readlinkSync } from "node:fs";
import { Worker } from "node:worker_threads";

import { Errno } from "#ffi/errno.ts";
import {
  availableCores,
  effectiveUid,
  monotonicClockUs,
  pageBytes,
  setAffinity,
  threadId,
} from "#ffi/process.ts";
import { monotonicUs } from "#io/clock.ts";

import { afterwards, cleanUp } from "./rig.ts";

afterEach(cleanUp);

test("a thread has the number that the kernel lists it by", () => {
  expect(readlinkSync("/proc/thread-self")).toBe(`${process.pid}/task/${threadId()}`);
});

describe("processors", () => {
  test("are those that the kernel lists for this thread", async () => {
    const status = await Bun.file("/proc/thread-self/status").text();
    const list = /^Cpus_allowed_list:\s+(?<list>\S+)$/m.exec(status)?.groups?.["list"] ?? "";
    const expected = list.split(",").flatMap((range) => {
      const [first = 0, last = first] = range.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
    expect(availableCores()).toEqual(expected);
  });

  test("can be narrowed to each one alone, and widened again", () => {
    const all = availableCores();
    afterwards(() => expect(setAffinity(all)).toBe(0));
    expect(all.length).toBeGreaterThan(0);
    for (const core of all) {
      expect(setAffinity([core])).toBe(0);
      expect(availableCores()).toEqual([core]);
    }
    expect(setAffinity(all)).toBe(0);
    expect(availableCores()).toEqual(all);
  });

  test("that do not exist are refused, and nothing changes", () => {
    const all = availableCores();
    for (const cores of [[], [4095], [4096], [-1], [0.5], [Number.NaN]]) {
      expect(setAffinity(cores)).toBe(-Errno.EINVAL);
    }
    expect(availableCores()).toEqual(all);
  });
});

test("the effective user and the page size are the process's own", () => {
  expect(effectiveUid()).toBe(process.geteuid?.() ?? -1);
  const reported = Bun.spawnSync(["getconf", "PAGESIZE"]).stdout.toString().trim();
  expect(pageBytes()).toBe(Number(reported));
});

test("the clock is the same in every thread, and a shard's clock goes by it", async () => {
  const module = new URL("../../../src/io/clock.ts", import.meta.url).pathname;
  const source = `
    const { monotonicUs } = require(${JSON.stringify(module)});
    require("node:worker_threads").parentPort.postMessage(monotonicUs());`;
  const beforeUs = monotonicClockUs();
  const worker = new Worker(source, { eval: true });
  const { promise, resolve } = Promise.withResolvers<number>();
  worker.on("message", resolve);
  expect(await promise).toBeWithin(beforeUs, monotonicClockUs());
  expect(monotonicUs()).toBeWithin(beforeUs, monotonicClockUs() + 1);
});
