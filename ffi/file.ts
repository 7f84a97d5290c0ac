// Files below a root folder (ffi layer, rank 1): opened so that the kernel itself decides containment, described without
// allocation, and read into arena memory. Everything returns ≥ 0 or −errno.

import { u8 } from "#base/bytes.ts";

import {
  Iovec,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOCTTY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  OpenHow,
  RAMFS_MAGIC,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RWF_NOWAIT,
  Statfs,
  Syscall,
  TMPFS_MAGIC,
} from "./abi.ts";
import { Errno } from "./errno.ts";
import { closeHeld, held, heldForPeer } from "./holdings.ts";
import { checked, libc } from "./libc.ts";
import { readU64, scratch, scratchAddress, STRUCT, TEXT, writeText } from "./scratch.ts";

/** What posix_fadvise(2) may be told about a range of a file. Source: linux/fadvise.h. */
export const Advice = { normal: 0, random: 1, sequential: 2, willneed: 3, dontneed: 4 } as const;

/** Which symlinks a look-up follows: those that stay inside the root, or none. */
export type FollowedLinks = "inside" | "none";

/** Opens the folder at `path`. Returns an fd that names open beneath, or −errno. Symlinks are followed: an administrator wrote it. */
export function openRoot(path: string): number {
  const length = writeText(path);
  if (length < 0) return length;
  return held(checked(libc.open(scratchAddress(TEXT), O_PATH | O_DIRECTORY | O_CLOEXEC, 0)));
}

/**
 * Opens `name` for reading, relative to `rootFd`, without ever leaving that folder. `name` is what a peer asked for, as
 * bytes or as text (UTF-8), with single slashes as it stands on disk. Returns an fd, which may be of any kind of file and
 * does not block, or −errno:
 *
 * - −EXDEV: a symlink leads outside, or the name is absolute or has a `..` segment;
 * - −ELOOP: too many symlinks, or one at all where `links` is none or only {@link openByWalk} is possible; there one on the way
 *   to the last segment is −ENOTDIR;
 * - −ENOENT (also the empty name), −ENOTDIR, −EACCES, −ENAMETOOLONG; −EINVAL: the name holds a NUL byte;
 * - −EMFILE, −ENFILE, −ENOMEM: this machine is full.
 *
 * Source: openat2(2).
 */
export function openBeneath(
  rootFd: number,
  name: string | Uint8Array,
  links: FollowedLinks = "inside",
): number {
  return openNamed(rootFd, name, READ_FLAGS, links);
}

/**
 * {@link openBeneath} for a folder, `.` being the root itself: −ENOTDIR if it is anything else. The fd can be synced and
 * others opened beneath it.
 */
export function openFolderBeneath(
  rootFd: number,
  name: string | Uint8Array,
  links: FollowedLinks = "inside",
): number {
  return openNamed(rootFd, name, READ_FOLDER_FLAGS, links);
}

function openNamed(
  rootFd: number,
  name: string | Uint8Array,
  flags: number,
  links: FollowedLinks,
): number {
  const length = writeName(name);
  if (length < 0) return length;
  if (openat2State === "missing") return walk(rootFd, length, flags);
  const fd = openat2(rootFd, flags, links);
  if (fd === -Errno.ENOSYS || (fd === -Errno.EPERM && openat2State === "unknown")) {
    // Older containers answer EPERM for every call that their seccomp filter does not know.
    openat2State = tryOpenat2(rootFd) < 0 ? "missing" : "granted";
    return openNamed(rootFd, name, flags, links);
  }
  openat2State = "granted";
  return fd;
}

let openat2State: "unknown" | "granted" | "missing" = "unknown";

/** Tries openat2 on the folder `rootFd` itself. Returns 0, or −errno where this kernel or its seccomp filter refuses it. */
export function tryOpenat2(rootFd: number): number {
  writeText(".");
  const fd = openat2(rootFd, READ_FLAGS, "inside");
  return fd < 0 ? fd : closeFd(fd);
}

