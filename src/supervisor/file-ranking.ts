// Which files are asked for most (supervisor layer): counts by name, in bounded memory; the name that was asked for longest ago
// goes.

import type { ShardRecord } from "#server/contract.ts";

import type { FileView } from "./api-shapes.ts";
import { formatTimestamp } from "./format.ts";
import { isClientsChoice } from "./severity.ts";

/** Names that are remembered: what a site serves, and what its clients miss. A guess. */
const FILES_MAX = 2000;

interface Counts {
  completed: number;
  failed: number;
  refused: number;
  bytes: number;
  lastMs: number;
}

export class FileRanking {
  readonly #files = new Map<string, Counts>();

  note(record: ShardRecord): void {
    if (record.kind === "limit" || record.kind === "send-fault") return;
    if (record.kind === "refusal" && record.cause === "malformed") return;
    const counts = this.#countsOf(record.name);
    counts.lastMs = record.timeMs;
    if (record.kind === "refusal") counts.refused += 1;
    if (record.kind !== "transfer" && record.kind !== "upload") return;
    counts.bytes += record.bytes;
    if (record.isSuccess) counts.completed += 1;
    else if (!isClientsChoice(record.outcome)) counts.failed += 1;
  }

  get count(): number {
    return this.#files.size;
  }

  /** At most `limit` of them, those first of which most bytes went. */
  views(limit: number): readonly FileView[] {
    return [...this.#files]
      .sort(([, one], [, other]) => other.bytes - one.bytes || other.refused - one.refused)
      .slice(0, limit)
      .map(([file, counts]) => viewOf(file, counts));
  }

  /** The counts of `file`, at the young end. */
  #countsOf(file: string): Counts {
    const known = this.#files.get(file);
    const counts = known ?? { completed: 0, failed: 0, refused: 0, bytes: 0, lastMs: 0 };
    this.#files.delete(file);
    for (const oldest of this.#files.keys()) {
      if (this.#files.size < FILES_MAX) break;
      this.#files.delete(oldest);
    }
    this.#files.set(file, counts);
    return counts;
  }
}

function viewOf(file: string, { lastMs, ...counts }: Counts): FileView {
  return { file, ...counts, last_asked: formatTimestamp(lastMs) };
}
