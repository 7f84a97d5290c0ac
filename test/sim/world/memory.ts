// The memory that arenas have mapped, by region: so that a simulated kernel reads it without making a view for each datagram, and so
// that what a dead shard has left mapped is known, and can be given back. Descriptors that are closed twice are noticed as well.

import { createHoldings, holdAs, NO_HOLDER } from "#ffi/holdings.ts";
import { libc, memoryAt } from "#ffi/libc.ts";

interface Region {
  readonly address: number;
  readonly bytes: number;
  readonly u8: Uint8Array;
}

type Bound = Pick<typeof libc, "mmap" | "munmap" | "close">;
type Open = { -readonly [Name in keyof Bound]: Bound[Name] };

const regions: Map<number, Region> = new Map();
let last: Region | undefined;
let closedTwice = 0;

/** Has every arena be known that is mapped from now on, and every failed close. Once per process. */
function watchCalls(): void {
  const open: Open = libc;
  const { mmap, munmap, close } = libc;
  open.close = (...args) => {
    const result = close(...args);
    if (result < 0) closedTwice += 1;
    return result;
  };
  open.mmap = (...args) => {
    const address = mmap(...args);
    if (address > 0) note(address, Number(args[1]));
    return address;
  };
  open.munmap = (...args) => {
    regions.delete(Number(args[0]));
    last = undefined;
    return munmap(...args);
  };
}

function note(address: number, bytes: number): void {
  regions.set(address, { address, bytes, u8: new Uint8Array(memoryAt(address, bytes)) });
}

watchCalls();
// What modules have mapped while they loaded is every shard's here, where all are of one thread: none of it is left by any.
holdAs(createHoldings(), NO_HOLDER);

/** The bytes at `address`, of an arena or of any other memory. */
export function bytesAt(address: number, length: number): Uint8Array {
  const region = last !== undefined && holds(last, address) ? last : regionOf(address);
  if (region === undefined) return new Uint8Array(memoryAt(address, length));
  last = region;
  const start = address - region.address;
  return region.u8.subarray(start, start + length);
}

/** The regions that are mapped now. */
export function mappedRegions(): ReadonlySet<number> {
  return new Set(regions.keys());
}

/** How often a descriptor was closed that was not open: had another been opened meanwhile, it would have been that one. */
export function descriptorsClosedTwice(): number {
  return closedTwice;
}

/** Unmaps what has been mapped since `before`. */
export function unmapSince(before: ReadonlySet<number>): void {
  for (const { address, bytes } of Array.from(regions.values())) {
    if (!before.has(address)) libc.munmap(address, bytes);
  }
}

function regionOf(address: number): Region | undefined {
  for (const region of regions.values()) if (holds(region, address)) return region;
  return undefined;
}

function holds(region: Region, address: number): boolean {
  return address >= region.address && address < region.address + region.bytes;
}
