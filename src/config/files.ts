// The few questions that validation asks the file system (config layer), as an interface that tests replace,
// and its answers on this machine. Nothing is created or changed.

import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";

export interface Files {
  exists(path: string): boolean;
  isDirectory(path: string): boolean;
  /** Whether this process may list the folder and reach what is in it. */
  isReadable(path: string): boolean;
  /** Whether this process may create and remove files in the folder. */
  isWritable(path: string): boolean;
  /** Whether it is a file that this process may run. */
  isProgram(path: string): boolean;
  /** Whether this process may append to the file, or create it where it is missing. */
  canAppend(path: string): boolean;
  /** What is in a small file, or the name of the error. */
  read(path: string): { readonly text: string } | { readonly code: string };
}

/** The file system that this process sees, with its own rights. */
export const hostFiles: Files = {
  exists: (path) => isAllowed(path, constants.F_OK),
  isDirectory,
  isReadable: (path) => isAllowed(path, constants.R_OK | constants.X_OK),
  isWritable: (path) => isAllowed(path, constants.W_OK | constants.X_OK),
  isProgram: (path) => !isDirectory(path) && isAllowed(path, constants.X_OK),
  canAppend: (path) =>
    isAllowed(path, constants.F_OK)
      ? !isDirectory(path) && isAllowed(path, constants.W_OK)
      : isDirectory(dirname(path)) && isAllowed(dirname(path), constants.W_OK | constants.X_OK),
  read(path) {
    try {
      return { text: readFileSync(path, "utf8") };
    } catch (cause) {
      return { code: (cause as NodeJS.ErrnoException).code ?? String(cause) };
    }
  },
};

/** A path that cannot be looked at (ENOTDIR, EACCES, ELOOP …) is no folder for this process. */
function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function isAllowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
