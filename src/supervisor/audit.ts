// Audit events as flat JSON objects, one per line (supervisor layer), with the names and fields that Snow-Owl's dashboards
// read. Pure: what happened goes in, an object comes out.

import { unreachable } from "#base/assert.ts";
import { printable } from "#base/printable.ts";
import type {
  RefusalRecord,
  RequestRecord,
  SendFaultRecord,
  ShardRecord,
  TransferRecord,
  UploadRecord,
  UploadRequestRecord,
} from "#server/contract.ts";

import type { Boot } from "./boots.ts";
import { formatTimestamp } from "./format.ts";
import { limitEvent } from "./limits-text.ts";
import { endSeverity, type Severity } from "./severity.ts";

/** One event before the common fields are added. */
export interface AuditEvent {
  readonly eventType: string;
  readonly severity: Severity;
  readonly timeMs: number;
  /** What the events of one boot have in common; undefined for those of the process. */
  readonly correlationId?: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** One line of JSON. */
export function auditLine(event: AuditEvent, hostname: string): string {
  return JSON.stringify(auditObject(event, hostname));
}

/** The common fields first, then the event's own. */
export function auditObject(
  event: AuditEvent,
  hostname: string,
): Readonly<Record<string, unknown>> {
  return {
    event_type: event.eventType,
    timestamp: formatTimestamp(event.timeMs),
    hostname,
    service: "snow-owl-tftp",
    severity: event.severity,
    ...(event.correlationId === undefined ? {} : { correlation_id: event.correlationId }),
    ...event.fields,
  };
}

/**
 * The events of one record of a shard, in order. A granted request is two: asked for, and begun. The first one of a boot is
 * preceded by another. `listeners`: their names; a single one is not named.
 */
export function auditEvents(
  record: ShardRecord,
  boot?: Boot,
  isFirst = false,
  listeners: readonly string[] = [],
): readonly AuditEvent[] {
  const place = placeFields(record, listeners);
  const isConnection = boot !== undefined && isFirst && record.kind !== "send-fault";
  const events = recordEvents(record);
  const all = isConnection ? [connectionEvent(record), ...events] : events;
  return all.map((event) => eventOf(event, place, boot));
}

/** Where the request came in. */
function placeFields(record: ShardRecord, listeners: readonly string[]): AuditEvent["fields"] {
  if (record.kind === "send-fault") return {};
  const listener = listenerOf(record, listeners);
  const address = record.kind === "limit" ? undefined : record.localAddress;
  return {
    ...(listener === undefined ? {} : { listener }),
    ...(address === undefined ? {} : { local_addr: address }),
  };
}

/** The name of the listener that a request came in by, where there are several. */
export function listenerOf(
  { listener }: Exclude<ShardRecord, SendFaultRecord>,
  listeners: readonly string[],
): string | undefined {
  return listeners.length > 1 ? listeners[listener] : undefined;
}

/** The event with where its request came in, and what is known of its boot. */
function eventOf(
  event: AuditEvent,
  place: AuditEvent["fields"],
  boot: Boot | undefined,
): AuditEvent {
  if (boot === undefined) return { ...event, fields: { ...event.fields, ...place } };
  const { id, mac, interfaceName } = boot;
  const client = {
    ...(mac === undefined ? {} : { client_mac: mac }),
    ...(interfaceName === undefined ? {} : { interface: interfaceName }),
  };
  return { ...event, correlationId: id, fields: { ...event.fields, ...place, ...client } };
}

function recordEvents(record: ShardRecord): readonly AuditEvent[] {
  switch (record.kind) {
    case "request":
      return requestEvents(record);
    case "transfer":
      return [transferEvent(record)];
    case "upload-request":
      return uploadRequestEvents(record);
    case "upload":
      return [uploadEvent(record)];
    case "refusal":
      return [refusalEvent(record)];
    case "send-fault":
      return [sendFaultEvent(record)];
    case "limit":
      return [limitEvent(record)];
    default:
      return unreachable(record);
  }
}

/** The kernel would not send: the clients wait, and an administrator can help. */
export function sendFaultEvent(record: SendFaultRecord): AuditEvent {
  const { timeMs, errno, meaning, messages } = record;
  return {
    eventType: "send_refused",
    severity: "warn",
    timeMs,
    fields: { errno, meaning, messages },
  };
}

function connectionEvent(record: Exclude<ShardRecord, SendFaultRecord>): AuditEvent {
  const isWrite = record.kind === "refusal" ? record.isWrite : record.kind.startsWith("upload");
  const fields = { client_addr: record.peer, opcode: isWrite ? "WRQ" : "RRQ" };
  return { eventType: "connection_initiated", severity: "info", timeMs: record.timeMs, fields };
}

function requestEvents(record: RequestRecord): readonly AuditEvent[] {
  const common = { client_addr: record.peer, filename: record.name };
  const base = { severity: "info", timeMs: record.timeMs } as const;
  const { remark } = record;
  const asked = { ...common, mode: record.mode, options: record.asked };
  return [
    {
      ...base,
      severity: remark === undefined ? "info" : "warn",
      eventType: "read_request",
      fields: remark === undefined ? asked : { ...asked, remark },
    },
    {
      ...base,
      eventType: "transfer_started",
      fields: {
        ...common,
        file_size: record.fileBytes,
        mode: record.mode,
        block_size: record.blockBytes,
      },
    },
  ];
}

function transferEvent(record: TransferRecord): AuditEvent {
  const durationMs = record.durationUs / 1000;
  const common = { client_addr: record.peer, filename: record.name };
  const measured = {
    bytes_transferred: record.bytes,
    blocks_sent: record.blocksSent,
    blocks_resent: record.blocksResent,
    timeouts: record.timeouts,
    duration_ms: Math.round(durationMs),
  };
  const base = { severity: endSeverity(record), timeMs: record.timeMs };
  const agreed = {
    block_size: record.blockBytes,
    window_size: record.windowBlocks,
    rtt_us: Math.round(record.rttUs),
    options: record.options,
  };
  if (!record.isSuccess) {
    const fields = { ...common, error: record.outcome, ...measured, file_size: record.fileBytes };
    return { ...base, eventType: "transfer_failed", fields: { ...fields, ...agreed } };
  }
  return {
    ...base,
    eventType: "transfer_completed",
    fields: {
      ...common,
      ...measured,
      // Bytes per second, as Snow-Owl counts: its dashboards take 102,400 for 100 KB/s.
      throughput_bps: Math.round((record.bytes * 1e6) / Math.max(record.durationUs, 1)),
      avg_block_time_ms: durationMs / Math.max(record.blocksSent, 1),
      ...agreed,
      ...(record.sha256 === undefined ? {} : { sha256: record.sha256 }),
    },
  };
}

function uploadRequestEvents(record: UploadRequestRecord): readonly AuditEvent[] {
  const { announcedBytes } = record;
  const common = { client_addr: record.peer, filename: record.name, mode: record.mode };
  const base = { severity: "info", timeMs: record.timeMs } as const;
  const size = announcedBytes === undefined ? {} : { file_size: announcedBytes };
  return [
    { ...base, eventType: "write_request", fields: { ...common, options: record.asked } },
    {
      ...base,
      eventType: "write_started",
      fields: { ...common, ...size, block_size: record.blockBytes },
    },
  ];
}

function uploadEvent(record: UploadRecord): AuditEvent {
  const durationMs = record.durationUs / 1000;
  const base = { severity: endSeverity(record), timeMs: record.timeMs };
  const common = { client_addr: record.peer, filename: record.name };
  const measured = {
    bytes_received: record.bytes,
    blocks_received: record.blocksReceived,
    blocks_duplicate: record.duplicates,
    timeouts: record.timeouts,
    duration_ms: Math.round(durationMs),
  };
  const agreed = {
    block_size: record.blockBytes,
    window_size: record.windowBlocks,
    rtt_us: Math.round(record.rttUs),
    options: record.options,
  };
  if (!record.isSuccess) {
    const fields = { ...common, error: record.outcome, ...measured, ...agreed };
    return { ...base, eventType: "write_failed", fields };
  }
  return {
    ...base,
    eventType: "write_completed",
    fields: {
      ...common,
      ...measured,
      throughput_bps: Math.round((record.bytes * 1e6) / Math.max(record.durationUs, 1)),
      avg_block_time_ms: durationMs / Math.max(record.blocksReceived, 1),
      file_created: !record.isReplacement,
      version_kept: record.isVersioned,
      stored_as: printable(record.target),
      verified: record.isVerified,
      ...(record.sha256 === undefined ? {} : { sha256: record.sha256 }),
      ...agreed,
    },
  };
}

function refusalEvent(record: RefusalRecord): AuditEvent {
  const { timeMs, reason } = record;
  const named = { client_addr: record.peer, filename: record.name };
  const denied = record.isWrite ? "write_request_denied" : "read_denied";
  switch (record.cause) {
    case "traversal":
      return {
        eventType: "path_traversal_attempt",
        severity: "error",
        timeMs,
        fields: {
          client_addr: record.peer,
          requested_path: record.name,
          violation_type: "directory traversal attempt",
          reason,
        },
      };
    case "symlink":
      return {
        eventType: "symlink_access_denied",
        severity: "error",
        timeMs,
        fields: { client_addr: record.peer, requested_path: record.name, reason },
      };
    case "too-large":
      return {
        eventType: "file_size_limit_exceeded",
        severity: "error",
        timeMs,
        fields: {
          ...named,
          file_size: record.fileBytes,
          max_allowed: record.fileBytesMax,
          operation: record.isWrite ? "write" : "read",
          reason,
        },
      };
    case "write-disabled":
      return {
        eventType: "write_request_denied",
        severity: "warn",
        timeMs,
        fields: { ...named, reason: "writes disabled in configuration" },
      };
    case "malformed":
      return {
        eventType: "protocol_violation",
        severity: "error",
        timeMs,
        fields: { client_addr: record.peer, violation: reason },
      };
    case "not-found":
      return {
        eventType: denied,
        severity: "warn",
        timeMs,
        fields: { ...named, reason: record.isWrite ? reason : "File not found" },
      };
    case "inaccessible":
      return {
        eventType: "access_violation",
        severity: "error",
        timeMs,
        fields: { client_addr: record.peer, resource: record.name, violation: reason },
      };
    case "denied":
    case "exists":
    case "full":
    case "busy":
    case "io-error":
      return { eventType: denied, severity: "warn", timeMs, fields: { ...named, reason } };
    default:
      return unreachable(record.cause);
  }
}
