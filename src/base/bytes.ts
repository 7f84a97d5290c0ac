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
