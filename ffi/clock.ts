// A clock that all threads of the machine share (ffi layer, rank 1): the engine's own clocks count from the start of their thread.

import { Timespec } from "./abi.ts";
import { libc } from "./libc.ts";
import { readU64, scratchAddress, STRUCT } from "./scratch.ts";

/** Counts on while the machine sleeps, and no change of the date moves it. Linux/time.h. */
const CLOCK_BOOTTIME = 7;

/** Milliseconds since the machine was started. Source: clock_gettime(2), which cannot fail for a clock that exists. */
export function bootMs(): number {
  libc.clock_gettime(CLOCK_BOOTTIME, scratchAddress(STRUCT));
  return readU64(STRUCT + Timespec.seconds) * 1000 + readU64(STRUCT + Timespec.nanoseconds) / 1e6;
}
