// A disk thread (storage layer): makes the system calls that a shard must not wait for, one after the other, until it is told
// to end. It sleeps in Atomics.wait and never returns to its event loop. A job that breaks it is answered −EIO by its successor.

import { workerData } from "node:worker_threads";

import { Errno } from "#ffi/errno.ts";
import { signalEventfd } from "#ffi/eventfd.ts";
import { holdAs, NO_HOLDER } from "#ffi/holdings.ts";

import { DiskJobs } from "./disk-job.ts";
import { DiskRing, type DiskThreadInit, Word } from "./disk-ring.ts";

serve(workerData as DiskThreadInit);

function serve(init: DiskThreadInit): void {
  holdAs(init.holdings, NO_HOLDER);
  const ring = new DiskRing(init.ring);
  const { words } = ring;
  const jobs = new DiskJobs();
  let done = Atomics.load(words, Word.done);
  const answer = (result: number): void => {
    ring.jobs[ring.place(done)] = result;
    done = (done + 1) | 0;
    Atomics.store(words, Word.done, done);
    signalEventfd(init.doorbellFd);
  };
  // What the thread before this one had begun when it died: nobody knows whether it was done.
  if (Atomics.load(words, Word.begun) !== done) answer(-Errno.EIO);
  for (;;) {
    const wake = Atomics.load(words, Word.wake);
    if (Atomics.load(words, Word.submitted) === done) {
      if (Atomics.load(words, Word.end) !== 0) return;
      Atomics.wait(words, Word.wake, wake);
      continue;
    }
    Atomics.store(words, Word.begun, (done + 1) | 0);
    answer(isCancelled(words, done) ? -Errno.ECANCELED : run(ring, jobs, ring.place(done)));
  }
}

function isCancelled(words: Int32Array, job: number): boolean {
  return ((Atomics.load(words, Word.cancelled) - job) | 0) > 0;
}

function run(ring: DiskRing, jobs: DiskJobs, place: number): number {
  return jobs.run(
    ring.number(place, 0),
    ring.number(place, 1),
    ring.number(place, 2),
    ring.number(place, 3),
    ring.number(place, 4),
    ring.number(place, 5),
  );
}
