// Where log lines go (supervisor layer): a bounded queue in front of one descriptor, written in the background: a file, a pipe,
// or the journal's socket.
// A reader that stopped or a disk that is full costs log lines, which are counted and reported later; it never stops the server.

import { closeSync, openSync, write } from "node:fs";

import { unreachable } from "#base/assert.ts";
import { JOURNAL_SOCKET, type LogTarget } from "#config/settings.ts";
import { openJournal } from "#io/journal.ts";

import type { AuditEvent } from "./audit.ts";

/** Bytes of lines that may wait. About 30,000 transfers; a guess between memory and a short stall of the reader. */
const QUEUE_BYTES_MAX = 4 * 1024 * 1024;
/** Bytes per write: large enough that the count of system calls does not matter, small enough to be written whole. */
const WRITE_BYTES_MAX = 64 * 1024;
/** How long a descriptor that refused is left alone. A full disk does not become empty within microseconds. */
const RETRY_MS = 200;

/** Says what was lost, as a line of the log's own format without its newline. */
export type LossLine = (lines: number, because: string) => string;

/** Writes bytes to a descriptor and calls back with the error or the count, as `fs.write` does. */
export type WriteBytes = (
  fd: number,
  bytes: Uint8Array,
  done: (error: NodeJS.ErrnoException | null, written: number) => void,
) => void;

/** How lines become bytes, and what else their descriptor is. */
export interface SinkOptions {
  readonly write?: WriteBytes;
  /** Makes a line, or a message of what it is about, from a text without its newline. */
  readonly frame?: (text: string, event: AuditEvent | undefined) => Uint8Array;
  /** Whether each line must be a write of its own. */
  readonly isDatagram?: boolean;
  /** When the file makes room for another. */
  readonly rotation?: Turnover | undefined;
}

/** Decides when a file is full. */
export interface Turnover {
  /** So many bytes were written, up to the end of a line. Returns the descriptor of the file that follows, when it is time. */
  next(bytes: number): number | undefined;
}

/** A queue of lines for one descriptor at a time, which it owns. */
export class LogSink {
  readonly #lossLine: LossLine;
  readonly #write: WriteBytes;
  readonly #frame: NonNullable<SinkOptions["frame"]>;
  readonly #isDatagram: boolean;
  #rotation: Turnover | undefined;
  #fd: number;
  /** What follows {@link #fd} as soon as no line is halfway through. */
  #nextFd: number | undefined;
  #isClosing = false;
  #lines: Uint8Array[] = [];
  #queuedBytes = 0;
  #pending: Uint8Array | undefined;
  #pendingLines = 0;
  /** Bytes of {@link #pending} that were written already. */
  #writtenBytes = 0;
  /** Whether {@link #pending} is the rest of a line that was begun: dropping it would join two lines. */
  #isMidLine = false;
  #isWriting = false;
  #lostLines = 0;
  #lostLinesTotal = 0;
  #lostBecause = "";
  #retry: ReturnType<typeof setTimeout> | undefined;
  #idle: (() => void)[] = [];

  constructor(fd: number, lossLine: LossLine, options: SinkOptions = {}) {
    this.#fd = fd;
    this.#lossLine = lossLine;
    this.#write = options.write ?? write;
    this.#frame = options.frame ?? lineOf;
    this.#isDatagram = options.isDatagram ?? false;
    this.#rotation = options.rotation;
  }

  /** Bytes that wait to be written. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** How many lines were lost since it began. */
  get lostLinesTotal(): number {
    return this.#lostLinesTotal;
  }

  /** How many lines were lost and not reported in the log yet. */
  get lostLines(): number {
    return this.#lostLines;
  }

  /** Queues one line, given without its newline, on `event` if that is known. A line that does not fit is lost and counted. */
  line(text: string, event?: AuditEvent): void {
    const bytes = this.#frame(text, event);
    if (this.#queuedBytes + bytes.length > QUEUE_BYTES_MAX) {
      this.#lose(1, "the log's reader is too slow");
      return;
    }
    this.#lines.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#pump();
  }

  /**
   * Writes to `fd` from now on, which it takes over, and closes the one before. A line that was begun there ends there, or is lost
   * where it cannot.
   */
  reopen(fd: number, rotation?: Turnover): void {
    this.#rotation = rotation;
    this.#goTo(fd);
  }

  #goTo(fd: number): void {
    if (this.#nextFd !== undefined) closeLog(this.#nextFd);
    this.#nextFd = fd;
    this.#pump();
  }

