// The seccomp filter (ffi layer, rank 1): a program for the kernel's packet filter that lets the listed system calls pass, for
// all threads of the process and for everything that they start. It can be made narrower later, never wider.

import { isX64, Syscall } from "./abi.ts";
import { Arena } from "./arena.ts";
import { Errno } from "./errno.ts";
import { checked, libc } from "./libc.ts";
import { servingCalls, startingCalls, UNKNOWN_FROM } from "./system-calls.ts";

/** struct sock_filter, linux/filter.h: an operation, how far to jump if it holds and if not, and its operand. */
export type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, k: number];

/** What a filter says of a call. Source: linux/seccomp.h, seccomp(2). */
export const Verdict = {
  allow: 0x7fff0000,
  /** The call fails; the low 16 bits are its errno. */
  fail: 0x00050000,
  kill: 0x80000000,
} as const;

/**
 * Seals the process: from now on each of its threads may make only the calls in the table; others fail with EPERM. Whether
 * programs may be started is decided here for good. No new privileges must have been forbidden before. Returns 0 or −errno
 * (−EINVAL: this kernel has no filters; −ESRCH: a thread has a filter of its own). Source: seccomp(2).
 */
export function sealProcess(mayStartPrograms: boolean): number {
  const program = filterProgram(mayStartPrograms);
  const arena = new Arena(HEADER_BYTES + program.length * INSTRUCTION_BYTES);
  // struct sock_fprog: how many instructions, and behind the padding where.
  arena.u16[0] = program.length;
  arena.setU64(8, arena.address + HEADER_BYTES);
  for (const [index, [code, ifTrue, ifFalse, k]] of program.entries()) {
    const offset = HEADER_BYTES + index * INSTRUCTION_BYTES;
    arena.u16[offset >>> 1] = code;
    arena.u8[offset + 2] = ifTrue;
    arena.u8[offset + 3] = ifFalse;
    arena.u32[(offset + 4) >>> 2] = k;
  }
  const { address } = arena;
  const result = checked(
    libc.syscall(Syscall.seccomp, SECCOMP_SET_MODE_FILTER, FILTER_FLAG_TSYNC, address, 0, 0, 0),
  );
  arena.unmap();
  // A positive number is a thread whose filter is not a part of ours.
  return result > 0 ? -Errno.ESRCH : result;
}

/** Whether this kernel knows filters whose calls fail with an errno. Returns 0 or −errno. */
export function trySeccomp(): number {
  const arena = new Arena(4);
  arena.u32[0] = Verdict.fail;
  const { address } = arena;
  const result = checked(
    libc.syscall(Syscall.seccomp, SECCOMP_GET_ACTION_AVAIL, 0, address, 0, 0, 0),
  );
  arena.unmap();
  return result;
}

const SECCOMP_SET_MODE_FILTER = 1;
const SECCOMP_GET_ACTION_AVAIL = 2;
const FILTER_FLAG_TSYNC = 1;
const HEADER_BYTES = 16;
const INSTRUCTION_BYTES = 8;

/** struct seccomp_data, linux/seccomp.h; of each argument the low word, which is all that is looked at. */
const CALL = 0;
const MACHINE = 4;
const ARGUMENT_0 = 16;
const ARGUMENT_1 = 24;

/** linux/bpf_common.h: load a word; jump; the three comparisons; end. */
const LOAD = 0x20;
const JUMP = 0x05;
const IF_EQUAL = 0x15;
const IF_AT_LEAST = 0x35;
const IF_ANY_BIT = 0x45;
const RETURN = 0x06;

/** AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64, linux/audit.h. */
const MACHINE_HERE: number = isX64 ? 0xc000003e : 0xc00000b7;

/** linux/sched.h: a clone with this flag is a thread, without it a process. */
const CLONE_THREAD = 0x00010000;
/** CLONE_NEWTIME is 0x80, where clone has its signal number: only clone3 and unshare know it. */
const CLONE_NEW_NAMESPACES = 0x7e020000;
/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK. */
const FAMILIES = [1, 2, 10, 16] as const;
/** TIOCSTI and TIOCLINUX type on behalf of whoever sits at the terminal. */
const TYPING_REQUESTS = [0x5412, 0x541c] as const;

const CLONE3 = 435;

/** The calls whose arguments are looked at. */
const CHECKED = ["clone", "socket", "ioctl"] as const;
type Checked = (typeof CHECKED)[number];

