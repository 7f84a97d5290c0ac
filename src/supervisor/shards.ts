// The worker threads (supervisor layer): one per shard, replaced on the same sockets when one dies, so that the kernel
// never hands a client to a socket that nobody reads. Deaths without an end and threads without one end the process.

import { ringDoorbell } from "#io/start.ts";
import {
  ControlWord,
  type FastPaths,
  ShardCommand,
  type ShardInit,
  type ShardMessage,
  type ShardOrder,
  type ShardRecord,
  type ShardTerms,
} from "#server/contract.ts";
import { Counter } from "#server/measures.ts";

import { type Death, ShardThread } from "./shard-thread.ts";
import { LOOK_MS, type StuckTurn } from "./shard-watch.ts";
import { SpareThread } from "./spare-thread.ts";
import { ThreadDeaths } from "./thread-deaths.ts";

/** What the shards tell their owner. */
export interface ShardEvents {
  /** Every shard answers requests, for the first time. */
  readonly ready: (fastPaths: FastPaths) => void;
  readonly record: (record: ShardRecord) => void;
  /** How far a shard's transfers are; see {@link ShardMessage}. */
  readonly progress: (shardIndex: number, progress: Float64Array) => void;
  /** A shard is stuck in a turn, and is ended to be replaced. */
  readonly stuck: (shardIndex: number, turn: StuckTurn) => void;
  /** A shard died. It is replaced after `delayMs`; undefined: the shards were asked to end. */
  readonly died: (shardIndex: number, death: Death, delayMs: number | undefined) => void;
  /** So many records of shards never came. */
  readonly lost: (records: number) => void;
  /** Shards die again and again; none is replaced any more. */
  readonly hopeless: (error: string) => void;
  /** A shard is stuck, and its thread cannot be ended. */
  readonly unending: (shardIndex: number, turn: StuckTurn) => void;
  /** Every shard has ended. */
  readonly ended: () => void;
}

/** All shards of the process. */
export class Shards {
  readonly #inits: readonly ShardInit[];
  readonly #spare: SpareThread;
  readonly #events: ShardEvents;
  readonly #ready = new Set<number>();
  readonly #drained = new Set<number>();
  readonly #deaths: ThreadDeaths = new ThreadDeaths();
  /** Each shard's present thread. */
  readonly #threads = new Map<number, ShardThread>();
  /** The shards that wait to be replaced. */
  readonly #delayed = new Map<number, ReturnType<typeof setTimeout>>();
  /** The shards that do not go by the newest terms yet, and what waits for them. */
  readonly #behind = new Set<number>();
  #agreed: (() => void)[] = [];
  /** The newest terms; undefined until a reload brings others than the shards began with. */
  #terms: ShardTerms | undefined;
  #command: number = ShardCommand.run;
  /** The shards that were told to read no requests and have not said so, and who waits for them. */
  readonly #open = new Set<number>();
  #closed: (() => void) | undefined;
  /** What the first thread to be ready has found; to try the kernel again takes milliseconds that clients wait. */
  #fastPaths: FastPaths | undefined;
  /** Threads that were started. */
  #lives = 0;
  #replacements = 0;
  /** Records that shards have dropped, as far as that was told. */
  #lost = 0;
  #isReady = false;
  #hasEnded = false;
  #looking: ReturnType<typeof setInterval> | undefined;

  constructor(inits: readonly ShardInit[], workerUrl: URL, events: ShardEvents) {
    this.#inits = inits;
    this.#spare = new SpareThread(workerUrl);
    this.#events = events;
  }