  /** Takes what still waits to its end, if the descriptor takes it, and closes the descriptor. No line may follow. */
  close(): void {
    this.#isClosing = true;
    this.#pump();
  }

  /** Resolves when nothing waits any more, or after `timeoutMs`. */
  async flush(timeoutMs: number): Promise<void> {
    if (!this.#isBusy()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    this.#idle.push(resolve);
    await promise;
    clearTimeout(timer);
  }

  #isBusy(): boolean {
    return this.#pending !== undefined || this.#lines.length > 0;
  }

  #pump(): void {
    if (this.#isWriting) return;
    this.#changeDescriptor();
    if (this.#retry !== undefined) return;
    this.#pending ??= this.#nextWrite();
    const pending = this.#pending;
    if (pending === undefined) {
      if (this.#isClosing) this.#end();
      for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    this.#isWriting = true;
    this.#write(this.#fd, pending, (error, written) => {
      this.#isWriting = false;
      if (error === null) this.#wrote(pending, written);
      else this.#refused(error);
      this.#pump();
    });
  }

  /** Goes over to the descriptor that was asked for. The rest of a line waits for the old one, unless that refuses it. */
  #changeDescriptor(): void {
    const next = this.#nextFd;
    if (next === undefined) return;
    if (next !== this.#fd) {
      if (this.#isMidLine && this.#retry === undefined) return;
      if (this.#isMidLine) this.#dropPending("the log was reopened");
      clearTimeout(this.#retry);
      this.#retry = undefined;
      closeLog(this.#fd);
    }
    this.#fd = next;
    this.#nextFd = undefined;
  }

  #end(): void {
    this.#isClosing = false;
    closeLog(this.#fd);
  }

  #dropPending(because: string): void {
    const lines = this.#pendingLines;
    this.#settle();
    this.#lose(lines, because);
  }

  /** Joins waiting lines into one write, a report of losses first. */
  #nextWrite(): Uint8Array | undefined {
    if (this.#lines.length === 0) return undefined;
    const parts: Uint8Array[] = [];
    let bytes = 0;
    if (this.#lostLines > 0) {
      const report = this.#frame(this.#lossLine(this.#lostLines, this.#lostBecause), undefined);
      if (this.#isDatagram) return report;
      parts.push(report);
      bytes += report.length;
    }
    let count = 0;
    for (const line of this.#lines) {
      if (count > 0 && (this.#isDatagram || bytes + line.length > WRITE_BYTES_MAX)) break;
      parts.push(line);
      bytes += line.length;
      count += 1;
    }
    this.#lines.splice(0, count);
    this.#pendingLines = count;
    return Buffer.concat(parts, bytes);
  }

  #wrote(pending: Uint8Array, written: number): void {
    this.#writtenBytes += written;
    if (written < pending.length) {
      this.#isMidLine = true;
      this.#pending = pending.subarray(written);
      return;
    }
    const bytes = this.#writtenBytes;
    this.#settle();
    this.#lostLines = 0;
    // A descriptor that waits to follow is of another file already.
    if (this.#nextFd !== undefined) return;
    const next = this.#rotation?.next(bytes);
    if (next !== undefined) this.#goTo(next);
  }

  #refused(error: NodeJS.ErrnoException): void {
    const code = error.code ?? error.message;
    // EAGAIN is a pipe whose reader is slow: what was taken from the queue stays first in line.
    if (code !== "EAGAIN" && !this.#isMidLine) this.#dropPending(code);
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#pump();
    }, RETRY_MS);
    // A log that nobody can read must not keep a process alive that has nothing else to do.
    this.#retry.unref();
  }

  #settle(): void {
    this.#queuedBytes = this.#lines.reduce((sum, line) => sum + line.length, 0);
    this.#pending = undefined;
    this.#pendingLines = 0;
    this.#writtenBytes = 0;
    this.#isMidLine = false;
  }

  #lose(lines: number, because: string): void {
    this.#lostLines += lines;
    this.#lostLinesTotal += lines;
    this.#lostBecause = because;
  }
}

/** Opens a log's descriptor; a file for appending. Throws the system's error. */
export function openLog(target: LogTarget): number {
  switch (target.kind) {
    case "output":
      return 1;
    case "journal":
      return openJournal(JOURNAL_SOCKET);
    case "file":
      return openSync(target.path, "a", 0o640);
    default:
      return unreachable(target);
  }
}

/** Closes what {@link openLog} opened; standard output stays open. */
export function closeLog(fd: number): void {
  if (fd !== 1) closeSync(fd);
}

function lineOf(text: string): Uint8Array {
  return encoder.encode(`${text}\n`);
}

const encoder = new TextEncoder();
