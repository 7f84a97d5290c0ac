// The server of a simulation: a real shard, with what a process has around it. It takes its turns in virtual time, is given new
// terms, dies in the middle of a system call, and is replaced on the same sockets.

import type { Settings } from "#config/settings.ts";
import { Errno } from "#ffi/errno.ts";
import { createHoldings, giveBackLeft, holdAs, holderOf } from "#io/thread.ts";
import { createAnswers } from "#server/answers.ts";
import {
  CONTROL_BYTES,
  ControlWord,
  type FastPath,
  type ShardInit,
  type ShardRecord,
  type ShardTerms,
} from "#server/contract.ts";
import { createLimitMemory } from "#server/limit-memory.ts";
import { Counter, COUNTERS } from "#server/measures.ts";
import { Shard } from "#server/shard.ts";
import { readNow } from "#storage/file-cache.ts";

import { type Datagram, SimulatedKernel } from "../kernel.ts";
import type { Agenda } from "./agenda.ts";
import type { SimulatedDisk } from "./disk.ts";
import { mappedRegions, unmapSince } from "./memory.ts";

/** Numbers that no descriptor of this process has. Transfer sockets follow the service socket. */
export const SERVICE_FD = 1_000_000;
const DOORBELL_FD = 2_000_000;
/** What a turn takes: some system calls, a guess. */
const TURN_US = 20;
/** How long a process takes to start another worker. */
const REPLACE_US = 40_000;

/** What the server runs on, and what happens to it. */
export interface ServerInit {
  readonly terms: ShardTerms;
  readonly transferSockets: number;
  readonly isBatching: boolean;
  readonly isSegmenting: boolean;
  readonly disk: SimulatedDisk;
  readonly send: (datagram: Datagram) => void;
  /** The worker has died, and has left what it held. */
  readonly handleDeath: () => void;
  readonly record: (record: ShardRecord) => void;
}

/** What is thrown into a turn, so that the worker dies of it. */
class Death extends Error {}

export class Server {
  readonly kernel: SimulatedKernel;
  /** Turns that found nothing to do, and nothing to wait for, one after the other. */
  idleTurns = 0;
  turns = 0;
  deaths = 0;
  readonly #agenda: Agenda;
  readonly #init: ServerInit;
  readonly #shardInit: ShardInit;
  readonly #control: Int32Array;
  readonly #counters: Float64Array;
  #terms: ShardTerms;
  #newest: ShardTerms | undefined;
  #shard: Shard | undefined;
  readonly #mappedBefore: ReadonlySet<number> = mappedRegions();
  readonly #mappedFirst: number;
  #turnAtUs = Infinity;
  #pausedUntilUs = 0;
  #isDoomed = false;
  #activity = 0;

  constructor(agenda: Agenda, init: ServerInit) {
    this.#agenda = agenda;
    this.#init = init;
    this.#terms = init.terms;
    this.kernel = new SimulatedKernel((datagram) => {
      this.#activity += 1;
      init.send(datagram);
    });
    this.#shardInit = shardInitOf(init);
    this.#control = new Int32Array(this.#shardInit.control);
    this.#counters = new Float64Array(this.#shardInit.counters);
    this.#launch();
    this.#mappedFirst = mappedRegions().size;
  }

  /** How many mappings there are beyond those that the first shard began with. */
  get mappingsMore(): number {
    return mappedRegions().size - this.#mappedFirst;
  }

  get settings(): Settings {
    return this.#terms.settings;
  }

  /** How many sockets there are. */
  get sockets(): number {
    return 1 + this.#init.transferSockets;
  }

  /** The value of one counter. */
  counter(index: number): number {
    return this.#counters[index] ?? 0;
  }

  /** A datagram reaches the socket. False: its queue is full. */
  arrive(datagram: Datagram): boolean {
    const isTaken = this.kernel.arrive(datagram);
    this.#activity += 1;
    this.#turnAt(this.#agenda.nowUs);
    return isTaken;
  }

  ring(): void {
    this.kernel.ring(DOORBELL_FD);
    this.#activity += 1;
    this.#turnAt(this.#agenda.nowUs);
  }

  /** Other terms are in force from its next turn on. */
  reload(settings: Settings, mayWrite: boolean): void {
    const { writes } = this.#init.terms;
    const generation = this.#terms.generation + 1;
    this.#terms = {
      ...this.#init.terms,
      generation,
      settings,
      writes: mayWrite ? writes : undefined,
    };
    this.#newest = this.#terms;
    Atomics.store(this.#control, ControlWord.generation, generation);
    this.ring();
  }

  /** Takes no turn for so long: a collection, or a scheduler with other things to do. */
  pause(durationUs: number): void {
    this.#pausedUntilUs = this.#agenda.nowUs + durationUs;
  }

  /** Has the worker die in the next system call that concerns a datagram. */
  doom(): void {
    this.#isDoomed = true;
  }

