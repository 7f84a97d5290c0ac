// Run as a thread by hostile-tree.ts: swaps files, folders and links of a tree for one another until it is told to stop.
// What is swapped in leads outside; what is swapped out stands outside for a moment.

import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { workerData } from "node:worker_threads";

interface Swaps {
  /** The tree's folder. */
  readonly folder: string;
  /** Pairs of names, relative to it, that change places. */
  readonly pairs: readonly (readonly [string, string])[];
  /** Three words: not 0 asks for the end; the count of swaps; 1 when it has ended. */
  readonly control: SharedArrayBuffer;
}

const { folder, pairs, control } = workerData as Swaps;
/** More often than uploads could make something again. */
const TRIES_MAX = 100;
const words = new Int32Array(control);
const aside = join(folder, "aside");

for (let index = 0; Atomics.load(words, 0) === 0; index += 1) {
  const [one = "", other = ""] = pairs[index % pairs.length] ?? [];
  move(join(folder, one), aside);
  move(join(folder, other), join(folder, one));
  move(aside, join(folder, other));
  Atomics.add(words, 1, 1);
  Atomics.notify(words, 1);
}
Atomics.store(words, 2, 1);
Atomics.notify(words, 2);

function move(from: string, to: string): void {
  for (let tries = 1; ; tries += 1) {
    try {
      renameSync(from, to);
      return;
    } catch (cause) {
      if (tries === TRIES_MAX) throw cause;
      // An upload has made something of that name in the moment without it.
      rmSync(to, { recursive: true, force: true });
    }
  }
}
