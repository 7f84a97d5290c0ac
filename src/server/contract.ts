// What a shard is given and what it says (server layer): plain data that crosses between the supervisor's
// thread and a worker's. Descriptors are numbers, because all threads of a process share them.

import type { MessagePort } from "node:worker_threads";

import type { Settings } from "#config/settings.ts";
import type { ListenerSockets } from "#io/sockets.ts";
import type { DiskThreadInit } from "#storage/disk-ring.ts";

import type { LimitMemory } from "./limit-memory.ts";

/** The first message to a worker: how its shard begins, and where {@link ShardTerms} of reloads and {@link ShardOrder}s come in. */
export interface WorkerStart {
  readonly init: ShardInit;
  readonly terms: MessagePort;
  readonly orders: MessagePort;
  /** No other thread of the process has this number, and earlier ones have lower ones. */
  readonly life: number;
  /** What an earlier thread has found out about this kernel; undefined where that is still to be tried. */
  readonly fastPaths: FastPaths | undefined;
}

/** Everything a shard needs to start. */
export interface ShardInit {
  readonly shardIndex: number;
  /** What it begins with. A reload brings others. */
  readonly terms: ShardTerms;
  /** The sockets of each listener, in the order of `settings.listeners`. */
  readonly listeners: readonly ListenerSockets[];
  /** The eventfd that wakes the shard when {@link control} changed, or a disk thread has a result. */
  readonly doorbellFd: number;
  /** Where packets of transfers go through that are another process's; undefined: nowhere. */
  readonly relay?: RelayInit | undefined;
  /** The rings of this shard's disk threads. */
  readonly disks: readonly DiskThreadInit[];
  /** Int32 words: see {@link ControlWord}. */
  readonly control: SharedArrayBuffer;
  /** Where all threads of the process note what they hold: ffi/holdings.ts. */
  readonly holdings: SharedArrayBuffer;
  /** What all shards count together. */
  readonly limits: LimitMemory;
  /** What this shard has answered: answers.ts. */
  readonly answers: SharedArrayBuffer;
  /** Float64 words, laid out by the table in measures.ts; the shard writes, the supervisor reads. */
  readonly counters: SharedArrayBuffer;
}

/**
 * The settings that requests are decided by, and every descriptor that belongs to them. All of it is replaced at once, between
 * two datagrams; transfers that run keep what they were granted. What is built when a shard starts (sockets, cache, batches)
 * keeps to the settings that it started with.
 */
export interface ShardTerms {
  /** Counts reloads from 0. */
  readonly generation: number;
  readonly settings: Settings;
  /** The folders of `settings.policy.folders`, the root folder first, opened with O_PATH. */
  readonly folderFds: readonly number[];
  /** The folders that symlinks may lead into, opened likewise: those of `settings.lookup.symlinkTargets`, in that order. */
  readonly linkTargetFds: readonly number[];
  /** Undefined where nothing may be written. */
  readonly writes: WritesInit | undefined;
}

/** This shard's connections with the same shard of the processes before it and of the one after it; see relay.ts. */
export interface RelayInit {
  /** Those that may need what comes to our sockets. */
  readonly predecessors: readonly RelayTarget[];
  readonly successorFd: number | undefined;
}

/** A process that packets can be passed on to. */
interface RelayTarget {
  readonly fd: number;
  /** For each of our listeners which one it was there; −1: none. */
  readonly listeners: readonly number[];
}

/** What uploads need. */
export interface WritesInit {
  /** The upload root. */
  readonly rootFd: number;
  /** The memory of the UploadLedger that all shards share. */
  readonly ledger: SharedArrayBuffer;
}

/** Words of the control memory. The supervisor writes the first three and the last, and rings; the shard's thread writes the others. */
export const ControlWord = {
  /** See {@link ShardCommand}. */
  command: 0,
  /** The generation of the newest terms that were sent. */
  generation: 1,
  /** How many {@link ShardOrder}s were sent. */
  orders: 2,
  /** See Pulse in pulse.ts. */
  pulse: 3,
  /** The number of the thread, as the kernel counts them. */
  threadId: 4,
  /** How many records of this shard were read; wraps. */
  recordsRead: 5,
  /** How many transfers this shard and those before it began; see TransferIds in progress.ts. */
  transfers: 6,
  /** Whether another process reads the service sockets: 1, and 0 if not. See Door in door.ts. */
  isClosed: 7,
} as const;

/** Bytes of the control memory. */
export const CONTROL_BYTES: number = Object.keys(ControlWord).length * Int32Array.BYTES_PER_ELEMENT;

/** The values of the command word. Numbers only rise. */
export const ShardCommand = { run: 0, drain: 1, stop: 2 } as const;

