// A short sleep of the calling thread (ffi layer), which nothing but its end interrupts: for who would rather find several datagrams than
// be woken for each.

import { Timespec } from "./abi.ts";
import { checked, libc } from "./libc.ts";
import { scratch, scratchAddress, STRUCT } from "./scratch.ts";

const CLOCK_MONOTONIC = 1;
const PR_SET_TIMERSLACK = 29;

/** Sleeps for `us` microseconds, less than a second. A signal ends it early. Source: clock_nanosleep(2). */
export function nap(us: number): void {
  scratch.setU64(STRUCT + Timespec.seconds, 0);
  scratch.setU64(STRUCT + Timespec.nanoseconds, us * 1000);
  libc.clock_nanosleep(CLOCK_MONOTONIC, 0, scratchAddress(STRUCT), 0);
}

/** Has timers of this thread be late by `ns` nanoseconds at most: usually it is 50,000. Returns 0 or −errno. Source: PR_SET_TIMERSLACK(2const). */
export function setTimerSlack(ns: number): number {
  return checked(libc.prctl(PR_SET_TIMERSLACK, ns, 0, 0, 0));
}
