// A program in this one's place (io layer): the same process with other code, or the same code with fewer rights. Descriptors
// that are named live through it under their numbers, and no others.

import { errnoName } from "#ffi/errno.ts";
import { execute, keepOnExecute } from "#ffi/execute.ts";

import type { StartFault } from "./start.ts";

export interface Execution {
  /** The executable file. */
  readonly path: string;
  /** The command line, the program's own name first. */
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Stay open besides the standard streams. */
  readonly fds: readonly number[];
}

/** Runs another program in place of this one. Returns only if it cannot. */
export function takePlace({ path, words, environment, fds }: Execution): StartFault {
  for (const fd of fds) keepOnExecute(fd);
  const variables = Object.entries(environment)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value}`);
  const result = execute(path, words, variables);
  return {
    fault: `cannot start ${path} once more with fewer rights: ${errnoName(result)}`,
    remedy:
      "let it be executed where it lies, or do without: landlock = false, seccomp = false and no user in [process]",
  };
}
