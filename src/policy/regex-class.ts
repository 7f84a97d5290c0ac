// Classes of bytes in regular expressions (policy layer, pure): `[a-z]`, `[[:digit:]]`, `\w`. ASCII alone has classes; the
// bytes of other characters stand outside of all of them.

import { at, u8 } from "#base/bytes.ts";

import { type ByteSet, type PatternFault, setWhere } from "./regex-syntax.ts";

/** A bracket expression that was read. */
interface Bracket {
  /** What is written between the brackets; the complement is not taken yet. */
  readonly set: ByteSet;
  readonly isNegated: boolean;
  /** Where the pattern goes on. */
  readonly end: number;
}

/** The set that `\d`, `\w` and their like stand for; undefined for other letters. */
export function classNamed(letter: string): ByteSet | undefined {
  const known = escapes[letter.toLowerCase()];
  if (known === undefined) return undefined;
  return letter === letter.toLowerCase() ? known : setWhere((byte) => u8(known, byte) === 0);
}

/** Reads the bracket expression whose `[` stands before `start`. In POSIX's, a backslash is itself (POSIX.1 §9.3.5). */
export function parseBracket(
  pattern: string,
  start: number,
  isPosix: boolean,
): Bracket | PatternFault {
  const set = new Uint8Array(256);
  const isNegated = pattern[start] === "^";
  const first = isNegated ? start + 1 : start;
  for (let index = first; ;) {
    if (index >= pattern.length) return unclosed;
    if (pattern[index] === "]" && index > first) return { set, isNegated, end: index + 1 };
    const item = readItem(pattern, index, isPosix);
    if ("message" in item) return item;
    index = item.end;
    if (item.low === undefined) {
      for (const [byte, flag] of item.set.entries()) if (flag === 1) set[byte] = 1;
      continue;
    }
    let high = item.low;
    if (pattern[index] === "-" && index + 1 < pattern.length && pattern[index + 1] !== "]") {
      const last = readItem(pattern, index + 1, isPosix);
      if ("message" in last) return last;
      if (last.low === undefined || last.low < item.low) return badRange;
      high = last.low;
      index = last.end;
    }
    set.fill(1, item.low, high + 1);
  }
}

/** One byte, which may begin a range, or a whole class. */
type Item =
  | { readonly low: number; readonly end: number }
  | { readonly low: undefined; readonly set: ByteSet; readonly end: number };

function readItem(pattern: string, index: number, isPosix: boolean): Item | PatternFault {
  const character = pattern[index] ?? "";
  if (character === "[" && /[:.=]/.test(pattern[index + 1] ?? "")) {
    const named = /\[:([a-z]+):\]/y;
    named.lastIndex = index;
    const [all = "", name = ""] = named.exec(pattern) ?? [];
    const set = posixClasses[name];
    return set === undefined ? unknownClass : { low: undefined, set, end: index + all.length };
  }
  if (character === "\\" && !isPosix) return readEscape(pattern, index);
  if (character > "\u007f") return notAscii;
  return { low: character.charCodeAt(0), end: index + 1 };
}

function readEscape(pattern: string, index: number): Item | PatternFault {
  const letter = pattern[index + 1] ?? "";
  const set = classNamed(letter);
  if (set !== undefined) return { low: undefined, set, end: index + 2 };
  const byte = /\\x([\dA-Fa-f]{2})/y;
  byte.lastIndex = index;
  const found = byte.exec(pattern);
  if (found !== null) return { low: Number.parseInt(found[1] ?? "", 16), end: index + 4 };
  const control = "tnvfr".indexOf(letter);
  if (letter !== "" && control >= 0)
    return { low: at([9, 10, 11, 12, 13], control), end: index + 2 };
  if (letter === "" || /[\dA-Za-z]/.test(letter)) return unknownEscape;
  return letter > "\u007f" ? notAscii : { low: letter.charCodeAt(0), end: index + 2 };
}

function matching(pattern: RegExp): ByteSet {
  return setWhere((byte) => pattern.test(String.fromCharCode(byte)));
}

const escapes: Readonly<Record<string, ByteSet>> = {
  d: matching(/[0-9]/),
  w: matching(/[A-Za-z0-9_]/),
  s: matching(/[ \t\n\v\f\r]/),
};

/** The classes of the C locale (POSIX.1 §7.3.1). */
const posixClasses: Readonly<Record<string, ByteSet>> = {
  alpha: matching(/[A-Za-z]/),
  digit: matching(/[0-9]/),
  alnum: matching(/[A-Za-z0-9]/),
  upper: matching(/[A-Z]/),
  lower: matching(/[a-z]/),
  space: matching(/[ \t\n\v\f\r]/),
  blank: matching(/[ \t]/),
  punct: matching(/[!-/:-@[-`{-~]/),
  print: matching(/[ -~]/),
  graph: matching(/[!-~]/),
  cntrl: setWhere((byte) => byte < 0x20 || byte === 0x7f),
  xdigit: matching(/[0-9A-Fa-f]/),
};

const unclosed: PatternFault = {
  message: "has a [ without its ]",
  remedy: "close it, or write \\[ for the character itself.",
};
const badRange: PatternFault = {
  message: "has a range that ends before it begins",
  remedy: "write the smaller one first; a - at the end of the brackets is itself.",
};
const unknownClass: PatternFault = {
  message: "has a class in brackets that is not known here",
  remedy: "write [:alpha:], [:digit:], [:alnum:], [:xdigit:], [:space:] or another of POSIX's.",
};
const unknownEscape: PatternFault = {
  message: "has an escape in brackets that is not known here",
  remedy: "remove the backslash.",
};
const notAscii: PatternFault = {
  message: "has a character in brackets that is not ASCII",
  remedy: "write a choice instead: (ä|ö).",
};
