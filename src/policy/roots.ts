// Where a name is looked up (policy layer, pure): a chain of folders, each with variables of the client in its path, of which
// the first that has the file serves it. A folder whose variable has no value for the client is passed over.

import type { PolicyFault } from "./fault.ts";
import type { ByteString } from "./names.ts";
import { cleanName } from "./path.ts";
import {
  isTextFault,
  NO_CAPTURES,
  parseText,
  renderText,
  type Text,
  type ValueOf,
} from "./text.ts";

/** A link of a chain as it is configured. */
export interface RootSpec {
  /** The folder that is opened at the start: its place in the list of folders; 0 is the root folder. */
  readonly folder: number;
  /** The path below that folder, with variables; empty for the folder itself. */
  readonly path: string;
}

/** A compiled chain. */
export type RootChain = readonly { readonly folder: number; readonly path: Text }[];

/** A file to look for: a folder, and a clean path below it. */
export interface Candidate {
  readonly folder: number;
  readonly path: ByteString;
}

/** The longest chain: a guess. Each link is a look-up for a name that is in none of them. */
const LINKS_MAX = 16;

const tooLong: Pick<PolicyFault, "message" | "remedy"> = {
  message: `has more than ${LINKS_MAX} folders`,
  remedy: "each is looked into for a name that is in none; leave some out.",
};

/** Checks and compiles a chain; `known` are the variables that it may name. */
export function compileChain(
  specs: readonly RootSpec[],
  known: ReadonlySet<string>,
): RootChain | PolicyFault {
  if (specs.length > LINKS_MAX) return { key: "roots", ...tooLong };
  const chain: { folder: number; path: Text }[] = [];
  for (const [element, { folder, path }] of specs.entries()) {
    const text = parseText(path, known, NO_CAPTURES);
    if (isTextFault(text)) {
      const { message, remedy } = text;
      return { key: "roots", element, at: text, message, remedy };
    }
    chain.push({ folder, path: text });
  }
  return chain;
}

/** The places where the clean `names` may be found, name after name, each in every folder of the chain that applies. */
export function candidatesOf(
  names: readonly ByteString[],
  chain: RootChain,
  valueOf: ValueOf,
): readonly Candidate[] {
  const candidates: Candidate[] = [];
  for (const name of names) {
    for (const { folder, path } of chain) {
      const prefix = renderText(path, valueOf);
      if (prefix === undefined) continue;
      // A variable may hold anything that a configuration can, so what it became is cleaned as names are.
      const clean = cleanName(prefix === "" ? name : `${prefix}/${name}`, "");
      if (clean.isClean) candidates.push({ folder, path: clean.path });
    }
  }
  return candidates;
}
