// The client's loop (client layer): several transfers at a time, each with a socket of its own, in bounded turns. Synchronous;
// it sleeps in one place, and comes back when it was told to, so that its caller can draw and listen to signals.

import { assert } from "#base/assert.ts";
import { monotonicUs } from "#io/clock.ts";
import { Inbox } from "#io/inbox.ts";
import { tryKernel } from "#io/kernel-report.ts";
import { Waiter } from "#io/waiter.ts";
import { type Patience, patienceUs } from "#protocol/requester.ts";
import { OutgoingFile } from "#storage/outgoing.ts";
import { OpenRefusal } from "#storage/root.ts";

import type { ClientListener, Ending, Job, Progress, Terms, Trace } from "./contract.ts";
import { GetSide } from "./get.ts";
import type { Paths } from "./link.ts";
import { PutSide } from "./put.ts";
import type { Side } from "./side.ts";
import { type Surroundings, Transfer } from "./transfer.ts";

/** Datagrams of one receive call: a usual window, twice. */
const BATCH_DATAGRAMS = 32;
/** The longest UDP payload, so that a block that is too long is seen to be. Memory is taken as it is touched. */
const DATAGRAM_BYTES = 65_536;
/** How long a loop spins before it sleeps: the server's own figure (docs/performance.md), from the other end. */
const SPIN_US = 200;
/** Without a timeout of the user's: the first wait (RFC 6298), and the longest, which is what most clients wait. */
const FIRST_TIMEOUT_US = 1_000_000;
const TIMEOUT_US_MAX = 5_000_000;

/** A transfer that has a socket, and what is known of it here. */
interface Running {
  readonly job: number;
  readonly transfer: Transfer;
  fd: number;
  groupFd: number;
  isFull: boolean;
  hasReported: boolean;
}

export class Client {
  readonly #jobs: readonly Job[];
  readonly #parallelMax: number;
  readonly #listener: ClientListener;
  readonly #surroundings: Surroundings;
  readonly #inbox: Inbox;
  readonly #waiter: Waiter = new Waiter(SPIN_US);
  /** By the place of the job in the list. */
  readonly #running: Map<number, Running> = new Map();
  #nextJob = 0;
  #isCancelled = false;

  /** Runs `jobs`, at most `parallelMax` at a time, in their order. */
  constructor(
    jobs: readonly Job[],
    terms: Terms,
    parallelMax: number,
    listener: ClientListener,
    trace?: Trace,
  ) {
    assert(parallelMax >= 1, "something runs");
    this.#jobs = jobs;
    this.#parallelMax = parallelMax;
    this.#listener = listener;
    const paths = pathsOfKernel();
    this.#surroundings = { terms, patience: patienceOf(terms), paths, trace };
    this.#inbox = new Inbox(BATCH_DATAGRAMS, DATAGRAM_BYTES, paths.canReceiveBatches);
  }

