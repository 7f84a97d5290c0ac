// The executable's entry (no layer: it only ties the command line to the worker's module). The worker's URL is made here,
// because only this file keeps its place relative to the worker both in the source tree and inside the bundled executable.

import { main } from "#cli/main.ts";

process.exit(await main(process.argv.slice(2), new URL("./server/worker.ts", import.meta.url)));
