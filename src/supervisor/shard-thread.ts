// One shard's present thread (supervisor layer): from the first message to its end, whatever ends it. A thread that is stuck is
// ended by force; one that survives even that is told of, because nothing in this process can help any more.

import { MessageChannel, type MessagePort, type Worker } from "node:worker_threads";

import { ringDoorbell } from "#io/start.ts";
import {
  ControlWord,
  type ShardInit,
  type ShardMessage,
  type ShardOrder,
  type ShardTerms,
  type WorkerStart,
} from "#server/contract.ts";
import { Counter } from "#server/measures.ts";
import { PULSE_OF_START } from "#server/pulse.ts";

import { LOOK_MS, ShardWatch, type StuckTurn } from "./shard-watch.ts";
import { describeError, stackOf } from "./thread-deaths.ts";

/** How a thread ended. */
export interface Death {
  /** Why; and whether that is a fault, which it is not if the thread ended by itself. */
  readonly error: string;
  readonly isFault: boolean;
  /** Where, innermost place first; empty where that is not known. */
  readonly stack: string;
  /** Transfers that it had when it last said. */
  readonly transfers: number;
  readonly livedMs: number;
  /** Whether it answered anybody meanwhile. */
  readonly hasWorked: boolean;
}

export interface ShardThreadEvents {
  readonly said: (message: ShardMessage) => void;
  /** It is stuck in `turn`, and is being ended. */
  readonly stuck: (turn: StuckTurn) => void;
  /** It is still there {@link ENDING_MS} later. */
  readonly unending: (turn: StuckTurn) => void;
  /** Nothing of it runs any more. */
  readonly ended: (death: Death) => void;
}

/** How long a thread may take to end by force: JavaScript ends within milliseconds, and so does a call that can be interrupted. */
const ENDING_MS = 5000;

export class ShardThread {
  readonly #init: ShardInit;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #orders: MessagePort;
  readonly #events: ShardThreadEvents;
  readonly #watch: ShardWatch;
  readonly #startMs: number = performance.now();
  readonly #workBefore: number;
  #error = "the worker ended without being asked to";
  #stack = "";
  #isFault = false;
  #stuck: StuckTurn | undefined;
  #endingMs = 0;

  /** Has `worker`, which waits for its first message, begin as `start` says. */
  constructor(
    start: Omit<WorkerStart, "terms" | "orders">,
    worker: Worker,
    events: ShardThreadEvents,
  ) {
    const { init } = start;
    this.#init = init;
    this.#worker = worker;
    this.#events = events;
    this.#workBefore = workOf(init);
    this.#watch = new ShardWatch(init.control, init.terms.settings.stuckMs);
    const control = new Int32Array(init.control);
    Atomics.store(control, ControlWord.pulse, PULSE_OF_START);
    Atomics.store(control, ControlWord.threadId, 0);
    const { port1: port, port2: terms } = new MessageChannel();
    this.#port = port;
    const { port1: ordersPort, port2: orders } = new MessageChannel();
    this.#orders = ordersPort;
    worker.on("message", events.said);
    worker.on("error", (error: unknown) => this.#note(describeError(error), stackOf(error)));
    // Every end passes here, a fault's after its error event, and only when nothing of the thread runs any more.
    worker.on("exit", () => this.#end());
    const message: WorkerStart = { ...start, terms, orders };
    worker.postMessage(message, [terms, orders]);
  }

  /** Has the shard go by `terms`. */
  send(terms: ShardTerms): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel's port has no origin
    this.#port.postMessage(terms);
    const { control, doorbellFd } = this.#init;
    Atomics.store(new Int32Array(control), ControlWord.generation, terms.generation);
    ringDoorbell(doorbellFd);
  }

  /** Has the shard do as `order` says, soon. */
  order(order: ShardOrder): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel's port has no origin
    this.#orders.postMessage(order);
    const { control, doorbellFd } = this.#init;
    Atomics.add(new Int32Array(control), ControlWord.orders, 1);
    ringDoorbell(doorbellFd);
  }

  /** Sees whether the shard moves; to be called every {@link LOOK_MS}. */
  look(): void {
    if (this.#stuck === undefined) {
      this.#stuck = this.#watch.look();
      if (this.#stuck === undefined) return;
      const { lastedMs, doing } = this.#stuck;
      this.#note(`stuck in one turn for ${lastedMs / 1000} s (${doing})`, "");
      this.#events.stuck(this.#stuck);
      void this.#worker.terminate();
      return;
    }
    this.#endingMs += LOOK_MS;
    if (this.#endingMs === ENDING_MS) this.#events.unending(this.#stuck);
  }

  #note(error: string, stack: string): void {
    this.#error = error;
    this.#stack = stack;
    this.#isFault = true;
  }

  #end(): void {
    this.#port.close();
    this.#orders.close();
    this.#events.ended({
      error: this.#error,
      isFault: this.#isFault,
      stack: this.#stack,
      transfers: new Float64Array(this.#init.counters)[Counter.transfersActive] ?? 0,
      livedMs: performance.now() - this.#startMs,
      hasWorked: workOf(this.#init) > this.#workBefore,
    });
  }
}

/** What the shard has said to clients. Who dies before the first word was of no use to anybody. */
function workOf({ counters }: ShardInit): number {
  return new Float64Array(counters)[Counter.datagramsSent] ?? 0;
}
