// What the client is asked to do, and what it says of it (client layer): plain values between it and the command line.
// Nothing here is a text for people but the words of a failure.

import type { ServerAddress } from "#io/client-socket.ts";
import type { Mode } from "#protocol/uri.ts";
import type { Destination } from "#storage/sink.ts";

/** How files are asked for, the same for all of a run. */
export interface Terms {
  /** The block size to ask for; undefined is the largest whose packets fit the path in one piece. */
  readonly blockBytes: number | undefined;
  readonly windowBlocks: number;
  /** The retransmission timeout that both sides shall keep; undefined leaves each its own. */
  readonly timeoutS: number | undefined;
  /** How often a request is sent again, and how many such waits a transfer may stand still. */
  readonly retries: number;
  /** Whether no option is asked for at all. */
  readonly isPlain: boolean;
  /** Whether files that can come by a multicast are asked for so. */
  readonly isMulticast: boolean;
}

interface FileJob {
  /** Where the server listens; the next one is tried where nobody answers. */
  readonly servers: readonly ServerAddress[];
  /** The file's name there. */
  readonly name: Uint8Array;
  readonly mode: Mode;
}

/** A file to get. */
export interface GetJob extends FileJob {
  readonly kind: "get";
  readonly destination: Destination;
  /** Whether its SHA-256 is wanted. */
  readonly isHashed: boolean;
  /** The SHA-256 that it must have, in lower-case hexadecimal digits, or it is not kept. */
  readonly sha256: string | undefined;
}

/** A file to put. */
export interface PutJob extends FileJob {
  readonly kind: "put";
  /** Absolute, without symlinks. */
  readonly path: string;
}

export type Job = GetJob | PutJob;

/**
 * Why a file did not come or go. `not-found` and `refused` are the server's ERROR; `unreachable`: nobody answered at all;
 * `gave-up`: it went silent, or never confirmed the last block; `protocol`: it broke the protocol; `corrupt`: what came is not
 * what was announced; `local`: this machine's file; `cancelled`: we were told to stop.
 */
export type FailureCause =
  | "not-found"
  | "refused"
  | "unreachable"
  | "gave-up"
  | "protocol"
  | "corrupt"
  | "local"
  | "cancelled";

export interface Failure {
  readonly cause: FailureCause;
  /** What is wrong, in a sentence without its end. What a server said is escaped. */
  readonly text: string;
  /** The code of the server's ERROR. */
  readonly errorCode?: number;
}

/** How far a transfer has come. */
export interface Progress {
  /** Bytes of the file that have come, or that the server has acknowledged. */
  readonly bytes: number;
  /** Bytes of the whole file, where that is known. */
  readonly bytesTotal: number | undefined;
}

/** What a report says of a transfer that was answered. */
export interface TransferFacts {
  /** The peer as `address:port`, and the options that were agreed on, `blksize=1428 windowsize=16`. */
  readonly server: string;
  readonly options: string;
  /** Why no multicast brought what was to come by one, in a sentence without its end; else empty. */
  readonly note: string;
  /** Blocks that came or went, repetitions included; those that were repetitions; and timeouts. */
  readonly blocks: number;
  readonly blocksRepeated: number;
  readonly timeouts: number;
  /** The smoothed round-trip time in microseconds; 0 when none could be measured. */
  readonly rttUs: number;
}

/** What became of a job. */
export interface Ending {
  /** Undefined where all is well. */
  readonly failure: Failure | undefined;
  readonly bytes: number;
  /** SHA-256 of what came in hexadecimal digits; empty where it was not wanted. */
  readonly sha256: string;
  readonly durationUs: number;
  /** Undefined where nobody answered. */
  readonly facts: TransferFacts | undefined;
}

/** Hears of each packet: `>` went out, `<` came in; the peer as `address:port`; the packet as a line. */
export type Trace = (direction: ">" | "<", peer: string, packet: string) => void;

/** Told what becomes of jobs, by their place in the list. */
export interface ClientListener {
  handleStart(job: number): void;
  handleEnd(job: number, ending: Ending): void;
}
