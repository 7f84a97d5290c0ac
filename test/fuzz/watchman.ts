// The watchman of `bun run fuzz`, a thread of its own: where the count of inputs stands still for too long it says what input that is, and
// ends the process, which would not end by itself.

import { writeSync } from "node:fs";
import { workerData } from "node:worker_threads";

/** What it is told: the memory that watch.ts describes. */
export interface Post {
  readonly memory: SharedArrayBuffer;
  readonly names: readonly string[];
  readonly patienceS: number;
}

const post = workerData as Post;
const words = new Int32Array(post.memory, 0, 3);
let last = -1;
let silentS = 0;

setInterval(() => {
  const count = Atomics.load(words, 0);
  silentS = count === last ? silentS + 1 : 0;
  last = count;
  if (silentS >= post.patienceS) report();
}, 1000);

function report(): void {
  const [, place = 0, length = 0] = words;
  const { memory, names, patienceS } = post;
  const input = new Uint8Array(memory.slice(12, 12 + length)).toHex();
  const name = names[place] ?? "";
  writeSync(
    2,
    `${name}: no end after ${patienceS} s\n\nagain: bun run fuzz --target ${name} --input ${input || '""'}\n`,
  );
  process.kill(process.pid, "SIGKILL");
}
