// A worker thread (server layer): waits to be told whose place it takes, then runs that shard until it ends, and says so. Never
// returns to its event loop meanwhile; what it has to say goes out by postMessage, which does not need one.

import { type MessagePort, parentPort, receiveMessageOnPort } from "node:worker_threads";

import { assert } from "#base/assert.ts";
import { giveBackLeft, holdAs, holderOf, pinThread, threadId } from "#io/thread.ts";

import {
  ControlWord,
  type ShardMessage,
  type ShardOrder,
  type ShardTerms,
  type WorkerStart,
} from "./contract.ts";
import { fastPaths } from "./fast-paths.ts";
import { Shard } from "./shard.ts";

assert(parentPort !== null, "this file runs as a worker");
parentPort.once("message", serve);

function serve({ init, terms, orders, life, fastPaths: known }: WorkerStart): void {
  const { shardIndex, control } = init;
  holdAs(init.holdings, holderOf(shardIndex, life));
  const { settings } = init.terms;
  Atomics.store(new Int32Array(control), ControlWord.threadId, threadId());
  if (settings.workerAffinity) pinThread(shardIndex);
  const paths = known ?? fastPaths(settings);
  const shard = new Shard(init, paths, {
    deliver: (records) => say({ kind: "records", shardIndex, records: JSON.stringify(records) }),
    newestTerms: () => (received(terms) as readonly ShardTerms[]).at(-1),
    newOrders: () => received(orders) as readonly ShardOrder[],
    progressed: (progress) => say({ kind: "progress", shardIndex, progress }),
    switched: (generation) => say({ kind: "switched", shardIndex, generation }),
    settled: () => void giveBackLeft(),
    drained: () => say({ kind: "drained", shardIndex }),
    closed: () => say({ kind: "closed", shardIndex }),
  });
  say({ kind: "ready", shardIndex, fastPaths: paths });
  try {
    shard.run();
  } catch (fault) {
    shard.reportLast();
    throw fault;
  }
  say({ kind: "stopped", shardIndex });
}

/** What has come in, oldest first. Of terms only the last counts; the ones before it were never in force here. */
function received(port: MessagePort): readonly unknown[] {
  const messages: unknown[] = [];
  for (;;) {
    const next: { readonly message: unknown } | undefined = receiveMessageOnPort(port);
    if (next === undefined) return messages;
    messages.push(next.message);
  }
}

function say(message: ShardMessage): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker port has no origin
  parentPort?.postMessage(message);
}
