// What the fuzzer is at, in memory that its watchman sees: an input that never comes to an end cannot be told by who judges it. Only the
// command line is watched, for a test would not end by it.

import { Worker } from "node:worker_threads";

import type { Target } from "./target.ts";
import { targets } from "./targets.ts";
import type { Post } from "./watchman.ts";

/** How long one input may take. The dearest take seconds, on a busy machine: a pattern with many counts, on a name that grows. */
const PATIENCE_S = 60;

/** Inputs so far, the target's place in {@link targets}, the input's length, and the input. */
const HEADER_WORDS = 3;

export class Watch {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #worker: Worker;

  constructor(inputBytesMax: number) {
    const memory = new SharedArrayBuffer(4 * HEADER_WORDS + inputBytesMax);
    this.#words = new Int32Array(memory, 0, HEADER_WORDS);
    this.#bytes = new Uint8Array(memory, 4 * HEADER_WORDS);
    const post: Post = { memory, names: targets.map(({ name }) => name), patienceS: PATIENCE_S };
    this.#worker = new Worker(new URL("./watchman.ts", import.meta.url), { workerData: post });
  }

  /** The target is given this input now. */
  note(target: Target, input: Uint8Array): void {
    const known = input.subarray(0, this.#bytes.length);
    this.#bytes.set(known);
    this.#words[1] = targets.indexOf(target);
    this.#words[2] = known.length;
    Atomics.add(this.#words, 0, 1);
  }

  end(): void {
    void this.#worker.terminate();
  }
}
