// What a shard reports (server layer): plain records made when a request is decided and when a transfer ends,
// handed over in batches. Nothing here is on the packet path.

import { printable } from "#base/printable.ts";
import { localAddressText, localIfindex, peerText } from "#io/inbox.ts";
import { pathText } from "#policy/names.ts";
import { describeGrant } from "#protocol/options.ts";
import type { Request } from "#protocol/request.ts";
import { UploadRefusal } from "#storage/upload-refusal.ts";

import type { AdmittedRead } from "./admission.ts";
import {
  ControlWord,
  type RefusalRecord,
  type RequestRecord,
  type ShardRecord,
  type TransferRecord,
  type UploadRecord,
  type UploadRequestRecord,
} from "./contract.ts";
import type { Counters } from "./counters.ts";
import { Counter } from "./measures.ts";
import { type Refused, uploadFate } from "./refused.ts";
import { hasSucceeded, type ReadEnd } from "./tally.ts";
import {
  acknowledgedBytes,
  type Exchange,
  type ReadTransfer,
  type WriteTransfer,
} from "./transfer.ts";
import type { AdmittedWrite } from "./writes.ts";

// A batch goes out when it is this long, or when its first record has waited so long: each wakes the main thread, which may have to
// share a core with the shard.
const RECORDS_MAX = 64;
const WAIT_US = 5000;

/** Reports that the main thread may have before it: some 8 MiB. What is beyond that is dropped, counted and said in the log. */
const UNREAD_MAX = 16_384;

/** Collects records and hands them to `deliver`, as long as their reader keeps up. */
export class Records {
  readonly #deliver: (records: readonly ShardRecord[]) => void;
  readonly #control: Int32Array;
  readonly #counters: Counters;
  /** How many were delivered, as the reader counts in the control memory. */
  #delivered: number;
  #waiting: ShardRecord[] = [];
  /** When they go out at the latest; Infinity while that is not known yet. */
  #untilUs = Infinity;

  constructor(
    deliver: (records: readonly ShardRecord[]) => void,
    control: Int32Array,
    counters: Counters,
  ) {
    this.#deliver = deliver;
    this.#control = control;
    this.#counters = counters;
    this.#delivered = Atomics.load(control, ControlWord.recordsRead);
  }

