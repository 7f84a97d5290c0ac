// What the server knows of itself while it runs (supervisor layer): events are counted here, boots observed, and the web server's
// pages made from whoever knows. Shards are asked once a second how far their transfers are; the rest they count anyway.

import { hostname } from "node:os";

import type { StatusSettings } from "#config/settings-status.ts";
import type { Settings } from "#config/settings.ts";
import type { StartFault } from "#io/start.ts";
import type { FastPaths } from "#server/contract.ts";

import { type Administrator, AdminSocket, openAdminSocket } from "./admin-socket.ts";
import { type ProcessView, ServerSource } from "./api-source.ts";
import { type AuditEvent, auditObject } from "./audit.ts";
import { EventCounts } from "./event-counts.ts";
import { exposition, type Format } from "./exposition.ts";
import type { Hooks } from "./hooks.ts";
import type { Log, LogWitness } from "./log.ts";
import type { Logs } from "./logs.ts";
import { Observer } from "./observer.ts";
import { processFamilies } from "./process-metrics.ts";
import { shardFamilies } from "./shard-metrics.ts";
import type { Shards } from "./shards.ts";
import { startStatus, type StatusPages, type StatusServer } from "./status-server.ts";
import { eventText, Stream } from "./streams.ts";

/** Who knows. */
export interface Watched {
  readonly shards: Shards;
  readonly hooks: Hooks;
  readonly logs: Logs;
  readonly log: Log;
  readonly process: ProcessView;
}

/** How often an address that shows no token, or a wrong one, is told of in the log. */
const REFUSAL_INTERVAL_MS = 60_000;
/** Addresses that are remembered for it. */
const REFUSED_MAX = 1000;
/** How often graphs get a point, shards are asked, and pages are told. */
const TICK_MS = 1000;
/** How long shards are given to answer before pages are told: a turn takes far less. */
const ANSWER_MS = 50;
/** How long those are answered who have connected when another server takes over: answers are made at once. A guess. */
const LEAVE_MS = 500;

export class Monitor {
  readonly #version: string;
  readonly #events: EventCounts = new EventCounts();
  readonly #observer: Observer;
  readonly #live: Stream = new Stream();
  readonly #audit: Stream = new Stream();
  readonly #refusedMs = new Map<string, number>();
  #settings: StatusSettings;
  #server: StatusServer | undefined;
  #admin: AdminSocket | undefined;
  #watched: Watched | undefined;
  #source: ServerSource | undefined;
  #ticking: ReturnType<typeof setInterval> | undefined;
  #fastPaths: FastPaths | undefined;
  /** Whether another server reads the requests, the one before this or the one after, so that all is well. */
  #isBeside = false;
  #leaving: Promise<void> = Promise.resolve();
  #workerDeaths = 0;
  #diskThreadDeaths = 0;

