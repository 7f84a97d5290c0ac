// Hooks in words (config layer), as `check` prints them. Secrets do not show: a URL's query, headers, a command's arguments, and
// what signs a POST.

import { unreachable } from "#base/assert.ts";

import { formatSpan } from "./format.ts";
import { urlWithoutQuery } from "./formats.ts";
import type { HookAction, HookSettings } from "./settings-hooks.ts";

/** A row for each hook. */
export function explainHooks(
  hooks: readonly HookSettings[],
): readonly (readonly [name: string, value: string])[] {
  return hooks.map(({ events, pattern, action, timeoutMs, retries }) => [
    "hook",
    `${events.join(", ")} of ${pattern}: ${actionText(action)}, ${formatSpan(timeoutMs)}, ${retries} retries`,
  ]);
}

function actionText(action: HookAction): string {
  switch (action.kind) {
    case "command":
      return `run ${action.argv[0]}`;
    case "post":
      return `POST to ${urlWithoutQuery(action.url)}${action.secretFile === undefined ? "" : ", signed"}`;
    default:
      return unreachable(action);
  }
}
