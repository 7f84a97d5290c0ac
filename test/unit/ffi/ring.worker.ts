// A thread that rings a doorbell as often as it is told, for epoll.test.ts.

import { workerData } from "node:worker_threads";

import { signalEventfd } from "#ffi/eventfd.ts";

const { bell, rings } = workerData as { readonly bell: number; readonly rings: number };
for (let ring = 0; ring < rings; ring++) signalEventfd(bell);
