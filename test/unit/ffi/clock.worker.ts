// Tells the time on the clock that all threads share. Run by clock.test.ts.

import { parentPort } from "node:worker_threads";

import { bootMs } from "#ffi/clock.ts";

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
parentPort?.postMessage(bootMs());
