// The worker threads (supervisor layer): one per shard, replaced on the same sockets when one dies, so that the kernel
// never hands a client to a socket that nobody reads. Deaths that repeat end the process instead of hiding a bug.

import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";

import { ringDoorbell } from "#io/start.ts";
import {
  ControlWord,
  type FastPaths,
  ShardCommand,
  type ShardInit,
  type ShardMessage,
  type ShardRecord,
  type ShardTerms,
  type WorkerStart,
} from "#server/contract.ts";
import { Counter } from "#server/measures.ts";

import { describeError, ThreadDeaths } from "./thread-deaths.ts";

/** What the shards tell their owner. */
export interface ShardEvents {
  /** Every shard answers requests, for the first time. */
  readonly ready: (fastPaths: FastPaths) => void;
  readonly record: (record: ShardRecord) => void;
  /** A shard died of `error`. It is replaced unless the shards were asked to end. */
  readonly died: (shardIndex: number, error: string, isReplaced: boolean) => void;
  /** So many records of shards never came. */
  readonly lost: (records: number) => void;
  /** Shards die again and again; none is replaced any more. */
  readonly hopeless: (error: string) => void;
  /** Every shard has ended. */
  readonly ended: () => void;
}

/** All shards of the process. */
export class Shards {
  readonly #inits: readonly ShardInit[];
  readonly #workerUrl: URL;
  readonly #events: ShardEvents;
  readonly #ready = new Set<number>();
  readonly #deaths: ThreadDeaths = new ThreadDeaths();
  /** The way to each shard's present worker. */
  readonly #ports = new Map<number, MessagePort>();
  /** The shards that do not go by the newest terms yet, and what waits for them. */
  readonly #behind = new Set<number>();
  #agreed: (() => void)[] = [];
  /** The newest terms; undefined until a reload brings others than the shards began with. */
  #terms: ShardTerms | undefined;
  #command: number = ShardCommand.run;
  #running = 0;
  /** Records that shards have dropped, as far as that was told. */
  #lost = 0;
  #isReady = false;

  constructor(inits: readonly ShardInit[], workerUrl: URL, events: ShardEvents) {
    this.#inits = inits;
    this.#workerUrl = workerUrl;
    this.#events = events;
  }

  /** Starts every shard. */
  start(): void {
    for (const init of this.#inits) this.#launch(init);
  }

  /** Has every shard refuse new requests and end after its last transfer. */
  drain(): void {
    this.#say(ShardCommand.drain);
  }

  /** Has every shard end at once. */
  stop(): void {
    this.#say(ShardCommand.stop);
  }

  /** Has every shard go by `terms`. Resolves when each does, or has ended; then nobody uses earlier ones. */
  async switchTo(terms: ShardTerms): Promise<void> {
    this.#terms = terms;
    for (const init of this.#inits) {
      const port = this.#ports.get(init.shardIndex);
      if (port === undefined) continue;
      this.#behind.add(init.shardIndex);
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel's port has no origin
      port.postMessage(terms);
      Atomics.store(new Int32Array(init.control), ControlWord.generation, terms.generation);
      ringDoorbell(init.doorbellFd);
    }
    if (this.#behind.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#agreed.push(resolve);
    await promise;
  }

  /** Whether every shard answers new requests. */
  get isServing(): boolean {
    return this.#command === ShardCommand.run && this.#ready.size === this.#inits.length;
  }

  /** The counters of each shard, as they are now. */
  get counters(): readonly Float64Array[] {
    return this.#inits.map((init) => new Float64Array(init.counters));
  }

  /** The sum of one counter over all shards. */
  total(index: number): number {
    return this.#inits.reduce(
      (sum, init) => sum + (new Float64Array(init.counters)[index] ?? 0),
      0,
    );
  }

  #say(command: number): void {
    if (command <= this.#command) return;
    this.#command = command;
    for (const init of this.#inits) {
      Atomics.store(new Int32Array(init.control), ControlWord.command, command);
      ringDoorbell(init.doorbellFd);
    }
  }

  #launch(init: ShardInit): void {
    const { port1: port, port2: terms } = new MessageChannel();
    const newest: ShardInit = { ...init, terms: this.#terms ?? init.terms };
    const workerData: WorkerStart = { init: newest, terms };
    const worker = new Worker(this.#workerUrl, { workerData, transferList: [terms] });
    let fault: string | undefined;
    this.#ports.set(init.shardIndex, port);
    this.#running += 1;
    worker.on("message", (message: ShardMessage) => this.#hear(message));
    worker.on("error", (error: unknown) => {
      fault = describeError(error);
    });
    // Every end passes here, a fault's after its error event.
    worker.on("exit", () => {
      port.close();
      this.#ports.delete(init.shardIndex);
      this.#ended(init, fault);
    });
  }

  #hear(message: ShardMessage): void {
    if (message.kind === "records") {
      const { shardIndex, records } = message;
      for (const record of records) this.#events.record(record);
      this.#noteRead(shardIndex, records.length);
    } else if (message.kind === "switched") {
      if (message.generation === this.#terms?.generation) this.#agree(message.shardIndex);
    } else if (message.kind === "ready") {
      this.#ready.add(message.shardIndex);
      if (this.#isReady || this.#ready.size < this.#inits.length) return;
      this.#isReady = true;
      this.#events.ready(message.fastPaths);
    }
  }

  /** Lets the shard know how far its records were read, and tells of those that it has dropped. */
  #noteRead(shardIndex: number, count: number): void {
    const init = this.#inits[shardIndex];
    if (init === undefined) return;
    Atomics.add(new Int32Array(init.control), ControlWord.recordsRead, count);
    const lost = this.total(Counter.recordsLost);
    if (lost > this.#lost) this.#events.lost(lost - this.#lost);
    this.#lost = lost;
  }

  #ended(init: ShardInit, fault: string | undefined): void {
    this.#running -= 1;
    this.#ready.delete(init.shardIndex);
    // Whoever comes after it begins with the newest terms.
    this.#agree(init.shardIndex);
    if (this.#command === ShardCommand.run) {
      this.#replace(init, fault ?? "the worker ended without being asked to");
    } else if (fault !== undefined) {
      this.#events.died(init.shardIndex, fault, false);
    }
    if (this.#running === 0) this.#events.ended();
  }

  #agree(shardIndex: number): void {
    this.#behind.delete(shardIndex);
    if (this.#behind.size > 0) return;
    for (const resolve of this.#agreed.splice(0)) resolve();
  }

  #replace(init: ShardInit, cause: string): void {
    if (this.#deaths.count()) {
      this.#events.hopeless(cause);
      return;
    }
    this.#events.died(init.shardIndex, cause, true);
    // The dead shard's transfers are gone with it; its other counters stay true.
    new Float64Array(init.counters)[Counter.transfersActive] = 0;
    this.#launch(init);
  }
}
