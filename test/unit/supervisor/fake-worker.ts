// A stand-in for a shard's module: it greets, obeys the control word, and fails as the root folder's name tells it to.

import { basename } from "node:path";
import { type MessagePort, parentPort, receiveMessageOnPort } from "node:worker_threads";

import { threadId } from "#io/thread.ts";
import {
  ControlWord,
  ShardCommand,
  type ShardMessage,
  type ShardTerms,
  type UploadRecord,
  type WorkerStart,
} from "#server/contract.ts";
import { Counter } from "#server/measures.ts";

const granted = { isOn: true, because: "" };
const fastPaths = {
  recvmmsg: granted,
  sendmmsg: granted,
  gso: granted,
  openat2: granted,
  spin: granted,
};

parentPort?.once("message", live);

function live({ init, terms }: WorkerStart): void {
  const { shardIndex } = init;
  const behaviour = basename(init.terms.settings.rootDir);
  const control = new Int32Array(init.control);
  Atomics.store(control, ControlWord.threadId, threadId());
  const counters = new Float64Array(init.counters);
  // The first counter counts lives, so that a replacement behaves differently from the first worker.
  const life = (counters[0] ?? 0) + 1;
  counters[0] = life;
  if (behaviour === "works-and-dies") counters[Counter.datagramsSent] = life;
  if (behaviour === "dies-always") throw new TypeError("cannot live");
  if (behaviour === "works-and-dies" && life <= 20) throw new TypeError("died at work");
  say({ kind: "ready", shardIndex, fastPaths });
  if (behaviour === "dies-once" && life === 1) throw new TypeError("died once");
  if (behaviour === "loops-once" && life === 1) for (;;);
  if (behaviour === "hangs") for (;;);
  if (behaviour === "uploads" && shardIndex === 0) {
    const { rootDir } = init.terms.settings.uploads;
    say({ kind: "records", shardIndex, records: JSON.stringify([uploaded(rootDir)]) });
  }
  // A shard rests while it waits, and this one does nothing else.
  Atomics.store(control, ControlWord.pulse, 0);
  obey(init, terms, life);
}

/** Waits for commands, as a shard without transfers does; a drain is obeyed late or never, as by one with a slow transfer. */
function obey(
  { shardIndex, control, terms }: WorkerStart["init"],
  port: MessagePort,
  life: number,
) {
  const words = new Int32Array(control);
  const behaviour = basename(terms.settings.rootDir);
  const isEndless = behaviour === "drains-never";
  const isMortal = behaviour === "drains-and-dies" && shardIndex === 0 && life === 1;
  let { generation } = terms;
  let hasDrained = false;
  for (;;) {
    const command = Atomics.load(words, ControlWord.command);
    if (command >= ShardCommand.stop) break;
    if (command === ShardCommand.drain && isMortal) throw new TypeError("died of draining");
    if (command >= ShardCommand.drain && !hasDrained && !isEndless) {
      hasDrained = true;
      say({ kind: "drained", shardIndex });
    }
    if (Atomics.load(words, ControlWord.generation) > generation) {
      generation = takeTerms(shardIndex, port, life);
    }
    Atomics.wait(words, ControlWord.command, command, 5);
  }
  say({ kind: "stopped", shardIndex });
}

/** Dies, keeps silent, or goes by what has come, as the new root folder's name says. */
function takeTerms(shardIndex: number, port: MessagePort, life: number): number {
  const received = receiveMessageOnPort(port) as { readonly message: ShardTerms };
  const { generation, settings } = received.message;
  const told = basename(settings.rootDir);
  if (told === "dies-of-it" && life === 1) throw new TypeError("died of its terms");
  if (told !== "silent") say({ kind: "switched", shardIndex, generation });
  return generation;
}

function say(message: ShardMessage): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
  parentPort?.postMessage(message);
}

function uploaded(rootDir: string): UploadRecord {
  return {
    kind: "upload",
    transferId: 1,
    timeMs: Date.now(),
    peer: "10.0.0.7:2070",
    interfaceIndex: 0,
    listener: 0,
    localAddress: undefined,
    name: "sw1.cfg",
    rootDir,
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
