// The C library, bound once (ffi layer): the only `dlopen` in the project, and the only reader of errno.
// Every call returns what the kernel said; wrappers in this folder turn −1 into −errno with `checked`.

import { dlopen, type FFIFunction, type Pointer, read, toArrayBuffer } from "bun:ffi";

const symbols = {
  __errno_location: { args: [], returns: "ptr" },
  mmap: { args: ["u64", "u64", "i32", "i32", "i32", "i64"], returns: "i64_fast" },
  munmap: { args: ["u64", "u64"], returns: "i32" },
  syscall: { args: ["i64", "i64", "i64", "i64", "i64", "i64", "i64"], returns: "i64_fast" },
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "u64", "u32"], returns: "i32" },
  connect: { args: ["i32", "u64", "u32"], returns: "i32" },
  socketpair: { args: ["i32", "i32", "i32", "u64"], returns: "i32" },
  getsockname: { args: ["i32", "u64", "u64"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "u64", "u32"], returns: "i32" },
  getsockopt: { args: ["i32", "i32", "i32", "u64", "u64"], returns: "i32" },
  ioctl: { args: ["i32", "u64", "u64"], returns: "i32" },
  recv: { args: ["i32", "u64", "u64", "i32"], returns: "i64_fast" },
  send: { args: ["i32", "u64", "u64", "i32"], returns: "i64_fast" },
  recvmsg: { args: ["i32", "u64", "i32"], returns: "i64_fast" },
  sendmsg: { args: ["i32", "u64", "i32"], returns: "i64_fast" },
  recvmmsg: { args: ["i32", "u64", "u32", "i32", "u64"], returns: "i32" },
  sendmmsg: { args: ["i32", "u64", "u32", "i32"], returns: "i32" },
  epoll_create1: { args: ["i32"], returns: "i32" },
  epoll_ctl: { args: ["i32", "i32", "i32", "u64"], returns: "i32" },
  epoll_wait: { args: ["i32", "u64", "i32", "i32"], returns: "i32" },
  eventfd: { args: ["u32", "i32"], returns: "i32" },
  read: { args: ["i32", "u64", "u64"], returns: "i64_fast" },
  write: { args: ["i32", "u64", "u64"], returns: "i64_fast" },
  open: { args: ["u64", "i32", "u32"], returns: "i32" },
  openat: { args: ["i32", "u64", "i32", "u32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  pread: { args: ["i32", "u64", "u64", "i64"], returns: "i64_fast" },
  pwrite: { args: ["i32", "u64", "u64", "i64"], returns: "i64_fast" },
  fsync: { args: ["i32"], returns: "i32" },
  fchmod: { args: ["i32", "u32"], returns: "i32" },
  fchown: { args: ["i32", "u32", "u32"], returns: "i32" },
  linkat: { args: ["i32", "u64", "i32", "u64", "i32"], returns: "i32" },
  unlinkat: { args: ["i32", "u64", "i32"], returns: "i32" },
  mkdirat: { args: ["i32", "u64", "u32"], returns: "i32" },
  readlinkat: { args: ["i32", "u64", "u64", "u64"], returns: "i64_fast" },
  fstatfs: { args: ["i32", "u64"], returns: "i32" },
  fstatvfs: { args: ["i32", "u64"], returns: "i32" },
  flock: { args: ["i32", "i32"], returns: "i32" },
  memcpy: { args: ["u64", "u64", "u64"], returns: "i64_fast" },
  posix_fadvise: { args: ["i32", "i64", "i64", "i32"], returns: "i32" },
  if_nametoindex: { args: ["u64"], returns: "u32" },
  if_indextoname: { args: ["u32", "u64"], returns: "i64_fast" },
  sched_setaffinity: { args: ["i32", "u64", "u64"], returns: "i32" },
  sched_getaffinity: { args: ["i32", "u64", "u64"], returns: "i32" },
  geteuid: { args: [], returns: "u32" },
  setgroups: { args: ["u64", "u64"], returns: "i32" },
  setresgid: { args: ["u32", "u32", "u32"], returns: "i32" },
  setresuid: { args: ["u32", "u32", "u32"], returns: "i32" },
  prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
  getrlimit: { args: ["i32", "u64"], returns: "i32" },
  setrlimit: { args: ["i32", "u64"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "i64"], returns: "i32" },
  execve: { args: ["u64", "u64", "u64"], returns: "i32" },
  getpagesize: { args: [], returns: "i32" },
  clock_nanosleep: { args: ["i32", "i32", "u64", "u64"], returns: "i32" },
  clock_gettime: { args: ["i32", "u64"], returns: "i32" },
} as const;

/** The names of every bound symbol, for docs/unsafe.md and its test. */
export const symbolNames: readonly string[] = Object.keys(symbols);

type Bound = Record<keyof typeof symbols, (...values: readonly number[]) => number>;

/** The bound functions. Addresses are plain numbers: user space fits in 47 bits. */
export const libc: Bound = bindLibc();

// errno is per thread; each worker loads this module anew, so the address belongs to its own thread.
const errnoAddress: Pointer = pointer(libc.__errno_location());

/** The calling thread's errno. Valid only directly after a failed call. */
export function errno(): number {
  return read.i32(errnoAddress, 0);
}

/** `result` if it is ≥ 0, else −errno of the call that just returned it. */
export function checked(result: number): number {
  return result < 0 ? -read.i32(errnoAddress, 0) : result;
}

/** A view over `length` bytes of memory at `address` that the garbage collector does not own. */
export function memoryAt(address: number, length: number): ArrayBuffer {
  return toArrayBuffer(pointer(address), 0, length);
}

function pointer(address: number): Pointer {
  return address as Pointer;
}

function bindLibc(): Bound {
  const causes: string[] = [];
  for (const name of candidates()) {
    try {
      return dlopen(name, symbols as unknown as Record<string, FFIFunction>)
        .symbols as unknown as Bound;
    } catch (cause) {
      causes.push(`${name}: ${String(cause)}`);
    }
  }
  throw new Error(`No usable C library. snow-owl-tftp needs Linux. Tried ${causes.join("; ")}`);
}

function candidates(): readonly string[] {
  const musl = process.arch === "arm64" ? "libc.musl-aarch64.so.1" : "libc.musl-x86_64.so.1";
  return ["libc.so.6", musl];
}
