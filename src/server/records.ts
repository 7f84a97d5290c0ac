// What a shard reports (server layer): plain records made when a request is decided and when a transfer ends,
// handed over in batches. Nothing here is on the packet path.

import { printable } from "#base/printable.ts";
import { peerText } from "#io/inbox.ts";
import { pathText } from "#policy/names.ts";
import { describeGrant } from "#protocol/options.ts";
import type { Request } from "#protocol/request.ts";

import type { AdmittedRead } from "./admission.ts";
import {
  Counter,
  type RefusalRecord,
  type RequestRecord,
  type ShardRecord,
  type TransferRecord,
  type UploadRecord,
  type UploadRequestRecord,
} from "./contract.ts";
import { type Refused, uploadFate } from "./refused.ts";
import { acknowledgedBytes, type ReadTransfer, type WriteTransfer } from "./transfer.ts";
import type { AdmittedWrite } from "./writes.ts";

// A batch goes out when it is this long, or when the shard is about to sleep.
const RECORDS_MAX = 64;

/** Collects records and hands them to `deliver`. */
export class Records {
  readonly #deliver: (records: readonly ShardRecord[]) => void;
  #waiting: ShardRecord[] = [];

  constructor(deliver: (records: readonly ShardRecord[]) => void) {
    this.#deliver = deliver;
  }

  add(record: ShardRecord): void {
    this.#waiting.push(record);
    if (this.#waiting.length >= RECORDS_MAX) this.flush();
  }

  flush(): void {
    if (this.#waiting.length === 0) return;
    const records = this.#waiting;
    this.#waiting = [];
    this.#deliver(records);
  }
}

export function requestRecord(name: Uint8Array, admitted: AdmittedRead): RequestRecord {
  const { request, grant, fileBytes, remark } = admitted;
  const record: RequestRecord = {
    kind: "request",
    timeMs: Date.now(),
    peer: peerText(name),
    name: printable(request.name),
    mode: request.mode,
    fileBytes,
    blockBytes: grant.blockBytes,
    asked: askedOf(request),
  };
  return remark === "" ? record : { ...record, remark: printable(remark) };
}

export function uploadRequestRecord(
  name: Uint8Array,
  { request, grant }: AdmittedWrite,
): UploadRequestRecord {
  return {
    kind: "upload-request",
    timeMs: Date.now(),
    peer: peerText(name),
    name: printable(request.name),
    mode: request.mode,
    announcedBytes: grant.announcedBytes,
    blockBytes: grant.blockBytes,
    asked: askedOf(request),
  };
}

export function refusalRecord(name: Uint8Array, refused: Refused): RefusalRecord {
  const { fileBytes, fileBytesMax } = refused;
  return {
    kind: "refusal",
    timeMs: Date.now(),
    peer: peerText(name),
    name: printable(refused.name),
    isWrite: refused.isWrite,
    code: refused.reply?.code ?? 0,
    reason: refused.reason,
    cause: refused.cause,
    ...(fileBytes === undefined ? {} : { fileBytes }),
    ...(fileBytesMax === undefined ? {} : { fileBytesMax }),
  };
}

export function transferRecord(transfer: ReadTransfer, nowUs: number): TransferRecord {
  const { sender, grant, request } = transfer;
  const { blocksSent, blocksResent, timeouts, rttUs } = sender.statistics;
  const outcome = outcomeOf(transfer);
  return {
    kind: "transfer",
    timeMs: Date.now(),
    peer: peerText(transfer.name),
    name: printable(request.name),
    mode: request.mode,
    outcome,
    isSuccess: isSuccess(outcome),
    fileBytes: transfer.fileBytes,
    bytes: acknowledgedBytes(transfer),
    durationUs: nowUs - transfer.startUs,
    blockBytes: grant.blockBytes,
    windowBlocks: grant.windowBlocks,
    blocksSent,
    blocksResent,
    timeouts,
    rttUs,
    options: describeGrant(grant),
  };
}

/** The end of an upload, made when the disk has said what became of it. */
export function uploadRecord(transfer: WriteTransfer, nowUs: number): UploadRecord {
  const { receiver, grant, request, intake, rootDir, path } = transfer;
  const { upload } = intake;
  const { plan, isNew } = upload.file;
  const { blocksAccepted, blocksRepeated, timeouts } = receiver.statistics;
  const isSuccess = upload.refusal === 0;
  return {
    kind: "upload",
    timeMs: Date.now(),
    peer: peerText(transfer.name),
    name: printable(request.name),
    rootDir,
    path,
    target: pathText(plan.path),
    mode: request.mode,
    outcome: uploadOutcome(transfer),
    isSuccess,
    bytes: upload.bytes,
    durationUs: nowUs - transfer.startUs,
    blockBytes: grant.blockBytes,
    windowBlocks: grant.windowBlocks,
    blocksReceived: blocksAccepted,
    duplicates: blocksRepeated,
    timeouts,
    options: describeGrant(grant),
    sha256: upload.sha256 === "" ? undefined : upload.sha256,
    isVerified: isSuccess && plan.isVerified,
    isReplacement: isSuccess && !isNew,
    isVersioned: isSuccess && !isNew && plan.versionsMax > 0,
  };
}

/** A client that left, or was cut off, says so; otherwise storage does. What is in its place is complete, whoever has left. */
function uploadOutcome({ receiver, intake }: WriteTransfer): string {
  const { refusal } = intake.upload;
  if (refusal === 0) return receiver.outcome === "running" ? "complete" : "complete-unacknowledged";
  return receiver.outcome === "running" ? uploadFate(refusal).cause : receiver.outcome;
}

/**
 * How a transfer ended, as the log says it. To the sender a peer that never acknowledged anything has merely been silent. A
 * request that comes late, after it was served, looks like that too: it is served once more, because a client may well ask twice
 * from one port, and only the silence tells that nobody wanted it.
 */
function outcomeOf({ sender, isRepetition }: ReadTransfer): string {
  const { outcome, hasHeard } = sender;
  const isSilent = outcome === "gave-up" || outcome === "complete-unacknowledged";
  if (isSilent && !hasHeard && isRepetition) return "late-repetition";
  return outcome === "gave-up" && !hasHeard ? "never-answered" : outcome;
}

/** The counter of transfers that ended so. */
export function endCounter({ outcome, isSuccess: hasSucceeded }: TransferRecord): number {
  if (outcome === "late-repetition") return Counter.lateRepetitions;
  return hasSucceeded ? Counter.transfersCompleted : Counter.transfersFailed;
}

/** A probe is what its client wanted; an unacknowledged end had every byte sent. */
function isSuccess(outcome: string): boolean {
  return outcome === "complete" || outcome === "complete-unacknowledged" || outcome === "probe";
}

function askedOf({ options }: Request): Readonly<Record<string, string>> {
  return Object.fromEntries(options.map(({ name, value }) => [name, value]));
}
