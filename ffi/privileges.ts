// What the calling thread and the process may do (ffi layer, rank 1): users and groups, capabilities, new privileges, the
// number of open files. Everything here takes away or stays; it returns ≥ 0 or −errno.

import { assert } from "#base/assert.ts";

import { Syscall } from "./abi.ts";
import { Errno } from "./errno.ts";
import { checked, libc } from "./libc.ts";
import { readU64, scratch, scratchAddress, STRUCT, STRUCT_BYTES } from "./scratch.ts";

/** Whom the process becomes. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly supplementaryGids: readonly number[];
}

/** The capabilities that are named here, linux/capability.h. */
export const Capability = {
  CAP_CHOWN: 0,
  CAP_DAC_OVERRIDE: 1,
  CAP_DAC_READ_SEARCH: 2,
  CAP_FOWNER: 3,
  CAP_NET_BIND_SERVICE: 10,
} as const;

/** As many supplementary groups as fit in scratch memory; more than anybody has. */
const GROUPS_MAX: number = STRUCT_BYTES / 4;

/**
 * Becomes another user for good: real, effective and saved. The C library has every thread of the process do the same. With the
 * last user of 0 go the capabilities in force. −EPERM: only root may. Source: setresuid(2), nptl(7).
 */
export function becomeUser({ uid, gid, supplementaryGids }: Identity): number {
  assert(supplementaryGids.length <= GROUPS_MAX, "the groups fit in scratch memory");
  for (const [index, group] of supplementaryGids.entries()) {
    scratch.u32[(STRUCT >>> 2) + index] = group;
  }
  const grouped = checked(libc.setgroups(supplementaryGids.length, scratchAddress(STRUCT)));
  if (grouped < 0) return grouped;
  const joined = checked(libc.setresgid(gid, gid, gid));
  return joined < 0 ? joined : checked(libc.setresuid(uid, uid, uid));
}

/**
 * Leaves nothing but `kept` in the bounding set of the calling thread, which limits whatever it starts. −EPERM without
 * CAP_SETPCAP. Source: capabilities(7).
 */
export function boundCapabilities(kept: readonly number[]): number {
  for (let capability = 0; capability < CAPABILITIES_MAX; capability++) {
    const isHeld = checked(libc.prctl(PR_CAPBSET_READ, capability, 0, 0, 0));
    // The kernel has fewer than it could have.
    if (isHeld === -Errno.EINVAL) return 0;
    if (isHeld <= 0 || kept.includes(capability)) continue;
    const dropped = checked(libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0));
    if (dropped < 0) return dropped;
  }
  return 0;
}

/** What is in the bounding set of the calling thread. Source: capabilities(7). */
export function boundingSet(): readonly number[] {
  const held: number[] = [];
  for (let capability = 0; capability < CAPABILITIES_MAX; capability++) {
    const isHeld = checked(libc.prctl(PR_CAPBSET_READ, capability, 0, 0, 0));
    if (isHeld < 0) break;
    if (isHeld > 0) held.push(capability);
  }
  return held;
}

/** Leaves the calling thread `kept` of the capabilities that it has, and none to be inherited. Source: capset(2). */
export function keepCapabilities(kept: readonly number[]): number {
  // Kernels before 4.3 have no ambient set to clear.
  libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  const held = checked(libc.syscall(Syscall.capget, ...capabilityArguments(), 0, 0, 0, 0));
  if (held < 0) return held;
  for (let half = 0; half < 2; half++) {
    const set = STRUCT / 4 + CAPABILITY_HEADER_WORDS + 3 * half;
    const mask = maskOf(kept, half) & (scratch.u32[set + 1] ?? 0);
    scratch.u32.set([mask, mask, 0], set);
  }
  return checked(libc.syscall(Syscall.capset, ...capabilityArguments(), 0, 0, 0, 0));
}

/** Whether the calling thread has `capability` in force. */
export function hasCapability(capability: number): boolean {
  if (checked(libc.syscall(Syscall.capget, ...capabilityArguments(), 0, 0, 0, 0)) < 0) return false;
  const set = STRUCT / 4 + CAPABILITY_HEADER_WORDS + 3 * (capability >>> 5);
  return ((scratch.u32[set] ?? 0) & (1 << (capability & 31))) !== 0;
}

/** No program that the calling thread starts gets more than it has: set-user-ID bits and file capabilities do nothing. Source: prctl(2). */
export function forbidNewPrivileges(): number {
  return checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/**
 * Lets the process have up to `wanted` files open, or as many as it may. Returns how many it may have now, or −errno. Source:
 * getrlimit(2).
 */
export function allowOpenFiles(wanted: number): number {
  const read = checked(libc.getrlimit(RLIMIT_NOFILE, scratchAddress(STRUCT)));
  if (read < 0) return read;
  const [soft, hard] = [readU64(STRUCT), readU64(STRUCT + 8)];
  if (soft >= wanted) return soft;
  const raised = setOpenFiles(wanted, Math.max(wanted, hard));
  if (raised >= 0) return wanted;
  const most = Math.min(wanted, hard);
  const result = setOpenFiles(most, hard);
  return result < 0 ? result : most;
}

function setOpenFiles(soft: number, hard: number): number {
  scratch.setU64(STRUCT, soft);
  if (hard >= 2 ** 53) scratch.u32.fill(0xffff_ffff, (STRUCT + 8) >>> 2, (STRUCT + 16) >>> 2);
  else scratch.setU64(STRUCT + 8, hard);
  return checked(libc.setrlimit(RLIMIT_NOFILE, scratchAddress(STRUCT)));
}

/** linux/capability.h: CAP_LAST_CAP is 40 since 5.9, and a set has 64 bits. */
const CAPABILITIES_MAX = 64;
const CAPABILITY_VERSION_3 = 0x2008_0522;
const CAPABILITY_HEADER_WORDS = 2;
const PR_CAPBSET_READ = 23;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;
const RLIMIT_NOFILE = 7;

/** struct __user_cap_header_struct and, behind it, room for two __user_cap_data_struct: effective, permitted, inheritable. */
function capabilityArguments(): readonly [number, number] {
  scratch.u32[STRUCT >>> 2] = CAPABILITY_VERSION_3;
  scratch.u32[(STRUCT >>> 2) + 1] = 0;
  const header = scratchAddress(STRUCT);
  return [header, header + CAPABILITY_HEADER_WORDS * 4];
}

/** The bits of one of the two words of a set. */
function maskOf(capabilities: readonly number[], half: number): number {
  return capabilities
    .filter((capability) => capability >>> 5 === half)
    .reduce((mask, capability) => mask | (1 << (capability & 31)), 0);
}
