// Many clients in one thread (client layer): each transfer has a socket of its own, because its port is its identifier; batches,
// timers and the wait are shared. Synchronous, in bounded turns; its caller draws and hears signals between slices.

import { assert } from "#base/assert.ts";
import { at, i32At } from "#base/bytes.ts";
import { IntLists, NONE } from "#base/int-lists.ts";
import { Random } from "#base/random.ts";
import { Slab } from "#base/slab.ts";
import { TimerWheel } from "#base/timer-wheel.ts";
import { openClientSocket } from "#io/client-socket.ts";
import { monotonicUs } from "#io/clock.ts";
import { headInbox, Inbox } from "#io/inbox.ts";
import { tryKernel } from "#io/kernel-report.ts";
import type { Option } from "#protocol/packet.ts";

import { Arrivals } from "./arrivals.ts";
import { vanishingShare } from "./churn.ts";
import { Intake, type LoadFigures, type LoadFile, type LoadPlan } from "./load-contract.ts";
import { LoadTally } from "./load-tally.ts";
import { LoadTransfer } from "./load-transfer.ts";
import { LoadWait } from "./load-wait.ts";
import { Content, HEAD_BYTES, LoadWire } from "./load-wire.ts";
import { Mix } from "./mix.ts";

/** Datagrams of one receive call: a window of 64, which comes one by one where the kernel makes no runs of it. */
const BATCH_DATAGRAMS = 64;
/** The longest UDP payload, and so the longest run. Memory is taken as it is touched. */
const DATAGRAM_BYTES = 65_536;
/** For any window that is worth measuring; without privilege the kernel gives less (net.core.rmem_max). */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;
/** Transfers that begin in one turn: in a storm, those that have begun are answered meanwhile. */
const STARTS_PER_TURN = 64;
const TIMERS_PER_TURN = 256;
/** Of so many batches one is looked at as a whole: every header of it. */
const WHOLE_EVERY = 16;
/** For each client that transfers, one that has vanished or lingers may keep its port. */
const SLOTS_PER_CLIENT = 2;
/** How long somebody who has vanished stays deaf before the port is given up: what most servers go on sending for. */
const DEAF_US = 60_000_000;
/** How long nobody begins after a server was not there: one that starts anew must not find a flood, nor this a processor to burn. */
const PAUSE_US = 100_000;
/** Where nobody has answered so many, nobody will. */
const UNREACHABLE_MAX = 16;

export class Load {
  readonly #plan: LoadPlan;
  readonly #tally: LoadTally;
  readonly #wire: LoadWire;
  /** For what is looked at as a whole, and for all else. */
  readonly #inbox: Inbox;
  readonly #heads: Inbox;
  readonly #waiter: LoadWait = new LoadWait();
  readonly #canSegment: boolean;
  readonly #timers: TimerWheel;
  readonly #due: Int32Array = new Int32Array(TIMERS_PER_TURN);
  readonly #slots: Slab;
  readonly #transfers: (LoadTransfer | undefined)[];
  /** Slots of clients that have vanished or linger, longest first. */
  readonly #idle: IntLists;
  readonly #arrivals: Arrivals;
  readonly #random: Random;
  readonly #mix: Mix;
  readonly #asks: Mix;
  /** Bytes of each file that has come once; NaN before. */
  readonly #knownBytes: Float64Array;
  readonly #endUs: number;
  #pausedUntilUs = -Infinity;
  #batches = 0;
  /** No timer is due before. */
  #timersUs = -Infinity;
  #active = 0;
  #lingering = 0;
  #isStopped = false;
  #fault = "";

