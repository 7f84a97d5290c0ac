// What the service manager is told about the life of the server (supervisor layer): ready, reloading, stopping, what is going on,
// and that all is well. Without a manager nothing is said.

import type { ServiceManager } from "#io/service-manager.ts";
import { Counter } from "#server/measures.ts";

import type { Shards } from "./shards.ts";
import { totals } from "./totals.ts";
import { Watchdog } from "./watchdog.ts";

/** How often the line that `systemctl status` shows is looked over: a guess between fresh and quiet. */
const STATUS_MS = 5000;

/** What of the shards is told. */
type Told = Pick<Shards, "total" | "turns" | "nudge">;

export class Notices {
  readonly #manager: ServiceManager;
  readonly #shards: Told;
  #watchdog: Watchdog | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #status = "";

  constructor(manager: ServiceManager, shards: Told) {
    this.#manager = manager;
    this.#shards = shards;
  }

  /** The server answers requests. */
  ready(): void {
    const { watchdogMs } = this.#manager;
    this.#manager.tell({ READY: 1, STATUS: this.#newStatus() });
    this.#watchdog = new Watchdog(watchdogMs, this.#shards, () =>
      this.#manager.tell({ WATCHDOG: 1 }),
    );
    this.#timer = setInterval(() => this.#tellStatus(), STATUS_MS);
  }

  /** The configuration is being read again; the server answers all the while. */
  reloading(): void {
    this.#manager.tellReload();
  }

  reloaded(): void {
    this.#manager.tell({ READY: 1 });
  }

  /** The server takes no requests any more, and ends within `deadlineMs`, for which the manager shall have patience. */
  stopping(deadlineMs: number): void {
    clearInterval(this.#timer);
    const transfers = this.#shards.total(Counter.transfersActive);
    this.#manager.tell({
      STOPPING: 1,
      STATUS: `waiting for ${transfers} transfers to end`,
      EXTEND_TIMEOUT_USEC: deadlineMs * 1000,
    });
  }

  /** Another process, or this one again, is the service from now on: the manager listens to no other. */
  nameMain(pid: number): void {
    this.#manager.tell({ MAINPID: pid });
  }

  /** Nothing more is said. */
  end(): void {
    clearInterval(this.#timer);
    this.#watchdog?.end();
  }

  #tellStatus(): void {
    const before = this.#status;
    const status = this.#newStatus();
    if (status !== before) this.#manager.tell({ STATUS: status });
  }

  #newStatus(): string {
    const active = this.#shards.total(Counter.transfersActive);
    const sums = totals((index) => this.#shards.total(index));
    const complete = sums.transfers_completed + sums.uploads_completed;
    const failed = sums.transfers_failed + sums.uploads_failed;
    this.#status = `serving; transfers: ${active} under way, ${complete} complete, ${failed} failed`;
    return this.#status;
  }
}
