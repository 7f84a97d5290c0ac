// What hooks run with (config layer): what [[hook]] resolves to. The secrets that POSTs are signed with are not among the settings,
// so that whatever shows settings cannot show them.

import type { Config } from "./config.ts";
import { type Header, parseHeader } from "./formats.ts";
import type { hookKeys } from "./keys-hooks.ts";
import type { Entry } from "./schema.ts";

/** What a hook can be called for. */
export type HookEventName = (typeof hookKeys.event.values)[number];

/** One hook: what calls it, what it does, and how patiently. */
export interface HookSettings {
  /** At least one. */
  readonly events: readonly HookEventName[];
  readonly pattern: string;
  readonly action: HookAction;
  /** The time of one attempt. */
  readonly timeoutMs: number;
  /** Attempts after the first. */
  readonly retries: number;
}

/** A program with its arguments, or a POST. */
export type HookAction =
  { readonly kind: "command"; readonly argv: readonly string[] } | PostAction;

export interface PostAction {
  readonly kind: "post";
  readonly url: string;
  readonly headers: readonly Header[];
  /** The file that holds the secret to sign with; undefined signs nothing. */
  readonly secretFile: string | undefined;
}

/** Resolves every [[hook]], in the order of the file. */
export function resolveHooks(config: Config): readonly HookSettings[] {
  return config.hook.map((hook) => ({
    events: eventsOf(hook),
    pattern: hook.pattern,
    action:
      hook.url === ""
        ? { kind: "command", argv: hook.command }
        : {
            kind: "post",
            url: hook.url,
            headers: hook.headers.map(parseHeader).filter((header) => header !== undefined),
            secretFile: hook.secret_file === "" ? undefined : hook.secret_file,
          },
    timeoutMs: hook.timeout_secs * 1000,
    retries: hook.retries,
  }));
}

/** The events of either key, each once. */
function eventsOf({ event, events, sources }: Entry<"hook">): readonly HookEventName[] {
  return sources.has("event") ? [event] : [...new Set(events)];
}
