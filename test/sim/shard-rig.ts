// A real shard on a simulated kernel and disk, with one client: what the tests of single turns need.

import { loadConfig } from "#config/load.ts";
import { resolveSettings, type Settings } from "#config/settings.ts";
import { Errno } from "#ffi/errno.ts";
import { createHoldings } from "#io/thread.ts";
import { createAnswers } from "#server/answers.ts";
import {
  CONTROL_BYTES,
  ControlWord,
  type FastPath,
  ShardCommand,
  type ShardInit,
} from "#server/contract.ts";
import { createLimitMemory } from "#server/limit-memory.ts";
import { COUNTERS } from "#server/measures.ts";
import type { Platform } from "#server/platform.ts";
import { Shard } from "#server/shard.ts";
import { readNow } from "#storage/file-cache.ts";
import { createUploadLedger } from "#storage/upload-ledger.ts";

import { HeldQueue } from "../unit/storage/rig.ts";
import { type Datagram, SimulatedKernel } from "./kernel.ts";
import { requestPacket } from "./packets.ts";

/** Numbers that no descriptor of this process has. Transfer sockets follow the service socket. */
export const SERVICE_FD = 1_000_000;
const TRANSFER_FD = 1_000_001;
const DOORBELL_FD = 2_000_000;
/** Uploads at a time, more than any test has. */
const CLAIMS = 16;
/** 198.51.100.7, port 1024, as a raw sockaddr_in. */
const CLIENT: Uint8Array = Uint8Array.of(2, 0, 4, 0, 198, 51, 100, 7, 0, 0, 0, 0, 0, 0, 0, 0);

export interface ShardRigOptions {
  /** Whether several datagrams go in one call, and several blocks in one message. */
  readonly isBatching: boolean;
  readonly isSegmenting: boolean;
  /** What the configuration has besides `root_dir`. */
  readonly config?: string;
  readonly readNow?: Platform["readNow"];
  /** How many sockets transfers have, 1 unless it says; 0 with a single port. */
  readonly transferSockets?: number;
  /** The folder for uploads, an O_PATH descriptor; undefined where nothing may be written. */
  readonly uploadFd?: number;
}

export class ShardRig {
  readonly kernel: SimulatedKernel;
  /** Messages that the kernel took. */
  messages = 0;
  /** Whether the kernel cuts messages after all; where it does not, it answers as for a path that cannot. */
  canSegment = true;
  /** How the transfers ended, in order. */
  readonly outcomes: string[] = [];
  /** What the kernel would not send, as it was reported: its answer, and how many messages. */
  readonly faults: string[] = [];
  readonly #queue: HeldQueue = new HeldQueue();
  readonly #options: ShardRigOptions;
  #init: ShardInit;
  #shard: Shard;
  readonly #control: Int32Array;
  #sent: Datagram[] = [];

