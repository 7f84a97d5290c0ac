// The server's log (supervisor layer): records of shards and events of the process become lines of the configured format,
// filtered by level, and go to the sink; an audit file gets every event as JSON. Logging never fails and never waits.

import { unreachable } from "#base/assert.ts";
import type { LogSettings } from "#config/settings.ts";
import type { ShardRecord } from "#server/contract.ts";

import { type AuditEvent, auditEvents, auditLine, endSeverity, type Severity } from "./audit.ts";
import { eventLine, recordLine } from "./lines.ts";

/** What takes lines; see {@link LogSink}. */
export interface LineSink {
  line(text: string): void;
}

/** Turns what happened into lines. */
export class Log {
  readonly #hostname: string;
  readonly #sink: LineSink;
  #settings: LogSettings;
  #audit: LineSink | undefined;

  /** `audit` takes every audit event, whatever the log's format and level. */
  constructor(settings: LogSettings, hostname: string, sink: LineSink, audit?: LineSink) {
    this.#settings = settings;
    this.#hostname = hostname;
    this.#sink = sink;
    this.#audit = audit;
  }

  /** Writes by these settings from now on, audit events to `audit`. */
  switchTo(settings: LogSettings, audit: LineSink | undefined): void {
    this.#settings = settings;
    this.#audit = audit;
  }

  /** An event of the process itself, which `audit_enabled = false` does not silence. */
  event(
    eventType: string,
    severity: Severity,
    fields: Readonly<Record<string, unknown>>,
    timeMs: number = Date.now(),
  ): void {
    const event: AuditEvent = { eventType, severity, timeMs, fields };
    this.#audit?.line(auditLine(event, this.#hostname));
    if (!this.#isWanted(severity)) return;
    this.#sink.line(formatEvent(this.#settings, this.#hostname, event));
  }

  /** What a shard reports. Text has one line per transfer; what was asked for is told at level debug. */
  record(record: ShardRecord): void {
    if (!this.#settings.auditEnabled) return;
    const isText = this.#settings.format === "text";
    if (isText && this.#isWanted(textSeverity(record))) this.#sink.line(recordLine(record));
    if (isText && this.#audit === undefined) return;
    for (const event of auditEvents(record)) {
      const line = auditLine(event, this.#hostname);
      this.#audit?.line(line);
      if (!isText && this.#isWanted(event.severity)) this.#sink.line(line);
    }
  }

  #isWanted(severity: Severity): boolean {
    return RANK[severity] >= RANK[this.#settings.level];
  }
}

/** The line of one event in the configured format. */
export function formatEvent(settings: LogSettings, hostname: string, event: AuditEvent): string {
  return settings.format === "json" ? auditLine(event, hostname) : eventLine(event);
}

/** How bad a record's text line is. */
function textSeverity(record: ShardRecord): Severity {
  switch (record.kind) {
    case "request":
      return record.remark === undefined ? "debug" : "warn";
    case "upload-request":
      return "debug";
    case "transfer":
    case "upload":
      return endSeverity(record);
    case "refusal":
    case "send-fault":
      return "warn";
    default:
      return unreachable(record);
  }
}

/** Levels as Snow-Owl's filter knows them; `off` is above every severity. */
const RANK: Readonly<Record<Severity | "trace" | "off", number>> = {
  trace: 0,
  debug: 1,
  info: 2,
  warn: 3,
  error: 4,
  off: 5,
};
