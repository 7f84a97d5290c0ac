// Doorbells between threads (ffi layer, rank 1): an eventfd that any thread may ring and one thread drains.
// Neither end ever blocks; rings that were not heard yet add up to one.

import { Errno } from "./errno.ts";
import { held } from "./holdings.ts";
import { checked, libc } from "./libc.ts";
import { readU64, scratch, scratchAddress, STRUCT } from "./scratch.ts";

const EFD_NONBLOCK = 0o4000;
const EFD_CLOEXEC = 0o2000000;
const COUNTER_BYTES = 8;

/** Creates a doorbell. Returns its fd or −errno. Source: eventfd(2). */
export function createEventfd(): number {
  return held(checked(libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)));
}

/** Rings: the fd becomes readable. Returns ≥ 0 or −errno; a counter that is full has rung already, which is 0. */
export function signalEventfd(fd: number): number {
  scratch.setU64(STRUCT, 1);
  const result = checked(libc.write(fd, scratchAddress(STRUCT), COUNTER_BYTES));
  return result === -Errno.EAGAIN ? 0 : result;
}

/** Silences the bell. Returns how often it was rung since the last time, 0 if not at all, or −errno. */
export function drainEventfd(fd: number): number {
  const result = checked(libc.read(fd, scratchAddress(STRUCT), COUNTER_BYTES));
  if (result === -Errno.EAGAIN) return 0;
  return result < 0 ? result : readU64(STRUCT);
}
