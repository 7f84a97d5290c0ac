// Whose turn it is where bandwidth is limited (policy layer, pure): deficit round robin between clients, under rates for all
// transfers, for a class of them and for one client. Rates hold for all shards together; nothing is allocated per message.

import { assert } from "#base/assert.ts";
import { f64At, i32At } from "#base/bytes.ts";
import { IntLists, NONE } from "#base/int-lists.ts";
import { Slab } from "#base/slab.ts";
import { TimerWheel } from "#base/timer-wheel.ts";

import type { RateClocks } from "./rate-clocks.ts";

/** The most classes there may be, the one of transfers without a class included. */
export const CLASSES_MAX = 64;

/** Bytes in a second; 0 is unlimited. */
export interface ClassRates {
  /** Of all transfers of the class. */
  readonly bytesPerSecond: number;
  /** Of one client's transfers in the class. */
  readonly clientBytesPerSecond: number;
}

/** All rates. `classes` begins with that of transfers without a class. */
export interface Rates {
  readonly bytesPerSecond: number;
  readonly classes: readonly ClassRates[];
}

/** How many clocks the shaper needs for so many clients: one for all, one for each class, one for each client. */
export function clocksFor(clients: number): number {
  return 1 + CLASSES_MAX + clients;
}

/** How much time may be caught up with: a wake-up is late by a millisecond or two, or ten on a busy machine. */
const LAG_US = 20_000;
/**
 * How long one message may take at its rate, so that those behind it do not wait for long; but no less than a frame. A guess.
 */
const MESSAGE_US = 200;
const MESSAGE_BYTES_MIN = 1_500;
const MESSAGE_BYTES_MAX = 65_536;
/**
 * Messages that a worker books time for, for each of its clients, before another worker has its turn: several, so that a share
 * of a client is not rounded to a whole one.
 */
const MESSAGES_BOOKED = 4;
/** The longest time that one worker books, so that a client of another one does not wait for long; twelve clients fit. */
const BOOKED_US_MAX = 10_000;
/** The least share of a client in one worker, so that rounds stay few: its transfers may be in sixteen. */
const SHARE_MIN = 1 / 16;

// The rate of all, those of classes, and then one for each flow.
const ALL = 0;
const FIRST_CLASS = 1;
const FIRST_FLOW = FIRST_CLASS + CLASSES_MAX;

// Lists of flows: those whose turn may come, those that wait for their class, and those that wait for their client's rate.
const TURNS = 0;
const CLIENTS_WAITING = FIRST_FLOW;

/**
 * Transfers, by slot, that have something to send. What one client has in one class is a flow; flows take turns by bytes, a
 * flow's transfers by messages. A client with transfers in other workers, too, has that share of a turn here.
 */
export class Shaper {
  /** Times that a flow, or all of them, had to wait for a rate. */
  waits = 0;
  readonly #clocks: RateClocks;
  readonly #transfersOf: (client: number) => number;
  /** Of a slot: its flow, or {@link NONE}. */
  readonly #flows: Int32Array;
  readonly #slab: Slab;
  readonly #byKey = new Map<number, number>();
  /** Of a flow: its key, its class, its slots, the bytes that it may still send in this turn, and its share of a turn. */
  readonly #keys: Float64Array;
  readonly #classes: Int32Array;
  readonly #members: Int32Array;
  readonly #deficits: Float64Array;
  readonly #shares: Float64Array;
  /** Lists of slots, one for each flow. */
  readonly #queues: IntLists;
  /** Lists of flows; in none is one that has nothing to send. */
  readonly #turns: IntLists;
  /** Flows that wait for their client's rate. */
  readonly #wheel: TimerWheel;
  readonly #due: Int32Array;
  /** Of a rate: bytes in a microsecond (Infinity: unlimited), how far it is used up, the end of what is booked, its clock. */
  readonly #rates: Float64Array;
  readonly #usedUs: Float64Array;
  readonly #bookedUs: Float64Array;
  /** How far it was used up when somebody last had to wait for it. */
  readonly #awaitedUs: Float64Array;
  readonly #clockOf: Int32Array;
  /** The shares of the flows of a class that have something to send; of all, first. */
  readonly #backlogs: Float64Array = new Float64Array(FIRST_FLOW);
  #spec: Rates = { bytesPerSecond: 0, classes: [] };
  #quantumBytes = MESSAGE_BYTES_MAX;
  #waiting = 0;

