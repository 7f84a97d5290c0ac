// What a shard and one of its disk threads share (storage layer): a ring of jobs in memory that both see, filled by the one and
// worked off in order by the other, each of them the only one to do so. Results come back in the jobs' own places.

import { f64At } from "#base/bytes.ts";

/** What both ends are given: the ring, and the eventfd that tells the shard of results. */
export interface DiskThreadInit {
  readonly ring: SharedArrayBuffer;
  /** Where threads note what they hold: a descriptor that is closed for a shard is none of the shard's any more. */
  readonly holdings: SharedArrayBuffer;
  readonly doorbellFd: number;
}

/**
 * Most jobs of one thread that are not answered yet. Each upload has a few writes or one other call under way, and each
 * chunk of the file cache one read: a guess that lets hundreds of each wait. Who finds it full asks again.
 */
export const JOBS_MAX = 1024;

/** Indexes of the control words. Counts of jobs only rise, and wrap at 32 bits. */
export const Word = {
  /** Jobs that the shard has put in. */
  submitted: 0,
  /** Jobs that the thread has begun. */
  begun: 1,
  /** Jobs whose results are there. */
  done: 2,
  /** Jobs before this count are answered −ECANCELED instead of being begun: their owner is dead. */
  cancelled: 3,
  /** Not 0: the thread ends as soon as nothing is to be done. */
  end: 4,
  /** Changes with every reason to wake up; the thread sleeps on it. */
  wake: 5,
} as const;

const WORDS = 8;
/** A job: operation and five arguments. The result takes the place of the operation. */
const JOB_NUMBERS = 6;

/** Views of a ring. */
export class DiskRing {
  readonly words: Int32Array;
  /** {@link JOB_NUMBERS} for each job; addresses, lengths and offsets are exact in a float. */
  readonly jobs: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    const wordsBytes = WORDS * Int32Array.BYTES_PER_ELEMENT;
    this.words = new Int32Array(memory, 0, WORDS);
    this.jobs = new Float64Array(memory, wordsBytes, JOBS_MAX * JOB_NUMBERS);
  }

  /** Where the `count`-th job stands in {@link jobs}. */
  place(count: number): number {
    return (count & (JOBS_MAX - 1)) * JOB_NUMBERS;
  }

  /** Wakes the thread, which looks at everything again. */
  wake(): void {
    Atomics.add(this.words, Word.wake, 1);
    Atomics.notify(this.words, Word.wake);
  }

  /** Number `index` of the job at `place`. */
  number(place: number, index: number): number {
    return f64At(this.jobs, place + index);
  }
}

/** Memory for a ring. */
export function createDiskRing(): SharedArrayBuffer {
  const numbers = JOBS_MAX * JOB_NUMBERS;
  return new SharedArrayBuffer(
    WORDS * Int32Array.BYTES_PER_ELEMENT + numbers * Float64Array.BYTES_PER_ELEMENT,
  );
}

/** How many jobs of `memory` have been answered; wraps at 32 bits. */
export function jobsDone(memory: SharedArrayBuffer): number {
  return Atomics.load(new DiskRing(memory).words, Word.done);
}

/** Has the thread of `memory` end when its jobs are done. */
export function endDiskThread(memory: SharedArrayBuffer): void {
  const ring = new DiskRing(memory);
  Atomics.store(ring.words, Word.end, 1);
  ring.wake();
}