  /** Something that the shard waits for may have happened. */
  wake(): void {
    this.#activity += 1;
    this.#turnAt(this.#agenda.nowUs);
  }

  /** Ends it, and gives back its memory. */
  end(): void {
    this.#shard = undefined;
    unmapSince(this.#mappedBefore);
  }

  #launch(): void {
    this.kernel.clockUs = this.#agenda.nowUs;
    holdAs(this.#shardInit.holdings, holderOf(0, this.deaths));
    const { isBatching, isSegmenting, disk, record } = this.#init;
    const paths = {
      recvmmsg: path(isBatching),
      sendmmsg: path(isBatching),
      gso: path(isSegmenting),
    };
    this.#shard = new Shard(
      { ...this.#shardInit, terms: this.#terms },
      { ...paths, openat2: path(true), spin: path(false) },
      {
        deliver: (records) => records.forEach(record),
        newestTerms: () => {
          const newest = this.#newest;
          this.#newest = undefined;
          return newest;
        },
        newOrders: () => [],
        progressed() {},
        switched() {},
        settled: () => void giveBackLeft(),
        drained() {},
        closed() {},
      },
      {
        kernel: this.#mortal(),
        createDiskQueue: () => disk.open(),
        readNow: (...args) => (disk.isCold ? -Errno.EAGAIN : readNow(...args)),
        collectGarbage() {},
      },
    );
    this.#turnAt(this.#agenda.nowUs);
  }

  #mortal(): SimulatedKernel {
    const { kernel } = this;
    const { datagrams } = kernel;
    const mayDie = (): void => {
      if (!this.#isDoomed) return;
      this.#isDoomed = false;
      throw new Death();
    };
    const calls: SimulatedKernel["datagrams"] = {
      recvmmsg: (...args) => (mayDie(), this.#noted(datagrams.recvmmsg(...args))),
      recvmsg: (...args) => (mayDie(), this.#noted(datagrams.recvmsg(...args))),
      sendmmsg: (...args) => (mayDie(), datagrams.sendmmsg(...args)),
      sendmsg: (...args) => (mayDie(), datagrams.sendmsg(...args)),
    };
    return Object.create(kernel, { datagrams: { value: calls } }) as SimulatedKernel;
  }

  /** A backlog is something to do. */
  #noted(received: number): number {
    if (received > 0) this.#activity += 1;
    return received;
  }

  #turnAt(atUs: number): void {
    if (atUs >= this.#turnAtUs || this.#shard === undefined) return;
    this.#turnAtUs = Math.max(atUs, this.#pausedUntilUs);
    const plannedUs = this.#turnAtUs;
    this.#agenda.at(plannedUs, () => {
      if (this.#turnAtUs === plannedUs) this.#turn();
    });
  }

  #turn(): void {
    const { kernel } = this;
    const { nowUs } = this.#agenda;
    this.#turnAtUs = Infinity;
    if (nowUs < this.#pausedUntilUs) {
      this.#turnAt(this.#pausedUntilUs);
      return;
    }
    kernel.clockUs = nowUs;
    this.turns += 1;
    try {
      this.#shard?.turn();
    } catch (error) {
      if (!(error instanceof Death)) throw error;
      this.#die();
      return;
    }
    const isIdle = this.#activity === 0 && kernel.wakeUs === -Infinity;
    this.idleTurns = isIdle ? this.idleTurns + 1 : 0;
    this.#activity = 0;
    if (kernel.wakeUs === -Infinity) this.#turnAt(nowUs + TURN_US);
    else if (kernel.wakeUs < Infinity) this.#turnAt(kernel.wakeUs);
  }

  #die(): void {
    this.deaths += 1;
    this.#shard = undefined;
    this.#turnAtUs = Infinity;
    this.#counters[Counter.transfersActive] = 0;
    this.#init.handleDeath();
    this.#agenda.after(REPLACE_US, () => this.#launch());
  }
}

function path(isOn: boolean): FastPath {
  return { isOn, because: "" };
}

function shardInitOf({ terms, transferSockets }: ServerInit): ShardInit {
  const ring = new SharedArrayBuffer(8);
  const holdings = createHoldings();
  const { transfersMax } = terms.settings;
  const transferFds = Array.from({ length: transferSockets }, (_, index) => SERVICE_FD + 1 + index);
  return {
    shardIndex: 0,
    terms,
    listeners: [{ serviceFd: SERVICE_FD, transferFds, isWildcard: true }],
    doorbellFd: DOORBELL_FD,
    disks: [{ ring, doorbellFd: DOORBELL_FD, holdings }],
    limits: createLimitMemory({ shards: 1, transfersPerShard: transfersMax }, 1),
    answers: createAnswers(transfersMax),
    holdings,
    control: new SharedArrayBuffer(CONTROL_BYTES),
    counters: new SharedArrayBuffer(COUNTERS * Float64Array.BYTES_PER_ELEMENT),
  };
}
