// What is done with an upload's file, one system call after the other (storage layer). Each step is yielded to be made by a disk
// thread, and comes back with its result. Read downwards, this is the order that makes a name hold the old bytes or the new
// ones, whole, whenever the power goes.

import { AT_FDCWD, AT_SYMLINK_FOLLOW, RENAME_NOREPLACE } from "#ffi/abi.ts";
import type { Arena } from "#ffi/arena.ts";
import { freeBytesAt } from "#ffi/create.ts";
import { DiskCall } from "#ffi/disk-call.ts";
import { Errno } from "#ffi/errno.ts";
import { Advice } from "#ffi/file.ts";

import { DIGEST_BYTES, HashCall } from "./disk-job.ts";
import { hasItsName, measureReplaced, type UploadFile } from "./upload-file.ts";
import { UploadRefusal, uploadRefusalOf } from "./upload-refusal.ts";

/** A job for a disk thread: the call, and its arguments. */
export type Step = readonly [
  call: number,
  a: number,
  b?: number,
  c?: number,
  d?: number,
  e?: number,
];

/** Instead of a step: there is nothing to do until the next one is asked for. */
export const IDLE = "idle";

/** Ends with 0, or a value of UploadRefusal. */
export type Steps = Generator<Step | typeof IDLE, number, number>;

/** Writes `bytes` from `address` to `position`, however many calls that takes. `hash` is a handle, or 0. */
export function* writeSteps(
  file: UploadFile,
  address: number,
  bytes: number,
  position: number,
  hash: number,
): Steps {
  for (let done = 0; done < bytes;) {
    const [from, left, to] = [address + done, bytes - done, position + done];
    const result = yield [DiskCall.pwrite, file.fd, from, left, to, hash];
    if (result < 0) return uploadRefusalOf(result);
    // A file system that takes nothing and gives no reason would keep us here for ever.
    if (result === 0) return UploadRefusal.failed;
    done += result;
  }
  return 0;
}

/** Asks whether more than the least is still free. */
export function* spaceSteps(file: UploadFile, arena: Arena): Steps {
  const result = yield [DiskCall.fstatvfs, file.fd, file.address("space")];
  if (result < 0) return uploadRefusalOf(result);
  return freeBytesAt(arena, file.offset("space")) < file.plan.bytesFreeMin ? UploadRefusal.full : 0;
}

/** Makes what was written durable where that is wanted, and gives it its name. */
export function* publishSteps(file: UploadFile): Steps {
  const { plan, fd } = file;
  if (plan.userId >= 0 || plan.groupId >= 0) {
    const owned = yield [DiskCall.fchown, fd, plan.userId, plan.groupId];
    if (owned < 0) return uploadRefusalOf(owned);
  }
  // After the owner: changing it takes set-user-ID bits away.
  const allowed = yield [DiskCall.fchmod, fd, plan.fileMode];
  if (allowed < 0) return uploadRefusalOf(allowed);
  if (plan.isSynced) {
    const synced = yield [DiskCall.fsync, fd];
    if (synced < 0) return uploadRefusalOf(synced);
  }
  const named = yield* plan.mayOverwrite ? replaceSteps(file) : nameSteps(file);
  if (named < 0) return named;
  file.isPublished = true;
  return plan.isSynced ? yield* folderSteps(file) : 0;
}

/** Gives the file a name that nothing else has. */
function* nameSteps(file: UploadFile): Steps {
  const { folderFd } = file;
  const [hidden, leaf] = [file.address("hidden"), file.address("leaf")];
  if (!file.isHidden) return uploadRefusal(yield linkUnnamed(file, leaf));
  const flags = RENAME_NOREPLACE;
  const renamed = yield [DiskCall.renameat2, folderFd, hidden, folderFd, leaf, flags];
  if (renamed >= 0) file.isHidden = false;
  if (renamed !== -Errno.EINVAL && renamed !== -Errno.ENOSYS) return uploadRefusal(renamed);
  // This file system cannot rename without replacing; the hidden name goes at the end.
  return uploadRefusal(yield [DiskCall.linkat, folderFd, hidden, folderFd, leaf]);
}

/** Gives the file its name in place of another one, which is kept as a version where that is wanted. */
function* replaceSteps(file: UploadFile): Steps {
  const { folderFd } = file;
  const [hidden, leaf] = [file.address("hidden"), file.address("leaf")];
  if (!file.isHidden) {
    const linked = yield linkUnnamed(file, hidden);
    if (linked < 0) return uploadRefusalOf(linked);
    file.isHidden = true;
  }
  if (file.plan.isShared) measureReplaced(file);
  if (file.plan.versionsMax > 0) {
    const kept = yield* versionSteps(file);
    if (kept < 0) return kept;
  }
  const renamed = yield [DiskCall.renameat2, folderFd, hidden, folderFd, leaf];
  if (renamed < 0) return uploadRefusalOf(renamed);
  file.isHidden = false;
  return 0;
}

