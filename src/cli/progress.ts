// How far files have come, on standard error (cli layer): bars that are drawn again and again on a terminal, and a line every
// ten seconds where nobody is looking.

import type { Progress } from "#client/contract.ts";
import { formatBytes, formatRate } from "#supervisor/format.ts";

/** One file on its way. */
export interface Moving {
  readonly name: string;
  readonly progress: Progress;
  readonly startMs: number;
}

/** How often bars are drawn: smooth to the eye, and nothing to a processor. */
const BAR_MS = 100;
const LINE_MS = 10_000;
/** The rate is that of about the last so many milliseconds, so that it neither jumps nor lags. A guess. */
const RATE_MS = 2000;
const NAME_COLUMNS = 24;
const BAR_COLUMNS_MAX = 30;
/** Percentage, sizes, rate and time that are left, with their gaps. */
const FIGURE_COLUMNS = 42;

interface Seen {
  bytes: number;
  atMs: number;
  bytesPerMs: number;
}

/** Draws. `write` gets text as it goes to the terminal, `columns` is its width; undefined is no terminal. */
export class ProgressView {
  readonly #write: (text: string) => void;
  readonly #columns: (() => number) | undefined;
  readonly #seen: Map<string, Seen> = new Map();
  #lines = 0;
  #nextMs: number;

  constructor(write: (text: string) => void, columns: (() => number) | undefined, nowMs: number) {
    this.#write = write;
    this.#columns = columns;
    this.#nextMs = nowMs + (columns === undefined ? LINE_MS : 0);
  }

  /** Draws what moves, if it is time. */
  draw(moving: readonly Moving[], nowMs: number): void {
    if (nowMs < this.#nextMs) return;
    const columns = this.#columns?.();
    this.#nextMs = nowMs + (columns === undefined ? LINE_MS : BAR_MS);
    const lines = moving.map((each) => {
      const bytesPerMs = this.#rateOf(each, nowMs);
      return columns === undefined ? lineOf(each, bytesPerMs) : barOf(each, bytesPerMs, columns);
    });
    for (const name of this.#seen.keys()) {
      if (!moving.some((each) => each.name === name)) this.#seen.delete(name);
    }
    if (columns === undefined) {
      for (const line of lines) this.#write(`${line}\n`);
      return;
    }
    this.#write(this.#erasure() + lines.map((line) => `${line}\n`).join(""));
    this.#lines = lines.length;
  }

  /** Takes the bars away, so that a line can be printed where they were. */
  clear(): void {
    if (this.#lines > 0) this.#write(this.#erasure());
    this.#lines = 0;
    this.#nextMs = this.#columns === undefined ? this.#nextMs : 0;
  }

  /** ECMA-48: up by as many lines as there are, and everything below goes. */
  #erasure(): string {
    return this.#lines === 0 ? "" : `\u001B[${this.#lines}A\u001B[J`;
  }

  #rateOf({ name, progress, startMs }: Moving, nowMs: number): number {
    const seen = this.#seen.get(name) ?? { bytes: 0, atMs: startMs, bytesPerMs: 0 };
    const spanMs = nowMs - seen.atMs;
    if (spanMs > 0) {
      const latest = (progress.bytes - seen.bytes) / spanMs;
      // The first span has no past to be weighed against.
      const weight = seen.bytes === 0 ? 1 : Math.min(1, spanMs / RATE_MS);
      seen.bytesPerMs += (latest - seen.bytesPerMs) * weight;
      seen.bytes = progress.bytes;
      seen.atMs = nowMs;
    }
    this.#seen.set(name, seen);
    return seen.bytesPerMs;
  }
}

/** `boot.wim                  45 % [#########>          ]   120 MB    87 MB/s  0:12`. */
function barOf({ name, progress }: Moving, bytesPerMs: number, columns: number): string {
  const { bytes, bytesTotal } = progress;
  const room = columns - 1 - FIGURE_COLUMNS - NAME_COLUMNS;
  const barColumns = Math.min(BAR_COLUMNS_MAX, room - 3);
  const share = bytesTotal === undefined || bytesTotal === 0 ? undefined : bytes / bytesTotal;
  const percent = share === undefined ? "" : `${Math.floor(share * 100)} %`;
  const bar = share === undefined || barColumns < 5 ? "" : ` [${filled(share, barColumns)}]`;
  const figures = [
    percent.padStart(6),
    bar,
    formatBytes(bytes).padStart(9),
    rateText(bytesPerMs).padStart(12),
    remaining(progress, bytesPerMs).padStart(10),
  ];
  return `${shortened(name, NAME_COLUMNS)}${figures.join("")}`.slice(0, columns - 1);
}

function filled(share: number, columns: number): string {
  const done = Math.min(columns, Math.floor(share * columns));
  return `${"#".repeat(done)}${done < columns ? ">" : ""}`.padEnd(columns).slice(0, columns);
}

/** `boot.wim: 45 % of 270 MB, 87 MB/s, ETA 0:12`. */
function lineOf({ name, progress }: Moving, bytesPerMs: number): string {
  const { bytes, bytesTotal } = progress;
  const isSizeKnown = bytesTotal !== undefined && bytesTotal > 0;
  const share = isSizeKnown
    ? `${Math.floor((bytes / bytesTotal) * 100)} % of ${formatBytes(bytesTotal)}`
    : formatBytes(bytes);
  const figures = [share, rateText(bytesPerMs), remaining(progress, bytesPerMs)];
  return `${name}: ${figures.filter((text) => text !== "").join(", ")}`;
}

function rateText(bytesPerMs: number): string {
  return formatRate(bytesPerMs * 1000, 1_000_000);
}

/** `ETA 0:12`; empty where it is not known. */
function remaining({ bytes, bytesTotal }: Progress, bytesPerMs: number): string {
  if (bytesTotal === undefined || bytesPerMs <= 0) return "";
  const seconds = Math.ceil((bytesTotal - bytes) / bytesPerMs / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const clock = `${twoDigits(minutes % 60)}:${twoDigits(seconds % 60)}`;
  return hours > 0 ? `ETA ${hours}:${clock}` : `ETA ${clock.replace(/^0/, "")}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}

/** The end of a name says more than its beginning. */
function shortened(name: string, columns: number): string {
  return name.length <= columns ? name.padEnd(columns) : `…${name.slice(1 - columns)}`;
}
