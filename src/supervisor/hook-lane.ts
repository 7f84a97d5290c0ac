// The calls of one hook (supervisor layer): in a bounded queue, a few at a time, with retries. Hooks do not wait for each other, and
// the server waits for none; what does not fit is dropped, counted and said in the log.

import { printable } from "#base/printable.ts";
import { urlWithoutQuery } from "#config/formats.ts";
import type { HookSettings } from "#config/settings-hooks.ts";

import { attemptHook } from "./hook-attempt.ts";
import type { HookEvent } from "./hook-event.ts";
import type { Severity } from "./severity.ts";

/** What hooks say, as events of the process; see {@link Log}. */
export interface HookLog {
  event(eventType: string, severity: Severity, fields: Readonly<Record<string, unknown>>): void;
}

/** How much of one hook may pile up, and how patiently it is repeated. */
export interface HookLimits {
  /** Calls that wait, for their turn or for another attempt. */
  readonly waitingMax: number;
  readonly runningMax: number;
  /** Before the first retry; it doubles with each further one. */
  readonly backoffMs: number;
}

/** What has become of calls since the start, of all hooks together. */
export interface HookCounts {
  completed: number;
  /** Attempts that are made again. */
  failed: number;
  givenUp: number;
  dropped: number;
}

/** No retry waits longer than this before jitter: a guess, so that a service that came back is not kept waiting. */
const BACKOFF_MS_MAX = 60_000;

const SHUTDOWN = "the server is shutting down";

/** One event for the hook. */
interface Call {
  readonly event: HookEvent;
  attempts: number;
}

export class HookLane {
  readonly #hook: HookSettings;
  readonly #log: HookLog;
  readonly #limits: HookLimits;
  readonly #counts: HookCounts;
  readonly #waiting: Call[] = [];
  readonly #delayed = new Map<Call, ReturnType<typeof setTimeout>>();
  readonly #running = new Map<Call, AbortController>();
  #secret: string | undefined;
  #dropped = 0;
  #isEnding = false;
  #isClosed = false;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #idle: (() => void)[] = [];

  /** `counts` is added to. `secret`: what a POST is signed with. */
  constructor(
    hook: HookSettings,
    secret: string | undefined,
    log: HookLog,
    limits: HookLimits,
    counts: HookCounts,
  ) {
    this.#hook = hook;
    this.#secret = secret;
    this.#log = log;
    this.#limits = limits;
    this.#counts = counts;
  }

  get isIdle(): boolean {
    return this.waiting + this.running === 0;
  }

  /** Calls that wait for their turn or for another attempt. */
  get waiting(): number {
    return this.#waiting.length + this.#delayed.size;
  }

  get running(): number {
    return this.#running.size;
  }

  /** Signs with another secret from now on, retries too. */
  signWith(secret: string | undefined): void {
    this.#secret = secret;
  }

  /** Calls the hook for `event` when its turn comes. */
  call(event: HookEvent): void {
    this.#accept({ event, attempts: 0 });
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
    if (this.isIdle) {
      clearTimeout(this.#deadline);
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle.push(resolve);
    await promise;
  }

  #accept(call: Call): void {
    if (this.#isClosed) {
      this.#drop(1);
      this.#reportDropped(SHUTDOWN);
      return;
    }
    if (this.waiting < this.#limits.waitingMax) {
      this.#waiting.push(call);
      return;
    }
    // The first is told at once, by name; how many there were is told when there is room again.
    if (this.#dropped === 0) this.#log.event("hook_queue_full", "warn", this.#describe(call));
    this.#drop(1);
  }

  #pump(): void {
    while (this.#running.size < this.#limits.runningMax) {
      const call = this.#waiting.shift();
      if (call === undefined) break;
      void this.#run(call);
    }
    if (this.waiting <= this.#limits.waitingMax / 2) this.#reportDropped("the queue was full");
    if (!this.isIdle) return;
    clearTimeout(this.#deadline);
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #run(call: Call): Promise<void> {
    const abort = new AbortController();
    this.#running.set(call, abort);
    call.attempts += 1;
    const startMs = performance.now();
    const attempt = await attemptHook(this.#hook, call.event, this.#secret, abort.signal);
    this.#running.delete(call);
    const fields = {
      ...this.#describe(call),
      attempt: call.attempts,
      duration_ms: Math.round(performance.now() - startMs),
      ...(attempt.isSuccess ? {} : { error: printable(attempt.because) }),
      ...(attempt.output === "" ? {} : { output: printable(attempt.output) }),
    };
    if (attempt.isSuccess) {
      this.#counts.completed += 1;
      this.#log.event("hook_completed", "info", fields);
    } else this.#failed(call, fields);
    this.#pump();
  }

  #failed(call: Call, fields: Readonly<Record<string, unknown>>): void {
    if (this.#isEnding || call.attempts > this.#hook.retries) {
      this.#counts.givenUp += 1;
      this.#log.event("hook_given_up", "error", fields);
      return;
    }
    const delayMs = this.#delayOf(call.attempts);
    this.#counts.failed += 1;
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
    this.#drop(this.#waiting.splice(0).length);
    this.#reportDropped(SHUTDOWN);
    for (const abort of this.#running.values()) abort.abort(SHUTDOWN);
    this.#pump();
  }

  #drop(calls: number): void {
    this.#dropped += calls;
    this.#counts.dropped += calls;
  }

  #reportDropped(because: string): void {
    if (this.#dropped === 0) return;
    const fields = { hook: this.#name, calls: this.#dropped, because };
    this.#log.event("hook_calls_dropped", "error", fields);
    this.#dropped = 0;
  }

  /** Which hook, and for what. */
  #describe({ event }: Call): Readonly<Record<string, unknown>> {
    const { name, file, client } = event;
    return { hook: this.#name, file: printable(file), client_addr: client, event: name };
  }

  /** A URL's query and a command's arguments may hold secrets and are left out. */
  get #name(): string {
    const { action } = this.#hook;
    return action.kind === "command" ? (action.argv[0] ?? "") : urlWithoutQuery(action.url);
  }
}