/** Links the present file to the name of its first version, after the others have moved on by one. It keeps its own name meanwhile. */
function* versionSteps(file: UploadFile): Steps {
  const { folderFd, versionsFd, plan } = file;
  const [leaf, kept] = [file.address("leaf"), file.address("kept")];
  const linked = yield [DiskCall.linkat, folderFd, leaf, versionsFd, kept];
  if (linked === -Errno.ENOENT) return 0;
  if (linked < 0) return uploadRefusalOf(linked);
  file.isKept = true;
  for (let version = plan.versionsMax - 1; version >= 1; version -= 1) {
    const from = file.versionAddress("versionFrom", version);
    const to = file.versionAddress("versionTo", version + 1);
    const moved = yield [DiskCall.renameat2, versionsFd, from, versionsFd, to];
    if (moved < 0 && moved !== -Errno.ENOENT) return uploadRefusalOf(moved);
    if (moved >= 0) file.haveVersionsMoved = true;
  }
  const first = file.versionAddress("versionTo", 1);
  const moved = yield [DiskCall.renameat2, versionsFd, kept, versionsFd, first];
  if (moved < 0) return uploadRefusalOf(moved);
  file.haveVersionsMoved = true;
  // Renaming does nothing where both names are one file already, as after a crash between two of these steps.
  const removed = yield [DiskCall.unlinkat, versionsFd, kept];
  if (removed < 0 && removed !== -Errno.ENOENT) return uploadRefusalOf(removed);
  file.isKept = false;
  return 0;
}

/** Makes the names durable: a file that is synced in a folder that is not is gone after a crash. */
function* folderSteps(file: UploadFile): Steps {
  const { folderFd, versionsFd, folderFds } = file;
  const others = versionsFd === folderFd ? [] : [versionsFd];
  for (const fd of [...others, ...folderFds]) {
    const synced = yield [DiskCall.fsync, fd];
    if (synced < 0) return uploadRefusalOf(synced);
  }
  return 0;
}

/**
 * Reads the file back from the disk and compares its SHA-256 with that of what was written. `buffer` is `bufferBytes` of
 * memory, `hash` a handle. The kernel is asked to forget its copy first; where it cannot, its memory is what is compared.
 */
export function* verifySteps(
  file: UploadFile,
  arena: Arena,
  bytes: number,
  buffer: number,
  bufferBytes: number,
  hash: number,
): Steps {
  const { fd } = file;
  const synced = yield [DiskCall.fsync, fd];
  if (synced < 0) return uploadRefusalOf(synced);
  yield [DiskCall.fadvise, fd, 0, 0, Advice.dontneed];
  yield [HashCall.begin, hash];
  let done = 0;
  for (;;) {
    const read = yield [DiskCall.pread, fd, buffer, bufferBytes, done, hash];
    if (read < 0) return uploadRefusalOf(read);
    if (read === 0) break;
    done += read;
  }
  const ended = yield [HashCall.end, hash, file.address("readDigest")];
  if (ended < 0) return uploadRefusalOf(ended);
  const isSame = digestText(arena, file, "digest") === digestText(arena, file, "readDigest");
  return isSame && done === bytes ? 0 : UploadRefusal.corrupt;
}

/** A SHA-256 in hexadecimal digits. */
export function digestText(arena: Arena, file: UploadFile, place: "digest" | "readDigest"): string {
  const start = file.offset(place);
  return arena.u8.subarray(start, start + DIGEST_BYTES).toHex();
}

/** Removes what has a hidden name, and closes everything. A fault here is left to the next start's sweep. */
export function* closeSteps(file: UploadFile): Steps {
  const { folderFd, versionsFd, folderFds } = file;
  if (file.isKept) yield [DiskCall.unlinkat, versionsFd, file.address("kept")];
  if (file.isHidden) yield [DiskCall.unlinkat, folderFd, file.address("hidden")];
  yield [DiskCall.close, file.fd];
  if (versionsFd !== folderFd) yield [DiskCall.close, versionsFd];
  for (const fd of folderFds) yield [DiskCall.close, fd];
  return 0;
}

/**
 * {@link closeSteps} for an upload that came to nothing: a name that it got, and that could not be made durable, goes too, unless another
 * may write it; `isAlone` is asked, and sees to it that none begins.
 */
export function* discardSteps(file: UploadFile, isAlone: () => boolean): Steps {
  // Where it may have replaced something, or has been replaced, that cannot be had back: then the bytes stay, which are whole.
  if (file.isPublished && !file.plan.mayOverwrite && isAlone() && hasItsName(file)) {
    const removed = yield [DiskCall.unlinkat, file.folderFd, file.address("leaf")];
    file.isPublished = removed < 0 && removed !== -Errno.ENOENT;
  }
  return yield* closeSteps(file);
}

function linkUnnamed(file: UploadFile, name: number): Step {
  const unnamed = file.address("unnamed");
  return [DiskCall.linkat, AT_FDCWD, unnamed, file.folderFd, name, AT_SYMLINK_FOLLOW];
}

function uploadRefusal(result: number): number {
  return result < 0 ? uploadRefusalOf(result) : 0;
}
