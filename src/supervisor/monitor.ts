// What the server knows of itself while it runs (supervisor layer): events are counted here, and the web server's pages are made
// here from whoever knows. Costs the shards nothing: it reads what they count anyway.

import type { StatusSettings } from "#config/settings-status.ts";
import type { StartFault } from "#io/start.ts";
import type { FastPaths } from "#server/contract.ts";

import type { AuditEvent } from "./audit.ts";
import { EventCounts } from "./event-counts.ts";
import { exposition, type Format } from "./exposition.ts";
import type { Hooks } from "./hooks.ts";
import type { Log } from "./log.ts";
import type { Logs } from "./logs.ts";
import { processFamilies } from "./process-metrics.ts";
import { shardFamilies } from "./shard-metrics.ts";
import type { Shards } from "./shards.ts";
import { startStatus, type StatusPages, type StatusServer } from "./status-server.ts";

/** Who knows. */
export interface Watched {
  readonly shards: Shards;
  readonly hooks: Hooks;
  readonly logs: Logs;
  readonly log: Log;
}

/** How often an address that shows no token, or a wrong one, is told of in the log. */
const REFUSAL_INTERVAL_MS = 60_000;
/** Addresses that are remembered for it. */
const REFUSED_MAX = 1000;

export class Monitor {
  readonly #version: string;
  readonly #events: EventCounts = new EventCounts();
  readonly #refusedMs = new Map<string, number>();
  #settings: StatusSettings;
  #server: StatusServer | undefined;
  #watched: Watched | undefined;
  #fastPaths: FastPaths | undefined;
  #workerDeaths = 0;
  #diskThreadDeaths = 0;

  /** Begins to answer where that is wanted; it is not ready before {@link watch}. */
  static start(settings: StatusSettings, version: string): Monitor | StartFault {
    const monitor = new Monitor(settings, version);
    const server = startStatus(settings, monitor.#pages());
    if (server !== undefined && "fault" in server) return server;
    monitor.#server = server;
    return monitor;
  }

  private constructor(settings: StatusSettings, version: string) {
    this.#settings = settings;
    this.#version = version;
  }

  /** To be told of every event; undefined where nobody could ask. */
  get witness(): ((event: AuditEvent) => void) | undefined {
    if (this.#server === undefined) return undefined;
    return (event) => this.#events.note(event, this.#settings.clientAddressesMax);
  }

  watch(watched: Watched): void {
    this.#watched = watched;
  }

  noteReady(fastPaths: FastPaths): void {
    this.#fastPaths = fastPaths;
  }

  noteWorkerDeath(): void {
    this.#workerDeaths += 1;
  }

  noteDiskThreadDeath(): void {
    this.#diskThreadDeaths += 1;
  }

  /** Goes by `settings`, and reads the token again. Returns a fault, and changes nothing, if there is none. */
  reload(settings: StatusSettings): StartFault | undefined {
    const fault = this.#server?.reload(settings);
    if (fault === undefined) this.#settings = settings;
    return fault;
  }

  stop(): void {
    this.#server?.stop();
  }

  #pages(): StatusPages {
    return {
      metrics: (format) => this.#metrics(format),
      unready: () => this.#unready(),
      refused: (address) => this.#noteRefusal(address),
    };
  }

  #unready(): string {
    if (this.#watched === undefined || this.#fastPaths === undefined) return "starting";
    return this.#watched.shards.isServing ? "" : "a shard takes no new requests";
  }

  #metrics(format: Format): string {
    if (this.#watched === undefined) return exposition([], format);
    const { shards, hooks, logs } = this.#watched;
    const facts = {
      version: this.#version,
      isReady: this.#unready() === "",
      fastPaths: this.#fastPaths,
      workerDeaths: this.#workerDeaths,
      diskThreadDeaths: this.#diskThreadDeaths,
      logs: { log: logs.log, ...(logs.audit === undefined ? {} : { audit: logs.audit }) },
      hookCalls: { ...hooks.load },
      events: this.#events,
      hasSnowOwlNames: this.#settings.hasSnowOwlNames,
    };
    return exposition([...processFamilies(facts), ...shardFamilies(shards.counters)], format);
  }

  #noteRefusal(address: string): void {
    const nowMs = performance.now();
    const lastMs = this.#refusedMs.get(address);
    if (lastMs !== undefined && nowMs - lastMs < REFUSAL_INTERVAL_MS) return;
    if (this.#refusedMs.size >= REFUSED_MAX) this.#refusedMs.clear();
    this.#refusedMs.set(address, nowMs);
    const fields = { client_addr: address, username: "", success: false };
    this.#watched?.log.event("authentication_attempt", "warn", fields);
  }
}
