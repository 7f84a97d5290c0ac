// A worker thread (server layer): runs one shard until it ends, and says so. Never returns to its event loop
// meanwhile; what it has to say goes out by postMessage, which does not need one.

import { parentPort, workerData } from "node:worker_threads";

import { assert } from "#base/assert.ts";
import { pinThread } from "#io/thread.ts";

import type { ShardInit, ShardMessage } from "./contract.ts";
import { fastPaths } from "./fast-paths.ts";
import { Shard } from "./shard.ts";

const init = workerData as ShardInit;
const { shardIndex } = init;

if (init.settings.workerAffinity) pinThread(shardIndex);
const paths = fastPaths(init.settings);
const shard = new Shard(init, paths, (records) => say({ kind: "records", shardIndex, records }));
say({ kind: "ready", shardIndex, fastPaths: paths });
shard.run();
say({ kind: "stopped", shardIndex });

function say(message: ShardMessage): void {
  assert(parentPort !== null, "this file runs as a worker");
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker port has no origin
  parentPort.postMessage(message);
}
