// File contents for end-to-end tests: bytes that differ from block to block, so that a block out of place shows,
// and a comparison whose failure fits on one line.

/** `length` bytes of a fixed pseudo-random sequence (xorshift32) that starts at `seed`. */
export function bytesOf(length: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = seed | 1;
  for (let index = 0; index < words.length; index += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** `identical`, or where and how two files differ. */
export function compare(actual: Uint8Array | undefined, expected: Uint8Array): string {
  if (actual === undefined) return "no file";
  if (Buffer.compare(actual, expected) === 0) return "identical";
  const length = Math.min(actual.length, expected.length);
  let offset = 0;
  while (offset < length && actual[offset] === expected[offset]) offset += 1;
  return `differs at byte ${offset}; ${actual.length} bytes instead of ${expected.length}`;
}
