// What the kernel says about an open file (ffi layer, rank 1), stored in a record that is used again and again.
// Sizes are exact beyond 4 GiB and times to the nanosecond; nothing is allocated. Returns 0 or −errno.

import { i32At, u16At, u32At } from "#base/bytes.ts";

import { AT_EMPTY_PATH, Stat, Statx, Syscall } from "./abi.ts";
import { Errno } from "./errno.ts";
import { checked, libc } from "./libc.ts";
import { readU64, scratch, scratchAddress, STRUCT, TEXT } from "./scratch.ts";

/** A file's identity and version. 64-bit fields that need not be counted with are kept as two halves, exactly. */
export class FileStat {
  /** File type and permissions, as in inode(7). */
  mode = 0;
  linkCount = 0;
  /** Size in bytes, exact below 2^53. */
  bytes = 0;
  deviceMajor = 0;
  deviceMinor = 0;
  inodeHigh = 0;
  inodeLow = 0;
  /** Seconds since 1970; negative before. */
  modifySeconds = 0;
  modifyNanoseconds = 0;
  changeSeconds = 0;
  changeNanoseconds = 0;

  /** Whether this is an ordinary file: not a folder, FIFO, device or socket. */
  get isRegular(): boolean {
    return (this.mode & S_IFMT) === S_IFREG;
  }

  get isFolder(): boolean {
    return (this.mode & S_IFMT) === S_IFDIR;
  }

  get isLink(): boolean {
    return (this.mode & S_IFMT) === S_IFLNK;
  }

  /**
   * Whether `other` is the same file and nothing was written in between. The change time is left out on purpose: a file that
   * was replaced by rename loses a link, which changes it, and its bytes are still the old ones.
   */
  hasSameBytes(other: FileStat): boolean {
    return (
      this.inodeLow === other.inodeLow &&
      this.inodeHigh === other.inodeHigh &&
      this.deviceMinor === other.deviceMinor &&
      this.deviceMajor === other.deviceMajor &&
      this.bytes === other.bytes &&
      this.modifySeconds === other.modifySeconds &&
      this.modifyNanoseconds === other.modifyNanoseconds
    );
  }

  /** One text for device, inode, size, modify and change time: equal texts mean equal bytes. Allocates. */
  versionKey(): string {
    const device = `${this.deviceMajor}:${this.deviceMinor}`;
    const modified = `${this.modifySeconds}.${this.modifyNanoseconds}`;
    const changed = `${this.changeSeconds}.${this.changeNanoseconds}`;
    return `${device} ${this.inodeHigh}:${this.inodeLow} ${this.bytes} ${modified} ${changed}`;
  }
}

// inode(7)
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;
const S_IFREG = 0o100000;

/** Describes `fd` into `out`. Returns 0 or −errno; `out` is untouched on failure. */
export function statFd(fd: number, out: FileStat): number {
  if (isStatxMissing) return fstatFd(fd, out);
  const result = statxFd(fd, out);
  if (result !== -Errno.ENOSYS && result !== -Errno.EPERM) return result;
  // Kernels before 4.11 lack it, and seccomp filters of that time forbid it; an open fd is never refused otherwise.
  isStatxMissing = true;
  return fstatFd(fd, out);
}

let isStatxMissing = false;

/** STATX_TYPE, MODE, NLINK, MTIME, CTIME, INO, SIZE: linux/stat.h. */
const STATX_MASK = 0x3c7;

/** {@link statFd} by statx(2). */
export function statxFd(fd: number, out: FileStat): number {
  // With AT_EMPTY_PATH the empty name means the fd itself.
  scratch.u8[TEXT] = 0;
  const name = scratchAddress(TEXT);
  const into = scratchAddress(STRUCT);
  const result = checked(libc.syscall(Syscall.statx, fd, name, AT_EMPTY_PATH, STATX_MASK, into, 0));
  if (result < 0) return result;
  out.mode = u16At(scratch.u16, (STRUCT + Statx.mode) >>> 1);
  out.linkCount = u32(Statx.linkCount);
  out.deviceMajor = u32(Statx.deviceMajor);
  out.deviceMinor = u32(Statx.deviceMinor);
  readShared(out, Statx);
  return 0;
}

/** {@link statFd} by fstat(2). */
export function fstatFd(fd: number, out: FileStat): number {
  const into = scratchAddress(STRUCT);
  const result = checked(libc.syscall(Syscall.fstat, fd, into, 0, 0, 0, 0));
  if (result < 0) return result;
  out.mode = u32(Stat.mode);
  out.linkCount = u32(Stat.linkCount);
  // new_encode_dev, linux/kdev_t.h: minor 7–0, major 11–0, minor 19–8.
  const device = u32(Stat.device);
  out.deviceMajor = (device >>> 8) & 0xfff;
  out.deviceMinor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  readShared(out, Stat);
  return 0;
}

/** The fields that both structures have in one form, at offsets of their own. */
interface SharedFields {
  readonly inode: number;
  readonly byteLength: number;
  readonly modifyTime: number;
  readonly changeTime: number;
}

function readShared(out: FileStat, fields: SharedFields): void {
  out.bytes = readU64(STRUCT + fields.byteLength);
  out.inodeLow = u32(fields.inode);
  out.inodeHigh = u32(fields.inode + 4);
  out.modifySeconds = seconds(fields.modifyTime);
  out.modifyNanoseconds = u32(fields.modifyTime + 8);
  out.changeSeconds = seconds(fields.changeTime);
  out.changeNanoseconds = u32(fields.changeTime + 8);
}

function u32(field: number): number {
  return u32At(scratch.u32, (STRUCT + field) >>> 2);
}

function seconds(field: number): number {
  return i32At(scratch.i32, (STRUCT + field + 4) >>> 2) * 0x1_0000_0000 + u32(field);
}
