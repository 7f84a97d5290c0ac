// Tests of what a process has used: its own work, that of a child that it waited for, and that of threads that have ended.

import { expect, test } from "bun:test";

import { cpuSecondsBetween, type ProcessUsage, processUsage } from "#io/process-usage.ts";

const WORK_MS = 120;

function usage(pid: number): ProcessUsage {
  const found = processUsage(pid);
  if (found === undefined) throw new Error(`there is no process ${pid}`);
  return found;
}

/** Works until this thread has had so much processor time, however busy the machine is. */
const work = `const t = process.cpuUsage(); while (process.cpuUsage(t).user + process.cpuUsage(t).system < ${WORK_MS}000);`;

test("work counts, waiting does not", async () => {
  const before = usage(process.pid);
  const startMs = process.cpuUsage();
  while (process.cpuUsage(startMs).user + process.cpuUsage(startMs).system < WORK_MS * 1000);
  const after = usage(process.pid);
  expect(cpuSecondsBetween(before, after)).toBeWithin(WORK_MS / 2000, 30);
  expect(after.rssBytesPeak).toBeGreaterThanOrEqual(after.rssBytes);
  await Bun.sleep(20);
  expect(usage(process.pid).switchesVoluntary).toBeGreaterThan(before.switchesVoluntary);
});

test("so does that of a child that was waited for", async () => {
  const shell = Bun.spawn(["sh", "-c", `read x; ${process.execPath} -e '${work}'; read x`], {
    stdin: "pipe",
  });
  const before = usage(shell.pid);
  void shell.stdin.write("\n");
  void shell.stdin.flush();
  // Of a child that has ended the kernel tells ticks, which a busy machine does not count to the last.
  const enough = WORK_MS / 2000;
  for (let tries = 0; tries < 1000 && cpuOf(before, shell.pid) < enough; tries += 1) {
    await Bun.sleep(20);
  }
  expect(cpuOf(before, shell.pid)).toBeGreaterThanOrEqual(enough);
  shell.kill("SIGKILL");
  await shell.exited;
});

test("and that of threads that have ended", () => {
  const before = usage(process.pid);
  // What a thread did that is gone is in no file of a thread any more.
  const after = { ...before, userSeconds: before.userSeconds + 3 };
  expect(cpuSecondsBetween(before, after)).toBeCloseTo(3);
  const precise = { ...after, preciseSeconds: before.preciseSeconds + 2.97 };
  expect(cpuSecondsBetween(before, precise)).toBeCloseTo(2.97);
});

test("a process that is not there has used nothing", () => {
  expect(processUsage(2 ** 22 + 1)).toBeUndefined();
});

function cpuOf(before: ProcessUsage, pid: number): number {
  return cpuSecondsBetween(before, usage(pid));
}