/**
 * {@link openBeneath} for kernels before 5.6 and for seccomp filters that forbid openat2: opens folder after folder and
 * follows no symlink at all, so a folder that is swapped for a symlink meanwhile cannot lead outside.
 */
export function openByWalk(rootFd: number, name: string | Uint8Array): number {
  const length = writeName(name);
  return length < 0 ? length : walk(rootFd, length, READ_FLAGS);
}

/** {@link openByWalk} for a folder. */
export function openFolderByWalk(rootFd: number, name: string | Uint8Array): number {
  const length = writeName(name);
  return length < 0 ? length : walk(rootFd, length, READ_FOLDER_FLAGS);
}

/**
 * Opens one segment of a path in `folderFd` and follows no symlink: a `file` as {@link openBeneath} does, a `folder` to be read
 * or to be passed through (`way`). A symlink is −ELOOP where a file is wanted, and −ENOTDIR where a folder is. `.` is the
 * folder itself; `..` and what holds a slash is −EXDEV.
 */
export function openSegment(folderFd: number, name: Uint8Array, kind: SegmentKind): number {
  const length = writeName(name);
  if (length < 0) return length;
  if (scratch.u8.subarray(TEXT, TEXT + length).includes(SLASH)) return -Errno.EXDEV;
  return heldForPeer(
    checked(libc.openat(folderFd, scratchAddress(TEXT), segmentFlags[kind] | O_NOFOLLOW, 0)),
  );
}

/** What {@link openSegment} opens. */
export type SegmentKind = "file" | "folder" | "way";

const SLASH = 0x2f;
const DOT = 0x2e;
/** O_NONBLOCK: opening a FIFO must not wait for its writer. O_NOCTTY: no terminal becomes ours. */
const READ_FLAGS: number = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
const READ_FOLDER_FLAGS: number = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
const FOLDER_FLAGS: number = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
const segmentFlags: Readonly<Record<SegmentKind, number>> = {
  file: READ_FLAGS,
  folder: READ_FOLDER_FLAGS,
  way: FOLDER_FLAGS,
};
/** A rename somewhere above the name makes the kernel answer EAGAIN (openat2(2)); it passes within microseconds. A guess. */
const RACES_MAX = 8;

/** Puts `name` into scratch memory; its length, or why it is refused before the kernel is asked. */
function writeName(name: string | Uint8Array): number {
  const length = writeText(name);
  if (length <= 0) return length === 0 ? -Errno.ENOENT : length;
  if (u8(scratch.u8, TEXT) === SLASH || hasParentSegment(length)) return -Errno.EXDEV;
  return length;
}

/** Whether a whole segment is `..`; a name like `a..b` is an ordinary one. */
function hasParentSegment(length: number): boolean {
  const end = TEXT + length;
  for (let start = TEXT; start < end;) {
    const stop = segmentEnd(start, end);
    const isParent = stop - start === 2 && u8(scratch.u8, start) === DOT;
    if (isParent && u8(scratch.u8, start + 1) === DOT) return true;
    start = stop + 1;
  }
  return false;
}

/** Where the segment that begins at `start` ends: at the next slash, or at `end`. */
function segmentEnd(start: number, end: number): number {
  const slash = scratch.u8.indexOf(SLASH, start);
  return slash < 0 || slash > end ? end : slash;
}

/** openat2 of the name in scratch memory. */
function openat2(rootFd: number, flags: number, links: FollowedLinks): number {
  scratch.setU64(STRUCT + OpenHow.flags, flags);
  scratch.setU64(STRUCT + OpenHow.mode, 0);
  const noLinks = links === "none" ? RESOLVE_NO_SYMLINKS : 0;
  const resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | noLinks;
  scratch.setU64(STRUCT + OpenHow.resolve, resolve);
  const name = scratchAddress(TEXT);
  const how = scratchAddress(STRUCT);
  for (let races = 0; ; races++) {
    const fd = checked(libc.syscall(Syscall.openat2, rootFd, name, how, OpenHow.size, 0, 0));
    if (fd !== -Errno.EAGAIN || races === RACES_MAX) return heldForPeer(fd);
  }
}

