// The server whose network loses datagrams (end-to-end tests): src/main.ts with lossy-worker.ts in the place of its worker. It
// runs only when it is bundled with them (bundled.ts), because a thread that loads a hundred sources starts slowly.

import { main } from "#cli/main.ts";

process.exit(
  await main(process.argv.slice(2), {
    workerUrl: new URL("lossy-worker.js", import.meta.url),
    diskWorkerUrl: new URL("disk-worker.js", import.meta.url),
  }),
);