  constructor(plan: LoadPlan) {
    assert(plan.clients >= 1 && plan.files.length > 0 && plan.asks.length > 0, "there is a load");
    const nowUs = monotonicUs();
    const missing = tryKernel(["recvmmsg", "sendmmsg", "UDP_SEGMENT"]);
    const slots = plan.clients * SLOTS_PER_CLIENT;
    this.#plan = plan;
    this.#tally = new LoadTally(nowUs);
    // Each has a stream of its own, so that what is asked for does not depend on what was lost.
    const content = new Content(plan.putBytes, new Random(plan.seed + 1));
    const chance = new Random(plan.seed + 2);
    this.#wire = new LoadWire(!missing.has("sendmmsg"), content, plan, chance, this.#tally);
    const isBatching = !missing.has("recvmmsg");
    this.#inbox = new Inbox(BATCH_DATAGRAMS, DATAGRAM_BYTES, isBatching);
    this.#heads = headInbox(BATCH_DATAGRAMS, HEAD_BYTES, isBatching);
    this.#canSegment = !missing.has("UDP_SEGMENT");
    this.#timers = new TimerWheel(slots, nowUs);
    this.#slots = new Slab(slots);
    this.#transfers = Array.from({ length: slots }, () => undefined);
    this.#idle = new IntLists(1, slots);
    this.#random = new Random(plan.seed);
    this.#arrivals = new Arrivals(plan.arrivals, plan.ratePerS, nowUs, new Random(plan.seed + 3));
    this.#mix = new Mix(plan.files.map(({ weight }) => weight));
    this.#asks = new Mix(plan.asks.map(() => 1));
    this.#knownBytes = new Float64Array(plan.files.length).fill(NaN);
    this.#endUs = nowUs + plan.durationUs;
  }

  /** What was counted so far. */
  get figures(): LoadFigures {
    return this.#tally;
  }

  /** Transfers under way. */
  get active(): number {
    return this.#active;
  }

  /** Whether all is done but to see whether a last ACK was lost. */
  get isLingering(): boolean {
    return this.#active === 0 && this.#lingering > 0;
  }

  /** Why it stopped before its end; empty if it did not. */
  get fault(): string {
    return this.#fault;
  }

