// Whether a request may be looked at, and may become one transfer more (server layer): the limits on clients, counted over all
// shards. What is turned away is counted exactly, and told to the log once a second at most.

import type { Settings } from "#config/settings.ts";
import { clientAddress, peerText } from "#io/inbox.ts";
import type { ClientCounts } from "#policy/client-counts.ts";

import { type LimitName, limitNames, type LimitRecord } from "./contract.ts";
import type { Counters } from "./counters.ts";
import { Counter } from "./measures.ts";
import type { Arrival } from "./question.ts";
import type { Records } from "./records.ts";
import { countRefusal } from "./tally.ts";
import type { Transfer } from "./transfer.ts";
import type { Transfers } from "./transfers.ts";

/** What the limits of a shard are counted with. */
export interface LimitScope {
  readonly counts: ClientCounts;
  readonly transfers: Transfers;
  readonly counters: Counters;
  readonly records: Records;
}

/** The log hears of each limit at most this often. A guess: often enough to see it while it happens. */
const RECORD_INTERVAL_US = 1_000_000;

export class RequestLimits {
  readonly #scope: LimitScope;
  /** By limit: when the log last heard of it, and how many requests were turned away since. */
  readonly #toldUs = new Map<LimitName, number>();
  readonly #untold = new Map<LimitName, number>();

  /** What a dead predecessor of this shard had under way does not count any more. */
  constructor(scope: LimitScope) {
    this.#scope = scope;
    scope.counts.adopt();
  }

  /** Whether the client's network may ask at all; a repeated request asks, too. */
  mayAsk({ name, nowUs }: Arrival, { limits }: Settings): boolean {
    if (limits.clients.requestsPerSecond === 0) return true;
    return this.#scope.counts.mayAsk(clientAddress(name), limits.clients, nowUs);
  }

  /** The limit that one more transfer would exceed, if any. */
  reached({ name, nowUs }: Arrival, { limits }: Settings): LimitName | undefined {
    const { counts, transfers } = this.#scope;
    if (transfers.count >= transfers.capacity) return "worker-transfers";
    return counts.limitReached(clientAddress(name), limits.clients, nowUs);
  }

  enter(transfer: Transfer, { limits }: Settings): void {
    const { slot, name, startUs } = transfer;
    this.#scope.counts.enter(slot, clientAddress(name), limits.clients, startUs);
  }

  /** The client has acknowledged something. */
  welcome(transfer: Transfer): void {
    transfer.isHalfOpen = false;
    this.#scope.counts.welcome(transfer.slot);
  }

  leave(transfer: Transfer): void {
    this.#scope.counts.leave(transfer.slot);
  }

  /** Counts a request that was turned away. Returns whether its client is told. */
  turnAway(limit: LimitName, arrival: Arrival, settings: Settings): boolean {
    countRefusal(this.#scope.counters, "busy");
    this.note(limit, arrival, settings);
    // An ERROR is what a forged request is after.
    return limit !== "half-open" && !settings.limits.isDropped;
  }

  /** Counts that `limit` was reached, and tells the log if it has not heard of it lately. */
  note(limit: LimitName, arrival: Arrival, settings: Settings): void {
    const { counters, records, transfers } = this.#scope;
    const { nowUs } = arrival;
    counters.add(Counter.limitsReached + limitNames.indexOf(limit), 1);
    const refused = (this.#untold.get(limit) ?? 0) + 1;
    this.#untold.set(limit, refused);
    if (nowUs - (this.#toldUs.get(limit) ?? -Infinity) < RECORD_INTERVAL_US) return;
    const max = limit === "worker-transfers" ? transfers.capacity : maxOf(limit, settings);
    records.add(limitRecord(limit, arrival, max, refused));
    this.#toldUs.set(limit, nowUs);
    this.#untold.set(limit, 0);
  }
}

/** What the configuration allows. */
function maxOf(limit: Exclude<LimitName, "worker-transfers">, { limits }: Settings): number {
  const { clients } = limits;
  return {
    transfers: clients.transfersMax,
    "client-transfers": clients.clientTransfersMax,
    "network-transfers": clients.networkTransfersMax,
    "half-open": clients.halfOpenMax,
    requests: clients.requestsPerSecond,
    resources: 0,
  }[limit];
}

function limitRecord(
  limit: LimitName,
  { name, listener }: Arrival,
  max: number,
  refused: number,
): LimitRecord {
  return { kind: "limit", timeMs: Date.now(), peer: peerText(name), listener, limit, max, refused };
}