  /** Jobs that run now, with how far each has come. */
  get progress(): readonly { readonly job: number; readonly progress: Progress }[] {
    return [...this.#running.values()]
      .filter(({ hasReported }) => !hasReported)
      .map(({ job, transfer }) => ({ job, progress: transfer.progress }));
  }

  /** Takes turns until `untilUs`, or until every job is over. Returns whether they are. */
  run(untilUs: number): boolean {
    for (;;) {
      const nowUs = monotonicUs();
      this.#startJobs(nowUs);
      if (this.#running.size === 0) return true;
      if (nowUs >= untilUs) return false;
      this.#turn(untilUs);
    }
  }

  /** Ends what runs, and starts nothing more. {@link run} then reports the ends. */
  cancel(): void {
    this.#isCancelled = true;
    for (const { transfer } of this.#running.values()) transfer.cancel(monotonicUs());
    this.#settle();
  }

  close(): void {
    for (const { transfer } of this.#running.values()) transfer.close();
    this.#running.clear();
    this.#waiter.close();
    this.#inbox.unmap();
  }

  #startJobs(nowUs: number): void {
    while (!this.#isCancelled && this.#running.size < this.#parallelMax) {
      const job = this.#nextJob;
      const what = this.#jobs[job];
      if (what === undefined) return;
      this.#nextJob += 1;
      this.#listener.handleStart(job);
      const side = this.#sideOf(what);
      if (typeof side === "string") {
        this.#listener.handleEnd(job, localEnding(side));
        continue;
      }
      const transfer = new Transfer(what, side, this.#surroundings, nowUs);
      const unwatched = { fd: -1, groupFd: -1, isFull: false };
      this.#running.set(job, { job, transfer, ...unwatched, hasReported: false });
      this.#transmit(nowUs);
    }
  }

  #sideOf(job: Job): Side | string {
    const idleUs = patienceUs(this.#surroundings.patience);
    if (job.kind === "get") return new GetSide(job, idleUs);
    const file = OutgoingFile.open(job.path);
    return typeof file === "number" ? readFault(file) : new PutSide(job, file, idleUs);
  }

  #turn(untilUs: number): void {
    let wakeUs = untilUs;
    for (const { transfer } of this.#running.values()) {
      wakeUs = Math.min(wakeUs, transfer.deadlineUs);
    }
    const ready = this.#waiter.wait(monotonicUs(), wakeUs, true);
    const nowUs = monotonicUs();
    for (let index = 0; index < ready; index += 1) {
      const token = this.#waiter.token(index);
      const running = this.#running.get(jobOf(token));
      if (running === undefined) continue;
      if (this.#waiter.isWritable(index)) running.transfer.handleRoom();
      if (!this.#waiter.isReadable(index)) continue;
      if (token === groupToken(running.job)) this.#receiveFromGroup(running, nowUs);
      else this.#receive(running, nowUs);
    }
    for (const { transfer } of this.#running.values()) {
      if (nowUs >= transfer.deadlineUs) transfer.handleTimeout(nowUs);
    }
    this.#transmit(nowUs);
  }

  #receive({ fd, transfer }: Running, nowUs: number): void {
    const count = this.#inbox.receive(fd);
    if (count <= 0) {
      transfer.handleSilence();
      return;
    }
    for (let index = 0; index < count; index += 1) {
      transfer.handleDatagram(this.#inbox, index, nowUs);
    }
    this.#inbox.recycle(count);
  }

  #receiveFromGroup({ transfer }: Running, nowUs: number): void {
    const { groupFd } = transfer;
    const count = groupFd < 0 ? 0 : this.#inbox.receive(groupFd);
    if (count <= 0) return;
    for (let index = 0; index < count; index += 1) {
      transfer.handleGroupDatagram(this.#inbox, index, nowUs);
    }
    this.#inbox.recycle(count);
  }

  /** Has every transfer send what is due, and watches their sockets. */
  #transmit(nowUs: number): void {
    for (const running of this.#running.values()) {
      const { job, transfer } = running;
      transfer.transmit(nowUs);
      const { fd, groupFd, isFull } = transfer;
      if (fd !== running.fd) {
        // A socket that was closed is watched no longer: epoll(7).
        if (fd >= 0) this.#waiter.watch(fd, socketToken(job));
        running.fd = fd;
        running.isFull = false;
      }
      if (groupFd !== running.groupFd) {
        if (groupFd >= 0) this.#waiter.watch(groupFd, groupToken(job));
        running.groupFd = groupFd;
      }
      if (isFull !== running.isFull) {
        this.#waiter.watchWritable(socketToken(job), isFull);
        running.isFull = isFull;
      }
    }
    this.#settle();
  }

  /** Reports what is over, and forgets what does not linger. */
  #settle(): void {
    for (const running of this.#running.values()) {
      const { job, transfer } = running;
      if (!transfer.isOver) continue;
      if (!running.hasReported) {
        running.hasReported = true;
        this.#listener.handleEnd(job, transfer.ending);
      }
      if (transfer.isLingering && !this.#isCancelled) continue;
      transfer.close();
      this.#running.delete(job);
    }
  }
}

// What is watched: two sockets of each job.

function socketToken(job: number): number {
  return 2 * job;
}

function groupToken(job: number): number {
  return 2 * job + 1;
}

function jobOf(token: number): number {
  return token >>> 1;
}

/** What this kernel grants, found by trying. */
function pathsOfKernel(): Paths {
  const missing = tryKernel(["recvmmsg", "sendmmsg", "UDP_SEGMENT"]);
  return {
    canReceiveBatches: !missing.has("recvmmsg"),
    canSendBatches: !missing.has("sendmmsg"),
    canSegment: !missing.has("UDP_SEGMENT"),
  };
}

function patienceOf({ timeoutS, retries }: Terms): Patience {
  const firstTimeoutUs = timeoutS === undefined ? FIRST_TIMEOUT_US : timeoutS * 1_000_000;
  const timeoutUsMax = Math.max(TIMEOUT_US_MAX, firstTimeoutUs);
  return { firstTimeoutUs, timeoutUsMax, repetitionsMax: retries };
}

/** The end of a job that never left this machine. */
function localEnding(text: string): Ending {
  return {
    failure: { cause: "local", text },
    bytes: 0,
    sha256: "",
    durationUs: 0,
    facts: undefined,
  };
}

function readFault(refusal: number): string {
  switch (refusal) {
    case OpenRefusal.notFound:
      return "there is no such file here";
    case OpenRefusal.denied:
      return "it may not be read, or is no regular file";
    case OpenRefusal.busy:
      return "too many files are open (raise ulimit -n)";
    default:
      return "reading it failed";
  }
}
