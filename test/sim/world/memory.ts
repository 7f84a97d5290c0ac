// The memory that arenas have mapped, by region: so that a simulated kernel reads it without making a view for each datagram, and so
// that what a dead shard has left mapped is known, and can be given back. Descriptors that are closed twice are noticed as well.

import { read } from "bun:ffi";

import { u8, u32At } from "#base/bytes.ts";
import { createHoldings, holdAs, NO_HOLDER } from "#ffi/holdings.ts";
import { libc, memoryAt } from "#ffi/libc.ts";

/** A view costs more than a copy of so many bytes. A guess. */
const FEW_BYTES = 64;

interface Region {
  readonly address: number;
  readonly bytes: number;
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
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
  const memory = memoryAt(address, bytes);
  regions.set(address, {
    address,
    bytes,
    u8: new Uint8Array(memory),
    u32: new Uint32Array(memory),
  });
}

watchCalls();
// What modules have mapped while they loaded is every shard's here, where all are of one thread: none of it is left by any.
holdAs(createHoldings(), NO_HOLDER);

/** The bytes at `address`, of an arena or of any other memory. */
export function bytesAt(address: number, length: number): Uint8Array {
  const region = regionOf(address);
  if (region === undefined) return new Uint8Array(memoryAt(address, length));
  const start = address - region.address;
  return region.u8.subarray(start, start + length);
}

/** Copies `length` bytes from `address` to `offset` of `target`. */
export function copyAt(address: number, length: number, target: Uint8Array, offset: number): void {
  const region = length > FEW_BYTES ? undefined : regionOf(address);
  if (region === undefined) {
    target.set(bytesAt(address, length), offset);
    return;
  }
  const start = address - region.address;
  for (let index = 0; index < length; index += 1) {
    target[offset + index] = u8(region.u8, start + index);
  }
}

/** The unsigned 32-bit number at `address`, a multiple of four. */
export function wordAt(address: number): number {
  const region = regionOf(address);
  return region === undefined
    ? read.u32(address)
    : u32At(region.u32, (address - region.address) >>> 2);
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
  if (last !== undefined && holds(last, address)) return last;
  for (const region of regions.values()) {
    if (!holds(region, address)) continue;
    last = region;
    return region;
  }
  return undefined;
}

function holds(region: Region, address: number): boolean {
  return address >= region.address && address < region.address + region.bytes;
}
