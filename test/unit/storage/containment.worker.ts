// Run as a thread by containment.test.ts: swaps files, folders and links of a tree for one another until it is told to stop.
// What is swapped in leads outside; what is swapped out stands outside for a moment.

import { renameSync } from "node:fs";
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
const words = new Int32Array(control);
const aside = join(folder, "aside");

for (let index = 0; Atomics.load(words, 0) === 0; index += 1) {
  const [one = "", other = ""] = pairs[index % pairs.length] ?? [];
  renameSync(join(folder, one), aside);
  renameSync(join(folder, other), join(folder, one));
  renameSync(aside, join(folder, other));
  Atomics.add(words, 1, 1);
  Atomics.notify(words, 1);
}
Atomics.store(words, 2, 1);
Atomics.notify(words, 2);
