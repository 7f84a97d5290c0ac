// Log lines for people (supervisor layer): one line per transfer and per refusal, made to be read and grepped.
// Pure. Names come from clients: shards escape control characters, and names with spaces are quoted here.

import { unreachable } from "#base/assert.ts";
import type {
  RefusalRecord,
  RequestRecord,
  ShardRecord,
  TransferRecord,
} from "#server/contract.ts";

import { type AuditEvent, transferSeverity } from "./audit.ts";
import { formatBytes, formatDuration, formatRate, formatSeconds } from "./format.ts";

/** The line of a shard's record, without its newline. */
export function recordLine(record: ShardRecord): string {
  const head = `${formatSeconds(record.timeMs)} ${record.peer}`;
  switch (record.kind) {
    case "request":
      return `${head} ${requestText(record)}`;
    case "transfer":
      return `${head} ${transferText(record)}`;
    case "refusal":
      return `${head} ${refusalText(record)}`;
    default:
      return unreachable(record);
  }
}

/** The line of an event of the process itself: `… server_started bind_addr=[::]:69 root_dir=/srv/tftp`. */
export function eventLine(event: AuditEvent): string {
  const fields = Object.entries(event.fields).map(
    ([name, value]) => `${name}=${quoted(String(value))}`,
  );
  const severity = event.severity === "info" ? [] : [`${event.severity}:`];
  return [formatSeconds(event.timeMs), ...severity, event.eventType, ...fields].join(" ");
}

function requestText(record: RequestRecord): string {
  const asked = Object.entries(record.asked).map(([name, value]) => `${name}=${quoted(value)}`);
  return [
    "asked for",
    quoted(record.name),
    formatBytes(record.fileBytes),
    record.mode,
    ...asked,
  ].join(" ");
}

function transferText(record: TransferRecord): string {
  const { bytes, durationUs, outcome } = record;
  const name = quoted(record.name);
  const seconds = formatDuration(durationUs);
  const mode = record.mode === "octet" ? [] : [record.mode];
  const options = record.options === "" ? [] : [record.options];
  const tail = `${[...mode, ...options].map((word) => ` ${word}`).join("")}, ${record.blocksResent} resent`;
  if (outcome === "probe") {
    return `told ${name} has ${formatBytes(record.fileBytes)}, nothing more was wanted${tail}`;
  }
  if (record.isSuccess) {
    const rate = formatRate(bytes, durationUs);
    const speed = rate === "" ? "" : ` (${rate})`;
    const doubt = outcome === "complete" ? "" : ` (${outcome})`;
    return `sent ${name} ${formatBytes(bytes)} in ${seconds}${speed}${doubt}${tail}`;
  }
  const verb = transferSeverity(record) === "info" ? "stopped" : "failed";
  const progress = `${formatBytes(bytes)} of ${formatBytes(record.fileBytes)} in ${seconds}`;
  return `${verb} ${name} (${outcome}) after ${progress}${tail}, ${record.timeouts} timeouts`;
}

function refusalText(record: RefusalRecord): string {
  return `refused ${quoted(record.name)}: ${record.reason} (${record.cause}, error ${record.code})`;
}

/** A word as it is; anything with a space, a quote or nothing in it as a JSON string, so that fields stay apart. */
function quoted(text: string): string {
  return /^[^\s"]+$/u.test(text) ? text : JSON.stringify(text);
}
