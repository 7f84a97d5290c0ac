// Memory for the arguments of one call (ffi layer): a small arena per thread that every wrapper shares.
// What is written here is good until the call returns; no wrapper calls another one in between.

import { Arena } from "./arena.ts";
import { Errno } from "./errno.ts";

/** Where structures go: at most {@link STRUCT_BYTES}, aligned to 8. */
export const STRUCT = 0;
/** The largest structure is a CPU mask for 4,096 processors. */
export const STRUCT_BYTES = 512;
/** Where one C string goes. */
export const TEXT: number = STRUCT + STRUCT_BYTES;
/** PATH_MAX, linux/limits.h: the longest path that the kernel takes, its final NUL included. */
export const TEXT_BYTES = 4096;

/** The arena itself. Each worker loads this module anew, so threads never share one. */
export const scratch: Arena = new Arena(STRUCT_BYTES + TEXT_BYTES);

const encoder = new TextEncoder();

/**
 * Writes `text` (UTF-8 if it is a string) and a final NUL at {@link TEXT}. Returns its length in bytes without the
 * NUL; −ENAMETOOLONG where it does not fit, −EINVAL where it holds a NUL itself and would be cut short in silence.
 */
export function writeText(text: string | Uint8Array): number {
  const length = typeof text === "string" ? writeString(text) : writeBytes(text);
  if (length < 0) return length;
  scratch.u8[TEXT + length] = 0;
  return scratch.u8.indexOf(0, TEXT) === TEXT + length ? length : -Errno.EINVAL;
}

function writeString(text: string): number {
  const room = scratch.u8.subarray(TEXT, TEXT + TEXT_BYTES - 1);
  const { read, written } = encoder.encodeInto(text, room);
  return read === text.length ? written : -Errno.ENAMETOOLONG;
}

function writeBytes(text: Uint8Array): number {
  if (text.byteLength >= TEXT_BYTES) return -Errno.ENAMETOOLONG;
  scratch.u8.set(text, TEXT);
  return text.byteLength;
}

/** The C string at byte `offset`, as Latin-1: names of interfaces are bytes. */
export function readText(offset: number): string {
  const end = scratch.u8.indexOf(0, offset);
  return String.fromCharCode(...scratch.u8.subarray(offset, end));
}

/** {@link Arena.readU64} of scratch memory. */
export function readU64(offset: number): number {
  return scratch.readU64(offset);
}

/** The address of byte `offset`, for the kernel. */
export function scratchAddress(offset: number): number {
  return scratch.address + offset;
}