  /** Starts every shard. */
  start(): void {
    for (const init of this.#inits) this.#launch(init);
    this.#looking = setInterval(() => this.#look(), LOOK_MS);
  }

  /** Has every shard refuse new requests, and end when the last transfer of all of them has ended. */
  drain(): void {
    this.#say(ShardCommand.drain);
  }

  /** Has every shard end at once. */
  stop(): void {
    this.#say(ShardCommand.stop);
    for (const delay of this.#delayed.values()) clearTimeout(delay);
    this.#delayed.clear();
    this.#endIfAll();
  }

  /** Has every shard go by `terms`. Resolves when each does, or has ended; then nobody uses earlier ones. */
  async switchTo(terms: ShardTerms): Promise<void> {
    this.#terms = terms;
    for (const [shardIndex, thread] of this.#threads) {
      this.#behind.add(shardIndex);
      thread.send(terms);
    }
    if (this.#behind.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#agreed.push(resolve);
    await promise;
  }

  /** Has every shard leave all requests to another process. Resolves when none reads any, and all that were read are answered. */
  async close(): Promise<void> {
    // One that is not ready yet begins behind closed doors.
    for (const shardIndex of this.#ready) this.#open.add(shardIndex);
    this.#write(ControlWord.isClosed, 1);
    if (this.#open.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed = resolve;
    await promise;
  }

  /** Has every shard read requests, also those that were started closed. */
  open(): void {
    this.#write(ControlWord.isClosed, 0);
  }

  /** Has the shard do as `order` says, soon; every shard if no one is named. One that is being replaced never hears of it. */
  order(order: ShardOrder, shardIndex?: number): void {
    for (const [index, thread] of this.#threads) {
      if (shardIndex === undefined || shardIndex === index) thread.order(order);
    }
  }

  /** Whether every shard answers new requests. */
  get isServing(): boolean {
    return this.#command === ShardCommand.run && this.#ready.size === this.#inits.length;
  }

  /** Whether they were told to take no new requests, or to end. */
  get isDraining(): boolean {
    return this.#command !== ShardCommand.run;
  }

  /** How many shards died and were replaced. */
  get replacements(): number {
    return this.#replacements;
  }

  /** The counters of each shard, as they are now. */
  get counters(): readonly Float64Array[] {
    return this.#inits.map((init) => new Float64Array(init.counters));
  }

  /** The sum of one counter over all shards. */
  total(index: number): number {
    return this.#inits.reduce((sum, init) => sum + counterOf(init, index), 0);
  }

  /** How many turns each shard has made; undefined for one that has no worker: it is being replaced, or has ended. */
  turns(): readonly (number | undefined)[] {
    return this.#inits.map(({ shardIndex, counters }) =>
      this.#threads.has(shardIndex) ? new Float64Array(counters)[Counter.turns] : undefined,
    );
  }

  /** Has every shard take a turn, if it can. */
  nudge(): void {
    for (const { doorbellFd } of this.#inits) ringDoorbell(doorbellFd);
  }

  #say(command: number): void {
    if (command <= this.#command) return;
    this.#command = command;
    this.#write(ControlWord.command, command);
  }

  #write(word: number, value: number): void {
    for (const init of this.#inits) {
      Atomics.store(new Int32Array(init.control), word, value);
      ringDoorbell(init.doorbellFd);
    }
  }

  #launch(init: ShardInit): void {
    const { shardIndex } = init;
    const newest: ShardInit = { ...init, terms: this.#terms ?? init.terms };
    const life = this.#lives;
    this.#lives += 1;
    const start = { init: newest, life, fastPaths: this.#fastPaths };
    const thread = new ShardThread(start, this.#spare.take(), {
      said: (message) => this.#hear(message),
      stuck: (turn) => this.#events.stuck(shardIndex, turn),
      unending: (turn) => this.#events.unending(shardIndex, turn),
      ended: (death) => this.#ended(init, death),
    });
    this.#threads.set(shardIndex, thread);
  }

  #look(): void {
    for (const thread of this.#threads.values()) thread.look();
  }

  #hear(message: ShardMessage): void {
    const { kind, shardIndex } = message;
    if (kind === "records") {
      const records = JSON.parse(message.records) as readonly ShardRecord[];
      for (const record of records) this.#events.record(record);
      this.#noteRead(shardIndex, records.length);
    } else if (kind === "progress") {
      this.#events.progress(shardIndex, message.progress);
    } else if (kind === "switched") {
      if (message.generation === this.#terms?.generation) this.#agree(shardIndex);
    } else if (kind === "drained") {
      this.#drained.add(shardIndex);
      // A shard that ended by itself would leave a socket behind that nobody reads, while others are still at work.
      if (this.#drained.size === this.#inits.length) this.stop();
    } else if (kind === "closed") {
      this.#noteClosed(shardIndex);
    } else if (kind === "ready") {
      this.#ready.add(shardIndex);
      this.#fastPaths = message.fastPaths;
      if (this.#ready.size < this.#inits.length) return;
      this.#spare.prepare();
      if (this.#isReady) return;
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

  #ended(init: ShardInit, death: Death): void {
    const { shardIndex } = init;
    this.#threads.delete(shardIndex);
    this.#ready.delete(shardIndex);
    // Whoever comes after it begins with the newest terms.
    this.#agree(shardIndex);
    this.#noteClosed(shardIndex);
    if (this.#command < ShardCommand.stop) this.#replace(init, death);
    else if (death.isFault) this.#events.died(shardIndex, death, undefined);
    this.#endIfAll();
  }

  #endIfAll(): void {
    if (this.#hasEnded || this.#threads.size > 0 || this.#delayed.size > 0) return;
    this.#hasEnded = true;
    clearInterval(this.#looking);
    this.#spare.end();
    this.#events.ended();
  }

  #noteClosed(shardIndex: number): void {
    this.#open.delete(shardIndex);
    if (this.#open.size === 0) this.#closed?.();
  }

  #agree(shardIndex: number): void {
    this.#behind.delete(shardIndex);
    if (this.#behind.size > 0) return;
    for (const resolve of this.#agreed.splice(0)) resolve();
  }

  #replace(init: ShardInit, death: Death): void {
    const { shardIndex } = init;
    const delayMs = this.#deaths.note(shardIndex, death.hasWorked, death.livedMs);
    if (delayMs === undefined) {
      this.#events.hopeless(death.error);
      return;
    }
    const counters = new Float64Array(init.counters);
    // The dead shard's transfers are gone with it; its other counters stay true.
    counters[Counter.transfersActive] = 0;
    this.#replacements += 1;
    this.#events.died(shardIndex, death, delayMs);
    if (delayMs === 0) {
      this.#launch(init);
      return;
    }
    const launch = (): void => {
      this.#delayed.delete(shardIndex);
      this.#launch(init);
    };
    this.#delayed.set(shardIndex, setTimeout(launch, delayMs));
  }
}

function counterOf(init: ShardInit, index: number): number {
  return new Float64Array(init.counters)[index] ?? 0;
}
