// What a load is asked to do, and what is said of it (client layer): plain values between it and the command line.
// Nothing here is a text for people but the words of a failure.

import type { Histogram } from "#base/histogram.ts";
import type { Timeline } from "#base/timeline.ts";
import type { ServerAddress } from "#io/client-socket.ts";
import type { Option } from "#protocol/packet.ts";
import type { Patience } from "#protocol/requester.ts";

import type { ArrivalKind } from "./arrivals.ts";
import type { Failure } from "./contract.ts";

/** A file that clients ask for, or write. */
export interface LoadFile {
  readonly server: ServerAddress;
  /** Its name there. */
  readonly name: Uint8Array;
  /** Where in the name the number of the transfer goes in, counting from 0; −1 where it does not. */
  readonly numberAt: number;
  /** How often it is drawn, in proportion to the others. */
  readonly weight: number;
  /** The SHA-256 that it must have in lower-case hexadecimal digits; undefined: only its length is looked at. */
  readonly sha256: string | undefined;
  /** The length that it must have; undefined: as the server says, or as it came the first time. */
  readonly bytes: number | undefined;
}

/** What one run is to do. */
export interface LoadPlan {
  readonly direction: "get" | "put";
  /** At least one. */
  readonly files: readonly LoadFile[];
  /** What clients ask for: each transfer draws one of these. At least one. */
  readonly asks: readonly (readonly Option[])[];
  /** Bytes of a file to write. */
  readonly putBytes: number;
  /** Transfers at a time. */
  readonly clients: number;
  /** Addresses of this machine that transfers have in turn, as IP literals; empty leaves it to the kernel. */
  readonly sources: readonly string[];
  /** Transfers in all, or for how long new ones begin; Infinity leaves it to the other. */
  readonly transfersMax: number;
  readonly durationUs: number;
  readonly arrivals: ArrivalKind;
  /** Transfers that begin in a second; of no meaning in a storm. */
  readonly ratePerS: number;
  readonly patience: Patience;
  /** The share of transfers, 0–1, whose client vanishes on the way. */
  readonly churn: number;
  /** Where in the file they vanish, as a share of its blocks from 0 to 1; undefined: anywhere. */
  readonly churnAt: number | undefined;
  /** The share of packets, 0–1, that are dropped on their way out and in. */
  readonly loss: number;
  /** How long each packet is held back before it goes out: the round trip is longer by this. */
  readonly delayUs: number;
  readonly seed: number;
}

/** What one transfer is to do. */
export interface LoadJob {
  readonly slot: number;
  readonly direction: "get" | "put";
  readonly file: LoadFile;
  readonly name: Uint8Array;
  readonly asks: readonly Option[];
  /** Bytes of the file: of one to write, or as it was seen before; undefined where that is not known. */
  readonly fileBytes: number | undefined;
  /** Where its client vanishes, as a share of the file from 0 to 1; undefined: nowhere. */
  readonly vanishesAt: number | undefined;
  /** When it should have begun. */
  readonly dueUs: number;
  readonly patience: Patience;
  readonly canSegment: boolean;
  /** Whether the last ACK may be lost though nothing was before. */
  readonly isLossy: boolean;
  /** How long what is sent is held back: the last ACK as well. */
  readonly delayUs: number;
}

/**
 * How a transfer receives. `whole`: everything that comes, to be looked at. `pieces`: what came in one piece (UDP_GRO), of which the
 * kernel copies the first header alone. `heads`: one datagram for each call, and likewise.
 */
export const Intake = { whole: 0, pieces: 1, heads: 2 } as const;
export type Intake = (typeof Intake)[keyof typeof Intake];

/** How a transfer ended. `vanished`: its client did, as it was told to. */
export type LoadEnding = "complete" | "vanished" | Failure;

/** What was counted so far. Grows while a load runs. */
export interface LoadFigures {
  readonly started: number;
  readonly completed: number;
  readonly failed: number;
  readonly vanished: number;
  /** Transfers that were under way when the run was stopped. */
  readonly cancelled: number;
  /** Transfers that began later than planned, because every client was busy. */
  readonly late: number;
  /** The most transfers that were under way at a time. */
  readonly activeMax: number;
  /** Bytes of the files that were complete, and of all blocks that came or were acknowledged, each counted once. */
  readonly bytesCompleted: number;
  readonly bytesMoved: number;
  /** Requests that were sent again, waits that ended without an answer, and blocks that came (get) or went (put) again. */
  readonly requestsRepeated: number;
  readonly timeouts: number;
  readonly blocksRepeated: number;
  /** Packets that were dropped on purpose. */
  readonly droppedOut: number;
  readonly droppedIn: number;
  /** Packets that this machine's kernel did not take. */
  readonly unsent: number;
  /** From the first packet to the last ending so far. */
  readonly elapsedUs: number;
  /** Microseconds from when a transfer should have begun: of those that were complete; and until the first block came, or the first ACK. */
  readonly duration: Histogram;
  readonly firstBlock: Histogram;
  /** The same until a request was refused by an ERROR. */
  readonly refusal: Histogram;
  /** The same until a client vanished. */
  readonly vanishing: Histogram;
  /** Failures by cause and text, at most {@link FAILURE_KINDS_MAX} of them. */
  readonly failures: readonly FailureCount[];
  /** By {@link TimelineChannel}. */
  readonly timeline: Timeline;
}

export interface FailureCount extends Failure {
  readonly count: number;
}

/** Beyond as many different failures, others of the same cause are counted with the first of it. A guess. */
export const FAILURE_KINDS_MAX = 32;

/** What a load's timeline sums up. */
export const TimelineChannel = { bytes: 0, completed: 1, failed: 2 } as const;