  add(record: ShardRecord): void {
    this.#waiting.push(record);
    if (this.#waiting.length >= RECORDS_MAX) this.flush();
  }

  /** When {@link settle} has something to do; Infinity if nothing waits. */
  get nextUs(): number {
    return this.#untilUs;
  }

  /** Lets what waits go out if it is time: called before each sleep, and every now and then. */
  settle(nowUs: number): void {
    if (this.#waiting.length === 0) return;
    if (this.#untilUs === Infinity) this.#untilUs = nowUs + WAIT_US;
    else if (nowUs >= this.#untilUs) this.flush();
  }

  flush(): void {
    this.#untilUs = Infinity;
    const count = this.#waiting.length;
    if (count === 0) return;
    const records = this.#waiting;
    this.#waiting = [];
    const unread = (this.#delivered - Atomics.load(this.#control, ControlWord.recordsRead)) | 0;
    if (unread + count > UNREAD_MAX) {
      this.#counters.add(Counter.recordsLost, count);
      return;
    }
    this.#delivered = (this.#delivered + count) | 0;
    this.#deliver(records);
  }
}

/** Whose request or transfer it was, and where it came in. */
type Whose = Pick<Exchange, "name" | "local" | "listener">;
/** Whose transfer it is or was. */
type Numbered = Whose & Pick<Exchange, "id">;

export function requestRecord(whose: Numbered, admitted: AdmittedRead): RequestRecord {
  const { request, grant, fileBytes, remark } = admitted;
  const record: RequestRecord = {
    kind: "request",
    ...clientOf(whose),
    transferId: whose.id,
    name: printable(request.name),
    mode: request.mode,
    fileBytes,
    blockBytes: grant.blockBytes,
    asked: askedOf(request),
  };
  return remark === "" ? record : { ...record, remark: printable(remark) };
}

export function uploadRequestRecord(
  whose: Numbered,
  { request, grant }: AdmittedWrite,
): UploadRequestRecord {
  return {
    kind: "upload-request",
    ...clientOf(whose),
    transferId: whose.id,
    name: printable(request.name),
    mode: request.mode,
    announcedBytes: grant.announcedBytes,
    blockBytes: grant.blockBytes,
    asked: askedOf(request),
  };
}

export function refusalRecord(whose: Whose, refused: Refused): RefusalRecord {
  const { fileBytes, fileBytesMax } = refused;
  return {
    kind: "refusal",
    ...clientOf(whose),
    name: printable(refused.name),
    isWrite: refused.isWrite,
    code: refused.reply?.code ?? 0,
    reason: refused.reason,
    cause: refused.cause,
    ...(fileBytes === undefined ? {} : { fileBytes }),
    ...(fileBytesMax === undefined ? {} : { fileBytesMax }),
  };
}

/** What is counted of a download that is over. */
export function endOf(transfer: ReadTransfer, nowUs: number): ReadEnd {
  const { blocksResent, timeouts, rttUs } = transfer.sender.statistics;
  const outcome = outcomeOf(transfer);
  return {
    outcome,
    isSuccess: hasSucceeded(outcome),
    bytes: acknowledgedBytes(transfer),
    durationUs: nowUs - transfer.startUs,
    blocksResent,
    timeouts,
    rttUs,
  };
}

export function transferRecord(transfer: ReadTransfer, end: ReadEnd): TransferRecord {
  const { sender, grant, request } = transfer;
  return {
    kind: "transfer",
    ...clientOf(transfer),
    transferId: transfer.id,
    name: printable(request.name),
    mode: request.mode,
    ...end,
    fileBytes: transfer.fileBytes,
    blockBytes: grant.blockBytes,
    windowBlocks: grant.windowBlocks,
    blocksSent: sender.statistics.blocksSent,
    options: describeGrant(grant),
    sha256: undefined,
  };
}

/** The end of an upload, made when the disk has said what became of it. */
export function uploadRecord(transfer: WriteTransfer, nowUs: number): UploadRecord {
  const { receiver, grant, request, intake, rootDir, path } = transfer;
  const { upload } = intake;
  const { plan, isNew } = upload.file;
  const { blocksAccepted, blocksRepeated, timeouts, rttUs } = receiver.statistics;
  const isSuccess = upload.refusal === 0 && receiver.outcome !== "protocol-error";
  return {
    kind: "upload",
    ...clientOf(transfer),
    transferId: transfer.id,
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
    rttUs,
    options: describeGrant(grant),
    sha256: upload.sha256 === "" ? undefined : upload.sha256,
    isVerified: isSuccess && plan.isVerified,
    isReplacement: isSuccess && !isNew,
    isVersioned: isSuccess && !isNew && plan.versionsMax > 0,
  };
}

/**
 * A client that left, or was cut off, says so; otherwise storage does. What is in its place is complete, whoever has left; unless it was
 * already there when a block behind its last one came.
 */
function uploadOutcome({ receiver, intake }: WriteTransfer): string {
  const { refusal } = intake.upload;
  const isIllegal = receiver.outcome === "protocol-error";
  if (isIllegal || refusal === UploadRefusal.otherSize) return "protocol-error";
  if (refusal === 0) return receiver.outcome === "running" ? "complete" : "complete-unacknowledged";
  return receiver.outcome === "running" ? uploadFate(refusal).cause : receiver.outcome;
}

/**
 * How a transfer ended, as the log says it. To the sender a peer that never acknowledged anything has merely been silent, even where
 * one block was the whole file: nobody can tell that it has it. A request that comes late, after it was served, looks like that too: it
 * is served once more, because a client may well ask twice from one port, and only the silence tells that nobody wanted it.
 */
function outcomeOf({ sender, isRepetition, wasRefused }: ReadTransfer): string {
  const { outcome, hasHeard } = sender;
  const isUnacknowledged = outcome === "complete-unacknowledged";
  if ((isUnacknowledged || outcome === "gave-up") && !hasHeard) {
    return isRepetition ? "late-repetition" : "never-answered";
  }
  // A last block that never left this machine is not one whose ACK was lost.
  return isUnacknowledged && wasRefused ? "gave-up" : outcome;
}

function clientOf({
  name,
  local,
  listener,
}: Whose): Pick<RefusalRecord, "timeMs" | "peer" | "interfaceIndex" | "listener" | "localAddress"> {
  return {
    timeMs: Date.now(),
    peer: peerText(name),
    interfaceIndex: localIfindex(local),
    listener,
    localAddress: localAddressText(local),
  };
}

function askedOf({ options }: Request): Readonly<Record<string, string>> {
  return Object.fromEntries(options.map(({ name, value }) => [name, value]));
}
