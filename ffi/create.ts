// New files and folders (ffi layer, rank 1): made so that nobody else's file is ever opened or followed instead, and what is
// asked about the place that they go to. Everything returns ≥ 0 or −errno; names are one segment of a path, as text (UTF-8) or bytes.

import { assert } from "#base/assert.ts";

import {
  LOCK_EX,
  LOCK_NB,
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_RDWR,
  O_TMPFILE,
  Statvfs,
} from "./abi.ts";
import { type Arena } from "./arena.ts";
import { heldForPeer } from "./holdings.ts";
import { checked, libc } from "./libc.ts";
import { scratch, scratchAddress, STRUCT, TEXT, writeText } from "./scratch.ts";

/** What a file's permissions are until its owner sets them: nobody else's. */
const PRIVATE_MODE = 0o600;

/**
 * Creates a file without a name in `folderFd`, to be read and written; it is gone with its fd unless it is linked. Returns an
 * fd; −EOPNOTSUPP, −EISDIR or −EINVAL where the file system or the kernel knows no such files. Source: open(2), O_TMPFILE.
 */
export function createUnnamed(folderFd: number): number {
  writeText(".");
  const flags = O_TMPFILE | O_RDWR | O_CLOEXEC;
  return heldForPeer(checked(libc.openat(folderFd, scratchAddress(TEXT), flags, PRIVATE_MODE)));
}

/** Creates the file `name` in `folderFd`, to be read and written. Returns an fd; −EEXIST if anything has that name. */
export function createNamed(folderFd: number, name: string | Uint8Array): number {
  const length = writeSegment(name);
  if (length < 0) return length;
  const flags = O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC;
  return heldForPeer(checked(libc.openat(folderFd, scratchAddress(TEXT), flags, PRIVATE_MODE)));
}

/** Opens whatever has the name `name` in `folderFd` to describe it and no more: a symlink itself, a file of any permission. */
export function openEntry(folderFd: number, name: string | Uint8Array): number {
  const length = writeSegment(name);
  if (length < 0) return length;
  const flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  return heldForPeer(checked(libc.openat(folderFd, scratchAddress(TEXT), flags, 0)));
}

/** Creates the folder `name` in `folderFd`. Returns 0 or −errno; −EEXIST if anything has that name. Source: mkdirat(2). */
export function makeFolder(folderFd: number, name: string | Uint8Array, mode: number): number {
  const length = writeSegment(name);
  if (length < 0) return length;
  return checked(libc.mkdirat(folderFd, scratchAddress(TEXT), mode));
}

/** Sets the permission bits of `fd`. Returns 0 or −errno. */
export function setMode(fd: number, mode: number): number {
  return checked(libc.fchmod(fd, mode));
}

/** Removes the file `name` from `folderFd`. Returns 0 or −errno. */
export function removeEntry(folderFd: number, name: string | Uint8Array): number {
  const length = writeSegment(name);
  if (length < 0) return length;
  return checked(libc.unlinkat(folderFd, scratchAddress(TEXT), 0));
}

/**
 * Claims the file for this open description: 0, or −EAGAIN while another one has it. The claim goes with the last descriptor,
 * also when its process is killed. Source: flock(2).
 */
export function lockFile(fd: number): number {
  return checked(libc.flock(fd, LOCK_EX | LOCK_NB));
}

/** How many bytes an ordinary user may still write where `fd` lies, or −errno. Source: fstatvfs(3). */
export function freeBytes(fd: number): number {
  const result = checked(libc.fstatvfs(fd, scratchAddress(STRUCT)));
  return result < 0 ? result : freeBytesAt(scratch, STRUCT);
}

/** {@link freeBytes} from a struct statvfs that was filled at byte `offset` of `arena`. */
export function freeBytesAt(arena: Arena, offset: number): number {
  return (
    arena.readU64(offset + Statvfs.freeFragments) * arena.readU64(offset + Statvfs.fragmentBytes)
  );
}

/** Copies `length` bytes from address `from` to address `to`, both in arenas, which do not overlap there. */
export function copyBytes(to: number, from: number, length: number): void {
  libc.memcpy(to, from, length);
}

function writeSegment(name: string | Uint8Array): number {
  assert(isSegment(name), "a segment stays in its folder");
  return writeText(name);
}

function isSegment(name: string | Uint8Array): boolean {
  if (typeof name === "string") return !name.includes("/") && name !== "..";
  return !name.includes(SLASH) && !(name.length === 2 && name.every((byte) => byte === DOT));
}

const SLASH = 0x2f;
const DOT = 0x2e;
