// What is said of a key that does nothing here (config layer): a note for `check`, or a warning where
// the key asks for something that will be missed.

import type { Severity } from "./problem.ts";
import { type KeyPath, keys, nameOf, tableOf } from "./schema.ts";

export interface Remark {
  readonly severity: Severity;
  readonly message: string;
  readonly remedy: string;
}

/** The remark on a key that was set to `value`; undefined for keys that do something. */
export function remarkOn(path: KeyPath, value: unknown): Remark | undefined {
  const { note, isMissed = false } = keys[path];
  if (note === undefined) return undefined;
  const message = `\`${path}\` has no effect: ${note}`;
  if (!isMissed || value !== true) return { severity: "note", message, remedy: "" };
  const remedy = `write ${nameOf(path)} = false in [${tableOf(path)}].`;
  return { severity: "warning", message, remedy };
}
