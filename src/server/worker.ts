// A worker thread (server layer): runs one shard until it ends, and says so. Never returns to its event loop
// meanwhile; what it has to say goes out by postMessage, which does not need one.

import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";

import { assert } from "#base/assert.ts";
import { pinThread } from "#io/thread.ts";

import type { ShardMessage, ShardTerms, WorkerStart } from "./contract.ts";
import { fastPaths } from "./fast-paths.ts";
import { Shard } from "./shard.ts";

const { init, terms: port } = workerData as WorkerStart;
const { shardIndex } = init;
const { settings } = init.terms;

if (settings.workerAffinity) pinThread(shardIndex);
const paths = fastPaths(settings);
const shard = new Shard(init, paths, {
  deliver: (records) => say({ kind: "records", shardIndex, records }),
  newestTerms,
  switched: (generation) => say({ kind: "switched", shardIndex, generation }),
});
say({ kind: "ready", shardIndex, fastPaths: paths });
shard.run();
say({ kind: "stopped", shardIndex });

/** The last of the terms that have come in; the ones before it were never in force here. */
function newestTerms(): ShardTerms | undefined {
  let newest: ShardTerms | undefined;
  for (;;) {
    const received: { readonly message: ShardTerms } | undefined = receiveMessageOnPort(port);
    if (received === undefined) return newest;
    newest = received.message;
  }
}

function say(message: ShardMessage): void {
  assert(parentPort !== null, "this file runs as a worker");
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker port has no origin
  parentPort.postMessage(message);
}
