// What the supervisor opens besides sockets before any shard runs (io layer): the root folder and the shards' doorbells.
// Every fault comes with a remedy, because an administrator reads it.

import { Errno, errnoName } from "#ffi/errno.ts";
import { createEventfd, drainEventfd, signalEventfd } from "#ffi/eventfd.ts";
import { closeFd, openRoot } from "#ffi/file.ts";

/** Why the process cannot start, and what its administrator can do. */
export interface StartFault {
  readonly fault: string;
  readonly remedy: string;
  /** Whether it may be over in a while by itself: what is missing may come. */
  readonly mayPass?: boolean;
}

/** Opens the folder whose files are served; to be closed with {@link closeFolder}. */
export function openRootFolder(path: string): number | StartFault {
  const fd = openRoot(path);
  if (fd >= 0) return fd;
  return {
    fault: `cannot open the root folder ${path}: ${rootCause(fd)}`,
    remedy: rootRemedy(fd, path),
  };
}

/** Opens one more folder whose files are served, an absolute path among the `roots`; to be closed likewise. */
export function openServedFolder(path: string): number | StartFault {
  const fd = openRoot(path);
  if (fd >= 0) return fd;
  return {
    fault: `cannot open ${path}, a folder of the roots: ${rootCause(fd)}`,
    remedy: "see that it is a folder and that this user may read it, or take it out of `roots`",
  };
}

/** Opens folders that symlinks may lead into, as {@link openRootFolder} does; all of them, or the first fault. */
export function openLinkTargets(paths: readonly string[]): readonly number[] | StartFault {
  const fds: number[] = [];
  for (const path of paths) {
    const fd = openRoot(path);
    if (fd < 0) {
      for (const opened of fds) closeFd(opened);
      return {
        fault: `cannot open ${path}, which symlinks may lead into: ${rootCause(fd)}`,
        remedy: "create it or make it searchable, or remove it from symlink_targets",
      };
    }
    fds.push(fd);
  }
  return fds;
}

/** Closes what {@link openRootFolder} or {@link openServedFolder} opened. No shard may use it any more. */
export function closeFolder(fd: number): void {
  closeFd(fd);
}

/** Creates a doorbell, which wakes a shard; its fd stays open for the life of the process. */
export function createDoorbell(): number | StartFault {
  const fd = createEventfd();
  if (fd >= 0) return fd;
  return {
    fault: `an eventfd could not be created: ${errnoName(fd)}`,
    remedy: "raise the limit on open files (ulimit -n, or LimitNOFILE= in the unit)",
  };
}

/** Rings a doorbell. Never blocks; rings that were not heard yet add up to one. */
export function ringDoorbell(fd: number): void {
  signalEventfd(fd);
}

/** Silences a doorbell that has been heard. What it was about must be looked at afterwards, never before. */
export function silenceDoorbell(fd: number): void {
  drainEventfd(fd);
}

function rootCause(result: number): string {
  switch (result) {
    case -Errno.ENOENT:
      return "it does not exist (ENOENT)";
    case -Errno.ENOTDIR:
      return "it is not a folder (ENOTDIR)";
    case -Errno.EACCES:
      return "this user may not read it (EACCES)";
    default:
      return errnoName(result);
  }
}

function rootRemedy(result: number, path: string): string {
  switch (result) {
    case -Errno.ENOENT:
      return `create it: mkdir -p ${path}, or start with --create-root-dir, or name another with --root-dir`;
    case -Errno.ENOTDIR:
      return "name a folder with root_dir or --root-dir";
    case -Errno.EACCES:
      return `make it readable: chmod o+rx ${path}, and every folder above it searchable`;
    default:
      return "name another folder with root_dir or --root-dir";
  }
}
