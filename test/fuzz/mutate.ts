// Changes to inputs, by chance and blind to what the source makes of them: bits, bytes, numbers, tokens, fields, and halves of two inputs.

import { at, u8 } from "#base/bytes.ts";
import type { Random } from "#base/random.ts";

import { bytesOf, type Target } from "./target.ts";

/** A configuration that uses everything is half as long. */
export const INPUT_BYTES_MAX = 16_384;

/** Bytes at the edges of something: NUL, line ends, quotes, separators, ASCII and what is none. */
const edges = Uint8Array.from([
  0, 1, 9, 10, 13, 32, 34, 39, 42, 46, 47, 91, 92, 93, 123, 127, 128, 195, 237, 255,
]);

/** Numbers at the edges of what TFTP, TOML and JavaScript can count, in digits. */
const numbers = [
  "0",
  "-1",
  "1",
  "7",
  "8",
  "255",
  "256",
  "511",
  "512",
  "1428",
  "32768",
  "65464",
  "65465",
  "65535",
  "65536",
  "2147483648",
  "4294967296",
  "9007199254740991",
  "9007199254740992",
  "9223372036854775807",
  "1e308",
  "00",
  "0x10",
].map(bytesOf);

/** One input made of `base`, by one to six changes. */
export function mutate(
  random: Random,
  base: Uint8Array,
  target: Target,
  others: readonly Uint8Array[],
): Uint8Array {
  let input = base;
  for (let changes = 1 + random.below(6); changes > 0; changes--) {
    input = at(ways, random.below(ways.length))(random, input, target, others);
  }
  return input.slice(0, INPUT_BYTES_MAX);
}

type Way = (
  random: Random,
  input: Uint8Array,
  target: Target,
  others: readonly Uint8Array[],
) => Uint8Array;

const ways: readonly Way[] = [
  flipBit,
  putEdge,
  cutOut,
  cutShort,
  repeatStretch,
  putToken,
  putToken,
  putNumber,
  moveField,
  join,
];

function flipBit(random: Random, input: Uint8Array): Uint8Array {
  const changed = input.slice();
  if (changed.length === 0) return changed;
  const place = random.below(changed.length);
  changed[place] = u8(changed, place) ^ (1 << random.below(8));
  return changed;
}

/** A byte of {@link edges} in a byte's place, or between two. */
function putEdge(random: Random, input: Uint8Array): Uint8Array {
  const edge = edges.subarray(random.below(edges.length)).subarray(0, 1);
  return spliced(input, random.below(input.length + 1), random.below(2), edge);
}

function cutOut(random: Random, input: Uint8Array): Uint8Array {
  const start = random.below(input.length + 1);
  return spliced(input, start, stretch(random, input.length - start), nothing);
}

function cutShort(random: Random, input: Uint8Array): Uint8Array {
  return input.slice(0, random.below(input.length + 1));
}

/** A stretch once more, or some dozen times: what is a little too long, and what is far too long. */
function repeatStretch(random: Random, input: Uint8Array): Uint8Array {
  const start = random.below(input.length + 1);
  const part = input.subarray(start, start + stretch(random, input.length - start));
  const times = random.chance(0.1) ? 2 + random.below(60) : 1;
  const parts = new Uint8Array(Math.min(part.length * times, INPUT_BYTES_MAX));
  for (let to = 0; to + part.length <= parts.length && part.length > 0; to += part.length) {
    parts.set(part, to);
  }
  return spliced(input, start, 0, parts);
}

function putToken(random: Random, input: Uint8Array, { tokens }: Target): Uint8Array {
  if (tokens.length === 0) return input;
  const token = at(tokens, random.below(tokens.length));
  const removed = random.chance(0.5) ? token.length : 0;
  return spliced(input, random.below(input.length + 1), removed, token);
}

/** In the place of digits, if there are any. */
function putNumber(random: Random, input: Uint8Array): Uint8Array {
  const number = at(numbers, random.below(numbers.length));
  const from = random.below(input.length + 1);
  const start = input.findIndex((byte, place) => place >= from && isDigit(byte));
  if (start < 0) return spliced(input, random.below(input.length + 1), 0, number);
  const length = input.subarray(start).findIndex((byte) => !isDigit(byte));
  return spliced(input, start, length < 0 ? input.length - start : length, number);
}

/** Takes a field out, and puts it in once, twice or nowhere, elsewhere. */
function moveField(random: Random, input: Uint8Array, { separator }: Target): Uint8Array {
  const ends = Array.from(input.keys()).filter((place) => input[place] === separator);
  if (ends.length === 0) return input;
  const which = random.below(ends.length);
  const start = which === 0 ? 0 : at(ends, which - 1) + 1;
  const field = input.slice(start, at(ends, which) + 1);
  let changed = random.chance(0.3) ? input : spliced(input, start, field.length, nothing);
  for (let copies = random.below(3); copies > 0; copies--) {
    const place = random.below(ends.length);
    changed = spliced(changed, Math.min(at(ends, place) + 1, changed.length), 0, field);
  }
  return changed;
}

/** The beginning of one input and the end of another. */
function join(
  random: Random,
  input: Uint8Array,
  _: Target,
  others: readonly Uint8Array[],
): Uint8Array {
  if (others.length === 0) return input;
  const other = at(others, random.below(others.length));
  const start = random.below(input.length + 1);
  return spliced(input, start, input.length, other.subarray(random.below(other.length + 1)));
}

/** Most stretches are short, some go to the end. */
function stretch(random: Random, most: number): number {
  return random.below(Math.min(most, random.chance(0.8) ? 8 : most) + 1);
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

const nothing = new Uint8Array(0);

/** `bytes` with `inserted` in place of the `removed` bytes from `start` on. */
export function spliced(
  bytes: Uint8Array,
  start: number,
  removed: number,
  inserted: Uint8Array,
): Uint8Array {
  const rest = bytes.subarray(start + removed);
  const all = new Uint8Array(start + inserted.length + rest.length);
  all.set(bytes.subarray(0, start));
  all.set(inserted, start);
  all.set(rest, start + inserted.length);
  return all;
}
