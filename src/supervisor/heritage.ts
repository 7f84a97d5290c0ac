// What a process takes over from the one that was in its place (supervisor layer): sockets, and what it may no longer do. It
// travels in an environment variable, for descriptors keep their numbers and everything else is text.

import type { Measure } from "#io/confinement.ts";
import type { SocketSet } from "#io/sockets.ts";
import type { StartFault } from "#io/start.ts";

import type { Predecessor, Succession } from "./bequest.ts";
import type { PidFileFd } from "./pid-file.ts";
import type { Granted } from "./reach.ts";

/** Open sockets, and how the process was confined when they were open. */
export interface Heritage {
  readonly sockets: SocketSet;
  readonly measures: readonly Measure[];
  /** What may be opened and started; undefined: anything. */
  readonly granted: Granted | undefined;
  /** The file with the process' number; undefined: none is wanted. */
  readonly pidFile: PidFileFd | undefined;
  /** How another server can take over from this one; undefined: none can, as was configured. */
  readonly succession: Succession | StartFault | undefined;
  /** The server that this one takes over from; undefined: from none. */
  readonly predecessor: Predecessor | undefined;
}

const VARIABLE = "SNOW_OWL_HERITAGE";

/** The variables to start with for whoever takes over in the process of number `pid`. */
export function heritageVariables(
  heritage: Heritage,
  pid: number,
): Readonly<Record<string, string>> {
  return { [VARIABLE]: JSON.stringify({ pid, ...heritage }) };
}

/** What was left to this process; undefined if nothing was. The variable is removed: nobody else shall inherit. */
export function takeHeritage(environment: NodeJS.ProcessEnv, pid: number): Heritage | undefined {
  const text = environment[VARIABLE];
  delete environment[VARIABLE];
  if (text === undefined) return undefined;
  const { pid: heir, ...heritage } = JSON.parse(text) as Heritage & { readonly pid: number };
  return heir === pid ? heritage : undefined;
}
