// The server's log (supervisor layer): records of shards and events of the process become lines of the configured format,
// filtered by level, and go to the sink; an audit file gets every event as JSON. Logging never fails and never waits.

import { unreachable } from "#base/assert.ts";
import type { LogSettings } from "#config/settings.ts";
import type { ShardRecord } from "#server/contract.ts";

import { type AuditEvent, auditEvents, auditLine } from "./audit.ts";
import { type Boot, Boots, type ClientLookup } from "./boots.ts";
import { eventLine, recordLine } from "./lines.ts";
import { endSeverity, type Severity } from "./severity.ts";
import { Storms } from "./storms.ts";

/** What takes lines; see {@link LogSink}. */
interface LineSink {
  /** `event`: what the text is about. */
  line(text: string, event?: AuditEvent): void;
}

/** Where lines go, which a reload may change: `audit` takes every audit event, whatever the log's format and level. */
export interface LogSinks {
  readonly log: LineSink;
  readonly audit?: LineSink | undefined;
}

/** Who is told of everything, whether it is written or not. */
export interface LogWitness {
  /** Whether {@link record} would do anything now: its events are made for nobody else, often enough. */
  readonly isWatching: () => boolean;
  /** An event of the process. */
  event(event: AuditEvent): void;
  /** What a shard reports, the boot that it belongs to, and the events that it comes to. */
  record(record: ShardRecord, boot: Boot | undefined, events: readonly AuditEvent[]): void;
}

/** What a log is made with, for good. */
export interface LogParts {
  readonly hostname: string;
  readonly lookup: ClientLookup;
  /** The names of all listeners, by their numbers. */
  readonly listeners: readonly string[];
  readonly witness?: LogWitness | undefined;
}

/** Turns what happened into lines. */
export class Log {
  readonly #hostname: string;
  readonly #listeners: readonly string[];
  readonly #boots: Boots;
  readonly #storms: Storms;
  readonly #witness: LogWitness | undefined;
  readonly #sinks: LogSinks;
  #settings: LogSettings;

  constructor(settings: LogSettings, sinks: LogSinks, parts: LogParts) {
    this.#settings = settings;
    this.#sinks = sinks;
    this.#hostname = parts.hostname;
    this.#listeners = parts.listeners;
    this.#boots = new Boots(parts.lookup);
    this.#storms = new Storms(({ client, cause, count, name }) => {
      const fields = { client_addr: client, cause, count, last: name };
      this.event("refusals_not_logged", "warn", fields);
    });
    this.#witness = parts.witness;
  }

  /** Writes by these settings from now on. */
  switchTo(settings: LogSettings): void {
    this.#settings = settings;
  }

  /** An event of the process itself, which `audit_enabled = false` does not silence. */
  event(
    eventType: string,
    severity: Severity,
    fields: Readonly<Record<string, unknown>>,
    timeMs: number = Date.now(),
  ): void {
    const event: AuditEvent = { eventType, severity, timeMs, fields };
    this.#witness?.event(event);
    this.#sinks.audit?.line(auditLine(event, this.#hostname), event);
    if (!this.#isWanted(severity)) return;
    this.#sinks.log.line(formatEvent(this.#settings, this.#hostname, event), event);
  }

  /**
   * What a shard reports. Text has one line per transfer; what was asked for is told at level debug. Returns the boot that it belongs
   * to; undefined of what belongs to none.
   */
  record(record: ShardRecord): Boot | undefined {
    const { auditEnabled: isOn, bootWindowMs: windowMs, samplingRate } = this.#settings;
    const { boot, isFirst } = this.#boots.note(record, { windowMs, samplingRate });
    const isWatched = this.#witness?.isWatching() === true;
    if (!isWatched && !(isOn && this.#mayWrite(record))) return boot;
    const events = auditEvents(record, boot, isFirst, this.#listeners);
    if (isWatched) this.#witness?.record(record, boot, events);
    if (isOn) this.#writeRecord(record, boot, events);
    return boot;
  }

  /** Whether any line can come of it: as JSON each event has a severity of its own. */
  #mayWrite(record: ShardRecord): boolean {
    if (this.#sinks.audit !== undefined || this.#settings.format === "json") return true;
    return this.#isWanted(textSeverity(record));
  }

  #writeRecord(record: ShardRecord, boot: Boot | undefined, events: readonly AuditEvent[]): void {
    const { format } = this.#settings;
    // The audit file has all of them: it is bounded by its rotation.
    const isTold = record.kind !== "refusal" || this.#storms.admits(record);
    const isSampled = boot?.isSampled ?? true;
    const written = isSampled ? events : events.filter(isTrouble);
    if (format === "text" && isTold) this.#recordLine(record, isSampled, events);
    for (const event of written) this.#write(event, format === "json" && isTold);
  }

  /** Tells what a storm of refusals has left out until now. */
  settle(): void {
    this.#storms.settle();
  }

  #recordLine(record: ShardRecord, isSampled: boolean, events: readonly AuditEvent[]): void {
    const severity = textSeverity(record);
    if (!this.#isWanted(severity) || !(isSampled || RANK[severity] >= RANK.warn)) return;
    this.#sinks.log.line(recordLine(record, this.#listeners), events.at(-1));
  }

  /** Writes an event to the audit file, and to the log if `isForLog`. */
  #write(event: AuditEvent, isForLog: boolean): void {
    const isLogged = isForLog && this.#isWanted(event.severity);
    if (this.#sinks.audit === undefined && !isLogged) return;
    const line = auditLine(event, this.#hostname);
    this.#sinks.audit?.line(line, event);
    if (isLogged) this.#sinks.log.line(line, event);
  }

  #isWanted(severity: Severity): boolean {
    return RANK[severity] >= RANK[this.#settings.level];
  }
}

/** The line of one event in the configured format. */
export function formatEvent(settings: LogSettings, hostname: string, event: AuditEvent): string {
  return settings.format === "json" ? auditLine(event, hostname) : eventLine(event);
}

/** What is written of every boot, whether it is sampled or not. */
function isTrouble({ severity }: AuditEvent): boolean {
  return RANK[severity] >= RANK.warn;
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
    case "limit":
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