  /**
   * Begins to answer where that is wanted; it is not ready before {@link watch}. What comes after another server answers beside that
   * one, whose places are its own when it is told to {@link take}.
   */
  static async start(
    settings: Settings,
    version: string,
    isAfterAnother: boolean,
  ): Promise<Monitor | StartFault> {
    const monitor = new Monitor(settings, version);
    monitor.#isBeside = isAfterAnother;
    const { socket } = settings.status;
    if (socket !== undefined) {
      const pages = {
        source: () => monitor.#source,
        acted: (who: Administrator, request: string) => monitor.#noteAct(who, request),
      };
      const admin = await openAdminSocket(socket, pages, isAfterAnother);
      if ("fault" in admin) return admin;
      monitor.#admin = admin;
    }
    const server = startStatus(settings.status, monitor.#pages(), isAfterAnother);
    if (server !== undefined && "fault" in server) {
      monitor.#admin?.stop();
      return server;
    }
    monitor.#server = server;
    return monitor;
  }

  private constructor({ status, workers, transfersMax }: Settings, version: string) {
    this.#settings = status;
    this.#version = version;
    this.#observer = new Observer(workers, workers * transfersMax);
  }

  /** To be told of everything. It forgets what nobody could ask for. */
  get witness(): LogWitness {
    return {
      isWatching: () => this.#isWatching,
      event: (event) => {
        if (!this.#isAsked) return;
        this.#noteEvent(event);
        this.#observer.troubles.note(event);
      },
      record: (record, boot, events) => {
        for (const event of events) this.#noteEvent(event);
        this.#observer.record(record, boot, events, this.#settings.clientsMax);
      },
    };
  }

  watch(watched: Watched): void {
    this.#watched = watched;
    const { process, shards } = watched;
    this.#source = new ServerSource(process, shards, this.#observer, () => this.#fastPaths);
    this.#ticking = setInterval(() => this.#isWatching && this.#tick(), TICK_MS);
  }

  noteReady(fastPaths: FastPaths): void {
    this.#fastPaths = fastPaths;
  }

  /** A shard has answered how far its transfers are. */
  noteProgress(shard: number, words: Float64Array): void {
    this.#observer.live.progress(shard, words, Date.now());
  }

  noteWorkerDeath(shard: number): void {
    this.#workerDeaths += 1;
    this.#observer.cutOff(shard, Date.now());
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

  /** The server before this one leaves it its places. */
  take(): void {
    this.#isBeside = false;
    this.#admin?.publish();
  }

  /** Another server answers from now on. */
  handOver(): void {
    this.#isBeside = true;
    this.#live.close();
    this.#audit.close();
    this.#server?.leave();
    this.#admin?.leave();
    if (this.#isAsked) this.#leaving = this.#leave();
  }

  /** Resolves when whoever had asked before a hand-over is answered; at once where there was none. */
  async left(): Promise<void> {
    await this.#leaving;
  }

  stop(): void {
    clearInterval(this.#ticking);
    this.#live.close();
    this.#audit.close();
    this.#server?.stop();
    this.#admin?.stop();
  }

  async #leave(): Promise<void> {
    await Bun.sleep(LEAVE_MS);
    this.#server?.stop();
    this.#admin?.stop();
  }

  /** Whether anybody could ask. */
  get #isAsked(): boolean {
    return this.#server !== undefined || this.#admin !== undefined;
  }

  /** Whether clients are watched: for whoever asks, or for hooks, which a reload may bring. */
  get #isWatching(): boolean {
    return this.#isAsked || this.#watched?.hooks.wants("client_stuck") === true;
  }

  #tick(): void {
    if (this.#watched === undefined) return;
    const { shards, hooks } = this.#watched;
    this.#observer.history.sample((index) => shards.total(index), Date.now());
    if (this.#observer.live.count > 0) shards.order({ kind: "report" });
    if (hooks.wants("client_stuck")) {
      const nowMs = Date.now();
      for (const client of this.#observer.timelines.newlyStuck(nowMs)) hooks.stuck(client, nowMs);
    }
    this.#audit.keepAlive();
    if (this.#live.hasReaders) setTimeout(() => this.#tell(), ANSWER_MS);
  }

  #tell(): void {
    this.#live.send("snapshot", this.#source?.snapshot());
  }

  #noteEvent(event: AuditEvent): void {
    this.#events.note(event, this.#settings.clientAddressesMax);
    if (this.#audit.hasReaders) this.#audit.send("audit", auditObject(event, hostname()));
  }

  #pages(): StatusPages {
    return {
      version: this.#version,
      metrics: (format) => this.#metrics(format),
      unready: () => this.#unready(),
      refused: (address) => this.#noteRefusal(address),
      source: () => this.#source,
      live: () => this.#live.open(eventText("snapshot", this.#source?.snapshot())),
      events: () => this.#audit.open(),
    };
  }

  #unready(): string {
    if (this.#isBeside) return "";
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
      hookCounts: hooks.counts,
      events: this.#events,
      hasSnowOwlNames: this.#settings.hasSnowOwlNames,
    };
    return exposition([...processFamilies(facts), ...shardFamilies(shards.counters)], format);
  }

  #noteAct({ uid, pid }: Administrator, request: string): void {
    this.#watched?.log.event("admin_command", "info", { request, uid, pid });
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