/** openat of one segment after the other, each made a C string in place. */
function walk(rootFd: number, length: number, wantedFlags: number): number {
  let end = TEXT + length;
  while (u8(scratch.u8, end - 1) === SLASH) end--;
  // A slash at the end asks for a folder, as it does in openat2.
  const lastFlags = wantedFlags | O_NOFOLLOW | (end < TEXT + length ? O_DIRECTORY : 0);
  let folderFd = rootFd;
  for (let start = TEXT; ;) {
    const stop = segmentEnd(start, end);
    const isLast = stop === end;
    scratch.u8[stop] = 0;
    const flags = isLast ? lastFlags : FOLDER_FLAGS;
    const fd = heldForPeer(checked(libc.openat(folderFd, scratchAddress(start), flags, 0)));
    if (folderFd !== rootFd) closeHeld(folderFd);
    if (isLast || fd < 0) return fd;
    folderFd = fd;
    start = stop + 1;
    while (u8(scratch.u8, start) === SLASH) start++;
  }
}

/**
 * Reads up to `length` bytes from byte `offset` of `fd` to `address` (arena memory). Returns how many came (fewer only at the
 * end of the file, 0 beyond it), or −errno. May wait for the disk. Source: pread(2).
 */
export function pread(fd: number, address: number, length: number, offset: number): number {
  return checked(libc.pread(fd, address, length, offset));
}

/**
 * {@link pread} that never waits: −EAGAIN when not even the first byte is in the page cache, and fewer bytes when only some
 * are. −EOPNOTSUPP when this file system cannot say, which holds for the file as long as it is open; a kernel without the
 * call gets the same answer, once by trying and then from memory. Source: preadv2(2), RWF_NOWAIT.
 */
export function preadNowait(fd: number, address: number, length: number, offset: number): number {
  if (isPreadv2Missing) return -Errno.EOPNOTSUPP;
  scratch.setU64(STRUCT + Iovec.base, address);
  scratch.setU64(STRUCT + Iovec.length, length);
  const iovec = scratchAddress(STRUCT);
  // The kernel takes the offset in two halves; on 64-bit machines the first one holds it all.
  const result = checked(libc.syscall(Syscall.preadv2, fd, iovec, 1, offset, 0, RWF_NOWAIT));
  if (result !== -Errno.ENOSYS && result !== -Errno.EPERM) return result;
  isPreadv2Missing = true;
  return -Errno.EOPNOTSUPP;
}

let isPreadv2Missing = false;

/**
 * {@link preadNowait} that does not take "cannot say" from a file system that is nothing but memory: tmpfs and ramfs never wait for a
 * disk, unless the machine swaps, and then they wait no longer than this process may for its own pages. Source: tmpfs(5).
 */
export function preadReady(fd: number, address: number, length: number, offset: number): number {
  const result = preadNowait(fd, address, length, offset);
  return result === -Errno.EOPNOTSUPP && isInMemory(fd)
    ? pread(fd, address, length, offset)
    : result;
}

/** Whether the file system of `fd` keeps its files in memory and nowhere else. Source: statfs(2), `f_type`. */
function isInMemory(fd: number): boolean {
  if (libc.fstatfs(fd, scratchAddress(STRUCT)) < 0) return false;
  const type = readU64(STRUCT + Statfs.type);
  return type === TMPFS_MAGIC || type === RAMFS_MAGIC;
}

/**
 * Tells the kernel how bytes `offset` to `offset + length` (length 0: to the end) will be used; see {@link Advice}.
 * Returns 0 or −errno. Source: posix_fadvise(2), which returns its error instead of setting errno.
 */
export function fadvise(fd: number, offset: number, length: number, advice: number): number {
  const fault = libc.posix_fadvise(fd, offset, length, advice);
  return fault === 0 ? 0 : -fault;
}

/** Closes `fd`. Returns 0 or −errno; the fd is gone either way. */
export function closeFd(fd: number): number {
  return closeHeld(fd);
}
