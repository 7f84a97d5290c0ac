// Landlock (ffi layer, rank 1): which folders and files the calling thread may open, and everything that it starts later. What
// is not listed cannot be opened any more, whoever the user is. Works without privileges, and cannot be undone.

import { O_CLOEXEC, O_PATH, Syscall } from "./abi.ts";
import { Errno } from "./errno.ts";
import { closeFd } from "./file.ts";
import { checked, libc } from "./libc.ts";
import { scratch, scratchAddress, STRUCT, TEXT, writeText } from "./scratch.ts";
import { FileStat, statFd } from "./stat.ts";

/** What a path is listed for. */
type Reach = "read" | "write" | "run";

/** A path and what may be done at it and beneath it. */
export interface PathRule {
  readonly path: string;
  readonly reach: Reach;
}

/** LANDLOCK_ACCESS_FS_*, linux/landlock.h, by the version of the interface that brought them. */
const Right = {
  execute: 1 << 0,
  writeFile: 1 << 1,
  readFile: 1 << 2,
  readFolder: 1 << 3,
  removeFolder: 1 << 4,
  removeFile: 1 << 5,
  makeFolder: 1 << 7,
  makeRegular: 1 << 8,
  makeSocket: 1 << 9,
  /** Version 2: links and renames between folders. */
  refer: 1 << 13,
  /** Version 3. */
  truncate: 1 << 14,
  /** Version 5. */
  ioctlDevice: 1 << 15,
} as const;

/** Every right of version 1; later versions add one each, but for 4. */
const RIGHTS_OF_1 = (1 << 13) - 1;

const read: number = Right.readFile | Right.readFolder;
const rightsFor: Readonly<Record<Reach, number>> = {
  read,
  run: read | Right.execute,
  write:
    read |
    Right.writeFile |
    Right.removeFolder |
    Right.removeFile |
    Right.makeFolder |
    Right.makeRegular |
    Right.makeSocket |
    Right.refer |
    Right.truncate |
    Right.ioctlDevice,
};

/** The rights that concern files themselves; the kernel refuses the others where the path is no folder. */
const FILE_RIGHTS: number =
  Right.execute | Right.writeFile | Right.readFile | Right.truncate | Right.ioctlDevice;

/** LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET and LANDLOCK_SCOPE_SIGNAL, version 6: the world outside is not reached by these. */
const SCOPES = 0x3;

/** The version of this kernel's Landlock, 1 or above; −ENOSYS, −EOPNOTSUPP (switched off) or another −errno without it. */
export function landlockVersion(): number {
  const flags = LANDLOCK_CREATE_RULESET_VERSION;
  return checked(libc.syscall(Syscall.landlockCreateRuleset, 0, 0, flags, 0, 0, 0));
}

/**
 * Confines the calling thread, and all threads and programs that it starts later, to `rules`. Rules whose path does not exist
 * are left out. No new privileges must have been forbidden before. Returns 0 or −errno. Source: landlock(7).
 */
export function confineToPaths(rules: readonly PathRule[]): number {
  const version = landlockVersion();
  if (version < 0) return version;
  const handled = rightsOf(version);
  const rulesetFd = createRuleset(handled, version);
  if (rulesetFd < 0) return rulesetFd;
  const added = addRules(rulesetFd, rules, handled);
  const result =
    added < 0
      ? added
      : checked(libc.syscall(Syscall.landlockRestrictSelf, rulesetFd, 0, 0, 0, 0, 0));
  closeFd(rulesetFd);
  return result;
}

const LANDLOCK_CREATE_RULESET_VERSION = 1;
const LANDLOCK_RULE_PATH_BENEATH = 1;

function rightsOf(version: number): number {
  let rights = RIGHTS_OF_1;
  if (version >= 2) rights |= Right.refer;
  if (version >= 3) rights |= Right.truncate;
  if (version >= 5) rights |= Right.ioctlDevice;
  return rights;
}

/** struct landlock_ruleset_attr: file system, network, scopes; older kernels know the beginning of it. */
function createRuleset(handled: number, version: number): number {
  scratch.setU64(STRUCT, handled);
  scratch.setU64(STRUCT + 8, 0);
  scratch.setU64(STRUCT + 16, SCOPES);
  const bytes = version >= 6 ? 24 : 8;
  const attributes = scratchAddress(STRUCT);
  return checked(libc.syscall(Syscall.landlockCreateRuleset, attributes, bytes, 0, 0, 0, 0));
}

function addRules(rulesetFd: number, rules: readonly PathRule[], handled: number): number {
  const status = new FileStat();
  for (const { path, reach } of rules) {
    const length = writeText(path);
    if (length < 0) return length;
    const fd = checked(libc.open(scratchAddress(TEXT), O_PATH | O_CLOEXEC, 0));
    if (fd === -Errno.ENOENT || fd === -Errno.ENOTDIR || fd === -Errno.EACCES) continue;
    if (fd < 0) return fd;
    const described = statFd(fd, status);
    const possible = status.isFolder ? handled : handled & FILE_RIGHTS;
    const added = described < 0 ? described : addRule(rulesetFd, fd, rightsFor[reach] & possible);
    closeFd(fd);
    if (added < 0) return added;
  }
  return 0;
}

/** struct landlock_path_beneath_attr, packed: the rights, and the descriptor of what they are for. */
function addRule(rulesetFd: number, fd: number, rights: number): number {
  scratch.setU64(STRUCT, rights);
  scratch.i32[(STRUCT + 8) >>> 2] = fd;
  const [type, attributes] = [LANDLOCK_RULE_PATH_BENEATH, scratchAddress(STRUCT)];
  return checked(libc.syscall(Syscall.landlockAddRule, rulesetFd, type, attributes, 0, 0, 0));
}
