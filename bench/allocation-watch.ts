// Runs the load while the thread that started this one is a shard (bench), and tells that shard to end when the load has.
// A thread of its own, because a shard never returns to its event loop.

import { workerData } from "node:worker_threads";

import { ringDoorbell } from "#io/start.ts";
import { ShardCommand } from "#server/contract.ts";

import type { LoadPlan } from "./load.ts";

/** The shard's control word and doorbell, and what the load does. */
export interface WatchInit {
  readonly control: SharedArrayBuffer;
  readonly doorbellFd: number;
  readonly load: LoadPlan;
}

const { control, doorbellFd, load } = workerData as WatchInit;
const program = [process.execPath, `${import.meta.dir}/load.ts`];
const child = Bun.spawn([...program, JSON.stringify(load)], {
  stdout: "ignore",
  stderr: "inherit",
});
await child.exited;
Atomics.store(new Int32Array(control), 0, ShardCommand.drain);
ringDoorbell(doorbellFd);
