// A server with workers of a test's own (end-to-end tests): the real sources, bundled with `NAME-server.ts` and `NAME-worker.ts` of this
// folder, as a program. Production has none of what those workers do.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { type Server, type ServerOptions, startServer } from "./server.ts";

const here: string = import.meta.dir;

/** Starts one with `workers` workers, whose log is events as JSON; `tables` begin in [performance.platform.worker_pool]. Its workers' deaths are no failure of the test. */
export async function startBundled(
  name: "mortal" | "lossy",
  workers: number,
  options: ServerOptions = {},
): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), `snow-owl-${name}-`));
  const { success } = await Bun.build({
    entrypoints: [
      join(here, `${name}-server.ts`),
      join(here, `${name}-worker.ts`),
      resolve(here, "../../src/storage/disk-worker.ts"),
    ],
    outdir: folder,
    naming: "[name].[ext]",
    target: "bun",
  });
  if (!success) throw new Error(`bundling ${name}-server.ts failed`);
  const tables = [
    "[logging]",
    'format = "json"',
    "[performance.platform.worker_pool]",
    `worker_count = ${workers}`,
    ...(options.tables ?? []),
  ];
  const program = [process.execPath, join(folder, `${name}-server.js`)];
  const server = await startServer({ ...options, tables, program });
  const stop = async (): Promise<void> => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { ...server, stop, [Symbol.asyncDispose]: stop };
}
