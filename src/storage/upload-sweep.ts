// What a start does with an upload root before anything is served from it (storage layer): files with hidden names that a crash
// has left are removed, and the bytes of all others are counted for the quota. Follows no symlink, and waits for the disk.

import { lockFile, openEntry, removeEntry } from "#ffi/create.ts";
import { closeFd, openBeneath, openFolderBeneath } from "#ffi/file.ts";
import { listFolder } from "#ffi/folder.ts";
import { FileStat, statFd } from "#ffi/stat.ts";
import { type ByteString, kernelName } from "#policy/names.ts";

import { isHiddenName } from "./upload-name.ts";

export interface Swept {
  /** Left-overs that were removed. */
  readonly removed: number;
  /** Regular files that remain, and their bytes. A file with several names counts once for each. */
  readonly files: number;
  readonly bytes: number;
}

/**
 * Sweeps everything beneath `rootFd`. What a running process is still writing stays, because it is locked. Folders that
 * cannot be read are passed over.
 */
export function sweepUploads(rootFd: number): Swept {
  const swept = { removed: 0, files: 0, bytes: 0 };
  const folders = ["."];
  const stat = new FileStat();
  for (;;) {
    const path = folders.pop();
    if (path === undefined) return swept;
    const folderFd = openFolderBeneath(rootFd, kernelName(path));
    if (folderFd < 0) continue;
    const names = listFolder(folderFd, Infinity);
    for (const name of typeof names === "number" ? [] : names) {
      const fd = openEntry(folderFd, kernelName(name));
      if (fd < 0) continue;
      const result = statFd(fd, stat);
      closeFd(fd);
      if (result < 0) continue;
      if (stat.isFolder) folders.push(`${path}/${name}`);
      if (!stat.isRegular) continue;
      if (isHiddenName(name) && remove(folderFd, name)) {
        swept.removed += 1;
      } else {
        swept.files += 1;
        swept.bytes += stat.bytes;
      }
    }
    closeFd(folderFd);
  }
}

/** Removes a left-over. False: somebody has it locked, or it cannot be removed. */
function remove(folderFd: number, name: ByteString): boolean {
  const fd = openBeneath(folderFd, name);
  if (fd < 0) return false;
  const isLeftOver = lockFile(fd) === 0 && removeEntry(folderFd, name) === 0;
  closeFd(fd);
  return isLeftOver;
}
