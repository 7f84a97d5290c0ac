// How many system calls a process makes under a load (bench): by perf, which counts, or by strace, which slows what it looks at, so that more waits at
// each call and fewer are needed.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";

import type { LoadPlan } from "./load.ts";
import { runLoad, type Subject } from "./measure.ts";

/** As long as strace takes to attach to a dozen threads, several times over. */
const ATTACH_MS = 1000;

/** Of all threads, by `strace -c -f`; undefined where there is no strace. */
export async function straceCalls({ pid }: Subject, plan: LoadPlan): Promise<number | undefined> {
  if (Bun.which("strace") === null) return undefined;
  const folder = await mkdtemp(`${tmpdir()}/snow-owl-strace-`);
  try {
    const path = `${folder}/calls`;
    const strace = Bun.spawn(["strace", "-c", "-f", "-o", path, "-p", String(pid)], {
      stdout: "ignore",
      stderr: "ignore",
    });
    await Bun.sleep(ATTACH_MS);
    await runLoad(plan);
    strace.kill("SIGINT");
    await strace.exited;
    return totalIn(await Bun.file(path).text());
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The calls on the last line of what `strace -c` prints: `100.00    1.234567           3    411520      1037 total`. */
export function totalIn(table: string): number {
  const [, calls] = /^\s*[\d.]+\s+[\d.]+\s+\d*\s+(\d+)\s.*\btotal$/m.exec(table) ?? [];
  if (calls === undefined) throw new Error(`strace counted nothing:\n${table}`);
  return Number(calls);
}