  /**
   * For slots 0 … slots − 1. `transfersOf` says how many transfers a client has in all shards, and `clocks`, of which there are
   * {@link clocksFor} all clients, are those of all shards.
   */
  constructor(slots: number, clocks: RateClocks, transfersOf: (client: number) => number) {
    this.#clocks = clocks;
    this.#transfersOf = transfersOf;
    this.#flows = new Int32Array(slots).fill(NONE);
    this.#slab = new Slab(slots);
    this.#keys = new Float64Array(slots);
    this.#classes = new Int32Array(slots);
    this.#members = new Int32Array(slots);
    this.#deficits = new Float64Array(slots);
    this.#shares = new Float64Array(slots);
    this.#queues = new IntLists(slots, slots);
    this.#turns = new IntLists(CLIENTS_WAITING + 1, slots);
    this.#wheel = new TimerWheel(slots, 0);
    this.#due = new Int32Array(slots);
    this.#rates = new Float64Array(FIRST_FLOW + slots).fill(Infinity);
    this.#usedUs = new Float64Array(FIRST_FLOW + slots);
    this.#bookedUs = new Float64Array(FIRST_FLOW + slots);
    this.#awaitedUs = new Float64Array(FIRST_FLOW + slots);
    this.#clockOf = new Int32Array(FIRST_FLOW + slots);
    for (let rate = 0; rate < FIRST_FLOW; rate += 1) this.#clockOf[rate] = rate;
  }

