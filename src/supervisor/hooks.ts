// Hooks (supervisor layer): what shards report and what the status page sees becomes events, and each is told to every hook that
// wants it. A hook that hangs holds up nobody but itself: each has a lane of its own.

import type { HookEventName, HookSettings } from "#config/settings-hooks.ts";
import { type Glob, matchesGlob, parseGlob } from "#policy/glob.ts";
import { rootedPattern } from "#policy/upload.ts";
import type { ShardRecord } from "#server/contract.ts";

import type { ClientView } from "./api-shapes.ts";
import type { Boot } from "./boots.ts";
import { eventNameOf, type HookEvent, stuckEvent, transferEvent } from "./hook-event.ts";
import { type HookCounts, HookLane, type HookLimits, type HookLog } from "./hook-lane.ts";
import type { HookSecrets } from "./hook-secrets.ts";

/** Guesses: a night's uploads of a large site, without a crowd of processes. */
const LIMITS: HookLimits = { waitingMax: 1000, runningMax: 4, backoffMs: 1000 };

interface Subscription {
  readonly settings: HookSettings;
  readonly glob: Glob;
  readonly lane: HookLane;
}

/** All hooks of the process. */
export class Hooks {
  readonly #log: HookLog;
  readonly #limits: HookLimits;
  readonly #counts: HookCounts = { completed: 0, failed: 0, givenUp: 0, dropped: 0 };
  #hooks: readonly Subscription[] = [];
  /** Of hooks that an earlier configuration had. */
  #retired: readonly HookLane[] = [];

  constructor(
    hooks: readonly HookSettings[],
    secrets: HookSecrets,
    log: HookLog,
    limits: HookLimits = LIMITS,
  ) {
    this.#log = log;
    this.#limits = limits;
    this.switchTo(hooks, secrets);
  }

  /** Calls that wait for their turn or for another attempt, and calls under way. */
  get load(): { readonly waiting: number; readonly running: number } {
    const lanes = this.#lanes;
    return {
      waiting: lanes.reduce((sum, lane) => sum + lane.waiting, 0),
      running: lanes.reduce((sum, lane) => sum + lane.running, 0),
    };
  }

  /** What has become of calls since the start. */
  get counts(): Readonly<HookCounts> {
    return this.#counts;
  }

  /** Whether any hook is called for it. */
  wants(event: HookEventName): boolean {
    return this.#hooks.some(({ settings }) => settings.events.includes(event));
  }

  /** Calls these hooks from now on. What waits or runs of others is finished as it was begun. */
  switchTo(hooks: readonly HookSettings[], secrets: HookSecrets): void {
    const before = [...this.#hooks];
    this.#hooks = hooks.flatMap((settings) => {
      const glob = parseGlob(rootedPattern(settings.pattern));
      // A pattern that is none calls nothing; the start, or the reload, has warned of it.
      if (!glob.isGlob) return [];
      const secret = secretOf(settings, secrets);
      const same = before.findIndex((hook) => isSame(hook.settings, settings));
      const [kept] = same < 0 ? [] : before.splice(same, 1);
      kept?.lane.signWith(secret);
      const lane =
        kept?.lane ?? new HookLane(settings, secret, this.#log, this.#limits, this.#counts);
      return [{ settings, glob, lane }];
    });
    const retired = this.#retired.concat(before.map(({ lane }) => lane));
    this.#retired = retired.filter((lane) => !lane.isIdle);
  }

  /** Calls every hook that wants what a shard reports, if any does. `boot`: the one that it belongs to. */
  record(record: ShardRecord, boot?: Boot): void {
    const name = eventNameOf(record);
    if (name === undefined || !this.wants(name)) return;
    if (record.kind !== "transfer" && record.kind !== "upload") return;
    this.#tell(transferEvent(name, record, boot));
  }

  /** Calls every hook that wants to know of a client that is stuck at `timeMs`. */
  stuck(client: ClientView, timeMs: number): void {
    this.#tell(stuckEvent(client, timeMs));
  }

  /** From now on nothing waits for a retry, and after `delayMs` what still runs is ended. The last call counts. */
  endWithin(delayMs: number): void {
    for (const lane of this.#lanes) lane.endWithin(delayMs);
  }

  /** Resolves when no call waits or runs. */
  async idle(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.idle()));
  }

  get #lanes(): readonly HookLane[] {
    return this.#retired.concat(this.#hooks.map(({ lane }) => lane));
  }

  #tell(event: HookEvent): void {
    for (const { settings, glob, lane } of this.#hooks) {
      if (settings.events.includes(event.name) && matchesGlob(glob, event.file)) lane.call(event);
    }
  }
}

/** Whether calls of the one may go on as calls of the other. */
function isSame(one: HookSettings, other: HookSettings): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function secretOf({ action }: HookSettings, secrets: HookSecrets): string | undefined {
  if (action.kind !== "post" || action.secretFile === undefined) return undefined;
  return secrets.get(action.secretFile);
}
