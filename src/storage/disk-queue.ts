// The shard's end of its disk threads (storage layer): a job goes to a thread, and its result comes back to its owner at the
// next `reap`. Never waits. Whatever else can make system calls for a shard fits behind `DiskQueue`.

import { assert } from "#base/assert.ts";
import { at, f64At } from "#base/bytes.ts";

import { DiskRing, type DiskThreadInit, JOBS_MAX, Word } from "./disk-ring.ts";

/** Gets the results of the jobs that it has submitted. */
export interface DiskOwner {
  /** `token` is the owner's own, `result` ≥ 0 or −errno. May submit more, to any queue. */
  handleDisk(token: number, result: number): void;
}

/** A queue of jobs that are done one after the other. */
export interface DiskQueue {
  /** Jobs that have not been answered. */
  readonly pending: number;
  /** Whether jobs of an earlier shard, which died, may still be under way; its descriptors must stay open until they are not. */
  readonly isSettled: boolean;
  /**
   * Submits `call` (of DiskCall or HashCall) with its arguments. Memory that they point to is the queue's until the result
   * comes. False: the queue is full; ask again after the next {@link reap}.
   */
  submit(
    owner: DiskOwner,
    token: number,
    call: number,
    a: number,
    b?: number,
    c?: number,
    d?: number,
    e?: number,
  ): boolean;
  /** Hands out the results that have come. Returns how many. */
  reap(): number;
}

/** A queue that one thread works off. */
export class ThreadQueue implements DiskQueue {
  readonly #ring: DiskRing;
  readonly #owners: (DiskOwner | undefined)[] = Array.from({ length: JOBS_MAX }, () => undefined);
  readonly #tokens: Float64Array = new Float64Array(JOBS_MAX);
  #submitted: number;
  #reaped: number;
  /** Jobs before this count were an earlier shard's. */
  readonly #adopted: number;

  /** Takes over the ring, and has what an earlier shard left in it cancelled. */
  constructor(init: DiskThreadInit) {
    this.#ring = new DiskRing(init.ring);
    const { words } = this.#ring;
    this.#submitted = Atomics.load(words, Word.submitted);
    // Results of an earlier shard that it had not reaped are nobody's.
    this.#reaped = Atomics.load(words, Word.done);
    this.#adopted = this.#submitted;
    Atomics.store(words, Word.cancelled, this.#adopted);
  }

  get pending(): number {
    return (this.#submitted - this.#reaped) | 0;
  }

  get isSettled(): boolean {
    return ((this.#reaped - this.#adopted) | 0) >= 0;
  }

  submit(
    owner: DiskOwner,
    token: number,
    call: number,
    a: number,
    b = 0,
    c = 0,
    d = 0,
    e = 0,
  ): boolean {
    if (this.pending === JOBS_MAX) return false;
    const ring = this.#ring;
    const { jobs } = ring;
    const place = ring.place(this.#submitted);
    jobs[place] = call;
    jobs[place + 1] = a;
    jobs[place + 2] = b;
    jobs[place + 3] = c;
    jobs[place + 4] = d;
    jobs[place + 5] = e;
    const slot = this.#submitted & (JOBS_MAX - 1);
    this.#owners[slot] = owner;
    this.#tokens[slot] = token;
    this.#submitted = (this.#submitted + 1) | 0;
    Atomics.store(ring.words, Word.submitted, this.#submitted);
    ring.wake();
    return true;
  }

  reap(): number {
    if (this.#reaped === this.#submitted) return 0;
    const done = Atomics.load(this.#ring.words, Word.done);
    let count = 0;
    while (this.#reaped !== done) {
      const job = this.#reaped;
      const slot = job & (JOBS_MAX - 1);
      const result = this.#ring.number(this.#ring.place(job), 0);
      this.#reaped = (job + 1) | 0;
      if (((job - this.#adopted) | 0) < 0) continue;
      const owner = this.#owners[slot];
      assert(owner !== undefined, "every job has an owner");
      this.#owners[slot] = undefined;
      owner.handleDisk(f64At(this.#tokens, slot), result);
      count += 1;
    }
    return count;
  }
}

/** All disk queues of one shard. */
export class Disk {
  readonly #queues: readonly DiskQueue[];

  constructor(queues: readonly DiskQueue[]) {
    assert(queues.length > 0, "a shard has at least one disk queue");
    this.#queues = queues;
  }

  /** Whether nothing of a dead shard is under way any more. */
  get isSettled(): boolean {
    return this.#queues.every((queue) => queue.isSettled);
  }

  /** Jobs of all queues that have not been answered. */
  get pending(): number {
    return this.#queues.reduce((sum, queue) => sum + queue.pending, 0);
  }

  /** The queue with the fewest jobs. Jobs that depend on each other's order stay in one. */
  leastLoaded(): DiskQueue {
    let least = at(this.#queues, 0);
    for (const queue of this.#queues) if (queue.pending < least.pending) least = queue;
    return least;
  }

  /** Hands out the results that have come, of all queues. */
  reap(): void {
    for (const queue of this.#queues) queue.reap();
  }
}
