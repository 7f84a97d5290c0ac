// The folder that is served (storage layer): opens a cleaned name beneath it, regular files only. The look-up is
// contained (lookup.ts), and every answer has one fate.

import { Errno } from "#ffi/errno.ts";
import { closeFd } from "#ffi/file.ts";
import { FileStat, statFd } from "#ffi/stat.ts";
import type { ByteString } from "#policy/names.ts";

import { Lookup, type LookupRules, type LookupWay } from "./lookup.ts";

export type { FileStat } from "#ffi/stat.ts";

/** Why a name was not opened. */
export const OpenRefusal = {
  notFound: -1,
  /** Permissions, or something that is not a regular file. */
  denied: -2,
  /** A symlink that is not followed: it leads outside the root, or none is followed at all. */
  outside: -3,
  /** Too many open files or no memory. */
  busy: -4,
  /** The file system failed. */
  failed: -5,
} as const;

/** Opens files beneath `rootFd`. {@link stat} describes the one opened last. */
export class Root {
  stat: FileStat = new FileStat();
  readonly #lookup: Lookup;

  /** `rules` are the usual ones where left out: links that stay inside, and exact names. `way` is for tests. */
  constructor(rootFd: number, rules?: LookupRules, way?: LookupWay) {
    this.#lookup = new Lookup(rootFd, rules, way);
  }

  /** What the last file is called on disk, where that differs in case from the name it was opened by. */
  get otherName(): ByteString | undefined {
    return this.#lookup.otherName;
  }

  /** What the log should say of how the last file was found; empty for most. */
  get remark(): string {
    return this.#lookup.remark;
  }

  /**
   * Opens the regular file `path` (relative, clean; text is UTF-8). Returns its fd and fills {@link stat}, or a value of
   * {@link OpenRefusal}.
   */
  open(path: string | Uint8Array): number {
    const fd = this.#lookup.open(path);
    if (fd < 0) return refusalOf(fd);
    // A record of its own for each file: the cache keeps it to tell whether the file changed.
    this.stat = new FileStat();
    const result = statFd(fd, this.stat);
    if (result >= 0 && this.stat.isRegular) return fd;
    closeFd(fd);
    return result < 0 ? OpenRefusal.failed : OpenRefusal.denied;
  }

  /** Closes what {@link open} returned and nobody took. */
  close(fd: number): void {
    closeFd(fd);
  }
}

function refusalOf(result: number): number {
  switch (result) {
    case -Errno.ENOENT:
    case -Errno.ENOTDIR:
    case -Errno.ENAMETOOLONG:
    case -Errno.EINVAL:
      return OpenRefusal.notFound;
    case -Errno.EACCES:
    case -Errno.EPERM:
    case -Errno.EISDIR:
    case -Errno.ENXIO:
    case -Errno.ENODEV:
      return OpenRefusal.denied;
    case -Errno.EXDEV:
    case -Errno.ELOOP:
      return OpenRefusal.outside;
    case -Errno.EMFILE:
    case -Errno.ENFILE:
    case -Errno.ENOMEM:
    case -Errno.EAGAIN:
      return OpenRefusal.busy;
    default:
      return OpenRefusal.failed;
  }
}
