// Exit codes and how a failure is told (cli layer). Every failure on standard error ends
// with what to do about it; writing never throws.

import { writeSync } from "node:fs";

/** What the process ends with; the numbers above 64 are those of sysexits.h. */
export const ExitCode = {
  ok: 0,
  /** The configuration is wrong; `check` says the same. */
  configuration: 1,
  /** The command line is wrong. */
  usage: 2,
  /** What a client got is not what was announced, or has another SHA-256 than was expected (EX_DATAERR). */
  corrupt: 65,
  /** The file to get is not there, or the file to put cannot be read here (EX_NOINPUT). */
  noInput: 66,
  /** A host's name is not known (EX_NOHOST). */
  noHost: 68,
  /** A server did not answer, or stopped answering (EX_UNAVAILABLE). */
  unavailable: 69,
  /** A bug: workers died again and again (EX_SOFTWARE). */
  internal: 70,
  /** The operating system refused: a port in use, a missing privilege, a folder that cannot be opened (EX_OSERR). */
  system: 71,
  /** What a client got cannot be written here (EX_CANTCREAT). */
  cannotCreate: 73,
  /** A server broke the protocol (EX_PROTOCOL). */
  protocol: 76,
  /** A server refused (EX_NOPERM). */
  refused: 77,
} as const;

/** The text of a failure: what is wrong, then the remedy, as configuration problems print theirs. */
export function failureText(fault: string, remedy: string): string {
  return `error: ${fault}\nhelp: ${remedy}`;
}

/** The system's word for what it refused, such as EACCES: its whole message would name the path a second time. */
export function errorCode(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? String(cause);
}

/** Writes `text` and a newline to standard error. */
export function complain(text: string): void {
  writeText(2, text);
}

/** Writes `text` and a newline to standard output. */
export function show(text: string): void {
  writeText(1, text);
}

/** Synchronous, so that nothing is lost when the process exits; a reader that is gone must not stop a server. */
function writeText(fd: number, text: string): void {
  try {
    writeSync(fd, `${text}\n`);
  } catch {
    // EPIPE, EAGAIN, ENOSPC: there is no third place to complain to.
  }
}
