// What the client says of each file (cli layer): a line for people, or a JSON object; the remedy that goes with each kind of
// failure; and the exit code. The words are here and nowhere else.

import type { Ending, FailureCause } from "#client/contract.ts";
import { formatBytes, formatDuration, formatRate } from "#supervisor/format.ts";

import type { ClientCommandName } from "./client-flags.ts";
import type { Wanted } from "./client-names.ts";
import { ExitCode, failureText } from "./exit.ts";

/** What became of one file. */
export interface FileReport extends Omit<Ending, "failure"> {
  readonly wanted: Wanted;
  /** It was complete already, and nothing was done. */
  readonly isSkipped: boolean;
  readonly failure: FileFailure | undefined;
}

export interface FileFailure {
  readonly cause: FailureCause | "unknown-host";
  readonly text: string;
  readonly errorCode?: number;
}

const RATED_US = 100_000;

/** The report of a file that no packet was sent for. */
export function reportWithout(wanted: Wanted, failure?: FileFailure): FileReport {
  const isSkipped = failure === undefined;
  return { wanted, isSkipped, failure, bytes: 0, sha256: "", durationUs: 0, facts: undefined };
}

/** A line for people. `isVerbose` adds what was agreed on. */
export function reportLine(report: FileReport, isVerbose: boolean): string {
  const { wanted, failure, isSkipped, bytes, durationUs, facts } = report;
  if (isSkipped) return `${wanted.path}: is complete already`;
  if (failure !== undefined)
    return failureText(`${wanted.url}: ${failure.text}`, remedyOf(failure));
  // What took no time to speak of has no rate to speak of.
  const rate = durationUs < RATED_US ? "" : formatRate(bytes, durationUs);
  const size = `${formatBytes(bytes)} in ${formatDuration(durationUs)}`;
  const note = facts === undefined || facts.note === "" ? "" : `; no multicast: ${facts.note}`;
  const line = `${wanted.path}: ${size}${rate === "" ? "" : `, ${rate}`}${note}`;
  if (!isVerbose || facts === undefined) return line;
  const options = facts.options === "" ? "without options" : facts.options;
  const lost = `${facts.blocksRepeated} of ${facts.blocks} blocks repeated, ${facts.timeouts} timeouts`;
  return `${line}\n  ${facts.server}, ${options}; ${lost}; round trip ${(facts.rttUs / 1000).toFixed(1)} ms`;
}

/** The same as one line of JSON. Names and units are those of the server's log. */
export function reportJson(command: ClientCommandName, report: FileReport): string {
  const { wanted, failure, isSkipped, bytes, sha256, durationUs, facts } = report;
  const isSuccess = failure === undefined;
  return JSON.stringify({
    event: command,
    url: wanted.url,
    file: wanted.path,
    status: isSuccess ? (isSkipped ? "skipped" : "complete") : "failed",
    ...(isSuccess
      ? {}
      : { cause: failure.cause, error: failure.text, error_code: failure.errorCode }),
    bytes,
    duration_ms: Math.round(durationUs / 1000),
    throughput_bps: durationUs > 0 ? Math.round((bytes * 1e6) / durationUs) : 0,
    ...(sha256 === "" ? {} : { sha256 }),
    ...(facts === undefined
      ? {}
      : {
          server: facts.server,
          options: facts.options,
          ...(facts.note === "" ? {} : { no_multicast: facts.note }),
          blocks: facts.blocks,
          blocks_repeated: facts.blocksRepeated,
          timeouts: facts.timeouts,
          rtt_us: Math.round(facts.rttUs),
        }),
  });
}

/** As sha256sum prints it, a name with a backslash or a line break escaped (coreutils). */
export function sha256Line({ wanted, sha256 }: FileReport): string {
  const escaped = wanted.path.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return `${escaped === wanted.path ? "" : "\\"}${sha256}  ${escaped}`;
}

/** The exit code that a failure asks for. Of several, the first one's counts. */
export function exitCodeOf({ cause }: FileFailure, command: ClientCommandName): number {
  switch (cause) {
    case "not-found":
      return ExitCode.noInput;
    case "unknown-host":
      return ExitCode.noHost;
    case "unreachable":
    case "gave-up":
      return ExitCode.unavailable;
    case "protocol":
      return ExitCode.protocol;
    case "refused":
      return ExitCode.refused;
    case "corrupt":
      return ExitCode.corrupt;
    case "local":
      return command === "get" ? ExitCode.cannotCreate : ExitCode.noInput;
    case "cancelled":
      return ExitCode.unavailable;
  }
  return cause satisfies never;
}

function remedyOf({ cause, errorCode }: FileFailure): string {
  switch (cause) {
    case "not-found":
      return "check the name: it counts from the server's root folder, and case matters";
    case "unknown-host":
      return "check the name of the host, or write its address";
    case "unreachable":
      return "is the server running, at that port (--port)? Firewalls must let UDP through, and answers come from other ports";
    case "gave-up":
      return "packets may be lost on the way: try --blksize 512, --windowsize 1 or more --retries";
    case "protocol":
      return "--plain asks for no options; --trace shows what was said";
    case "refused":
      return refusalRemedies.get(errorCode) ?? "look at the server's log for more";
    case "corrupt":
      return "nothing was kept; get it again, and look whether the file changes on the server";
    case "local":
      return "look at this machine: ls -ld and df tell";
    case "cancelled":
      return "nothing was kept";
  }
  return cause satisfies never;
}

/** By the codes of RFC 1350's appendix. */
const refusalRemedies: ReadonlyMap<number | undefined, string> = new Map([
  [2, "the server's rules do not allow it: look at its log"],
  [3, "the server has no room, or allows no more"],
  [6, "the server does not overwrite files: put it under another name"],
]);
