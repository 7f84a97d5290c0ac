// Why an upload comes to nothing (storage layer): every answer of the kernel has one of these fates, at the request as at the
// end. All are below zero.

import { Errno } from "#ffi/errno.ts";

export const UploadRefusal = {
  /** The folder does not exist, or the name cannot exist. */
  notFound: -1,
  /** Permissions, a read-only file system, or something of that name that is not a regular file. */
  denied: -2,
  /** A symlink that is not followed: it leads outside the root, or none is followed at all, or the name itself is one. */
  outside: -3,
  /** Too many open files, uploads, or no memory. */
  busy: -4,
  /** The file system failed. */
  failed: -5,
  /** The disk is full, or fuller than the administrator wants it. */
  full: -6,
  /** The quota of the root or of the client is used up. */
  quota: -7,
  /** A file of that name exists, and may not be overwritten. */
  exists: -8,
  /** Another upload is writing that name. */
  claimed: -9,
  /** More bytes than are allowed. */
  tooLarge: -10,
  /** What was read back is not what was written. */
  corrupt: -11,
  /** Not as many bytes as were announced, where that means that some are missing. */
  otherSize: -13,
  /** Its owner gave it up. */
  aborted: -12,
} as const;

export type UploadRefusal = (typeof UploadRefusal)[keyof typeof UploadRefusal];

/** The refusal that −errno means. */
export function uploadRefusalOf(result: number): UploadRefusal {
  switch (result) {
    case -Errno.ENOENT:
    case -Errno.ENOTDIR:
    case -Errno.ENAMETOOLONG:
    case -Errno.EINVAL:
      return UploadRefusal.notFound;
    case -Errno.EACCES:
    case -Errno.EPERM:
    case -Errno.EROFS:
    case -Errno.EISDIR:
    case -Errno.ENOTEMPTY:
    case -Errno.ENXIO:
    case -Errno.ENODEV:
      return UploadRefusal.denied;
    case -Errno.EXDEV:
    case -Errno.ELOOP:
      return UploadRefusal.outside;
    case -Errno.EMFILE:
    case -Errno.ENFILE:
    case -Errno.ENOMEM:
    case -Errno.EAGAIN:
      return UploadRefusal.busy;
    case -Errno.ENOSPC:
    case -Errno.EDQUOT:
    case -Errno.EFBIG:
      return UploadRefusal.full;
    case -Errno.EEXIST:
      return UploadRefusal.exists;
    default:
      return UploadRefusal.failed;
  }
}
