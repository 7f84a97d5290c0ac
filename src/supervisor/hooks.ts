// Hooks (supervisor layer): completed uploads in a bounded queue, each told to every hook that wants it, a few at a time, with
// retries. The server never waits for one; what does not fit is dropped, counted and said in the log.

import { printable } from "#base/printable.ts";
import { urlWithoutQuery } from "#config/formats.ts";
import type { HookSettings } from "#config/settings-uploads.ts";
import { type Glob, matchesGlob, parseGlob } from "#policy/glob.ts";
import { rootedPattern } from "#policy/upload.ts";
import type { UploadRecord } from "#server/contract.ts";

import { attemptHook } from "./hook-attempt.ts";
import { type HookEvent, hookEvent } from "./hook-event.ts";
import type { Severity } from "./severity.ts";

/** What hooks say, as events of the process; see {@link Log}. */
export interface HookLog {
  event(eventType: string, severity: Severity, fields: Readonly<Record<string, unknown>>): void;
}

/** How much hooks may pile up, and how patiently they are repeated. */
export interface HookLimits {
  /** Calls that wait, for their turn or for another attempt. */
  readonly waitingMax: number;
  readonly runningMax: number;
  /** Before the first retry; it doubles with each further one. */
  readonly backoffMs: number;
}

/** Guesses: a night's uploads of a large site, without a crowd of processes. */
const LIMITS: HookLimits = { waitingMax: 1000, runningMax: 4, backoffMs: 1000 };

/** No retry waits longer than this before jitter: a guess, so that a service that came back is not kept waiting. */
const BACKOFF_MS_MAX = 60_000;

const SHUTDOWN = "the server is shutting down";

interface ParsedHook {
  readonly settings: HookSettings;
  readonly glob: Glob;
}

/** One event for one hook. */
interface Call {
  readonly hook: HookSettings;
  readonly event: HookEvent;
  attempts: number;
}

/** All hooks of the process. */
export class Hooks {
  readonly #log: HookLog;
  readonly #limits: HookLimits;
  readonly #waiting: Call[] = [];
  readonly #delayed = new Map<Call, ReturnType<typeof setTimeout>>();
  readonly #running = new Map<Call, AbortController>();
  #hooks: readonly ParsedHook[];
  #dropped = 0;
  #isEnding = false;
  #isClosed = false;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #idle: (() => void)[] = [];

  constructor(hooks: readonly HookSettings[], log: HookLog, limits: HookLimits = LIMITS) {
    this.#hooks = parseHooks(hooks);
    this.#log = log;
    this.#limits = limits;
  }