/** What a shard is asked to do besides serving: to say how far its transfers are, or to end one. */
export type ShardOrder =
  { readonly kind: "report" } | { readonly kind: "end"; readonly transferId: number };

/** How far a transfer is: as many numbers of {@link ShardMessage}'s progress, in this order. */
export const ProgressWord = {
  /** {@link TransferRecord.transferId}. */
  transferId: 0,
  /** Bytes of the file that its receiver has. */
  bytes: 1,
  /** Blocks that were sent again, or came again. */
  repeats: 2,
  timeouts: 3,
  /** Smoothed; 0 if not measured. */
  rttUs: 4,
  /** Whether the client has answered at all: 0 or 1. */
  hasHeard: 5,
} as const;

export const PROGRESS_WORDS: number = Object.keys(ProgressWord).length;

/** Who a shard belongs to. */
export interface ShardOwner {
  /** Gets what there is to report. */
  deliver(records: readonly ShardRecord[]): void;
  /** The newest terms that were sent and not taken yet; undefined if there are none. */
  newestTerms(): ShardTerms | undefined;
  /** The orders that were sent since the last call, oldest first. */
  newOrders(): readonly ShardOrder[];
  /** How far every transfer is, {@link PROGRESS_WORDS} numbers each: the answer to an order. */
  progressed(progress: Float64Array): void;
  /** The terms of this generation are in force here. */
  switched(generation: number): void;
  /** No disk thread works for an earlier thread of this shard any more, so what that one has left can be given back. */
  settled(): void;
  /** It was told to drain, and the last transfer has ended. It goes on telling clients so until it is stopped. */
  drained(): void;
  /** It reads no requests any more, as it was told; each that it has read is answered. */
  closed(): void;
}

/** What every record says. */
interface ClientRecord {
  /** When it happened, milliseconds since 1970. */
  readonly timeMs: number;
  /** `address:port`, IPv6 in brackets, v4-mapped as plain IPv4. */
  readonly peer: string;
  /** The interface that the request came in by; 0 if that is not known. */
  readonly interfaceIndex: number;
  /** The number of the listener that it came in by. */
  readonly listener: number;
  /** The address of this machine that was asked, without brackets; undefined if that is not known. */
  readonly localAddress: string | undefined;
}

/** What records of one transfer say. */
interface NumberedRecord extends ClientRecord {
  /** The same from the request to the end; no other transfer of the process has it. */
  readonly transferId: number;
}

/** The end of one transfer. */
export interface TransferRecord extends NumberedRecord {
  readonly kind: "transfer";
  /** The name as the client sent it, control characters escaped. */
  readonly name: string;
  readonly mode: "octet" | "netascii";
  /**
   * One of the sender's outcomes: `complete`, `gave-up`, …; or, of a peer that never acknowledged anything, `never-answered`, and
   * `late-repetition` if it had been served the same a moment before.
   */
  readonly outcome: string;
  readonly isSuccess: boolean;
  readonly fileBytes: number;
  /** Bytes of the file that the client acknowledged. */
  readonly bytes: number;
  readonly durationUs: number;
  readonly blockBytes: number;
  readonly windowBlocks: number;
  readonly blocksSent: number;
  readonly blocksResent: number;
  readonly timeouts: number;
  readonly rttUs: number;
  /** The granted options as `blksize=1428 tsize=…`; empty if none. */
  readonly options: string;
  /** Of the whole file, 64 hexadecimal digits; undefined where it was not asked for, or could not be computed. */
  readonly sha256: string | undefined;
}

/** The end of one upload; that of a complete one is when it was safe on the disk. */
export interface UploadRecord extends NumberedRecord {
  readonly kind: "upload";
  /** The name as the client sent it, control characters escaped. */
  readonly name: string;
  /** The upload root, absolute: that of the terms that it was granted on. */
  readonly rootDir: string;
  /** The cleaned name, relative to the upload root: what patterns are matched with. */
  readonly path: string;
  /** Where the file is, relative to the upload root: {@link path}, or the same in quarantine. */
  readonly target: string;
  readonly mode: "octet" | "netascii";
  /** `complete`, or why it is not: an outcome of the receiver, or what storage refused. */
  readonly outcome: string;
  readonly isSuccess: boolean;
  /** Bytes of the file; of an upload that failed, those that had arrived. */
  readonly bytes: number;
  readonly durationUs: number;
  readonly blockBytes: number;
  readonly windowBlocks: number;
  /** Blocks that were accepted, each once. */
  readonly blocksReceived: number;
  /** Blocks that came again. */
  readonly duplicates: number;
  readonly timeouts: number;
  readonly rttUs: number;
  /** The granted options as `blksize=1428 tsize=…`; empty if none. */
  readonly options: string;
  /** 64 hexadecimal digits; undefined where it was not computed. */
  readonly sha256: string | undefined;
  /** Whether the file was read back and compared. */
  readonly isVerified: boolean;
  /** Whether it took the place of a file. */
  readonly isReplacement: boolean;
  /** Whether that file was kept as a version. */
  readonly isVersioned: boolean;
}