  /** Serves the folder of `rootFd`, an O_PATH descriptor. */
  constructor(rootFd: number, options: ShardRigOptions) {
    this.kernel = new SimulatedKernel((datagram) => this.#sent.push(datagram));
    this.kernel.refusal = (_, segments) => {
      if (segments > 1 && !this.canSegment) return -Errno.EINVAL;
      this.messages += 1;
      return 0;
    };
    this.#options = options;
    this.#init = initOf(rootFd, options);
    this.#control = new Int32Array(this.#init.control);
    this.#shard = this.#launch();
  }

  /** System calls that the disk has made. */
  get jobs(): number {
    return this.#queue.made.length;
  }

  /** Has the client's datagram arrive: a request on the service port, all else on the transfer's. */
  arrive(bytes: Uint8Array): void {
    const fd = (bytes[1] ?? 0) <= 2 ? SERVICE_FD : TRANSFER_FD;
    this.kernel.arrive({ fd, name: CLIENT, bytes });
  }

  /** Has a read request without options arrive. */
  request(name: string): void {
    this.arrive(requestPacket(1, name, "octet"));
  }

  /** One turn of the shard; false: it was the last. */
  turn(): boolean {
    const goesOn = this.#shard.turn();
    // Records may wait for others; here each is looked at in its turn.
    this.#shard.reportLast();
    return goesOn;
  }

  /** What was sent since this was last asked. */
  taken(): readonly Datagram[] {
    const sent = this.#sent;
    this.#sent = [];
    return sent;
  }

  /** Moves the time on to whenever the shard wants to be woken, until it no longer does. The times at which it sent. */
  untilIdle(): readonly number[] {
    const sentUs: number[] = [];
    for (let turn = 0; turn < 10_000 && this.kernel.wakeUs !== Infinity; turn += 1) {
      this.kernel.clockUs = Math.max(this.kernel.clockUs, this.kernel.wakeUs);
      this.turn();
      for (const _ of this.taken()) sentUs.push(this.kernel.clockUs);
    }
    return sentUs;
  }

  /** The shard's thread dies, and another takes its place on all that it had, by another configuration. */
  replace(config: string): void {
    const { terms } = this.#init;
    const settings = settingsOf(config);
    this.#init = { ...this.#init, terms: { ...terms, settings } };
    this.#shard = this.#launch();
  }

  stop(): void {
    Atomics.store(this.#control, ControlWord.command, ShardCommand.stop);
    this.kernel.ring(DOORBELL_FD);
  }

  #launch(): Shard {
    const { isBatching, isSegmenting, readNow: reading = readNow } = this.#options;
    return new Shard(
      this.#init,
      {
        recvmmsg: path(isBatching),
        sendmmsg: path(isBatching),
        gso: path(isSegmenting),
        openat2: path(true),
        spin: path(false),
      },
      {
        deliver: (records) => {
          for (const record of records) {
            if (record.kind === "transfer" || record.kind === "upload")
              this.outcomes.push(record.outcome);
            if (record.kind === "send-fault")
              this.faults.push(`${record.errno} ${record.messages}`);
          }
        },
        newestTerms: () => undefined,
        newOrders: () => [],
        progressed() {},
        switched() {},
        settled() {},
        drained() {},
        closed() {},
      },
      {
        kernel: this.kernel,
        createDiskQueue: () => this.#queue,
        readNow: reading,
        collectGarbage() {},
      },
    );
  }
}

function path(isOn: boolean): FastPath {
  return { isOn, because: "" };
}

function initOf(rootFd: number, options: ShardRigOptions): ShardInit {
  const { config = "", transferSockets = 1, uploadFd } = options;
  const settings = settingsOf(config);
  const limits = createLimitMemory({ shards: 1, transfersPerShard: settings.transfersMax }, 1);
  const ring = new SharedArrayBuffer(8);
  const holdings = createHoldings();
  const transferFds = Array.from({ length: transferSockets }, (_, index) => TRANSFER_FD + index);
  const writes =
    uploadFd === undefined ? undefined : { rootFd: uploadFd, ledger: createUploadLedger(CLAIMS) };
  return {
    shardIndex: 0,
    terms: { generation: 0, settings, folderFds: [rootFd], linkTargetFds: [], writes },
    listeners: [{ serviceFd: SERVICE_FD, transferFds, isWildcard: true }],
    doorbellFd: DOORBELL_FD,
    // The queue that stands in for a thread uses no ring.
    disks: [{ ring, doorbellFd: DOORBELL_FD, holdings }],
    limits,
    answers: createAnswers(settings.transfersMax),
    control: new SharedArrayBuffer(CONTROL_BYTES),
    holdings,
    counters: new SharedArrayBuffer(COUNTERS * Float64Array.BYTES_PER_ELEMENT),
  };
}

function settingsOf(extra: string): Settings {
  const { config } = loadConfig(`root_dir = "/"\n${extra}`, "sim.toml");
  if (config === undefined) throw new Error("the configuration is wrong");
  // The clock stands still during a turn: a spin would not end.
  return { ...resolveSettings(config, { cores: 1, memoryBytes: 2 ** 30 }), spinUs: 0 };
}
