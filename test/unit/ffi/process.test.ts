// Tests of facts about this process, and of keeping a thread on chosen processors.

import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";

import { Errno } from "#ffi/errno.ts";
import {
  availableCores,
  effectiveUid,
  monotonicNow,
  pageBytes,
  setAffinity,
} from "#ffi/process.ts";

import { afterwards, cleanUp } from "./rig.ts";

afterEach(cleanUp);

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

test("the monotonic clock is that of the machine, and goes on", () => {
  const uptimeUs = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1e6;
  const first = monotonicNow();
  // The uptime counts the time in suspension too, and is rounded down to a hundredth of a second.
  expect(first).toBeGreaterThan(0);
  expect(monotonicNow()).toBeGreaterThanOrEqual(first);
  expect(uptimeUs).toBeLessThan(monotonicNow() + SUSPENDED_US_MAX);
});

/** A machine that has slept longer than this was not made for tests. */
const SUSPENDED_US_MAX = 30 * 86_400e6;
