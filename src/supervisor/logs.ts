// Where the log and the audit events go (supervisor layer): opened at the start, and again by every reload, so that files which
// were renamed meanwhile (rotation) are let go of. Either both are opened or neither.

import { hostname } from "node:os";

import { JOURNAL_SOCKET, type LogSettings, type LogTarget } from "#config/settings.ts";
import type { StartFault } from "#io/start.ts";

import type { AuditEvent } from "./audit.ts";
import { journalEntry } from "./journal.ts";
import { formatEvent } from "./log.ts";
import { closeLog, LogSink, openLog } from "./logsink.ts";
import { Rotation } from "./rotation.ts";

/** Where lines go. */
export class Logs {
  #settings: LogSettings;
  #log: LogSink;
  #audit: LogSink | undefined;

  /** Takes over `fds`, which belong to `settings`. */
  constructor(settings: LogSettings, fds: LogFds) {
    this.#settings = settings;
    this.#log = this.#sinkOn(fds.log, settings.target);
    this.#audit = this.#auditOn(fds.audit);
  }

  /** It is another one after a reload that has another kind of target. */
  get log(): LogSink {
    return this.#log;
  }

  /** The audit events' own, where there is one. */
  get audit(): LogSink | undefined {
    return this.#audit;
  }

  /** Goes over to the targets of `settings`, which may be the same. Returns a fault, and changes nothing, if one cannot be opened. */
  reopen(settings: LogSettings): StartFault | undefined {
    const fds = openLogFds(settings);
    if ("fault" in fds) return fds;
    const { target, auditTarget } = this.#settings;
    this.#settings = settings;
    if (target.kind === settings.target.kind) {
      this.#log.reopen(fds.log, this.#rotationOf(settings.target, fds.log));
    } else {
      // What waits is made for the old kind.
      this.#log.close();
      this.#log = this.#sinkOn(fds.log, settings.target);
    }
    const next = settings.auditTarget;
    if (fds.audit !== undefined && next !== undefined && next.kind === auditTarget?.kind) {
      this.#audit?.reopen(fds.audit, this.#rotationOf(next, fds.audit));
    } else {
      this.#audit?.close();
      this.#audit = this.#auditOn(fds.audit);
    }
    return undefined;
  }

  /** Resolves when every line is written, or after `timeoutMs`. */
  async flush(timeoutMs: number): Promise<void> {
    await Promise.all([this.#log.flush(timeoutMs), this.#audit?.flush(timeoutMs)]);
  }

  close(): void {
    this.#log.close();
    this.#audit?.close();
  }

  #auditOn(fd: number | undefined): LogSink | undefined {
    const { auditTarget } = this.#settings;
    if (fd === undefined || auditTarget === undefined) return undefined;
    return this.#sinkOn(fd, auditTarget, "json");
  }

  /** A sink whose own lines are of the log's format, or of `format`. */
  #sinkOn(fd: number, target: LogTarget, format?: "json"): LogSink {
    const lossLine = (lines: number, because: string): string =>
      formatEvent(
        { ...this.#settings, format: format ?? this.#settings.format },
        hostname(),
        warning("log_lines_lost", { lines, because }),
      );
    if (target.kind === "journal") {
      return new LogSink(fd, lossLine, { frame: journalEntry, isDatagram: true });
    }
    return new LogSink(fd, lossLine, { rotation: this.#rotationOf(target, fd) });
  }

  #rotationOf(target: LogTarget, fd: number): Rotation | undefined {
    const { rotation } = this.#settings;
    if (target.kind !== "file" || (rotation.bytesMax === 0 && rotation.ageMaxMs === 0)) {
      return undefined;
    }
    const { path } = target;
    return new Rotation(path, fd, rotation, (because) => this.#warnOf(path, because));
  }

  /** A file that could not be renamed. Said in the log, which may be that very file. */
  #warnOf(file: string, because: string): void {
    const event = warning("log_not_rotated", { file, because });
    this.#log.line(formatEvent(this.#settings, hostname(), event), event);
  }
}

/** Descriptors of open files, of standard output, or of the journal's socket. */
interface LogFds {
  readonly log: number;
  readonly audit: number | undefined;
}

/** Opens what {@link Logs} begins with. */
export function openLogFds({ target, auditTarget }: LogSettings): LogFds | StartFault {
  const log = tryOpen(target, "log");
  if (typeof log !== "number") return log;
  if (auditTarget === undefined) return { log, audit: undefined };
  const audit = tryOpen(auditTarget, "audit");
  if (typeof audit === "number") return { log, audit };
  closeLog(log);
  return audit;
}

function tryOpen(target: LogTarget, what: "log" | "audit"): number | StartFault {
  try {
    return openLog(target);
  } catch (cause) {
    return logFault(target, what, cause);
  }
}

function warning(eventType: string, fields: Readonly<Record<string, unknown>>): AuditEvent {
  return { eventType, severity: "warn", timeMs: Date.now(), fields };
}

function logFault(target: LogTarget, what: "log" | "audit", cause: unknown): StartFault {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  const without =
    what === "log"
      ? 'log to standard output with [logging] file = ""'
      : 'write none with [logging] audit_file = ""';
  if (target.kind === "journal") {
    const fault = `cannot reach the journal at ${JOURNAL_SOCKET}: ${code}`;
    return { fault, remedy: `start systemd-journald, or ${without}` };
  }
  const path = target.kind === "file" ? target.path : "standard output";
  return {
    fault: `cannot open the ${what} file ${path}: ${code}`,
    remedy: `create its folder and make it writable, or ${without}`,
  };
}
