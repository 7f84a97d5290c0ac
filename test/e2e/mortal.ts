// A server with workers that can be killed (end-to-end tests): mortal-server.ts as a program. A request for `die-throwing` has the
// worker that reads it throw, `die-looping` never come back, and `die-waiting` wait in the kernel, where nothing can end it.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { type Server, type ServerOptions, startServer } from "./server.ts";

const here: string = import.meta.dir;

/** Starts one with `workers` workers, whose log is events as JSON; `tables` begin in [performance.platform.worker_pool]. Its workers' deaths are no failure of the test. */
export async function startMortal(workers: number, options: ServerOptions = {}): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "snow-owl-mortal-"));
  const { success } = await Bun.build({
    entrypoints: [
      join(here, "mortal-server.ts"),
      join(here, "mortal-worker.ts"),
      resolve(here, "../../src/storage/disk-worker.ts"),
    ],
    outdir: folder,
    naming: "[name].[ext]",
    target: "bun",
  });
  if (!success) throw new Error("bundling mortal-server.ts failed");
  const tables = [
    "[logging]",
    'format = "json"',
    "[performance.platform.worker_pool]",
    `worker_count = ${workers}`,
    ...(options.tables ?? []),
  ];
  const program = [process.execPath, join(folder, "mortal-server.js")];
  const server = await startServer({ ...options, tables, program });
  const stop = async (): Promise<void> => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { ...server, stop, [Symbol.asyncDispose]: stop };
}

/** The events of workers that have died, in order. */
export function deathsOf(server: Server): readonly Readonly<Record<string, unknown>>[] {
  const lines = server.log().split("\n");
  return lines
    .filter((line) => line.includes('"worker_replaced"'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
