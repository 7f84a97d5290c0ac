// The folder that an upload goes to (storage layer): opened beneath the root, and made where that is allowed. The kernel
// contains every look-up, and no folder is made but in one that was found to be beneath the root.

import { makeFolder, setMode } from "#ffi/create.ts";
import { DiskCall, makeDiskCall } from "#ffi/disk-call.ts";
import { Errno } from "#ffi/errno.ts";
import { closeFd, openFolderBeneath } from "#ffi/file.ts";

import type { UploadPlan } from "./upload-plan.ts";

/** Most folders that one upload makes: a guess, deeper than anyone's tree of configurations. */
const CREATED_MAX = 16;

/**
 * Opens the folder that the segments of `plan.path` but the last one name. Returns its fd, then those of folders in which
 * one was made and which must be synced for that; or −errno, and nothing is open. What was made stays: another upload may
 * be on its way into it already.
 */
export function openUploadFolder(rootFd: number, plan: UploadPlan): readonly number[] | number {
  const segments = plan.path.split("/").slice(0, -1);
  const fd = openFolderBeneath(rootFd, segments.join("/") || ".");
  if (fd >= 0) return [fd];
  return fd === -Errno.ENOENT && plan.mayCreateFolders ? makeFolders(rootFd, segments, plan) : fd;
}

function makeFolders(
  rootFd: number,
  segments: readonly string[],
  plan: UploadPlan,
): readonly number[] | number {
  const opened = [openFolderBeneath(rootFd, ".")];
  let isAllThere = true;
  for (const [index, segment] of segments.entries()) {
    const [parentFd = -1] = opened;
    if (parentFd < 0) break;
    // From the root each time, so that symlinks inside are followed and none leads out.
    const path = segments.slice(0, index + 1).join("/");
    let fd = openFolderBeneath(rootFd, path);
    if (fd === -Errno.ENOENT) {
      isAllThere = false;
      fd =
        opened.length > CREATED_MAX ? -Errno.EPERM : makeOne(rootFd, parentFd, path, segment, plan);
    }
    if (isAllThere) {
      closeFd(parentFd);
      opened.shift();
    }
    opened.unshift(fd);
  }
  const [fd = -1] = opened;
  if (fd >= 0) return opened;
  for (const other of opened) if (other >= 0) closeFd(other);
  return fd;
}

function makeOne(
  rootFd: number,
  parentFd: number,
  path: string,
  segment: string,
  plan: UploadPlan,
): number {
  const made = makeFolder(parentFd, segment, plan.folderMode);
  // Somebody else may have been quicker.
  if (made < 0 && made !== -Errno.EEXIST) return made;
  const fd = openFolderBeneath(rootFd, path);
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
