// What a shard reports (server layer): plain records made when a request is decided and when a transfer ends,
// handed over in batches. Nothing here is on the packet path.

import { printable } from "#base/printable.ts";
import { peerText } from "#io/inbox.ts";
import { describeGrant } from "#protocol/options.ts";

import type { Admitted, Refused } from "./admission.ts";
import {
  Counter,
  type RefusalRecord,
  type RequestRecord,
  type ShardRecord,
  type TransferRecord,
} from "./contract.ts";
import { acknowledgedBytes, type Transfer } from "./transfer.ts";

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

export function requestRecord(name: Uint8Array, admitted: Admitted): RequestRecord {
  const { request, grant, fileBytes } = admitted;
  return {
    kind: "request",
    timeMs: Date.now(),
    peer: peerText(name),
    name: printable(request.name),
    mode: request.mode,
    fileBytes,
    blockBytes: grant.blockBytes,
    asked: Object.fromEntries(request.options.map(({ name, value }) => [name, value])),
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

export function transferRecord(transfer: Transfer, nowUs: number): TransferRecord {
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

/**
 * How a transfer ended, as the log says it. To the sender a peer that never acknowledged anything has merely been silent. A
 * request that comes late, after it was served, looks like that too: it is served once more, because a client may well ask twice
 * from one port, and only the silence tells that nobody wanted it.
 */
function outcomeOf({ sender, isRepetition }: Transfer): string {
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
