// The executable's entry (no layer: it only ties the command line to the worker's module). Their URLs are made here,
// because only this file keeps its place relative to them both in the source tree and inside the bundled executable.

import { main } from "#cli/main.ts";

process.exit(
  await main(process.argv.slice(2), {
    workerUrl: new URL("./server/worker.ts", import.meta.url),
    diskWorkerUrl: new URL("./storage/disk-worker.ts", import.meta.url),
  }),
);
