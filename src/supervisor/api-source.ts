// Where the API's answers come from (supervisor layer): the counters of shards, what was observed, and the configuration in force.
// Read when somebody asks.

import { f64At } from "#base/bytes.ts";
import type { Settings } from "#config/settings.ts";
import type { Measure } from "#io/confinement.ts";
import type { FastPaths, ShardOrder } from "#server/contract.ts";
import { Counter, type CounterName, measures } from "#server/measures.ts";
import { shardOf } from "#server/progress.ts";

import type {
  FeatureView,
  HistoryView,
  MeasureView,
  SettingView,
  ShardView,
  SnapshotView,
  StatusView,
  TimelineView,
  TroubleView,
} from "./api-shapes.ts";
import type { ApiSource } from "./api.ts";
import { formatTimestamp } from "./format.ts";
import type { Observer } from "./observer.ts";
import type { Shards } from "./shards.ts";
import { totals } from "./totals.ts";

/** What the process knows of itself besides its shards. */
export interface ProcessView {
  readonly version: string;
  readonly configFile: string;
  /** What is listened on. */
  readonly address: string;
  /** What it has given up, as the banner says it. */
  readonly measures: readonly Measure[];
  readonly settings: () => Settings;
  /** What the configuration in force comes to, name and value. */
  readonly explain: () => readonly (readonly [string, string])[];
  readonly reload: () => void;
  readonly drain: () => void;
}

/** What is read of the shards. */
type ShardSums = Pick<
  Shards,
  "counters" | "isDraining" | "isServing" | "order" | "replacements" | "total"
>;

/** How many of each list a snapshot has: what a page shows without more being asked for. */
const SNAPSHOT_MAX = 100;
/** Troubles of a snapshot. */
const SNAPSHOT_TROUBLES_MAX = 20;

export class ServerSource implements ApiSource {
  readonly #process: ProcessView;
  readonly #shards: ShardSums;
  readonly #observer: Observer;
  readonly #fastPaths: () => FastPaths | undefined;

  /** `fastPaths` is undefined until every shard is ready. */
  constructor(
    process: ProcessView,
    shards: ShardSums,
    observer: Observer,
    fastPaths: () => FastPaths | undefined,
  ) {
    this.#process = process;
    this.#shards = shards;
    this.#observer = observer;
    this.#fastPaths = fastPaths;
  }

  status(): StatusView {
    const { live, timelines, history } = this.#observer;
    const { version, address, settings } = this.#process;
    const startMs = performance.timeOrigin;
    const clients = timelines.counts(Date.now());
    const { latest } = history;
    return {
      version,
      started: formatTimestamp(startMs),
      uptime_ms: Math.round(performance.now()),
      ...this.#standing(),
      address,
      root_dir: settings().rootDir,
      workers: settings().workers,
      workers_replaced: this.#shards.replacements,
      transfers: live.count,
      clients_stuck: clients.stuck,
      clients_loading: clients.loading,
      clients_idle: clients.idle,
      sent_bytes_per_second: latest.sent_bytes,
      received_bytes_per_second: latest.received_bytes,
      requests_per_second: latest.requests,
      refused_per_second: latest.refused,
      totals: totals((index) => this.#shards.total(index)),
    };
  }

  transfers(limit: number): SnapshotView["transfers"] {
    const { live } = this.#observer;
    return { total: live.count, transfers: live.views(limit, Date.now()) };
  }

  clients(limit: number): SnapshotView["clients"] {
    const { timelines } = this.#observer;
    return { total: timelines.count, clients: timelines.views(limit, Date.now()) };
  }

  timeline(address: string): TimelineView | undefined {
    return this.#observer.timelines.timeline(address, Date.now());
  }

  files(limit: number): ReturnType<ApiSource["files"]> {
    const { files } = this.#observer;
    return { total: files.count, files: files.views(limit) };
  }

  errors(limit: number): readonly TroubleView[] {
    return this.#observer.troubles.views(limit);
  }

  shards(): readonly ShardView[] {
    return this.#shards.counters.map(shardView);
  }

  kernel(): readonly FeatureView[] {
    return Object.entries(this.#fastPaths() ?? {}).map(([feature, { isOn, because }]) => ({
      feature,
      is_on: isOn,
      because,
    }));
  }

  confinement(): readonly MeasureView[] {
    return this.#process.measures.map(({ name, isOn, because }) => ({
      measure: name,
      is_on: isOn,
      because,
    }));
  }

  history(): HistoryView {
    return this.#observer.history.view();
  }

  configuration(): { readonly file: string; readonly settings: readonly SettingView[] } {
    const settings = this.#process.explain().map(([name, value]) => ({ name: name.trim(), value }));
    return { file: this.#process.configFile, settings };
  }

  snapshot(): SnapshotView {
    return {
      status: this.status(),
      transfers: this.transfers(SNAPSHOT_MAX),
      clients: this.clients(SNAPSHOT_MAX),
      errors: this.errors(SNAPSHOT_TROUBLES_MAX),
    };
  }

  kill(transferId: number): boolean {
    if (this.#observer.live.find(transferId) === undefined) return false;
    const order: ShardOrder = { kind: "end", transferId };
    this.#shards.order(order, shardOf(transferId, this.#process.settings().workers));
    return true;
  }

  reload(): void {
    this.#process.reload();
  }

  drain(): void {
    this.#process.drain();
  }

  #standing(): Pick<StatusView, "state" | "because"> {
    if (this.#shards.isDraining) return { state: "draining", because: "the server is ending" };
    if (this.#fastPaths() === undefined) return { state: "starting", because: "workers start" };
    if (this.#shards.isServing) return { state: "serving", because: "" };
    return { state: "impaired", because: "a worker is being replaced" };
  }
}

function shardView(counters: Float64Array, shard: number): ShardView {
  const word = (name: CounterName): number => f64At(counters, Counter[name]);
  const seconds = (name: CounterName): number => word(name) / (measures[name].scale ?? 1);
  return {
    shard,
    transfers: word("transfersActive"),
    transfers_max: word("transfersMax"),
    waiting_to_send: word("readyTransfers"),
    waiting_for_socket: word("blockedTransfers"),
    waiting_for_disk: word("stalledTransfers"),
    cache_bytes: word("cacheBytes"),
    cache_bytes_max: word("cacheBytesMax"),
    cache_hits: word("cacheHits"),
    cache_misses: word("cacheMisses"),
    disk_jobs: word("diskJobs"),
    turns: word("turns"),
    busy_seconds: seconds("busyUs"),
    spin_seconds: seconds("spunUs"),
    sent_datagrams: word("datagramsSent"),
    received_datagrams: word("datagramsReceived"),
  };
}
