// Storms of refusals (supervisor layer): a client that asks again and again for what it does not get is told each time, but the log is
// not; the audit file is. What was left out is counted, and told in one line.

import type { RefusalRecord } from "#server/contract.ts";

import { peerAddress } from "./format.ts";

/** What was left out of one client's refusals for one cause, within {@link INTERVAL_MS}. */
export interface Storm {
  readonly client: string;
  readonly cause: RefusalRecord["cause"];
  readonly count: number;
  /** The name that was refused last. */
  readonly name: string;
}

/**
 * How many are told one by one. A guess: PXELINUX misses some ten names before it finds its menu, and a few machines behind one
 * address do so at the same time.
 */
const TOLD_MAX = 50;
/** After this everything is told again. A guess: short enough to be looked at while it lasts. */
const INTERVAL_MS = 10_000;
/** Clients and causes that are counted apart; those beyond share one count. A guess: 1 MiB or so. */
const ENTRIES_MAX = 4096;

interface Entry {
  told: number;
  left: number;
  readonly client: string;
  readonly cause: RefusalRecord["cause"];
  name: string;
}

/** Thins out the refusals of all shards. */
export class Storms {
  readonly #report: (storm: Storm) => void;
  readonly #entries = new Map<string, Entry>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `report` hears of what was left out, when an interval is over. */
  constructor(report: (storm: Storm) => void) {
    this.#report = report;
  }

  /** Whether this refusal is told. One that is not is counted. */
  admits({ peer, cause, name }: RefusalRecord): boolean {
    const entry = this.#entryOf(peerAddress(peer), cause);
    if (entry.told < TOLD_MAX) {
      entry.told += 1;
      return true;
    }
    entry.left += 1;
    entry.name = name;
    return false;
  }

  /** Tells what was left out, and begins anew. */
  settle(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const { client, cause, left, name } of entries) {
      if (left > 0) this.#report({ client, cause, count: left, name });
    }
  }

  #entryOf(client: string, cause: RefusalRecord["cause"]): Entry {
    const key = `${cause} ${client}`;
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    if (this.#entries.size >= ENTRIES_MAX && client !== OTHERS) return this.#entryOf(OTHERS, cause);
    this.#timer ??= setTimeout(() => this.settle(), INTERVAL_MS).unref();
    const entry = { told: 0, left: 0, client, cause, name: "" };
    this.#entries.set(key, entry);
    return entry;
  }
}

/** Instead of an address, where the table is full. */
const OTHERS = "other";
