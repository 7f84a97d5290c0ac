// The file that says which process the server is (supervisor layer), for scripts. It is opened with the rights of the start and stays
// open, so that it can be written when these are gone: by a successor that takes over, and at the end.

import {
  closeSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from "node:fs";

import type { StartFault } from "#io/start.ts";

/** A file that is open. */
export interface PidFileFd {
  readonly path: string;
  readonly fd: number;
}

/**
 * Writes `pid` to `path`, whole or not at all; undefined where no file is wanted. One that was `inherited` from a server that still runs
 * stays as it is for now: it says who reads requests. By its path it could be another file by then.
 */
export function openPidFile(
  path: string | undefined,
  pid: number,
  inherited: PidFileFd | undefined,
): PidFileFd | StartFault | undefined {
  if (inherited !== undefined && inherited.path === path) return inherited;
  if (inherited !== undefined) closeSync(inherited.fd);
  if (path === undefined) return undefined;
  try {
    return { path, fd: create(path, pid) };
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    return {
      fault: `cannot write the PID file ${path}: ${code}`,
      remedy: "choose another process.pid_file; its folder must be there, and be writable",
    };
  }
}

/** The file of this process, if there is one. */
export class PidFile {
  readonly #file: PidFileFd | undefined;
  #isOurs: boolean;

  constructor(file: PidFileFd | undefined, isOurs: boolean) {
    this.#file = file;
    this.#isOurs = isOurs;
  }

  /** This process is the server from now on. */
  claim(pid: number): void {
    if (this.#file === undefined) return;
    this.#isOurs = true;
    const text = textOf(pid);
    // Never empty and never two numbers in one: what is longer is cut behind it.
    writeSync(this.#file.fd, text, 0);
    ftruncateSync(this.#file.fd, text.length);
  }

  /** It is another process' from now on. */
  leave(): void {
    this.#isOurs = false;
  }

  /** The server ends: the file goes, or says nothing where it cannot be removed. */
  remove(): void {
    if (this.#file === undefined) return;
    const { path, fd } = this.#file;
    if (this.#isOurs) {
      ftruncateSync(fd, 0);
      try {
        unlinkSync(path);
      } catch {
        // The folder is root's: the next start replaces it.
      }
    }
    closeSync(fd);
  }
}

/** The draft is a new file: nobody has put a link there that leads elsewhere. */
function create(path: string, pid: number): number {
  const draft = `${path}.${pid}`;
  rmSync(draft, { force: true });
  const fd = openSync(draft, "wx", 0o644);
  try {
    writeSync(fd, textOf(pid));
    renameSync(draft, path);
    return fd;
  } catch (cause) {
    closeSync(fd);
    rmSync(draft, { force: true });
    throw cause;
  }
}

function textOf(pid: number): string {
  return `${pid}\n`;
}