  /** Takes turns until `untilUs`, or until all is over. Returns whether it is. */
  run(untilUs: number): boolean {
    for (;;) {
      const nowUs = monotonicUs();
      this.#startDue(nowUs);
      if (this.#active + this.#lingering === 0 && !this.#hasMore(nowUs)) return true;
      if (nowUs >= untilUs) return false;
      this.#turn(nowUs, untilUs);
    }
  }

  /** Begins nothing more, ends what is under way, and tells the servers. */
  stop(): void {
    this.#isStopped = true;
    const nowUs = monotonicUs();
    for (const transfer of this.#transfers) {
      if (transfer === undefined) continue;
      transfer.cancel(nowUs);
      this.#settle(transfer, nowUs);
    }
    this.#letGoOfAll();
  }

  close(): void {
    this.#letGoOfAll();
    this.#waiter.close();
    this.#inbox.unmap();
    this.#heads.unmap();
    this.#wire.unmap();
  }

  #hasMore(nowUs: number): boolean {
    if (this.#isStopped || this.#tally.started >= this.#plan.transfersMax) return false;
    return nowUs < this.#endUs && this.#arrivals.nextUs < this.#endUs;
  }

  /** When the next transfer begins; Infinity where it waits for a client, or there is none. */
  #nextStartUs(nowUs: number): number {
    if (this.#active >= this.#plan.clients || !this.#hasMore(nowUs)) return Infinity;
    return Math.max(this.#arrivals.nextUs, this.#pausedUntilUs);
  }

  #startDue(nowUs: number): void {
    for (let left = STARTS_PER_TURN; left > 0 && this.#nextStartUs(nowUs) <= nowUs; left -= 1) {
      // A turn is long where many begin: each has its own time.
      const beganUs = monotonicUs();
      const dueUs = this.#arrivals.nextUs === -Infinity ? beganUs : this.#arrivals.nextUs;
      this.#arrivals.advance();
      this.#start(dueUs, beganUs);
    }
  }

  #start(dueUs: number, nowUs: number): void {
    const { direction, patience, churn, churnAt, loss, delayUs, putBytes, sources } = this.#plan;
    const index = this.#mix.draw(this.#random);
    const file = at(this.#plan.files, index);
    const { started } = this.#tally;
    const source = sources.length === 0 ? undefined : at(sources, started % sources.length);
    const socket = openClientSocket(file.server, SOCKET_BUFFER_BYTES, source);
    if (typeof socket === "string") {
      this.#fault = socket;
      this.#isStopped = true;
      return;
    }
    const known = this.#knownBytes[index];
    const seen = Number.isNaN(known) ? undefined : known;
    const fileBytes = direction === "put" ? putBytes : (file.bytes ?? seen);
    const asked = at(this.#plan.asks, this.#asks.draw(this.#random));
    const job = {
      slot: this.#takeSlot(),
      direction,
      file,
      name: numbered(file, started),
      asks: direction === "put" ? withSize(asked, putBytes) : asked,
      fileBytes,
      vanishesAt: vanishingShare(churn, churnAt, this.#random),
      dueUs,
      patience,
      canSegment: this.#canSegment,
      isLossy: loss > 0 || delayUs > 0,
      delayUs,
    };
    const transfer = new LoadTransfer(job, socket, this.#wire);
    this.#transfers[job.slot] = transfer;
    this.#waiter.watch(socket.fd, job.slot);
    this.#tally.started += 1;
    this.#tally.late += Number(nowUs - dueUs > LATE_US);
    this.#active += 1;
    this.#tally.activeMax = Math.max(this.#tally.activeMax, this.#active);
    this.#go(transfer, nowUs);
  }

  #turn(beganUs: number, untilUs: number): void {
    const wakeUs = Math.min(untilUs, this.#timersUs, this.#wire.nextUs, this.#nextStartUs(beganUs));
    const ready = this.#waiter.wait(this.#active, beganUs, wakeUs);
    for (let index = 0; index < ready; index += 1) {
      const transfer = this.#transfers[this.#waiter.token(index)];
      if (transfer !== undefined) this.#receive(transfer);
    }
    const nowUs = monotonicUs();
    if (nowUs >= this.#timersUs) this.#expireDue(nowUs);
    this.#wire.release(nowUs);
  }

  #receive(transfer: LoadTransfer): void {
    const nowUs = monotonicUs();
    const bytes =
      transfer.intake === Intake.heads
        ? this.#receiveHead(transfer, nowUs)
        : this.#receiveBatch(transfer, nowUs);
    if (bytes > 0) this.#tally.noteBytes(bytes, nowUs);
    this.#go(transfer, nowUs);
  }

  #receiveHead(transfer: LoadTransfer, nowUs: number): number {
    const { pair } = this.#wire;
    const length = pair.receive(transfer.fd);
    if (length >= 0) return transfer.handleHead(pair.incoming, length, nowUs);
    transfer.handleSilence();
    return 0;
  }

  #receiveBatch(transfer: LoadTransfer, nowUs: number): number {
    this.#batches += 1;
    const isWhole = transfer.intake === Intake.whole || this.#batches % WHOLE_EVERY === 0;
    const inbox = isWhole ? this.#inbox : this.#heads;
    const count = inbox.receive(transfer.fd);
    let bytes = 0;
    for (let index = 0; index < count; index += 1)
      bytes += transfer.handleDatagram(inbox, index, isWhole, nowUs);
    if (count > 0) inbox.recycle(count);
    else transfer.handleSilence();
    return bytes;
  }

  #expireDue(nowUs: number): void {
    const due = this.#timers.expire(nowUs, this.#due, TIMERS_PER_TURN);
    for (let index = 0; index < due; index += 1) this.#expire(i32At(this.#due, index), nowUs);
    this.#timersUs = this.#timers.nextUs();
  }

  /** A deadline moves with each packet; its timer does only where it comes nearer, and looks again when it fires. */
  #arm(slot: number, deadlineUs: number): void {
    if (this.#timers.dueUs(slot) <= deadlineUs) return;
    this.#timers.arm(slot, deadlineUs);
    this.#timersUs = Math.min(this.#timersUs, this.#timers.dueUs(slot));
  }

  #expire(slot: number, nowUs: number): void {
    const transfer = this.#transfers[slot];
    if (transfer === undefined) return;
    if (transfer.ending === "vanished") {
      this.#letGo(transfer);
      return;
    }
    if (nowUs >= transfer.deadlineUs) transfer.handleTimeout(nowUs);
    this.#go(transfer, nowUs);
  }

