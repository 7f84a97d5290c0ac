// What a shard is given and what it says (server layer): plain data that crosses between the supervisor's
// thread and a worker's. Descriptors are numbers, because all threads of a process share them.

import type { MessagePort } from "node:worker_threads";

import type { Settings } from "#config/settings.ts";
import type { DiskThreadInit } from "#storage/disk-ring.ts";

/** A worker's `workerData`: how its shard begins, and where the {@link ShardTerms} of reloads come in. */
export interface WorkerStart {
  readonly init: ShardInit;
  readonly terms: MessagePort;
}

/** Everything a shard needs to start. */
export interface ShardInit {
  readonly shardIndex: number;
  /** What it begins with. A reload brings others. */
  readonly terms: ShardTerms;
  /** A non-blocking UDP socket bound to the service port. */
  readonly serviceFd: number;
  /** Non-blocking UDP sockets for transfers; empty in single-port mode. */
  readonly transferFds: readonly number[];
  /** The eventfd that wakes the shard when {@link control} changed, or a disk thread has a result. */
  readonly doorbellFd: number;
  /** The rings of this shard's disk threads. */
  readonly disks: readonly DiskThreadInit[];
  /** Int32 words: see {@link ControlWord}. */
  readonly control: SharedArrayBuffer;
  /** Float64 words indexed by {@link Counter}; the shard writes, the supervisor reads. */
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

/** What uploads need. */
export interface WritesInit {
  /** The upload root. */
  readonly rootFd: number;
  /** The memory of the UploadLedger that all shards share. */
  readonly ledger: SharedArrayBuffer;
}

/** Words of the control memory; the supervisor writes them, and rings. */
export const ControlWord = {
  /** See {@link ShardCommand}. */
  command: 0,
  /** The generation of the newest terms that were sent. */
  generation: 1,
} as const;

/** Bytes of the control memory. */
export const CONTROL_BYTES: number = Object.keys(ControlWord).length * Int32Array.BYTES_PER_ELEMENT;

/** The values of the command word. Numbers only rise. */
export const ShardCommand = { run: 0, drain: 1, stop: 2 } as const;

/** Indexes of the counters. */
export const Counter = {
  turns: 0,
  receiveCalls: 1,
  datagramsReceived: 2,
  sendCalls: 3,
  messagesSent: 4,
  datagramsSent: 5,
  bytesSent: 6,
  transfersActive: 7,
  transfersCompleted: 8,
  transfersFailed: 9,
  requestsRefused: 10,
  blocksResent: 11,
  cacheHits: 12,
  cacheMisses: 13,
  gsoFallbacks: 14,
  sleeps: 15,
  spins: 16,
  strayDatagrams: 17,
  lateRepetitions: 18,
  uploadsCompleted: 19,
  uploadsFailed: 20,
  bytesReceived: 21,
} as const;

/** How many counters there are. */
export const COUNTERS: number = Object.keys(Counter).length;

/** Who a shard belongs to. */
export interface ShardOwner {
  /** Gets what there is to report. */
  deliver(records: readonly ShardRecord[]): void;
  /** The newest terms that were sent and not taken yet; undefined if there are none. */
  newestTerms(): ShardTerms | undefined;
  /** The terms of this generation are in force here. */
  switched(generation: number): void;
}

/** The end of one transfer. */
export interface TransferRecord {
  readonly kind: "transfer";
  /** When it ended, milliseconds since 1970. */
  readonly timeMs: number;
  /** `address:port`, IPv6 in brackets, v4-mapped as plain IPv4. */
  readonly peer: string;
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
}

/** The end of one upload. */
export interface UploadRecord {
  readonly kind: "upload";
  /** When it ended, milliseconds since 1970. For a complete upload that is when it was safe on the disk. */
  readonly timeMs: number;
  readonly peer: string;
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
export interface UploadRequestRecord {
  readonly kind: "upload-request";
  readonly timeMs: number;
  readonly peer: string;
  readonly name: string;
  readonly mode: "octet" | "netascii";
  /** The size that the client announced (`tsize`), if it did. */
  readonly announcedBytes: number | undefined;
  readonly blockBytes: number;
  /** What the client asked for, lower-case names. */
  readonly asked: Readonly<Record<string, string>>;
}

/** A read request that was granted. */
export interface RequestRecord {
  readonly kind: "request";
  readonly timeMs: number;
  readonly peer: string;
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
export interface RefusalRecord {
  readonly kind: "refusal";
  readonly timeMs: number;
  readonly peer: string;
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
  /** What sort of refusal it was, for the audit event's name. */
  readonly cause:
    | "not-found"
    | "denied"
    | "traversal"
    | "symlink"
    | "too-large"
    | "write-disabled"
    | "malformed"
    | "exists"
    | "full"
    | "busy"
    | "io-error";
}

export type ShardRecord =
  TransferRecord | RequestRecord | UploadRecord | UploadRequestRecord | RefusalRecord;

/** A message from a shard to the supervisor. */
export type ShardMessage =
  | { readonly kind: "ready"; readonly shardIndex: number; readonly fastPaths: FastPaths }
  | {
      readonly kind: "records";
      readonly shardIndex: number;
      readonly records: readonly ShardRecord[];
    }
  /** From now on requests are decided by the terms of this generation, and descriptors of earlier ones are not used any more. */
  | { readonly kind: "switched"; readonly shardIndex: number; readonly generation: number }
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
