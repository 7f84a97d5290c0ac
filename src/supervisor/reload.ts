// Reloads (supervisor layer): on SIGHUP the configuration is read again and either wholly in force or not at all. Descriptors of
// the one before are closed when every shard has said that it goes by the new one. One reload at a time; more signals make one more.

import type { Config } from "#config/config.ts";
import type { KeptKey } from "#config/reconcile.ts";
import type { Settings } from "#config/settings.ts";
import type { StartFault } from "#io/start.ts";
import type { ShardTerms } from "#server/contract.ts";

import { readHookSecrets } from "./hook-secrets.ts";
import type { Hooks } from "./hooks.ts";
import type { Log } from "./log.ts";
import type { Logs } from "./logs.ts";
import type { Monitor } from "./monitor.ts";
import type { Notices } from "./notices.ts";
import { type Granted, reachFault } from "./reach.ts";
import type { Shards } from "./shards.ts";
import { closeTerms, openTerms } from "./terms.ts";
import { describeError } from "./thread-deaths.ts";

/** A configuration and what it resolves to. */
export interface Configuration {
  readonly config: Config;
  readonly settings: Settings;
}

/** What the configuration has become, as far as a running server can have it; or why it is not fit to be in force. */
export type Reread =
  | (Configuration & {
      /** Keys that are other than before. */
      readonly changed: readonly string[];
      /** Keys that wait for a restart. */
      readonly kept: readonly KeptKey[];
      /** Warnings as texts of one or several lines. */
      readonly warnings: readonly string[];
    })
  | { readonly problem: string };

/** What a reload reads and what it changes. */
export interface ReloadParts {
  /** The file that is read, for events; empty if there is none. */
  readonly configFile: string;
  readonly reread: (inForce: Config) => Reread;
  /** What the process kept when it started; undefined: everything. */
  readonly granted: Granted | undefined;
  readonly notices: Pick<Notices, "reloading" | "reloaded">;
  readonly shards: Shards;
  readonly hooks: Hooks;
  readonly logs: Logs;
  readonly log: Log;
  readonly ledger: SharedArrayBuffer;
  readonly monitor: Monitor;
}

export class Reload {
  readonly #parts: ReloadParts;
  #config: Config;
  #terms: ShardTerms;
  #isRunning = false;
  #isAsked = false;
  #hasEnded = false;

  /** Begins with `config`, by whose `terms` the shards go. */
  constructor(config: Config, terms: ShardTerms, parts: ReloadParts) {
    this.#config = config;
    this.#terms = terms;
    this.#parts = parts;
  }

  /** The configuration in force. */
  get config(): Config {
    return this.#config;
  }

  /** The settings in force. */
  get settings(): Settings {
    return this.#terms.settings;
  }

  /** Reads the configuration again: now, or once more when the reload that runs is over. */
  async request(): Promise<void> {
    this.#isAsked = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#parts.notices.reloading();
    while (this.#isAsked && !this.#hasEnded) {
      this.#isAsked = false;
      await this.#reload();
    }
    this.#isRunning = false;
    if (!this.#hasEnded) this.#parts.notices.reloaded();
  }

  /** The server ends: no reload begins any more, and one that runs says nothing. */
  end(): void {
    this.#hasEnded = true;
  }

  async #reload(): Promise<void> {
    try {
      const reread = this.#parts.reread(this.#config);
      if ("problem" in reread) this.#refuse(reread.problem);
      else await this.#putInForce(reread);
    } catch (cause) {
      // A bug in here is no reason to end a server that serves.
      this.#refuse(describeError(cause));
    }
  }

  async #putInForce(reread: Exclude<Reread, { readonly problem: string }>): Promise<void> {
    const { granted, shards, hooks, logs, log, ledger, monitor } = this.#parts;
    const { config, settings } = reread;
    const beyond = granted === undefined ? undefined : reachFault(granted, settings);
    if (beyond !== undefined) {
      this.#refuse(faultText(beyond));
      return;
    }
    const secrets = readHookSecrets(settings.hooks);
    if ("fault" in secrets) {
      this.#refuse(faultText(secrets));
      return;
    }
    const previous = this.#terms;
    const terms = openTerms(settings, { ledger, previous });
    if ("fault" in terms) {
      this.#refuse(faultText(terms));
      return;
    }
    const fault = logs.reopen(settings.log) ?? monitor.reload(settings.status);
    if (fault !== undefined) {
      closeTerms(terms);
      this.#refuse(faultText(fault));
      return;
    }
    log.switchTo(settings.log);
    this.#config = config;
    this.#terms = terms;
    hooks.switchTo(settings.hooks, secrets);
    await shards.switchTo(terms);
    closeTerms(previous);
    if (!this.#hasEnded) this.#report(reread);
  }

  #report({ changed, kept, warnings }: Exclude<Reread, { readonly problem: string }>): void {
    const { log } = this.#parts;
    for (const warning of warnings) log.event("configuration_warning", "warn", { warning });
    for (const { key, inForce, wanted } of kept) {
      const fields = { key, in_force: inForce, wanted };
      log.event("configuration_needs_restart", "warn", fields);
    }
    const { generation } = this.#terms;
    const { configFile } = this.#parts;
    log.event("configuration_loaded", "info", { config_file: configFile, changed, generation });
  }

  /** What was in force stays so; the log's files are opened again all the same, because they may have been renamed. */
  #refuse(problem: string): void {
    const { log, logs, configFile } = this.#parts;
    const fault = logs.reopen(this.settings.log);
    log.event("configuration_error", "error", { config_file: configFile, error: problem });
    if (fault !== undefined) log.event("log_not_reopened", "error", { problem: faultText(fault) });
  }
}

function faultText({ fault, remedy }: StartFault): string {
  return `error: ${fault}\nhelp: ${remedy}`;
}
