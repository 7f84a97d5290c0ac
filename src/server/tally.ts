// What is counted of requests and of transfers that end (server layer): each fact goes to its words of the table in measures.ts.
// Once per request or transfer, so not on the packet path.

import type { Admitted } from "./admission.ts";
import type { RefusalCause, TransferRecord, UploadRecord } from "./contract.ts";
import type { Counters } from "./counters.ts";
import { Counter, type CounterName, measures } from "./measures.ts";
import type { Refused } from "./refused.ts";

/** Counts a request that was decided. What could not be read as one is counted as refused alone. */
export function countRequest(counters: Counters, decision: Admitted | Refused): void {
  if (decision.kind === "refused" && decision.cause === "malformed") return;
  const isWrite = decision.kind === "refused" ? decision.isWrite : decision.kind === "write";
  counters.add(isWrite ? Counter.writeRequests : Counter.readRequests, 1);
}

/** How a download has ended. */
export type ReadEnd = Pick<
  TransferRecord,
  "outcome" | "isSuccess" | "bytes" | "durationUs" | "blocksResent" | "timeouts" | "rttUs"
>;

export function countRead(counters: Counters, end: ReadEnd): void {
  counters.add(wordOf("readEnds", end.outcome), 1);
  counters.add(Counter.fileBytesRead, end.bytes);
  counters.add(Counter.blocksResent, end.blocksResent);
  counters.add(Counter.timeouts, end.timeouts);
  if (end.rttUs > 0) observe(counters, "rtt", end.rttUs);
  // A probe has no file in it.
  if (end.isSuccess && end.outcome !== "probe") {
    observe(counters, "readDuration", end.durationUs);
  }
}

export function countWrite(counters: Counters, record: UploadRecord): void {
  counters.add(wordOf("writeEnds", record.outcome), 1);
  counters.add(Counter.fileBytesWritten, record.bytes);
  counters.add(Counter.blocksRepeated, record.duplicates);
  counters.add(Counter.timeouts, record.timeouts);
  if (record.rttUs > 0) observe(counters, "rtt", record.rttUs);
  if (record.isSuccess) observe(counters, "writeDuration", record.durationUs);
}

export function countRefusal(counters: Counters, cause: RefusalCause): void {
  counters.add(wordOf("requestsRefused", cause), 1);
}

/** The word of a row for one value of its label; the last one where the value is not among them. */
function wordOf(name: CounterName, value: string): number {
  const values = measures[name].by?.values ?? [];
  const index = values.indexOf(value);
  return Counter[name] + (index < 0 ? values.length - 1 : index);
}

function observe(counters: Counters, name: CounterName, value: number): void {
  counters.observe(Counter[name], measures[name].bounds ?? [], value);
}

/** Whether a read that ended so did what its client wanted: a probe did, and an unacknowledged end had every byte sent. */
export function hasSucceeded(outcome: string): boolean {
  return outcome === "complete" || outcome === "complete-unacknowledged" || outcome === "probe";
}
