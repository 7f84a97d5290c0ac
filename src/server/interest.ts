// Which of a shard's reports anybody reads (server layer): what would come to no line, no event and no hook is not made
// at all. Pure.

import type { LogLevel } from "#config/level.ts";
import type { Settings } from "#config/settings.ts";

/** Failures, uploads, limits and what the kernel would not send are reported always: they are few. */
export interface Interest {
  /** What is worth a line at debug: reads that begin. */
  readonly debug: boolean;
  /** At info: reads that end well. */
  readonly info: boolean;
  /** At warn: requests that are refused, and reads that begin with a remark. */
  readonly warn: boolean;
}

const everything: Interest = { debug: true, info: true, warn: true };
const nothing: Interest = { debug: false, info: false, warn: false };

const byLevel: Readonly<Record<LogLevel, Interest>> = {
  trace: everything,
  debug: everything,
  info: { debug: false, info: true, warn: true },
  warn: { debug: false, info: false, warn: true },
  error: nothing,
  off: nothing,
};

/** By these settings. Whoever watches, and whatever takes events instead of lines, has everything. */
export function interestOf({
  log,
  status,
  hooks,
}: Pick<Settings, "log" | "status" | "hooks">): Interest {
  const isWatched = status.listen !== undefined || status.socket !== undefined || hooks.length > 0;
  if (isWatched || log.auditTarget !== undefined) return everything;
  if (!log.auditEnabled) return nothing;
  // An event as JSON has a severity of its own, the journal has a line's event, and a sample is taken of boots.
  const isByEvent = log.format === "json" || log.target.kind === "journal" || log.samplingRate < 1;
  return isByEvent && log.level !== "off" ? everything : byLevel[log.level];
}
