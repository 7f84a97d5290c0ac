// How the process comes to serve (supervisor layer): it opens its sockets with the rights that it was started with, gives up
// what it does not need, and starts itself once more. So all of its threads, the runtime's own too, have never had more rights.

import { readFileSync } from "node:fs";

import type { Settings } from "#config/settings.ts";
import { confine } from "#io/confinement.ts";
import { takePlace } from "#io/execution.ts";
import { type GivenSockets, socketFds } from "#io/sockets.ts";
import type { StartFault } from "#io/start.ts";

import { openWhenThere } from "./address-wait.ts";
import { type Heritage, heritageVariables } from "./heritage.ts";
import { grant, type Program, reachOf } from "./reach.ts";

/**
 * Opens the sockets and goes on as a confined process, which finds them in its heritage: then this does not return. Where
 * nothing is to be given up it returns what it opened. `tell` shows a text to whoever starts it.
 */
export function enter(
  settings: Settings,
  program: Program,
  given: readonly GivenSockets[],
  tell: (text: string) => void,
): Heritage | StartFault {
  const sockets = openWhenThere(settings, given, tell);
  if ("fault" in sockets) return sockets;
  const { identity, isPathConfined, isCallConfined, umask } = settings.process;
  process.umask(umask);
  if (identity === undefined && !isPathConfined && !isCallConfined) {
    return { sockets, measures: [], granted: undefined };
  }
  const paths = isPathConfined ? reachOf(settings, program) : undefined;
  const granted = grant(paths, settings);
  const measures = confine({ identity, paths, openFiles: openFilesOf(settings) });
  if ("fault" in measures) return measures;
  const heritage: Heritage = { sockets, measures, granted };
  return takePlace({
    path: program.path,
    words: readFileSync("/proc/self/cmdline", "utf8").split("\0").slice(0, -1),
    environment: { ...process.env, ...heritageVariables(heritage, process.pid) },
    fds: socketFds(sockets),
  });
}

/** A transfer holds one file, an upload a few more for a moment; the rest is for sockets, logs and hooks. */
function openFilesOf({ process, workers, transfersMax, listeners }: Settings): number {
  if (process.openFiles > 0) return process.openFiles;
  const sockets = listeners.reduce((sum, { transferSockets }) => sum + transferSockets + 1, 0);
  return 1024 + workers * (sockets + 2 * transfersMax);
}
