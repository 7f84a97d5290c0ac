// The log's and the audit file's descriptors (supervisor layer): opened at the start, and again by every reload, so that files
// which were renamed meanwhile (rotation) are let go of. Either both are opened or neither.

import { hostname } from "node:os";

import type { LogSettings } from "#config/settings.ts";
import type { StartFault } from "#io/start.ts";

import { formatEvent } from "./log.ts";
import { closeLog, LogSink, openLog } from "./logsink.ts";

/** Where lines go. */
export class Logs {
  readonly log: LogSink;
  #settings: LogSettings;
  #audit: LogSink | undefined;

  /** Takes over `fds`, which belong to `settings`. */
  constructor(settings: LogSettings, fds: LogFds) {
    this.#settings = settings;
    this.log = this.#sinkOn(fds.log);
    this.#audit = fds.audit === undefined ? undefined : this.#sinkOn(fds.audit, "json");
  }

  /** The audit file's, where there is one. */
  get audit(): LogSink | undefined {
    return this.#audit;
  }

  /** Goes over to the files of `settings`, which may be the same. Returns a fault, and changes nothing, if one cannot be opened. */
  reopen(settings: LogSettings): StartFault | undefined {
    const fds = openLogFds(settings);
    if ("fault" in fds) return fds;
    this.#settings = settings;
    this.log.reopen(fds.log);
    if (fds.audit === undefined) {
      this.#audit?.close();
      this.#audit = undefined;
    } else if (this.#audit === undefined) {
      this.#audit = this.#sinkOn(fds.audit, "json");
    } else {
      this.#audit.reopen(fds.audit);
    }
    return undefined;
  }

  /** Resolves when every line is written, or after `timeoutMs`. */
  async flush(timeoutMs: number): Promise<void> {
    await Promise.all([this.log.flush(timeoutMs), this.#audit?.flush(timeoutMs)]);
  }

  close(): void {
    this.log.close();
    this.#audit?.close();
  }

  /** A sink whose own lines are of the log's format, or of `format`. */
  #sinkOn(fd: number, format?: "json"): LogSink {
    return new LogSink(fd, (lines, because) =>
      lossLine({ ...this.#settings, format: format ?? this.#settings.format }, lines, because),
    );
  }
}

/** Descriptors of open files, or of standard output. */
interface LogFds {
  readonly log: number;
  readonly audit: number | undefined;
}

/** Opens what {@link Logs} begins with. */
export function openLogFds(settings: LogSettings): LogFds | StartFault {
  const log = tryOpen(settings.file, "log");
  if (typeof log !== "number") return log;
  if (settings.auditFile === undefined) return { log, audit: undefined };
  const audit = tryOpen(settings.auditFile, "audit");
  if (typeof audit === "number") return { log, audit };
  closeLog(log);
  return audit;
}

function tryOpen(file: string | undefined, what: "log" | "audit"): number | StartFault {
  try {
    return openLog(file);
  } catch (cause) {
    return logFault(file, what, cause);
  }
}

function lossLine(settings: LogSettings, lines: number, because: string): string {
  return formatEvent(settings, hostname(), {
    eventType: "log_lines_lost",
    severity: "warn",
    timeMs: Date.now(),
    fields: { lines, because },
  });
}

function logFault(file: string | undefined, what: "log" | "audit", cause: unknown): StartFault {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  const without =
    what === "log"
      ? 'log to standard output with [logging] file = ""'
      : 'write none with [logging] audit_file = ""';
  return {
    fault: `cannot open the ${what} file ${file}: ${code}`,
    remedy: `create its folder and make it writable, or ${without}`,
  };
}
