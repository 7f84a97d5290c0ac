// Log lines for people (supervisor layer): one line per transfer and per refusal, made to be read and grepped.
// Pure. Names come from clients: shards escape control characters, and names with spaces are quoted here.

import { unreachable } from "#base/assert.ts";
import { printable } from "#base/printable.ts";
import type {
  LimitRecord,
  RefusalRecord,
  RequestRecord,
  SendFaultRecord,
  ShardRecord,
  TransferRecord,
  UploadRecord,
  UploadRequestRecord,
} from "#server/contract.ts";

import { type AuditEvent, listenerOf, sendFaultEvent } from "./audit.ts";
import { formatBytes, formatDuration, formatRate, formatSeconds } from "./format.ts";
import { limitReason } from "./limits-text.ts";
import { endSeverity } from "./severity.ts";

/** The line of a shard's record, without its newline. `listeners`: their names; a single one is not named. */
export function recordLine(record: ShardRecord, listeners: readonly string[] = []): string {
  if (record.kind === "send-fault") return eventLine(sendFaultEvent(record));
  const listener = listenerOf(record, listeners);
  const line = clientLine(record);
  return listener === undefined ? line : `${line} listener=${quoted(listener)}`;
}

function clientLine(record: Exclude<ShardRecord, SendFaultRecord>): string {
  const head = `${formatSeconds(record.timeMs)} ${record.peer}`;
  switch (record.kind) {
    case "request":
      return `${head} ${requestText(record)}`;
    case "transfer":
      return `${head} ${transferText(record)}`;
    case "upload-request":
      return `${head} ${uploadRequestText(record)}`;
    case "upload":
      return `${head} ${uploadText(record)}`;
    case "refusal":
      return `${head} ${refusalText(record)}`;
    case "limit":
      return `${head} ${limitText(record)}`;
    default:
      return unreachable(record);
  }
}

/**
 * The line of an event of the process itself: `… server_started bind_addr=[::]:69 root_dir=/srv/tftp`. A text of several lines
 * stands below it, indented, so that it cannot be taken for other lines of the log.
 */
export function eventLine(event: AuditEvent): string {
  const fields: string[] = [];
  const below: string[] = [];
  for (const [name, value] of Object.entries(event.fields)) {
    const text = String(value);
    if (text.includes("\n")) below.push(`\n${text}`.replaceAll("\n", "\n    "));
    else fields.push(`${name}=${quoted(text)}`);
  }
  const severity = event.severity === "info" ? [] : [`${event.severity}:`];
  const head = [formatSeconds(event.timeMs), ...severity, event.eventType, ...fields].join(" ");
  return `${head}${below.join("")}`;
}

function requestText(record: RequestRecord): string {
  const asked = askedWords(record.asked);
  return [
    "asked for",
    quoted(record.name),
    formatBytes(record.fileBytes),
    record.mode,
    ...asked,
    ...(record.remark === undefined ? [] : [`(${record.remark})`]),
  ].join(" ");
}

function uploadRequestText(record: UploadRequestRecord): string {
  const { announcedBytes } = record;
  const size = announcedBytes === undefined ? [] : [formatBytes(announcedBytes)];
  const asked = askedWords(record.asked);
  return ["asked to write", quoted(record.name), ...size, record.mode, ...asked].join(" ");
}

function askedWords(asked: Readonly<Record<string, string>>): string[] {
  return Object.entries(asked).map(([name, value]) => `${name}=${quoted(value)}`);
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
  const verb = endSeverity(record) === "info" ? "stopped" : "failed";
  const progress = `${formatBytes(bytes)} of ${formatBytes(record.fileBytes)} in ${seconds}`;
  return `${verb} ${name} (${outcome}) after ${progress}${tail}, ${record.timeouts} timeouts`;
}

function uploadText(record: UploadRecord): string {
  const { bytes, durationUs, duplicates } = record;
  const seconds = formatDuration(durationUs);
  const mode = record.mode === "octet" ? [] : [record.mode];
  const options = record.options === "" ? [] : [record.options];
  const tail = `${[...mode, ...options].map((word) => ` ${word}`).join("")}, ${duplicates} duplicates`;
  const name = quoted(record.name);
  if (!record.isSuccess) {
    const verb = endSeverity(record) === "info" ? "stopped" : "failed";
    const progress = `${formatBytes(bytes)} in ${seconds}`;
    return `${verb} to receive ${name} (${record.outcome}) after ${progress}${tail}, ${record.timeouts} timeouts`;
  }
  const rate = formatRate(bytes, durationUs);
  const speed = rate === "" ? "" : ` (${rate})`;
  const notes = [];
  if (record.target !== record.path) notes.push(`stored as ${quoted(printable(record.target))}`);
  if (record.isReplacement) {
    notes.push(record.isVersioned ? "the previous file is kept" : "the previous file is gone");
  }
  if (record.sha256 !== undefined) {
    notes.push(`${record.isVerified ? "verified " : ""}sha256=${record.sha256}`);
  }
  return [`received ${name} ${formatBytes(bytes)} in ${seconds}${speed}${tail}`, ...notes].join(
    ", ",
  );
}

function refusalText(record: RefusalRecord): string {
  const upload = record.isWrite ? "upload of " : "";
  return `refused ${upload}${quoted(record.name)}: ${record.reason} (${record.cause}, error ${record.code})`;
}

function limitText(record: LimitRecord): string {
  const { refused, limit } = record;
  const others = refused > 1 ? ` and ${refused - 1} requests before` : "";
  return `turned away${others}: ${limitReason(record)} (${limit})`;
}

/** A word as it is; anything with a space, a quote or nothing in it as a JSON string, so that fields stay apart. */
function quoted(text: string): string {
  return /^[^\s"]+$/u.test(text) ? text : JSON.stringify(text);
}
