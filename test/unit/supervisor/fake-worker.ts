// A stand-in for a shard's module: it greets, obeys the control word, and fails as the root folder's name tells it to.

import { basename } from "node:path";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";

import {
  ControlWord,
  ShardCommand,
  type ShardMessage,
  type ShardTerms,
  type UploadRecord,
  type WorkerStart,
} from "#server/contract.ts";

const { init, terms } = workerData as WorkerStart;
const behaviour = basename(init.terms.settings.rootDir);
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
let { generation } = init.terms;
for (;;) {
  const command = Atomics.load(control, ControlWord.command);
  if (command >= wanted) break;
  if (Atomics.load(control, ControlWord.generation) > generation) takeTerms();
  Atomics.wait(control, ControlWord.command, command, 5);
}
say({ kind: "stopped", shardIndex: init.shardIndex });

/** Dies, keeps silent, or goes by what has come, as the new root folder's name says. */
function takeTerms(): void {
  const received = receiveMessageOnPort(terms) as { readonly message: ShardTerms };
  ({ generation } = received.message);
  const told = basename(received.message.settings.rootDir);
  if (told === "dies-of-it" && lives[0] === 1) throw new TypeError("died of its terms");
  if (told !== "silent") say({ kind: "switched", shardIndex: init.shardIndex, generation });
}

function uploaded(): UploadRecord {
  return {
    kind: "upload",
    timeMs: Date.now(),
    peer: "10.0.0.7:2070",
    interfaceIndex: 0,
    name: "sw1.cfg",
    rootDir: init.terms.settings.uploads.rootDir,
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
    rttUs: 0,
    options: "",
    sha256: undefined,
    isVerified: false,
    isReplacement: false,
    isVersioned: false,
  };
}
