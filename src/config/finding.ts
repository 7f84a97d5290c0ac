// What the rules of validation find (config layer): where, what, and what to do. A key's place is looked up later; an entry
// of a list knows its own.

import type { Place, Severity } from "./problem.ts";
import type { KeyPath } from "./schema.ts";

export interface Finding {
  readonly severity: Severity;
  readonly at: KeyPath | Place;
  readonly message: string;
  readonly remedy: string;
}

export function error(at: KeyPath | Place, message: string, remedy: string): Finding {
  return { severity: "error", at, message, remedy };
}

export function warning(at: KeyPath | Place, message: string, remedy: string): Finding {
  return { severity: "warning", at, message, remedy };
}

/** The path as a shell takes it. */
export function shellQuoted(path: string): string {
  return /^[\w./@%+=:-]+$/u.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
