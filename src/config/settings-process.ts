// As whom the server runs and what it gives up (config layer): what [process] resolves to, with the numbers of users and groups.
// Plain data, like the rest of the settings.

import { groupId, primaryGroupId, userId } from "./accounts.ts";
import type { Config } from "./config.ts";
import { parseFileMode } from "./formats.ts";

export interface ProcessSettings {
  /** Whom the server becomes; undefined: whoever started it. */
  readonly identity: IdentitySettings | undefined;
  readonly isPathConfined: boolean;
  readonly isCallConfined: boolean;
  /** Absolute paths of folders that may be read or written besides those that other settings name. */
  readonly readFolders: readonly string[];
  readonly writeFolders: readonly string[];
  readonly umask: number;
  /** How many files may be open; 0 is what the transfers need. */
  readonly openFiles: number;
  /** The path of the PID file; undefined: there is none. */
  readonly pidFile: string | undefined;
  /** How long another server may take to be ready in this one's place; 0: none may be. */
  readonly handoverMs: number;
}

/** A user, by the name that was written and by number. */
interface IdentitySettings {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly supplementaryGids: readonly number[];
}

/** Resolves [process]. */
export function resolveProcess({ process }: Config): ProcessSettings {
  return {
    identity: resolveIdentity(process),
    isPathConfined: process.landlock,
    isCallConfined: process.seccomp,
    readFolders: process.read_folders,
    writeFolders: process.write_folders,
    umask: parseFileMode(process.umask) ?? 0o022,
    openFiles: process.open_files,
    pidFile: process.pid_file === "" ? undefined : process.pid_file,
    handoverMs: process.handover_secs * 1000,
  };
}

function resolveIdentity(process: Config["process"]): IdentitySettings | undefined {
  const { user, group, supplementary_groups: groups } = process;
  const uid = userId(user);
  if (uid === undefined) return undefined;
  return {
    name: user,
    uid,
    gid: (group === "" ? primaryGroupId(user) : groupId(group)) ?? uid,
    supplementaryGids: groups.map(groupId).filter((gid) => gid !== undefined),
  };
}
