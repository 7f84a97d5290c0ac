// What the deaths of threads mean (supervisor layer): one that comes after work is survived by a replacement at once; deaths with
// nothing done in between are replaced later and later, and finally end the process instead of hiding a bug.

/** The second fruitless death in a row is replaced after so long, each further one after twice as long: a guess. */
const DELAY_MS = 50;
/** So many in a row are no chance: there were 1.55 s of delays by then. A guess. */
const FRUITLESS_MAX = 7;
/** A thread that lived so long was of use, whatever it did. */
const LONG_LIFE_MS = 60_000;

/** The deaths of one kind of thread. */
export class ThreadDeaths {
  /** Fruitless deaths in a row, by thread. */
  readonly #fruitless: Map<number, number> = new Map();

  /**
   * Notes that thread `index` died after `livedMs`. Returns after how many milliseconds it is to be replaced; undefined: never,
   * it is hopeless.
   */
  note(index: number, hasWorked: boolean, livedMs: number): number | undefined {
    const isFruitful = hasWorked || livedMs >= LONG_LIFE_MS;
    const fruitless = isFruitful ? 0 : (this.#fruitless.get(index) ?? 0) + 1;
    this.#fruitless.set(index, fruitless);
    if (fruitless >= FRUITLESS_MAX) return undefined;
    return fruitless < 2 ? 0 : DELAY_MS * 2 ** (fruitless - 2);
  }
}

/** An error as one line: its message and the first place in its stack that is not the runtime's own. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const [place] = placesOf(error);
  const where = place === undefined ? "" : ` (${place})`;
  return `${error.name}: ${error.message}${where}`.replaceAll(/\s+/g, " ");
}

/** The places of an error's stack as one line, innermost first; empty where there are none. */
export function stackOf(error: unknown): string {
  return error instanceof Error ? placesOf(error).join("; ") : "";
}

function placesOf(error: Error): readonly string[] {
  const lines = error.stack?.split("\n") ?? [];
  return lines.filter((line) => /^\s*at (?!.*\(node:)/.test(line)).map((line) => line.trim());
}
