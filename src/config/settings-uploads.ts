// What uploads run with (config layer): the values that [write_config] and [uploads] resolve to, in bytes and milliseconds.
// Plain data, like the rest of the settings.

import { relative } from "node:path";

import type { PatternTerms, UploadRules, UploadTerms } from "#policy/upload.ts";

import { groupId, userId } from "./accounts.ts";
import { type Config, isSet } from "./config.ts";
import { parseFileMode } from "./formats.ts";

/** Uploads: which names on which terms ({@link UploadRules}), where to, how much in all, and how they are kept. */
export interface UploadSettings extends UploadRules {
  /** Absolute path of the folder that uploads go to. */
  readonly rootDir: string;
  /** What all files below {@link rootDir} may hold together; 0 is unlimited. */
  readonly rootBytesMax: number;
  /** What one client address may upload within {@link clientWindowMs}; 0 is unlimited. */
  readonly clientBytesMax: number;
  readonly clientWindowMs: number;
  /** What must stay free on the disk of {@link rootDir}. */
  readonly freeBytesMin: number;
  /** Permission bits, to be set exactly. */
  readonly fileMode: number;
  readonly folderMode: number;
  /** Undefined: the server's own. */
  readonly ownerId: number | undefined;
  readonly groupId: number | undefined;
  /** Whether the disk has it before it is acknowledged. */
  readonly isSynced: boolean;
  /** Whether an upload is read back and compared before it is published. */
  readonly isVerified: boolean;
  /** Whether its SHA-256 is computed; always so where it is verified. */
  readonly isHashed: boolean;
  readonly concurrentWriters: "refuse" | "last-complete-wins";
  /** The silence after which an upload is given up. */
  readonly patienceMs: number;
  /** Threads per worker that wait for the disk. */
  readonly diskThreads: number;
}

const MIB = 1024 * 1024;

/** Resolves [write_config] and [uploads]. */
export function resolveUploads(config: Config): UploadSettings {
  const { uploads, write_config: write } = config;
  const rootDir = uploadRoot(config);
  return {
    isEnabled: write.enabled,
    allowedPatterns: write.allowed_patterns,
    terms: generalTerms(config),
    patterns: patternTerms(config),
    quarantineFolder: uploads.quarantine_folder,
    versionsFolder: uploads.versions_folder,
    isWriteOnly: uploads.write_only,
    servedAs: pathBelow(config.root_dir, rootDir),
    rootDir,
    mayCreateFolders: uploads.create_folders,
    rootBytesMax: uploads.root_quota_mb * MIB,
    clientBytesMax: uploads.client_quota_mb * MIB,
    clientWindowMs: uploads.client_quota_secs * 1000,
    freeBytesMin: uploads.min_free_space_mb * MIB,
    fileMode: parseFileMode(uploads.file_mode) ?? 0o644,
    folderMode: parseFileMode(uploads.folder_mode) ?? 0o755,
    ownerId: userId(uploads.owner),
    groupId: groupId(uploads.group),
    isSynced: uploads.fsync,
    isVerified: uploads.verify,
    isHashed: uploads.sha256 || uploads.verify,
    concurrentWriters: uploads.concurrent_writers,
    patienceMs: uploads.patience_secs * 1000,
    diskThreads: uploads.disk_threads,
  };
}

/** The folder that uploads go to: one of their own, or the served one. */
export function uploadRoot(config: Config): string {
  return config.uploads.root_dir === "" ? config.root_dir : config.uploads.root_dir;
}

/** The terms of names without terms of their own. */
function generalTerms(config: Config): UploadTerms {
  const { uploads, write_config: write } = config;
  return {
    mayOverwrite: isSet(config, "uploads.overwrite") ? uploads.overwrite : write.allow_overwrite,
    fileBytesMax: smallerLimit(uploads.max_file_size_bytes, config.max_file_size_bytes),
    versionsKept: uploads.keep_versions,
  };
}

/** Each [[uploads.pattern]] with what it leaves out filled in. */
function patternTerms(config: Config): readonly PatternTerms[] {
  const terms = generalTerms(config);
  return config.uploads.pattern.map((entry) => ({
    pattern: entry.pattern,
    mayOverwrite: entry.sources.has("overwrite") ? entry.overwrite : terms.mayOverwrite,
    fileBytesMax: entry.sources.has("max_file_size_bytes")
      ? smallerLimit(entry.max_file_size_bytes, config.max_file_size_bytes)
      : terms.fileBytesMax,
    versionsKept: entry.sources.has("keep_versions") ? entry.keep_versions : terms.versionsKept,
  }));
}

/** The smaller of two limits of which 0 is none. */
function smallerLimit(one: number, other: number): number {
  return one === 0 || other === 0 ? Math.max(one, other) : Math.min(one, other);
}

/** The path of `folder` below `root`, empty for the root itself; undefined if it lies elsewhere. */
export function pathBelow(root: string, folder: string): string | undefined {
  const path = relative(root, folder);
  return path === ".." || path.startsWith("../") ? undefined : path;
}
