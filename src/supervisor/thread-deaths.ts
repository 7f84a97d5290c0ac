// What the deaths of threads mean (supervisor layer): single ones are survived by a replacement, deaths that repeat end the
// process instead of hiding a bug.

/** So many deaths within {@link DEATHS_WINDOW_MS} are not chance: a guess that lets single faults pass. */
const DEATHS_MAX = 5;
const DEATHS_WINDOW_MS = 10_000;

/** The deaths of one kind of thread. */
export class ThreadDeaths {
  readonly #timesMs: number[] = [];

  /** Counts one more death. True: they are too many, and no thread is to be replaced any more. */
  count(): boolean {
    const nowMs = performance.now();
    this.#timesMs.push(nowMs);
    while (nowMs - (this.#timesMs[0] ?? nowMs) > DEATHS_WINDOW_MS) this.#timesMs.shift();
    return this.#timesMs.length >= DEATHS_MAX;
  }
}

/** An error as one line: its message and the first place in its stack that is not the runtime's own. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = error.stack?.split("\n").find((line) => /^\s*at (?!.*\(node:)/.test(line));
  const where = place === undefined ? "" : ` (${place.trim()})`;
  return `${error.name}: ${error.message}${where}`.replaceAll(/\s+/g, " ");
}