/** A write request that was granted. */
export interface UploadRequestRecord extends NumberedRecord {
  readonly kind: "upload-request";
  readonly name: string;
  readonly mode: "octet" | "netascii";
  /** The size that the client announced (`tsize`), if it did. */
  readonly announcedBytes: number | undefined;
  readonly blockBytes: number;
  /** What the client asked for, lower-case names. */
  readonly asked: Readonly<Record<string, string>>;
}

/** A read request that was granted. */
export interface RequestRecord extends NumberedRecord {
  readonly kind: "request";
  readonly name: string;
  readonly mode: "octet" | "netascii";
  readonly fileBytes: number;
  readonly blockBytes: number;
  /** What the client asked for, lower-case names. */
  readonly asked: Readonly<Record<string, string>>;
  /** Of how the file was found, where an administrator should know. */
  readonly remark?: string;
}

/** A request that was refused, with the reason for the log; the peer got a constant sentence. */
export interface RefusalRecord extends ClientRecord {
  readonly kind: "refusal";
  readonly name: string;
  /** Whether it asked to write; false where not even that could be read. */
  readonly isWrite: boolean;
  /** The TFTP error code that was sent. */
  readonly code: number;
  readonly reason: string;
  /** With the cause `too-large`: the file's size, or the size that an upload announced. */
  readonly fileBytes?: number;
  /** With the cause `too-large`: what is allowed. */
  readonly fileBytesMax?: number;
  readonly cause: RefusalCause;
}

/** What sort of refusal it was: for the audit event's name, and for the counters. */
export const refusalCauses = [
  "not-found",
  "denied",
  "inaccessible",
  "traversal",
  "symlink",
  "too-large",
  "write-disabled",
  "malformed",
  "exists",
  "full",
  "busy",
  "io-error",
] as const;

export type RefusalCause = (typeof refusalCauses)[number];

/** Limits on requests and transfers; of `worker-transfers` each shard has its own. `resources`: memory, buffers, open files. */
export const limitNames = [
  "transfers",
  "worker-transfers",
  "client-transfers",
  "network-transfers",
  "half-open",
  "requests",
  "resources",
] as const;

export type LimitName = (typeof limitNames)[number];

/** Requests that a limit has turned away. One record stands for all of them since the one before. */
export interface LimitRecord {
  readonly kind: "limit";
  readonly timeMs: number;
  /** Whose request was the last of them. */
  readonly peer: string;
  /** The number of the listener that it came in by. */
  readonly listener: number;
  readonly limit: LimitName;
  /** What the configuration allows; 0 of `resources`, which it does not count. */
  readonly max: number;
  /** How many were turned away. */
  readonly refused: number;
}

/** Messages that the kernel would not send. Their transfers repeat them, as what is lost on the wire. */
export interface SendFaultRecord {
  readonly kind: "send-fault";
  readonly timeMs: number;
  /** The kernel's answer by its C name. */
  readonly errno: string;
  /** What that usually means; may be empty. */
  readonly meaning: string;
  /** How many since the last record. */
  readonly messages: number;
}

export type ShardRecord =
  | LimitRecord
  | TransferRecord
  | RequestRecord
  | UploadRecord
  | UploadRequestRecord
  | RefusalRecord
  | SendFaultRecord;

/** A message from a shard to the supervisor. */
export type ShardMessage =
  | { readonly kind: "ready"; readonly shardIndex: number; readonly fastPaths: FastPaths }
  | {
      readonly kind: "records";
      readonly shardIndex: number;
      /** A list of {@link ShardRecord}, as JSON: objects cost the engine twice as much to copy from thread to thread. */
      readonly records: string;
    }
  /** From now on requests are decided by the terms of this generation, and descriptors of earlier ones are not used any more. */
  | { readonly kind: "switched"; readonly shardIndex: number; readonly generation: number }
  | {
      readonly kind: "progress";
      readonly shardIndex: number;
      readonly progress: Float64Array;
    }
  | { readonly kind: "drained"; readonly shardIndex: number }
  | { readonly kind: "closed"; readonly shardIndex: number }
  | { readonly kind: "stopped"; readonly shardIndex: number };

/** Which kernel features a shard found, by trying; `because` is empty where granted. */
export interface FastPaths {
  readonly recvmmsg: FastPath;
  readonly sendmmsg: FastPath;
  readonly gso: FastPath;
  readonly openat2: FastPath;
  readonly spin: FastPath;
}

export interface FastPath {
  readonly isOn: boolean;
  readonly because: string;
}