  /** Calls that wait for their turn or for another attempt, and calls under way. */
  get load(): { readonly waiting: number; readonly running: number } {
    return { waiting: this.#waitingCount(), running: this.#running.size };
  }

  /** Calls these hooks from now on. Calls that wait or run are finished as they were begun. */
  switchTo(hooks: readonly HookSettings[]): void {
    this.#hooks = parseHooks(hooks);
  }

  /** Calls every hook that wants this upload. One that did not complete calls none. */
  record(record: UploadRecord): void {
    const event = hookEvent(record);
    if (event === undefined) return;
    for (const { settings, glob } of this.#hooks) {
      if (matchesGlob(glob, event.file)) {
        this.#accept({ hook: settings, event, attempts: 0 });
      }
    }
    this.#pump();
  }

  /** From now on nothing waits for a retry, and after `delayMs` what still runs is ended. The last call counts. */
  endWithin(delayMs: number): void {
    this.#isEnding = true;
    for (const [call, timer] of this.#delayed) {
      clearTimeout(timer);
      this.#waiting.push(call);
    }
    this.#delayed.clear();
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#close(), delayMs);
    this.#pump();
  }

  /** Resolves when no call waits or runs. */
  async idle(): Promise<void> {
    if (this.#isIdle()) {
      clearTimeout(this.#deadline);
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle.push(resolve);
    await promise;
  }

  #accept(call: Call): void {
    if (this.#isClosed) {
      this.#dropped += 1;
      this.#reportDropped(SHUTDOWN);
      return;
    }
    if (this.#waitingCount() < this.#limits.waitingMax) {
      this.#waiting.push(call);
      return;
    }
    // The first is told at once, by name; how many there were is told when there is room again.
    if (this.#dropped === 0) this.#log.event("hook_queue_full", "warn", describe(call));
    this.#dropped += 1;
  }

  #pump(): void {
    while (this.#running.size < this.#limits.runningMax) {
      const call = this.#waiting.shift();
      if (call === undefined) break;
      void this.#run(call);
    }
    if (this.#waitingCount() <= this.#limits.waitingMax / 2) {
      this.#reportDropped("the queue was full");
    }
    if (!this.#isIdle()) return;
    clearTimeout(this.#deadline);
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #run(call: Call): Promise<void> {
    const abort = new AbortController();
    this.#running.set(call, abort);
    call.attempts += 1;
    const startMs = performance.now();
    const attempt = await attemptHook(call.hook, call.event, abort.signal);
    this.#running.delete(call);
    const fields = {
      ...describe(call),
      attempt: call.attempts,
      duration_ms: Math.round(performance.now() - startMs),
      ...(attempt.isSuccess ? {} : { error: printable(attempt.because) }),
      ...(attempt.output === "" ? {} : { output: printable(attempt.output) }),
    };
    if (attempt.isSuccess) this.#log.event("hook_completed", "info", fields);
    else this.#failed(call, fields);
    this.#pump();
  }

  #failed(call: Call, fields: Readonly<Record<string, unknown>>): void {
    if (this.#isEnding || call.attempts > call.hook.retries) {
      this.#log.event("hook_given_up", "error", fields);
      return;
    }
    const delayMs = this.#delayOf(call.attempts);
    this.#log.event("hook_failed", "warn", { ...fields, retry_in_ms: delayMs });
    const timer = setTimeout(() => {
      this.#delayed.delete(call);
      this.#waiting.push(call);
      this.#pump();
    }, delayMs);
    this.#delayed.set(call, timer);
  }

  /** Half of it is chance, so that calls that failed together do not come back together. */
  #delayOf(attempts: number): number {
    const fullMs = Math.min(this.#limits.backoffMs * 2 ** (attempts - 1), BACKOFF_MS_MAX);
    return Math.round(fullMs * (0.5 + Math.random() / 2));
  }

  #close(): void {
    this.#isClosed = true;
    this.#dropped += this.#waiting.splice(0).length;
    this.#reportDropped(SHUTDOWN);
    for (const abort of this.#running.values()) abort.abort(SHUTDOWN);
    this.#pump();
  }

  #reportDropped(because: string): void {
    if (this.#dropped === 0) return;
    this.#log.event("hook_calls_dropped", "error", { calls: this.#dropped, because });
    this.#dropped = 0;
  }

  #waitingCount(): number {
    return this.#waiting.length + this.#delayed.size;
  }

  #isIdle(): boolean {
    return this.#waitingCount() + this.#running.size === 0;
  }
}

/** A pattern that is none calls nothing; the start, or the reload, has warned of it. */
function parseHooks(hooks: readonly HookSettings[]): readonly ParsedHook[] {
  return hooks.flatMap((settings) => {
    const glob = parseGlob(rootedPattern(settings.pattern));
    return glob.isGlob ? [{ settings, glob }] : [];
  });
}

/** Which hook, and for what. A URL's query and a command's arguments may hold secrets and are left out. */
function describe({ hook, event }: Call): Readonly<Record<string, unknown>> {
  const { action } = hook;
  const name = action.kind === "command" ? (action.argv[0] ?? "") : urlWithoutQuery(action.url);
  return { hook: name, file: printable(event.file), client_addr: event.peer };
}