  /** Goes by other rates. No slot is attached. */
  configure(spec: Rates): void {
    assert(spec.classes.length <= CLASSES_MAX, "classes are counted when the file is read");
    assert(this.#slab.taken === 0, "rates change while nobody goes by them");
    this.#spec = spec;
    this.#rates[ALL] = perMicrosecond(spec.bytesPerSecond);
    this.#rates.fill(Infinity, FIRST_CLASS, FIRST_FLOW);
    for (const [index, { bytesPerSecond }] of spec.classes.entries()) {
      this.#rates[FIRST_CLASS + index] = perMicrosecond(bytesPerSecond);
    }
    const slowest = this.#rates.slice(0, FIRST_FLOW).reduce((a, b) => Math.min(a, b));
    this.#quantumBytes = messageBytes(slowest);
  }

  /** Whether any rate holds for transfers of the class `index`. */
  isLimited(index: number): boolean {
    const { bytesPerSecond, classes } = this.#spec;
    const rates = classes[index];
    return (
      bytesPerSecond > 0 ||
      (rates !== undefined && (rates.bytesPerSecond > 0 || rates.clientBytesPerSecond > 0))
    );
  }

  /** The most that one message of the class `index` may hold, in bytes. */
  messageBytesMax(index: number): number {
    const slowest = Math.min(
      f64At(this.#rates, ALL),
      f64At(this.#rates, FIRST_CLASS + index),
      perMicrosecond(this.#spec.classes[index]?.clientBytesPerSecond ?? 0),
    );
    return messageBytes(slowest);
  }

  /** The transfer in `slot` goes by the rates of the class `index` and of `client`; −1 is one of its own. */
  attach(slot: number, index: number, client: number): void {
    assert(!this.isAttached(slot), "a slot has one flow");
    const key = client < 0 ? -1 - slot : client * CLASSES_MAX + index;
    let flow = this.#byKey.get(key) ?? NONE;
    if (flow === NONE) {
      flow = this.#slab.take();
      this.#byKey.set(key, flow);
      this.#keys[flow] = key;
      this.#classes[flow] = index;
      this.#members[flow] = 0;
      this.#deficits[flow] = this.#quantumBytes;
      const rate = client < 0 ? 0 : (this.#spec.classes[index]?.clientBytesPerSecond ?? 0);
      this.#rates[FIRST_FLOW + flow] = perMicrosecond(rate);
      this.#usedUs[FIRST_FLOW + flow] = 0;
      this.#bookedUs[FIRST_FLOW + flow] = 0;
      this.#clockOf[FIRST_FLOW + flow] = FIRST_FLOW + client;
    }
    this.#members[flow] = i32At(this.#members, flow) + 1;
    this.#flows[slot] = flow;
  }

  isAttached(slot: number): boolean {
    return i32At(this.#flows, slot) !== NONE;
  }

  /** The transfer in `slot` goes by no rate any more, and does not wait for its turn. */
  detach(slot: number): void {
    if (!this.isAttached(slot)) return;
    this.withdraw(slot);
    const flow = i32At(this.#flows, slot);
    this.#flows[slot] = NONE;
    const members = i32At(this.#members, flow) - 1;
    this.#members[flow] = members;
    if (members > 0) return;
    this.#leaveTurns(flow);
    this.#byKey.delete(f64At(this.#keys, flow));
    this.#slab.release(flow);
  }

  /** The transfer in `slot`, which is attached and does not wait, has something to send. */
  push(slot: number): void {
    const flow = i32At(this.#flows, slot);
    this.#queues.append(flow, slot);
    this.#waiting += 1;
    if (this.#turns.listOf(flow) !== NONE) return;
    this.#enterTurns(flow);
  }

  /** Whether the transfer in `slot` has something to send. */
  isWaiting(slot: number): boolean {
    return this.#queues.listOf(slot) !== NONE;
  }

  /** The transfer in `slot` has nothing to send after all. */
  withdraw(slot: number): void {
    if (!this.isWaiting(slot)) return;
    this.#queues.remove(slot);
    this.#waiting -= 1;
  }

  /** How many transfers wait for their turn. */
  get waiting(): number {
    return this.#waiting;
  }

  /** When {@link next} may have an answer; Infinity if nobody waits. */
  get nextUs(): number {
    if (this.#waiting === 0) return Infinity;
    let nextUs = this.#turns.first(TURNS) === NONE ? Infinity : f64At(this.#usedUs, ALL);
    for (let rate = FIRST_CLASS; rate <= this.#spec.classes.length; rate += 1) {
      if (this.#turns.first(rate) === NONE) continue;
      nextUs = Math.min(nextUs, f64At(this.#usedUs, rate));
    }
    return Math.min(nextUs, this.#wheel.nextUs());
  }

  /** The transfer that sends a message now, or {@link NONE}. What it sends is told to {@link charge}. */
  next(nowUs: number): number {
    if (this.#waiting === 0) return NONE;
    this.#readmit(nowUs);
    for (;;) {
      const flow = this.#turns.first(TURNS);
      if (flow === NONE) return NONE;
      const slot = this.#queues.first(flow);
      if (slot === NONE) {
        this.#leaveTurns(flow);
        continue;
      }
      if (!this.#isOpen(ALL, f64At(this.#backlogs, ALL), nowUs)) return NONE;
      if (this.#mustWait(flow, nowUs)) continue;
      const deficit = f64At(this.#deficits, flow);
      if (deficit <= 0) {
        this.#deficits[flow] = deficit + this.#quantumBytes * f64At(this.#shares, flow);
        this.#move(flow, TURNS);
        continue;
      }
      this.withdraw(slot);
      return slot;
    }
  }

  /** The transfer in `slot` has sent, or invited, so many bytes. */
  charge(slot: number, bytes: number): void {
    const flow = i32At(this.#flows, slot);
    if (flow === NONE) return;
    this.#deficits[flow] = f64At(this.#deficits, flow) - bytes;
    this.#use(ALL, bytes);
    this.#use(FIRST_CLASS + i32At(this.#classes, flow), bytes);
    this.#use(FIRST_FLOW + flow, bytes);
  }

  /** Whether the class or the client of `flow` has used up its rate; then the flow is put aside until it has not. */
  #mustWait(flow: number, nowUs: number): boolean {
    const ofClass = FIRST_CLASS + i32At(this.#classes, flow);
    if (!this.#isOpen(ofClass, f64At(this.#backlogs, ofClass), nowUs)) {
      this.#move(flow, ofClass);
      return true;
    }
    if (this.#isOpen(FIRST_FLOW + flow, 1, nowUs)) return false;
    this.#move(flow, CLIENTS_WAITING);
    this.#wheel.arm(flow, f64At(this.#usedUs, FIRST_FLOW + flow));
    return true;
  }

  /** Lets those take turns again that have waited long enough. */
  #readmit(nowUs: number): void {
    for (let rate = FIRST_CLASS; rate <= this.#spec.classes.length; rate += 1) {
      if (f64At(this.#usedUs, rate) > nowUs) continue;
      for (let flow = this.#turns.first(rate); flow !== NONE; flow = this.#turns.first(rate)) {
        this.#move(flow, TURNS);
      }
    }
    const count = this.#wheel.expire(nowUs, this.#due, this.#due.length);
    for (let index = 0; index < count; index += 1) this.#move(i32At(this.#due, index), TURNS);
  }

  #move(flow: number, list: number): void {
    this.#turns.remove(flow);
    this.#turns.append(list, flow);
  }

  /** Who sends little has something left of its last turn, and goes first. */
  #enterTurns(flow: number): void {
    const key = f64At(this.#keys, flow);
    const client = key < 0 ? NONE : Math.floor(key / CLASSES_MAX);
    const members = i32At(this.#members, flow);
    const everywhere = client === NONE ? members : this.#transfersOf(client);
    const share = Math.min(Math.max(members / Math.max(everywhere, 1), SHARE_MIN), 1);
    this.#shares[flow] = share;
    this.#addBacklog(flow, share);
    if (f64At(this.#deficits, flow) > 0) this.#turns.prepend(TURNS, flow);
    else this.#turns.append(TURNS, flow);
  }

  #leaveTurns(flow: number): void {
    if (this.#turns.listOf(flow) === NONE) return;
    this.#turns.remove(flow);
    this.#wheel.cancel(flow);
    this.#addBacklog(flow, -f64At(this.#shares, flow));
  }

  #addBacklog(flow: number, share: number): void {
    const ofClass = FIRST_CLASS + i32At(this.#classes, flow);
    this.#backlogs[ALL] = f64At(this.#backlogs, ALL) + share;
    this.#backlogs[ofClass] = f64At(this.#backlogs, ofClass) + share;
  }

  /** Whether a message may be sent by `rate`. Where no time is left, some is booked for `flows` of this shard. */
  #isOpen(rate: number, flows: number, nowUs: number): boolean {
    if (f64At(this.#rates, rate) === Infinity) return true;
    if (f64At(this.#usedUs, rate) < f64At(this.#bookedUs, rate)) {
      // Time that was booked, and not used while it was there, is lost.
      const leastUs = Math.min(nowUs - LAG_US, f64At(this.#bookedUs, rate));
      this.#usedUs[rate] = Math.max(f64At(this.#usedUs, rate), leastUs);
    }
    if (f64At(this.#usedUs, rate) >= f64At(this.#bookedUs, rate)) this.#book(rate, flows, nowUs);
    const usedUs = f64At(this.#usedUs, rate);
    if (usedUs <= nowUs) return true;
    if (f64At(this.#awaitedUs, rate) !== usedUs) this.waits += 1;
    this.#awaitedUs[rate] = usedUs;
    return false;
  }

  #book(rate: number, flows: number, nowUs: number): void {
    const bytesPerUs = f64At(this.#rates, rate);
    const messageUs = messageBytes(bytesPerUs) / bytesPerUs;
    const wantedUs = messageUs * MESSAGES_BOOKED * flows;
    const spanUs = Math.min(wantedUs, Math.max(messageUs, BOOKED_US_MAX));
    // A message may use more than was booked; what is owed comes first.
    const owedUs = f64At(this.#usedUs, rate) - f64At(this.#bookedUs, rate);
    const clock = i32At(this.#clockOf, rate);
    const startUs = this.#clocks.book(clock, nowUs - LAG_US, owedUs + spanUs) + owedUs;
    this.#usedUs[rate] = startUs;
    this.#bookedUs[rate] = startUs + spanUs;
  }

  #use(rate: number, bytes: number): void {
    this.#usedUs[rate] = f64At(this.#usedUs, rate) + bytes / f64At(this.#rates, rate);
  }
}

/** A rate in bytes per microsecond; Infinity where there is none. */
function perMicrosecond(bytesPerSecond: number): number {
  return bytesPerSecond === 0 ? Infinity : bytesPerSecond / 1e6;
}

/** The longest message at a rate in bytes per microsecond. */
function messageBytes(rate: number): number {
  return Math.min(Math.max(rate * MESSAGE_US, MESSAGE_BYTES_MIN), MESSAGE_BYTES_MAX);
}