/** The filter of {@link sealProcess}. */
export function filterProgram(mayStartPrograms: boolean): readonly Instruction[] {
  const calls = mayStartPrograms ? { ...servingCalls, ...startingCalls } : servingCalls;
  const numbers = new Set(Object.values(calls).map(numberHere));
  for (const name of CHECKED) numbers.delete(numberOf(name));
  return [
    [LOAD, 0, 0, MACHINE],
    // Another machine's calls have other numbers: 32-bit programs on x86-64.
    [IF_EQUAL, 1, 0, MACHINE_HERE],
    [RETURN, 0, 0, Verdict.kill],
    [LOAD, 0, 0, CALL],
    ...onCall("clone", cloneChecks(mayStartPrograms)),
    ...onCall("socket", socketChecks),
    ...onCall("ioctl", ioctlChecks),
    // The flags of clone3 lie in memory, which a filter cannot read: libraries fall back to clone.
    [IF_EQUAL, 0, 1, CLONE3],
    [RETURN, 0, 0, Verdict.fail | Errno.ENOSYS],
    [IF_AT_LEAST, 0, 1, UNKNOWN_FROM],
    [RETURN, 0, 0, Verdict.fail | Errno.ENOSYS],
    ...searchOf(rangesOf(numbers)),
  ];
}

function numberHere([x64, arm64]: readonly [number, number]): number {
  return isX64 ? x64 : arm64;
}

function numberOf(name: Checked): number {
  return numberHere(servingCalls[name] ?? [-1, -1]);
}

/** `checks` for one call, which end with a verdict; other calls pass by. */
function onCall(name: Checked, checks: readonly Instruction[]): readonly Instruction[] {
  return [[IF_EQUAL, 0, checks.length, numberOf(name)], ...checks];
}

/** Threads, and processes where programs may be started; nobody gets namespaces of its own. */
function cloneChecks(mayStartPrograms: boolean): readonly Instruction[] {
  return [
    [LOAD, 0, 0, ARGUMENT_0],
    [IF_ANY_BIT, 2, 0, CLONE_NEW_NAMESPACES],
    [IF_ANY_BIT, 0, mayStartPrograms ? 0 : 1, CLONE_THREAD],
    [RETURN, 0, 0, Verdict.allow],
    [RETURN, 0, 0, Verdict.fail | Errno.EPERM],
  ];
}

const socketChecks: readonly Instruction[] = [
  [LOAD, 0, 0, ARGUMENT_0],
  ...FAMILIES.map((family, index): Instruction => [IF_EQUAL, FAMILIES.length - index, 0, family]),
  [RETURN, 0, 0, Verdict.fail | Errno.EAFNOSUPPORT],
  [RETURN, 0, 0, Verdict.allow],
];

const ioctlChecks: readonly Instruction[] = [
  [LOAD, 0, 0, ARGUMENT_1],
  ...TYPING_REQUESTS.map((request, index): Instruction => [
    IF_EQUAL,
    TYPING_REQUESTS.length - index,
    0,
    request,
  ]),
  [RETURN, 0, 0, Verdict.allow],
  [RETURN, 0, 0, Verdict.fail | Errno.EPERM],
];

/** First and last number, both included. */
type Range = readonly [number, number];

function rangesOf(numbers: ReadonlySet<number>): readonly Range[] {
  const ranges: [number, number][] = [];
  for (const number of [...numbers].filter((each) => each >= 0).toSorted((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && number === last[1] + 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges;
}

/** A binary search over the ranges. Kernels since 5.11 remember its answers per call and do not run it at all. */
function searchOf(ranges: readonly Range[]): readonly Instruction[] {
  const [first] = ranges;
  if (first === undefined) return [[RETURN, 0, 0, Verdict.fail | Errno.EPERM]];
  if (ranges.length === 1) {
    return [
      [IF_AT_LEAST, 0, 2, first[0]],
      [IF_AT_LEAST, 1, 0, first[1] + 1],
      [RETURN, 0, 0, Verdict.allow],
      [RETURN, 0, 0, Verdict.fail | Errno.EPERM],
    ];
  }
  const middle = ranges.length >>> 1;
  const below = searchOf(ranges.slice(0, middle));
  const above = searchOf(ranges.slice(middle));
  const pivot = ranges[middle]?.[0] ?? 0;
  // A comparison jumps over at most 255 instructions, a plain jump over any number.
  return [[IF_AT_LEAST, 0, 1, pivot], [JUMP, 0, 0, below.length], ...below, ...above];
}
