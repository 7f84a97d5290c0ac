// A disk thread that is not there: jobs are done one after the other at times of the simulation, by the code that a disk thread
// runs, unless the disk is slow, full or broken. Like a thread it outlives the shard that has submitted them.

import type { Random } from "#base/random.ts";
import { DiskCall } from "#ffi/disk-call.ts";
import { Errno } from "#ffi/errno.ts";
import { DiskJobs } from "#storage/disk-job.ts";
import type { DiskOwner, DiskQueue } from "#storage/disk-queue.ts";

import type { Agenda } from "./agenda.ts";

/** Probabilities are 0–1 and apply to each job. */
export interface DiskFaults {
  /** The time of one job, at the most. */
  readonly jobUs: number;
  /** A job takes `stallUs` instead. */
  readonly stall: number;
  readonly stallUs: number;
  readonly full: number;
  readonly broken: number;
  /** A write takes less than it was given. */
  readonly short: number;
  /** What is read is not in memory, and a disk thread must fetch it. */
  readonly cold: number;
}

export const soundDisk: DiskFaults = {
  jobUs: 100,
  stall: 0,
  stallUs: 0,
  full: 0,
  broken: 0,
  short: 0,
  cold: 0,
};

interface Job {
  readonly owner: DiskOwner;
  readonly token: number;
  readonly call: number;
  readonly numbers: readonly [number, number, number, number, number];
  readonly queue: View;
}

/** As many as a ring has room for would never be reached. */
const JOBS_MAX = 32;

/** Calls that a full disk refuses, and those that a broken one does. The others give back, and succeed. */
const mayBeFull: ReadonlySet<number> = new Set([DiskCall.pwrite, DiskCall.fsync, DiskCall.linkat]);
const mayBreak: ReadonlySet<number> = new Set([
  DiskCall.pread,
  DiskCall.pwrite,
  DiskCall.fsync,
  DiskCall.fchmod,
  DiskCall.renameat2,
]);

export class SimulatedDisk {
  readonly #agenda: Agenda;
  readonly #random: Random;
  #faults: DiskFaults;
  readonly #ring: () => void;
  readonly #jobs: DiskJobs = new DiskJobs();
  readonly #submitted: Job[] = [];
  #isBusy = false;
  /** How often it failed or kept somebody waiting. */
  faults = 0;

  /** `ring` is the doorbell. */
  constructor(agenda: Agenda, random: Random, faults: DiskFaults, ring: () => void) {
    this.#agenda = agenda;
    this.#random = random;
    this.#faults = faults;
    this.#ring = ring;
  }

  /** Whether a read must not be answered from memory now. */
  get isCold(): boolean {
    return this.#random.chance(this.#faults.cold);
  }

  /** The queue as a new shard sees it: what another has submitted is cancelled, but for the job in hand. */
  open(): DiskQueue {
    const [inHand] = this.#isBusy ? this.#submitted : [];
    for (const job of this.#submitted.splice(inHand === undefined ? 0 : 1)) {
      job.queue.answer(job, -Errno.ECANCELED);
    }
    return new View(this.#submit, inHand?.queue);
  }

  /** Other faults from now on. */
  calm(faults: DiskFaults): void {
    this.#faults = faults;
  }

  readonly #submit = (job: Job): void => {
    this.#submitted.push(job);
    this.#begin();
  };

  #begin(): void {
    if (this.#isBusy || this.#submitted.length === 0) return;
    this.#isBusy = true;
    const { jobUs, stall, stallUs } = this.#faults;
    const isStalled = this.#random.chance(stall);
    const stalls = isStalled ? 1 : 0;
    this.faults += stalls;
    this.#agenda.after(isStalled ? stallUs : 1 + this.#random.below(jobUs), () => {
      // Who came meanwhile was kept waiting, too.
      this.faults += stalls;
      this.#end();
    });
  }

  #end(): void {
    const job = this.#submitted.shift();
    this.#isBusy = false;
    if (job === undefined) return;
    job.queue.answer(job, this.#resultOf(job));
    this.#ring();
    this.#begin();
  }

  #resultOf({ call, numbers }: Job): number {
    const [a, b, c, d, e] = numbers;
    const { full, broken, short } = this.#faults;
    const isFull = mayBeFull.has(call) && this.#random.chance(full);
    const isBroken = mayBreak.has(call) && this.#random.chance(broken);
    if (isFull || isBroken) {
      this.faults += 1;
      return isFull ? -Errno.ENOSPC : -Errno.EIO;
    }
    const isShort = call === DiskCall.pwrite && c > 1 && this.#random.chance(short);
    return this.#jobs.run(call, a, b, isShort ? 1 + this.#random.below(c - 1) : c, d, e);
  }
}

/** One shard's end. */
class View implements DiskQueue {
  pending = 0;
  readonly #submit: (job: Job) => void;
  readonly #earlier: View | undefined;
  readonly #answered: { readonly job: Job; readonly result: number }[] = [];
  /** Jobs that are not done. They are, in the end, even where nobody is left to be told. */
  #unfinished = 0;

  constructor(submit: (job: Job) => void, earlier: View | undefined) {
    this.#submit = submit;
    this.#earlier = earlier;
  }

  get isSettled(): boolean {
    return this.#earlier === undefined || this.#earlier.#unfinished === 0;
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
    this.pending += 1;
    this.#unfinished += 1;
    this.#submit({ owner, token, call, numbers: [a, b, c, d, e], queue: this });
    return true;
  }

  answer(job: Job, result: number): void {
    this.#unfinished -= 1;
    this.#answered.push({ job, result });
  }

  reap(): number {
    const answered = this.#answered.splice(0);
    for (const { job, result } of answered) {
      this.pending -= 1;
      job.owner.handleDisk(job.token, result);
    }
    return answered.length;
  }
}