  /** Has a transfer send what is due, and looks what has become of it. */
  #go(transfer: LoadTransfer, nowUs: number): void {
    const { slot } = transfer;
    transfer.transmit(nowUs);
    this.#settle(transfer, nowUs);
    if (this.#transfers[slot] !== transfer || transfer.ending === "vanished") return;
    this.#arm(slot, transfer.deadlineUs);
  }

  /** Counts what is over, and lets go of it, unless it lingers or is deaf. */
  #settle(transfer: LoadTransfer, nowUs: number): void {
    const { slot, ending } = transfer;
    if (ending === undefined) return;
    const wasCounted = this.#idle.listOf(slot) !== NONE;
    if (!wasCounted) {
      this.#count(transfer, nowUs);
      this.#active -= 1;
      this.#idle.append(0, slot);
      // Its timer may be armed for what it waited for before.
      if (ending === "vanished") {
        this.#timers.cancel(slot);
        this.#arm(slot, nowUs + DEAF_US);
      }
      if (transfer.isLingering) this.#lingering += 1;
    }
    if (ending === "vanished" || transfer.isLingering) return;
    if (wasCounted) this.#lingering -= 1;
    this.#letGo(transfer);
  }

  #count(transfer: LoadTransfer, nowUs: number): void {
    const { ending, job, bytes, firstBlockUs } = transfer;
    const tally = this.#tally;
    tally.noteSums(transfer.sums);
    if (firstBlockUs >= 0) tally.firstBlock.record(firstBlockUs - job.dueUs);
    if (ending === "complete") {
      tally.noteComplete(bytes, nowUs - job.dueUs, nowUs);
      if (job.file.numberAt < 0) this.#knownBytes[this.#plan.files.indexOf(job.file)] = bytes;
    } else if (ending === "vanished") {
      tally.noteVanished(nowUs - job.dueUs, nowUs);
    } else if (ending !== undefined && ending.cause === "cancelled") {
      tally.noteCancelled(nowUs);
    } else if (ending !== undefined) {
      tally.noteFailure(ending, nowUs);
      if (ending.errorCode !== undefined && firstBlockUs < 0)
        tally.refusal.record(nowUs - job.dueUs);
      if (ending.cause === "unreachable") this.#pausedUntilUs = nowUs + PAUSE_US;
      const isSilent = ending.cause === "unreachable" && tally.firstBlock.count === 0;
      if (!isSilent || tally.failed < Math.min(UNREACHABLE_MAX, this.#plan.clients)) return;
      this.#fault = ending.text;
      this.#isStopped = true;
    }
  }

  /** A free slot, or that of the client which has been idle for longest. */
  #takeSlot(): number {
    const free = this.#slots.take();
    if (free >= 0) return free;
    const oldest = this.#transfers[this.#idle.first(0)];
    assert(oldest !== undefined, "there are more slots than clients");
    if (oldest.isLingering) this.#lingering -= 1;
    this.#letGo(oldest);
    return this.#slots.take();
  }

  /** Closes a transfer's socket, and forgets it. */
  #letGo(transfer: LoadTransfer): void {
    const { slot } = transfer;
    this.#idle.remove(slot);
    this.#timers.cancel(slot);
    this.#transfers[slot] = undefined;
    this.#slots.release(slot);
    transfer.close();
  }

  #letGoOfAll(): void {
    for (const transfer of this.#transfers) if (transfer !== undefined) this.#letGo(transfer);
    this.#lingering = 0;
    this.#active = 0;
  }
}

/** Later than this is late: a turn takes less unless there is too much to do. */
const LATE_US = 10_000;
const encoder = new TextEncoder();

/** The name of transfer `number`. */
function numbered({ name, numberAt }: LoadFile, number: number): Uint8Array {
  if (numberAt < 0) return name;
  const digits = encoder.encode(String(number));
  const whole = new Uint8Array(name.length + digits.length);
  whole.set(name.subarray(0, numberAt));
  whole.set(digits, numberAt);
  whole.set(name.subarray(numberAt), numberAt + digits.length);
  return whole;
}

/** RFC 2349: who writes says the size. */
function withSize(asked: readonly Option[], bytes: number): readonly Option[] {
  return asked.map((option) =>
    option.name === "tsize" ? { name: "tsize", value: String(bytes) } : option,
  );
}
