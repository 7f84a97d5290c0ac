// How the process comes to serve (supervisor layer): it opens its sockets with the rights that it was started with, gives up
// what it does not need, and starts itself once more. So all of its threads, the runtime's own too, have never had more rights.

import { existsSync, readFileSync, realpathSync } from "node:fs";
import { resolve } from "node:path";

import type { Settings } from "#config/settings.ts";
import { confine } from "#io/confinement.ts";
import { takePlace } from "#io/execution.ts";
import { closeEnd } from "#io/pair.ts";
import { type GivenSockets, socketFds, type SocketSet } from "#io/sockets.ts";
import type { StartFault } from "#io/start.ts";
import type { Successor } from "#io/usher.ts";

import { openWhenThere } from "./address-wait.ts";
import { type Predecessor, predecessorFds, prepareSuccession, successionFds } from "./bequest.ts";
import { type Heritage, heritageVariables } from "./heritage.ts";
import { openPidFile } from "./pid-file.ts";
import { grant, type Program, reachOf } from "./reach.ts";

/**
 * Opens the sockets and goes on as a confined process, which finds them in its heritage: then this does not return. Where
 * nothing is to be given up it returns what it opened. `tell` shows a text to whoever starts it.
 */
export function enter(
  settings: Settings,
  program: Program,
  given: readonly GivenSockets[],
  predecessor: Predecessor | undefined,
  tell: (text: string) => void,
): Heritage | StartFault {
  const sockets = openWhenThere(settings, given, tell);
  if ("fault" in sockets) return sockets;
  const { identity, isPathConfined, isCallConfined, umask, handoverMs } = settings.process;
  const pidFile = openPidFile(settings.process.pidFile, process.pid, predecessor?.pidFile);
  if (pidFile !== undefined && "fault" in pidFile) return pidFile;
  const words = readFileSync("/proc/self/cmdline", "utf8").split("\0").slice(0, -1);
  // Before anything is given up: the next version of this program may need all of it.
  const succession =
    handoverMs === 0
      ? undefined
      : prepareSuccession(nextProgram(program, words), { sockets, pidFile, predecessor });
  if (predecessor !== undefined) closeOthers(predecessor.sockets, sockets);
  process.umask(umask);
  if (identity === undefined && !isPathConfined && !isCallConfined) {
    return { sockets, measures: [], granted: undefined, pidFile, succession, predecessor };
  }
  const paths = isPathConfined ? reachOf(settings, program) : undefined;
  const granted = grant(paths, settings);
  const measures = confine({ identity, paths, openFiles: openFilesOf(settings) });
  if ("fault" in measures) return measures;
  const heritage: Heritage = { sockets, measures, granted, pidFile, succession, predecessor };
  return takePlace({
    path: program.path,
    words,
    environment: { ...process.env, ...heritageVariables(heritage, process.pid) },
    fds: heirlooms(heritage),
  });
}

/** Whatever stands by then where this program was called, which may be a link that leads elsewhere by then. */
function nextProgram(
  { path }: Program,
  words: readonly string[],
): Pick<Successor, "path" | "words" | "environment"> {
  const [called = "", ...rest] = words;
  const found = called.includes("/") ? resolve(called) : Bun.which(called);
  const isIt = found !== null && existsSync(found) && realpathSync(found) === realpathSync(path);
  return { path: isIt ? found : path, words: rest, environment: process.env };
}

/** Sockets of listeners that there are no more: the kernel would go on giving requests to them. */
function closeOthers(given: readonly GivenSockets[], sockets: SocketSet): void {
  const kept = new Set(socketFds(sockets));
  for (const fd of given.flatMap(({ fds }) => fds)) if (!kept.has(fd)) closeEnd(fd);
}

/** Every descriptor of a heritage. */
function heirlooms({ sockets, pidFile, succession, predecessor }: Heritage): readonly number[] {
  const fds = [...socketFds(sockets)];
  if (pidFile !== undefined) fds.push(pidFile.fd);
  if (succession !== undefined && !("fault" in succession)) fds.push(...successionFds(succession));
  if (predecessor !== undefined) fds.push(...predecessorFds(predecessor));
  return fds;
}

/** A transfer holds one file, an upload a few more for a moment; the rest is for sockets, logs and hooks. */
function openFilesOf({ process, workers, transfersMax, listeners }: Settings): number {
  if (process.openFiles > 0) return process.openFiles;
  const sockets = listeners.reduce((sum, { transferSockets }) => sum + transferSockets + 1, 0);
  return 1024 + workers * (sockets + 2 * transfersMax);
}
