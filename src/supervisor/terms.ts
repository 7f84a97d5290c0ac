// What belongs to settings and lives as long as they are in force (supervisor layer): the folders that requests lead into, as
// descriptors that all shards use. One function opens all of it, or nothing; one closes all of it.

import type { Settings } from "#config/settings.ts";
import {
  closeFolder,
  openLinkTargets,
  openRootFolder,
  openServedFolder,
  type StartFault,
} from "#io/start.ts";
import type { ShardTerms, WritesInit } from "#server/contract.ts";
import { UploadLedger } from "#storage/upload-ledger.ts";
import { sweepUploads } from "#storage/upload-sweep.ts";

/** What outlives all settings, and what was in force before, if anything was. */
export interface TermsBefore {
  /** The memory of the UploadLedger that all shards share. */
  readonly ledger: SharedArrayBuffer;
  readonly previous: ShardTerms | undefined;
}

/**
 * Opens everything that `settings` name. Beneath a folder for uploads that was not in use, it removes what a crash has left and
 * counts what is there, which takes as long as the disk does.
 */
export function openTerms(settings: Settings, before: TermsBefore): ShardTerms | StartFault {
  const opened: number[] = [];
  const terms = openAll(settings, before, opened);
  if ("fault" in terms) opened.forEach(closeFolder);
  return terms;
}

/** Closes every descriptor of `terms`. No shard may decide by them any more. */
export function closeTerms({ folderFds, linkTargetFds, writes }: ShardTerms): void {
  folderFds.forEach(closeFolder);
  linkTargetFds.forEach(closeFolder);
  if (writes !== undefined) closeFolder(writes.rootFd);
}

function openAll(
  settings: Settings,
  before: TermsBefore,
  opened: number[],
): ShardTerms | StartFault {
  const folderFds = openFolders(settings, opened);
  if ("fault" in folderFds) return folderFds;
  const linkTargetFds = openLinkTargets(settings.lookup.symlinkTargets);
  if ("fault" in linkTargetFds) return linkTargetFds;
  opened.push(...linkTargetFds);
  const writes = openWrites(settings, before, opened);
  if (writes !== undefined && "fault" in writes) return writes;
  const generation = before.previous === undefined ? 0 : before.previous.generation + 1;
  return { generation, settings, folderFds, linkTargetFds, writes };
}

/** Every folder that a root counts from, the root folder first. */
function openFolders(
  { rootDir, policy }: Settings,
  opened: number[],
): ShardTerms["folderFds"] | StartFault {
  const rootFd = noted(opened, openRootFolder(rootDir));
  if (typeof rootFd !== "number") return rootFd;
  const folderFds = [rootFd];
  for (const folder of policy.folders.slice(1)) {
    const fd = noted(opened, openServedFolder(folder));
    if (typeof fd !== "number") return fd;
    folderFds.push(fd);
  }
  return folderFds;
}

/** The folder for uploads; undefined where nothing may be written. */
function openWrites(
  { uploads, workers }: Settings,
  { ledger, previous }: TermsBefore,
  opened: number[],
): WritesInit | StartFault | undefined {
  if (!uploads.isEnabled) return undefined;
  const rootFd = noted(opened, openRootFolder(uploads.rootDir));
  if (typeof rootFd !== "number") return rootFd;
  const isInUse =
    previous?.writes !== undefined && previous.settings.uploads.rootDir === uploads.rootDir;
  if (isInUse) return { rootFd, ledger };
  const { bytes } = sweepUploads(rootFd);
  // This thread stands behind the last shard: shards may be at work in the ledger.
  new UploadLedger(ledger, workers, NO_QUOTAS).setRootBytes(bytes);
  return { rootFd, ledger };
}

const NO_QUOTAS = { rootBytesMax: 0, clientBytesMax: 0, clientWindowMs: 0 } as const;

/** A folder that was opened is noted in `opened`. */
function noted(opened: number[], fd: number | StartFault): number | StartFault {
  if (typeof fd === "number") opened.push(fd);
  return fd;
}
