// What each client asked for, in order, and what came of it (supervisor layer): the boot timeline. Bounded in clients and in steps
// of each; the client that was heard of longest ago goes, and the oldest step.

import type { ShardRecord } from "#server/contract.ts";

import type { ClientView, StepView, TimelineView } from "./api-shapes.ts";
import type { Boot } from "./boots.ts";
import { diagnose, type Diagnosis } from "./diagnosis.ts";
import { formatTimestamp, peerAddress } from "./format.ts";
import type { Live } from "./live.ts";
import { type Client, noteBegin, noteEnd, noteRefusal, type Step } from "./steps.ts";

/**
 * Who has been stuck for so long is told of: some seconds more than the page waits, for a person is called. A loader that gave up
 * one server asks the next within them (a guess).
 */
const STUCK_MS = 10_000;

export class Timelines {
  readonly #clients = new Map<string, Client>();
  readonly #live: Live;

  /** `live` knows how far what runs is. */
  constructor(live: Live) {
    this.#live = live;
  }

  /** Notes what a shard reports of `boot`; of `clientsMax` clients at most. */
  note(record: ShardRecord, boot: Boot, clientsMax: number): void {
    if (record.kind === "limit" || record.kind === "send-fault") return;
    const client = this.#clientOf(peerAddress(record.peer), boot, record.timeMs);
    client.lastMs = Math.max(client.lastMs, record.timeMs);
    this.#touch(client, clientsMax);
    if (record.kind === "refusal") noteRefusal(client, record);
    else if (record.kind === "transfer" || record.kind === "upload") noteEnd(client, record);
    else noteBegin(client, record);
  }

  /** A transfer ended without a record: its shard died. */
  cutOff(peer: string, transferId: number, timeMs: number): void {
    const client = this.#clients.get(peerAddress(peer));
    const step = client?.steps.find((each) => each.transferId === transferId);
    if (client === undefined || step === undefined) return;
    client.lastMs = timeMs;
    client.failures += 1;
    step.state = "failed";
    step.because = "worker-died";
    step.durationMs = timeMs - step.timeMs;
  }

  /** How many clients are in each state. */
  counts(nowMs: number): Readonly<Record<ClientView["state"], number>> {
    const counts = { stuck: 0, loading: 0, idle: 0 };
    for (const client of this.#clients.values()) counts[this.#diagnose(client, nowMs).state] += 1;
    return counts;
  }

  get count(): number {
    return this.#clients.size;
  }

  /** At most `limit` clients: stuck ones first, then those that load; in each, who was heard of last. */
  views(limit: number, nowMs: number): readonly ClientView[] {
    return [...this.#clients.values()]
      .map((client) => ({ client, diagnosis: this.#diagnose(client, nowMs) }))
      .sort(
        (one, other) =>
          RANK[one.diagnosis.state] - RANK[other.diagnosis.state] ||
          other.client.lastMs - one.client.lastMs,
      )
      .slice(0, limit)
      .map(({ client, diagnosis }) => this.#view(client, diagnosis, nowMs));
  }

  /** One client's boot; undefined of one that is not remembered. */
  timeline(address: string, nowMs: number): TimelineView | undefined {
    const client = this.#clients.get(address);
    if (client === undefined) return undefined;
    return {
      client: this.#view(client, this.#diagnose(client, nowMs), nowMs),
      steps: client.steps.map((step) => this.#stepView(step, nowMs)),
      steps_dropped: client.stepsDropped,
    };
  }

  /**
   * The clients that have been stuck since `STUCK_MS` before `nowMs`, each once in a boot for each file. To be asked every second
   * or so.
   */
  newlyStuck(nowMs: number): readonly ClientView[] {
    const views: ClientView[] = [];
    for (const client of this.#clients.values()) {
      const diagnosis = this.#diagnose(client, nowMs);
      if (diagnosis.state !== "stuck") {
        client.stuckSinceMs = undefined;
        continue;
      }
      client.stuckSinceMs ??= nowMs;
      const file = client.steps.at(-1)?.file ?? "";
      if (client.toldStuckOn === file || nowMs - client.stuckSinceMs < STUCK_MS) continue;
      client.toldStuckOn = file;
      views.push(this.#view(client, diagnosis, nowMs));
    }
    return views;
  }

  #clientOf(address: string, boot: Boot, timeMs: number): Client {
    const known = this.#clients.get(address);
    if (known?.boot.id === boot.id) return known;
    return {
      address,
      boots: (known?.boots ?? 0) + 1,
      boot,
      bootMs: timeMs,
      steps: [],
      lastMs: timeMs,
      stuckSinceMs: undefined,
      toldStuckOn: undefined,
      stepsDropped: 0,
      bytes: 0,
      files: 0,
      misses: 0,
      failures: 0,
    };
  }

  /** Puts the client at the young end. */
  #touch(client: Client, clientsMax: number): void {
    this.#clients.delete(client.address);
    for (const oldest of this.#clients.keys()) {
      if (this.#clients.size < clientsMax) break;
      this.#clients.delete(oldest);
    }
    this.#clients.set(client.address, client);
  }

  #diagnose(client: Client, nowMs: number): Diagnosis {
    return diagnose(client, (id) => this.#live.find(id), nowMs);
  }

  #view(client: Client, diagnosis: Diagnosis, nowMs: number): ClientView {
    const { boot } = client;
    const heardMs = Math.max(client.lastMs, diagnosis.movedMs);
    return {
      client: client.address,
      mac: boot.mac ?? null,
      interface: boot.interfaceName ?? null,
      boot: boot.id,
      boots: client.boots,
      boot_started: formatTimestamp(client.bootMs),
      last_heard: formatTimestamp(heardMs),
      silent_ms: Math.max(0, nowMs - heardMs),
      state: diagnosis.state,
      sentence: diagnosis.sentence,
      remedy: diagnosis.remedy,
      file: client.steps.at(-1)?.file ?? "",
      bytes: client.bytes + diagnosis.bytes,
      files: client.files,
      misses: client.misses,
      failures: client.failures,
    };
  }

  #stepView(step: Step, nowMs: number): StepView {
    const live = step.transferId === undefined ? undefined : this.#live.find(step.transferId);
    const durationMs = live === undefined ? step.durationMs : nowMs - step.timeMs;
    const bytes = live?.bytes ?? step.bytes;
    const averaged = Math.round((bytes * 1000) / Math.max(1, durationMs));
    return {
      time: formatTimestamp(step.timeMs),
      file: step.file,
      direction: step.isWrite ? "write" : "read",
      state: step.state,
      because: step.because,
      detail: step.detail,
      bytes,
      file_bytes: step.fileBytes,
      duration_ms: Math.max(0, Math.round(durationMs)),
      bytes_per_second: live === undefined ? averaged : Math.round(live.bytesPerSecond),
      times: step.times,
    };
  }
}

const RANK: Readonly<Record<ClientView["state"], number>> = { stuck: 0, loading: 1, idle: 2 };
