// A stand-in for a shard's module: it greets, obeys the control word, and fails as the root folder's name tells it to.

import { basename } from "node:path";
import { parentPort, workerData } from "node:worker_threads";

import {
  ShardCommand,
  type ShardInit,
  type ShardMessage,
  type UploadRecord,
} from "#server/contract.ts";

const init = workerData as ShardInit;
const behaviour = basename(init.settings.rootDir);
const control = new Int32Array(init.control);
const lives = new Float64Array(init.counters);

function say(message: ShardMessage): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
  parentPort?.postMessage(message);
}

const granted = { isOn: true, because: "" };
const fastPaths = {
  recvmmsg: granted,
  sendmmsg: granted,
  gso: granted,
  openat2: granted,
  spin: granted,
};

// The first counter counts lives, so that a replacement behaves differently from the first worker.
lives[0] = (lives[0] ?? 0) + 1;
if (behaviour === "dies-always") throw new TypeError("cannot live");
say({ kind: "ready", shardIndex: init.shardIndex, fastPaths });
if (behaviour === "dies-once" && lives[0] === 1) throw new TypeError("died once");
if (behaviour === "hangs") for (;;);
if (behaviour === "uploads" && init.shardIndex === 0) {
  say({ kind: "records", shardIndex: 0, records: [uploaded()] });
}
// Drain is obeyed late or never, as a shard with a slow transfer does.
const wanted = behaviour === "drains-never" ? ShardCommand.stop : ShardCommand.drain;
for (;;) {
  const command = Atomics.load(control, 0);
  if (command >= wanted) break;
  Atomics.wait(control, 0, command, 5);
}
say({ kind: "stopped", shardIndex: init.shardIndex });

function uploaded(): UploadRecord {
  return {
    kind: "upload",
    timeMs: Date.now(),
    peer: "10.0.0.7:2070",
    name: "sw1.cfg",
    path: "sw1.cfg",
    target: "sw1.cfg",
    mode: "octet",
    outcome: "complete",
    isSuccess: true,
    bytes: 5,
    durationUs: 1000,
    blockBytes: 512,
    windowBlocks: 1,
    blocksReceived: 1,
    duplicates: 0,
    timeouts: 0,
    options: "",
    sha256: undefined,
    isVerified: false,
    isReplacement: false,
    isVersioned: false,
  };
}
