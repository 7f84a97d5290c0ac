// How bad things are (supervisor layer): the severities of events, and which ends of transfers are nobody's fault. Pure; the log,
// the audit and the status page judge by it alike.

import type { TransferRecord, UploadRecord } from "#server/contract.ts";

/** How bad an event is. A configured level hides what is below it. */
export type Severity = "debug" | "info" | "warn" | "error";

/** How bad the end of a transfer is. What a client decides (UEFI asks for `tsize` and leaves) is no failure of ours. */
export function endSeverity(record: TransferRecord | UploadRecord): Severity {
  if (record.isSuccess || isClientsChoice(record.outcome)) return "info";
  return ADMINISTRATORS_CHOICE.has(record.outcome) ? "warn" : "error";
}

/** Whether the client ended the transfer: it left, asked for `tsize` alone, began anew, or had been served before. */
export function isClientsChoice(outcome: string): boolean {
  return CLIENTS_CHOICE.has(outcome);
}

const CLIENTS_CHOICE: ReadonlySet<string> = new Set([
  "closed-by-client",
  "probe",
  "replaced",
  "late-repetition",
]);

const ADMINISTRATORS_CHOICE: ReadonlySet<string> = new Set(["shutdown", "killed"]);
