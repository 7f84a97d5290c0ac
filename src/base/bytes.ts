// Reading and writing fixed-width integers in byte arrays (base layer).
//
// These functions hold the project's only non-null assertions: an index out of range is our own bug,
// and reads as NaN-free 0 only where a caller failed its length check. Network order unless named `le`.

/* oxlint-disable typescript/no-non-null-assertion */

/** The byte at `offset`. The caller has checked the length. */
export function u8(bytes: Uint8Array, offset: number): number {
  return bytes[offset]!;
}

/** The unsigned 16-bit big-endian integer at `offset`. */
export function u16(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 8) | bytes[offset + 1]!;
}

/** Writes `value` (0–65,535) at `offset`, big-endian. */
export function setU16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 8;
  bytes[offset + 1] = value & 0xff;
}

/** The unsigned 16-bit little-endian integer at `offset`. */
export function u16le(bytes: Uint8Array, offset: number): number {
  return bytes[offset]! | (bytes[offset + 1]! << 8);
}

/** The unsigned 32-bit little-endian integer at `offset`. */
export function u32le(bytes: Uint8Array, offset: number): number {
  return u16le(bytes, offset) + u16le(bytes, offset + 2) * 0x1_0000;
}

/** Writes `value` (0–65,535) at `offset`, little-endian. */
export function setU16le(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value & 0xff;
  bytes[offset + 1] = value >>> 8;
}

/** Writes `value` (0 to 2³² − 1) at `offset`, little-endian. */
export function setU32le(bytes: Uint8Array, offset: number, value: number): void {
  setU16le(bytes, offset, value & 0xffff);
  setU16le(bytes, offset + 2, value >>> 16);
}

// One function per kind of array: the engine compiles a read for the kinds that its line has seen, and a line that has
// seen several is ten times slower.

/** The word at `index` of bounds-checked `words`. */
export function u16At(words: Uint16Array, index: number): number {
  return words[index]!;
}

/** The word at `index` of bounds-checked `words`. */
export function i32At(words: Int32Array, index: number): number {
  return words[index]!;
}

/** The word at `index` of bounds-checked `words`. */
export function u32At(words: Uint32Array, index: number): number {
  return words[index]!;
}

/** The word at `index` of bounds-checked `words`. */
export function f64At(words: Float64Array, index: number): number {
  return words[index]!;
}

/** The element at `index` of an array that the caller has bounds-checked. */
export function at<T>(list: readonly T[], index: number): T {
  return list[index]!;
}
