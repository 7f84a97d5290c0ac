// The folder that an upload goes to (storage layer): looked up as names that are read, and made where that is allowed. No folder
// is made but in one that such a look-up has opened.

import { makeFolder, setMode } from "#ffi/create.ts";
import { DiskCall, makeDiskCall } from "#ffi/disk-call.ts";
import { Errno } from "#ffi/errno.ts";
import { closeFd } from "#ffi/file.ts";
import { type ByteString, kernelName } from "#policy/names.ts";

import type { Lookup } from "./lookup.ts";
import type { UploadPlan } from "./upload-plan.ts";

/** Most folders that one upload makes: a guess, deeper than anyone's tree of configurations. */
const CREATED_MAX = 16;

/** The target folder, then those in which one was made and which must be synced for that. */
export type FolderFds = readonly [folderFd: number, ...parentFds: number[]];

/**
 * Opens the folder that the segments of `plan.path` but the last one name. Returns −errno if that fails, and nothing is open.
 * What was made stays: another upload may be on its way into it already.
 */
export function openUploadFolder(lookup: Lookup, plan: UploadPlan): FolderFds | number {
  const segments = plan.path.split("/").slice(0, -1);
  const fd = lookup.openFolder(kernelName(segments.join("/") || "."));
  if (fd >= 0) return [fd];
  return fd === -Errno.ENOENT && plan.mayCreateFolders ? makeFolders(lookup, segments, plan) : fd;
}

function makeFolders(
  lookup: Lookup,
  segments: readonly ByteString[],
  plan: UploadPlan,
): FolderFds | number {
  let fd = lookup.openFolder(".");
  const parents: number[] = [];
  for (const [index, segment] of segments.entries()) {
    if (fd < 0) break;
    const parentFd = fd;
    // From the root each time, so that symlinks are followed as anywhere.
    const path = segments.slice(0, index + 1).join("/");
    fd = lookup.openFolder(kernelName(path));
    if (fd !== -Errno.ENOENT) {
      closeFd(parentFd);
      continue;
    }
    parents.push(parentFd);
    const isAllowed = parents.length <= CREATED_MAX;
    fd = isAllowed ? makeOne(lookup, parentFd, path, segment, plan) : -Errno.EPERM;
  }
  if (fd >= 0) return [fd, ...parents];
  for (const parentFd of parents) closeFd(parentFd);
  return fd;
}

function makeOne(
  lookup: Lookup,
  parentFd: number,
  path: ByteString,
  segment: ByteString,
  plan: UploadPlan,
): number {
  const made = makeFolder(parentFd, kernelName(segment), plan.folderMode);
  // Somebody else may have been quicker.
  if (made < 0 && made !== -Errno.EEXIST) return made;
  const fd = lookup.openFolder(kernelName(path));
  if (fd < 0 || made < 0) return fd;
  const { userId, groupId, folderMode } = plan;
  const isOurs = userId < 0 && groupId < 0;
  const owned = isOurs ? 0 : makeDiskCall(DiskCall.fchown, fd, userId, groupId, 0, 0);
  // The umask has had its say in the making; the administrator's is the last.
  const result = owned < 0 ? owned : setMode(fd, folderMode);
  if (result >= 0) return fd;
  closeFd(fd);
  return result;
}
