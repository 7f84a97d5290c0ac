// A server with workers that can be killed (end-to-end tests): mortal-server.ts as a program. A request for `die-throwing` has the
// worker that reads it throw, `die-looping` never come back, and `die-waiting` wait in the kernel, where nothing can end it.

import { startBundled } from "./bundled.ts";
import type { Server, ServerOptions } from "./server.ts";

/** See {@link startBundled}. */
export async function startMortal(workers: number, options: ServerOptions = {}): Promise<Server> {
  return startBundled("mortal", workers, options);
}

/** The events of workers that have died, in order. */
export function deathsOf(server: Server): readonly Readonly<Record<string, unknown>>[] {
  const lines = server.log().split("\n");
  return lines
    .filter((line) => line.includes('"worker_replaced"'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
