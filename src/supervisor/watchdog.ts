// The service manager's watchdog (supervisor layer): it is told that all is well as long as every shard turns. One that is stuck
// starves it, and the manager starts the server anew.

/** What is asked of the shards. */
export interface Watched {
  /** How many turns each shard has made; undefined for one that need not turn now. */
  turns(): readonly (number | undefined)[];
  /** Has each of them turn once more. */
  nudge(): void;
}

/** Asks so many times within the manager's patience: one answer that comes late is no failure. A guess. */
const ASKS = 3;

/** Tells `feed` at the end of each period in which every shard has turned. */
export class Watchdog {
  readonly #watched: Watched;
  readonly #feed: () => void;
  readonly #timer: ReturnType<typeof setInterval> | undefined;
  #before: readonly (number | undefined)[];

  /** `patienceMs` is the manager's; undefined: it has no watchdog. */
  constructor(patienceMs: number | undefined, watched: Watched, feed: () => void) {
    this.#watched = watched;
    this.#feed = feed;
    this.#before = watched.turns();
    if (patienceMs !== undefined) this.#timer = setInterval(() => this.#ask(), patienceMs / ASKS);
  }

  /** Asks no more. */
  end(): void {
    clearInterval(this.#timer);
  }

  #ask(): void {
    const now = this.#watched.turns();
    const areTurning = now.every(
      (turns, index) => turns === undefined || turns !== this.#before[index],
    );
    this.#before = now;
    if (areTurning) this.#feed();
    this.#watched.nudge();
  }
}
