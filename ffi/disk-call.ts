// System calls that may wait for a disk (ffi layer, rank 1), each by a small number, so that a thread that waits can be told
// which one to make. Names are NUL-terminated bytes at an address. Every call returns ≥ 0 or −errno.

import { unreachable } from "#base/assert.ts";

import { Syscall } from "./abi.ts";
import { Errno } from "./errno.ts";
import { closeFd, fadvise, pread } from "./file.ts";
import { checked, libc } from "./libc.ts";

/** The calls, with what their arguments `a` to `e` are. Arguments not named are ignored. */
export const DiskCall = {
  /** fd, address, length, offset. Returns the bytes read, 0 at the end of the file. */
  pread: 0,
  /** fd, address, length, offset. Returns the bytes written, which may be fewer. */
  pwrite: 1,
  /** fd of a file or of a folder. */
  fsync: 2,
  /** fd, offset, length, a value of Advice. */
  fadvise: 3,
  /** fd, permission bits. */
  fchmod: 4,
  /** fd, user, group; −1 leaves either as it is. */
  fchown: 5,
  /** folder fd, name, folder fd of the new name, new name, flags. Never replaces: −EEXIST. */
  linkat: 6,
  /** folder fd, name, folder fd of the new name, new name, flags. Without flags it replaces. */
  renameat2: 7,
  /** folder fd, name, flags. */
  unlinkat: 8,
  /** fd, address of a struct statvfs to fill. */
  fstatvfs: 9,
  /** fd. */
  close: 10,
} as const;

export type DiskCall = (typeof DiskCall)[keyof typeof DiskCall];

/** Makes `call`, waiting as long as it takes. A call that can be repeated is, when a signal interrupts it. */
export function makeDiskCall(
  call: DiskCall,
  a: number,
  b: number,
  c: number,
  d: number,
  e: number,
): number {
  switch (call) {
    case DiskCall.pread:
      return untilHeard(() => pread(a, b, c, d));
    case DiskCall.pwrite:
      return untilHeard(() => checked(libc.pwrite(a, b, c, d)));
    case DiskCall.fsync:
      return untilHeard(() => checked(libc.fsync(a)));
    case DiskCall.fadvise:
      return fadvise(a, b, c, d);
    case DiskCall.fchmod:
      return checked(libc.fchmod(a, b));
    case DiskCall.fchown:
      return checked(libc.fchown(a, b >>> 0, c >>> 0));
    case DiskCall.linkat:
      return checked(libc.linkat(a, b, c, d, e));
    case DiskCall.renameat2:
      return checked(libc.syscall(Syscall.renameat2, a, b, c, d, e, 0));
    case DiskCall.unlinkat:
      return checked(libc.unlinkat(a, b, c));
    case DiskCall.fstatvfs:
      return checked(libc.fstatvfs(a, b));
    case DiskCall.close:
      return closeFd(a);
    default:
      return unreachable(call);
  }
}

/** Network and FUSE file systems let signals interrupt what a local disk finishes. */
function untilHeard(call: () => number): number {
  for (;;) {
    const result = call();
    if (result !== -Errno.EINTR) return result;
  }
}
