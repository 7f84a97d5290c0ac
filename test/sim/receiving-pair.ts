// One transfer to the real Receiver, as a seed decides: a file that is put, by the real Sender or by the
// reference sender, or one that is got from the real Sender. The disk is behind at times, and takes its time
// over the whole file.

import { Random } from "#base/random.ts";
import { errorReplies, type ErrorReply } from "#protocol/error-reply.ts";
import type { Outcome } from "#protocol/outcome.ts";
import type { ReceiverStatistics } from "#protocol/receiver-counts.ts";

import { GetEnd } from "./get-end.ts";
import { PutEnd } from "./put-end.ts";
import type { ReceiverEnd, ReceiverEndOptions } from "./receiver-end.ts";
import { note, run, type Timed } from "./run.ts";
import { fileOf, netasciiOf, pick, type Scenario, scenarioOf } from "./scenario.ts";
import type { Sent } from "./sender-end.ts";
import { Sender, type SenderDialect, senderDialects } from "./sender.ts";
import { ServerEnd } from "./server-end.ts";
import { UploadEnd } from "./upload-end.ts";
import { Wire } from "./wire.ts";

/** Who sends to the Receiver. */
export const pairings = ["put", "reference-put", "get"] as const;
export type Pairing = (typeof pairings)[number];

export interface ReceivingScenario extends Omit<Scenario, "dialect"> {
  readonly pairing: Pairing;
  readonly dialect: SenderDialect;
  /** How often the disk is behind after a block, and for how long at the most. */
  readonly stall: number;
  readonly stallUsMax: number;
  /** How long the whole file takes to be safe, at the most. */
  readonly holdUsMax: number;
  /** The file cannot be kept after all. */
  readonly isRefused: boolean;
}

export interface ReceivingResult {
  readonly received: Outcome;
  readonly sender: string;
  readonly file: Uint8Array;
  /** The file where it shall be; undefined if it never was. */
  readonly published: Uint8Array | undefined;
  readonly lastBlock: number;
  readonly windowBlocks: number;
  readonly statistics: ReceiverStatistics;
  readonly sent: Sent;
  readonly wire: Wire["counts"];
  readonly disk: Readonly<Pick<Disk, "stalls" | "busyUs">>;
  readonly endUs: number;
  /** Requests and OACKs that arrived, repetitions included. */
  readonly requests: number;
  readonly transcript: string;
}

/** Draws a scenario for a pairing. */
export function receivingScenarioOf(seed: number, pairing: Pairing): ReceivingScenario {
  const random = new Random(seed ^ 0xd15c);
  const isSlow = random.chance(0.3);
  return {
    ...scenarioOf(seed),
    pairing,
    dialect: pick(random, senderDialects),
    stall: isSlow ? 0.05 : 0,
    stallUsMax: 10 ** (3 + random.below(5)),
    holdUsMax: random.chance(0.5) ? 0 : 10 ** (3 + random.below(5)),
    isRefused: random.chance(0.05),
  };
}

/** Runs the transfer to its end. */
export function runReceiving(scenario: ReceivingScenario): ReceivingResult {
  const { seed, mode, faults } = scenario;
  const random = new Random(seed ^ 0x5eed);
  const file = fileOf(random, scenario.fileBytes, mode);
  const wire = new Wire(random, faults);
  const lines: string[] = [];
  let requests = 0;

  const disk = new Disk(scenario, random);
  const sending: SendingEnd = sendingEnd(scenario, file, random, (datagram, nowUs) => {
    note(lines, "→", datagram, nowUs);
    wire.send(datagram, nowUs, (arrived, atUs) => {
      if (isOpening(arrived)) requests++;
      receiving.handleDatagram(arrived, atUs);
    });
  });
  const receiving: ReceivingEnd = receivingEnd(scenario, {
    kernelTakes: () => !random.chance(scenario.refusal),
    stallUs: () => disk.stallUs(),
    holdUs: () => disk.holdUs(),
    refusal: scenario.isRefused ? refusalOf(scenario) : undefined,
    send: (datagram, nowUs) => {
      note(lines, "←", datagram, nowUs);
      wire.send(datagram, nowUs, (arrived, atUs) => {
        if (isOpening(arrived)) requests++;
        sending.handleDatagram(arrived, atUs);
      });
    },
  });
  const endUs = run(wire, [sending, receiving]);
  const { end } = receiving;
  if (end === undefined) throw new Error("no transfer began");
  const encoded = mode === "octet" ? file : netasciiOf(file);
  return {
    received: end.receiver.outcome,
    sender: sending.outcome,
    file,
    published: end.published,
    lastBlock: Math.floor(encoded.length / end.grant.blockBytes) + 1,
    windowBlocks: end.grant.windowBlocks,
    statistics: end.receiver.statistics,
    sent: sending.sent,
    wire: wire.counts,
    disk,
    endUs,
    requests,
    transcript: lines.slice(-60).join("\n"),
  };
}

interface SendingEnd extends Timed {
  readonly outcome: string;
  readonly sent: ReceivingResult["sent"];
  handleDatagram(datagram: Uint8Array, nowUs: number): void;
}

interface ReceivingEnd extends Timed {
  readonly end: ReceiverEnd | undefined;
  handleDatagram(datagram: Uint8Array, nowUs: number): void;
}

/** A disk that is behind at times, and what came of it. */
class Disk {
  readonly #scenario: ReceivingScenario;
  readonly #random: Random;
  /** Times that it was behind. */
  stalls = 0;
  /** How long it was behind, and took over the whole file. */
  busyUs = 0;

  constructor(scenario: ReceivingScenario, random: Random) {
    this.#scenario = scenario;
    this.#random = random;
  }

  stallUs(): number {
    if (!this.#random.chance(this.#scenario.stall)) return 0;
    this.stalls++;
    return this.#took(1 + this.#random.below(this.#scenario.stallUsMax));
  }

  holdUs(): number {
    return this.#took(this.#random.below(this.#scenario.holdUsMax + 1));
  }

  #took(us: number): number {
    this.busyUs += us;
    return us;
  }
}

type Send = (datagram: Uint8Array, nowUs: number) => void;

function sendingEnd(
  { pairing, dialect, mode, asks, refusal }: ReceivingScenario,
  file: Uint8Array,
  random: Random,
  send: Send,
): SendingEnd {
  const kernelTakes = (): boolean => !random.chance(refusal);
  if (pairing === "put") return new PutEnd({ mode, asks, file, kernelTakes, send });
  if (pairing === "get") return new ServerEnd({ file, kernelTakes, send });
  const encoded = mode === "octet" ? file : netasciiOf(file);
  return new Sender({ dialect, random, mode, encoded, asks, send });
}

function receivingEnd(
  { pairing, mode, asks }: ReceivingScenario,
  owner: ReceiverEndOptions,
): ReceivingEnd {
  return pairing === "get" ? new GetEnd({ ...owner, mode, asks }) : new UploadEnd(owner);
}

/** Code 0 where it may be. A client that gets may not say it: PXELINUX does, for the ACK of an empty last block. */
function refusalOf({ pairing }: ReceivingScenario): ErrorReply {
  return pairing === "get" ? errorReplies.diskFull : errorReplies.writeFailed;
}

/** Whether a datagram is a request, or the OACK that answers one. */
function isOpening([, opcode]: Uint8Array): boolean {
  return opcode === 1 || opcode === 2 || opcode === 6;
}
