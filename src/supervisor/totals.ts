// What all shards did in the life of the process (supervisor layer): the sums that the last line of the log says.
// Pure but for the counters that it reads.

import { Counter, measures, wordsOf } from "#server/measures.ts";
import { hasSucceeded } from "#server/tally.ts";

/** The sum of a counter's word over all shards; see {@link Shards.total}. */
type Total = (index: number) => number;

type Sum =
  | `${"transfers" | "uploads"}_${"completed" | "failed"}`
  | "requests_refused"
  | `bytes_${"sent" | "received"}`;

export function totals(total: Total): Readonly<Record<Sum, number>> {
  const reads = endsOf("readEnds", total);
  const writes = endsOf("writeEnds", total);
  return {
    transfers_completed: reads.completed,
    transfers_failed: reads.failed,
    uploads_completed: writes.completed,
    uploads_failed: writes.failed,
    requests_refused: refusals(total),
    bytes_sent: total(Counter.bytesSent),
    bytes_received: total(Counter.fileBytesWritten),
  };
}

function endsOf(
  name: "readEnds" | "writeEnds",
  total: Total,
): { readonly completed: number; readonly failed: number } {
  let completed = 0;
  let failed = 0;
  for (const [index, outcome] of (measures[name].by?.values ?? []).entries()) {
    const count = total(Counter[name] + index);
    if (hasSucceeded(outcome)) completed += count;
    // Nobody wanted a late repetition, so that nobody misses it.
    else if (outcome !== "late-repetition") failed += count;
  }
  return { completed, failed };
}

function refusals(total: Total): number {
  const words = wordsOf(measures.requestsRefused);
  return Array.from({ length: words }, (_, index) => total(Counter.requestsRefused + index)).reduce(
    (sum, count) => sum + count,
    0,
  );
}
