// The transfers under way (supervisor layer): begun and ended by what shards report, and how far they are by what shards answer
// when they are asked. Bounded by how many the shards may have; one whose end was never told goes when its shard knows it no more.

import { f64At } from "#base/bytes.ts";
import {
  PROGRESS_WORDS,
  ProgressWord,
  type RequestRecord,
  type UploadRequestRecord,
} from "#server/contract.ts";
import { shardOf } from "#server/progress.ts";

import type { TransferView } from "./api-shapes.ts";
import { formatTimestamp } from "./format.ts";

/** A transfer that began. */
type Begun = RequestRecord | UploadRequestRecord;

/** How much of the rate of before stays in it, with every second: a few seconds make it new. */
const RATE_KEPT = 0.6;
/** A shard that does not know a transfer in so many reports in a row has ended it: the last ones may have crossed its start. */
const ABSENCES_MAX = 3;

/** One of them. */
export interface LiveTransfer {
  readonly begun: Begun;
  readonly shard: number;
  bytes: number;
  /** When it began, or when its bytes were last seen to have grown. */
  movedMs: number;
  hasAnswered: boolean;
  bytesPerSecond: number;
  repeats: number;
  timeouts: number;
  rttUs: number;
  absences: number;
}

export class Live {
  readonly #shards: number;
  readonly #max: number;
  readonly #transfers = new Map<number, LiveTransfer>();
  /** By shard: when it last answered. */
  readonly #answeredMs = new Map<number, number>();

  /** `max`: how many `shards` shards may have. */
  constructor(shards: number, max: number) {
    this.#shards = shards;
    this.#max = max;
  }

  get count(): number {
    return this.#transfers.size;
  }

  find(transferId: number): LiveTransfer | undefined {
    return this.#transfers.get(transferId);
  }

  values(): Iterable<LiveTransfer> {
    return this.#transfers.values();
  }

  begin(record: Begun): void {
    const { transferId, timeMs } = record;
    // More than there can be: ends were not told. The oldest is the least likely to be there.
    const oldest = this.#transfers.size < this.#max ? undefined : this.#transfers.keys().next();
    if (oldest?.done === false) this.#transfers.delete(oldest.value);
    this.#transfers.set(transferId, {
      begun: record,
      shard: shardOf(transferId, this.#shards),
      bytes: 0,
      movedMs: timeMs,
      hasAnswered: false,
      bytesPerSecond: 0,
      repeats: 0,
      timeouts: 0,
      rttUs: 0,
      absences: 0,
    });
  }

  end(transferId: number): void {
    this.#transfers.delete(transferId);
  }

  /** What the shard answers, {@link PROGRESS_WORDS} numbers for each of its transfers, at `nowMs`. */
  progress(shard: number, words: Float64Array, nowMs: number): void {
    const seconds = Math.max(1, nowMs - (this.#answeredMs.get(shard) ?? 0)) / 1000;
    this.#answeredMs.set(shard, nowMs);
    for (const transfer of this.#transfers.values()) {
      if (transfer.shard === shard) transfer.absences += 1;
    }
    for (let start = 0; start < words.length; start += PROGRESS_WORDS) {
      const word = (offset: number): number => f64At(words, start + offset);
      const transfer = this.#transfers.get(word(ProgressWord.transferId));
      if (transfer === undefined) continue;
      const bytes = word(ProgressWord.bytes);
      const { timeMs } = transfer.begun;
      const span = Math.min(seconds, Math.max(1, nowMs - timeMs) / 1000);
      const rate = (bytes - transfer.bytes) / span;
      const kept = transfer.bytesPerSecond === 0 ? 0 : RATE_KEPT;
      transfer.bytesPerSecond = transfer.bytesPerSecond * kept + rate * (1 - kept);
      if (bytes > transfer.bytes) transfer.movedMs = nowMs;
      transfer.bytes = bytes;
      transfer.hasAnswered = word(ProgressWord.hasHeard) === 1;
      transfer.repeats = word(ProgressWord.repeats);
      transfer.timeouts = word(ProgressWord.timeouts);
      transfer.rttUs = word(ProgressWord.rttUs);
      transfer.absences = 0;
    }
    for (const [id, { absences }] of this.#transfers) {
      if (absences >= ABSENCES_MAX) this.#transfers.delete(id);
    }
  }

  /** The shard died, and its transfers with it: those that were under way. */
  dropShard(shard: number): readonly LiveTransfer[] {
    const dropped = [...this.#transfers.values()].filter((transfer) => transfer.shard === shard);
    for (const { begun } of dropped) this.#transfers.delete(begun.transferId);
    return dropped;
  }

  /** At most `limit` of them, those first that have not moved for longest. */
  views(limit: number, nowMs: number): readonly TransferView[] {
    return [...this.#transfers.values()]
      .sort((one, other) => one.movedMs - other.movedMs)
      .slice(0, limit)
      .map((transfer) => viewOf(transfer, nowMs));
  }
}

/** The size of its file; null where nobody knows yet. */
export function fileBytesOf(begun: Begun): number | null {
  return begun.kind === "request" ? begun.fileBytes : (begun.announcedBytes ?? null);
}

function viewOf(transfer: LiveTransfer, nowMs: number): TransferView {
  const { begun } = transfer;
  return {
    id: begun.transferId,
    client: begun.peer,
    file: begun.name,
    direction: begun.kind === "request" ? "read" : "write",
    mode: begun.mode,
    shard: transfer.shard,
    started: formatTimestamp(begun.timeMs),
    bytes: transfer.bytes,
    file_bytes: fileBytesOf(begun),
    bytes_per_second: Math.round(transfer.bytesPerSecond),
    silent_ms: Math.max(0, nowMs - transfer.movedMs),
    has_answered: transfer.hasAnswered,
    block_bytes: begun.blockBytes,
    blocks_repeated: transfer.repeats,
    timeouts: transfer.timeouts,
    rtt_us: Math.round(transfer.rttUs),
  };
}
