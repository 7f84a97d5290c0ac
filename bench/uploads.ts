// Runs the load of uploads (bench), as measure.ts runs that of downloads.
// On core 1, as a process of its own.

import { putArgs, type PutPlan, type PutResult } from "./load-put.ts";

export async function runUploads(plan: PutPlan): Promise<PutResult> {
  const load = [process.execPath, `${import.meta.dir}/load-put.ts`, ...putArgs(plan)];
  const child = Bun.spawn(["taskset", "-c", "1", ...load], { stdout: "pipe", stderr: "inherit" });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error("the load ended with an error");
  return JSON.parse(text) as PutResult;
}
