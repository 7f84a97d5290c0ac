// Facts and wishes about this process and the calling thread (ffi layer, rank 1): processors, user, page size, clock.
// Calls that can fail return ≥ 0 or −errno.

import { readFileSync } from "node:fs";

import { assert } from "#base/assert.ts";
import { u8 } from "#base/bytes.ts";

import { CLOCK_MONOTONIC, Syscall, Timespec } from "./abi.ts";
import { Errno } from "./errno.ts";
import { checked, libc } from "./libc.ts";
import { readU64, scratch, scratchAddress, STRUCT, STRUCT_BYTES } from "./scratch.ts";

// A CPU mask is as large as the scratch structure: 4,096 processors, half of the kernel's own limit (CONFIG_NR_CPUS).
const CPUS_MAX: number = STRUCT_BYTES * 8;
/** The calling thread, to the sched_* calls. */
const SELF = 0;

/** The processors that the calling thread may run on, in ascending order; empty if the kernel does not say. Source: sched_getaffinity(2). */
export function availableCores(): readonly number[] {
  clearMask();
  if (libc.sched_getaffinity(SELF, STRUCT_BYTES, scratchAddress(STRUCT)) < 0) return [];
  const cores: number[] = [];
  for (let core = 0; core < CPUS_MAX; core++) {
    if ((u8(scratch.u8, STRUCT + (core >>> 3)) & (1 << (core & 7))) !== 0) cores.push(core);
  }
  return cores;
}

/**
 * Keeps the calling thread, and threads that it starts later, on `cores`. Returns 0 or −errno (−EINVAL: none of them exists
 * or is allowed here; also a number that no processor has). Source: sched_setaffinity(2).
 */
export function setAffinity(cores: readonly number[]): number {
  clearMask();
  for (const core of cores) {
    if (!Number.isInteger(core) || core < 0 || core >= CPUS_MAX) return -Errno.EINVAL;
    const byte = STRUCT + (core >>> 3);
    scratch.u8[byte] = u8(scratch.u8, byte) | (1 << (core & 7));
  }
  return checked(libc.sched_setaffinity(SELF, STRUCT_BYTES, scratchAddress(STRUCT)));
}

/** The effective user of this process; 0 is root. */
export function effectiveUid(): number {
  return libc.geteuid();
}

/** The calling thread's number, as in /proc/self/task; never fails. Source: gettid(2), for which glibc has no function before 2.30. */
export function threadId(): number {
  return libc.syscall(Syscall.gettid, 0, 0, 0, 0, 0, 0);
}

/** How many descriptors this process may have; Infinity where the kernel does not say. Source: proc_pid_limits(5). */
export function descriptorsMax(): number {
  try {
    const limits = readFileSync("/proc/self/limits", "latin1");
    const soft = Number(/^Max open files +(?<soft>\d+)/m.exec(limits)?.groups?.["soft"]);
    return Number.isNaN(soft) ? Infinity : soft;
  } catch {
    return Infinity;
  }
}

/** Bytes in one page of memory: 4,096 on x86-64, up to 65,536 on arm64. */
export function pageBytes(): number {
  const bytes = libc.getpagesize();
  assert(bytes >= 4096, "a page has at least 4 KiB");
  return bytes;
}

/** Microseconds of a clock that never jumps and is the same in every thread. Source: clock_gettime(2), CLOCK_MONOTONIC. */
export function monotonicClockUs(): number {
  const result = libc.clock_gettime(CLOCK_MONOTONIC, scratchAddress(STRUCT));
  assert(result === 0, "every Linux has this clock");
  const seconds = readU64(STRUCT + Timespec.seconds);
  return seconds * 1e6 + readU64(STRUCT + Timespec.nanoseconds) / 1000;
}

function clearMask(): void {
  scratch.u8.fill(0, STRUCT, STRUCT + STRUCT_BYTES);
}
