// Patterns of names (policy layer, pure): globs and regular expressions behind one shape, compiled to the same machine, so
// that a rule has captures whichever it is written in.

import { i32At, u8 } from "#base/bytes.ts";

import { type Glob, parseGlob } from "./glob.ts";
import { type ByteString, byteStringOf } from "./names.ts";
import {
  CAPTURES_MAX,
  foldedSet,
  type Node,
  type PatternFault,
  setOf,
  setWhere,
} from "./regex-syntax.ts";
import { compileNode, compileRegex, type Match, type Regex } from "./regex.ts";

/** A pattern as it is configured. `ere`: a POSIX extended regular expression, `regex`: one of Perl's kind. */
export interface PatternSpec {
  readonly kind: "glob" | "regex" | "ere";
  readonly text: string;
  readonly ignoreCase: boolean;
}

type Token = Glob["tokens"][number];

/** Compiles a pattern. A glob matches the whole name, a regular expression any part of it. */
export function compilePattern(spec: PatternSpec): Regex | PatternFault {
  switch (spec.kind) {
    case "glob":
      return compileGlob(spec.text, spec.ignoreCase);
    case "regex":
      return compileRegex(spec.text, "perl", spec.ignoreCase);
    case "ere":
      return compileRegex(spec.text, "posix", spec.ignoreCase);
  }
  return spec.kind satisfies never;
}

/** What capture number `index` matched; empty if it took no part, as in tftpd-hpa. */
export function capture(name: ByteString, match: Match, index: number): ByteString {
  const start = match[2 * index] ?? -1;
  return start < 0 ? "" : name.slice(start, match[2 * index + 1]);
}

/** The name with what was matched replaced. */
export function replaceMatch(name: ByteString, match: Match, replacement: ByteString): ByteString {
  return name.slice(0, i32At(match, 0)) + replacement + name.slice(i32At(match, 1));
}

/**
 * Globs with the meaning that {@link parseGlob} gives them: `*` takes a `/` too. Each wildcard is a capture, from the left;
 * what `**` captures ends with its slash.
 */
function compileGlob(text: string, ignoreCase: boolean): Regex | PatternFault {
  const glob = parseGlob(text);
  if (!glob.isGlob) return { message: glob.message, remedy: glob.remedy };
  const nodes: Node[] = [{ kind: "place", place: "start" }];
  let captures = 0;
  for (const [index, token] of glob.tokens.entries()) {
    const node = nodeOf(token, index === glob.tokens.length - 1, ignoreCase);
    if ("message" in node) return node;
    captures += Number(token.kind !== "literal");
    const isCapture = token.kind !== "literal" && captures <= CAPTURES_MAX;
    nodes.push(isCapture ? { kind: "capture", node, index: captures } : node);
  }
  nodes.push({ kind: "place", place: "end" });
  return compileNode({ kind: "sequence", nodes }, Math.min(captures, CAPTURES_MAX), false);
}

function nodeOf(token: Token, isLast: boolean, ignoreCase: boolean): Node | PatternFault {
  switch (token.kind) {
    case "literal":
      return literal(token.character, ignoreCase);
    case "any":
      return anyCharacter;
    case "sequence":
      return anything;
    case "folders":
      return isLast ? anything : { ...anything, kind: "repeat", node: folders, max: 1 };
    case "class": {
      if (token.ranges.flat().some((character) => character > "\u007f")) return notAscii;
      const set = new Uint8Array(256);
      for (const [first, last] of token.ranges) {
        if (first <= last) set.fill(1, first.charCodeAt(0), last.charCodeAt(0) + 1);
      }
      const whole = ignoreCase ? foldedSet(set) : set;
      if (!token.isNegated) return { kind: "set", set: whole };
      const ascii = setWhere((byte) => byte < 0x80 && u8(whole, byte) === 0);
      return characterOf({ kind: "set", set: ascii });
    }
  }
  return token satisfies never;
}

function literal(character: string, ignoreCase: boolean): Node {
  const nodes = Array.from(byteStringOf(character), (byte): Node => {
    return { kind: "set", set: setOf(byte.charCodeAt(0), ignoreCase) };
  });
  return { kind: "sequence", nodes };
}

/** A byte from `low` to `high`. */
function byteIn(low: number, high: number): Node {
  return { kind: "set", set: setWhere((byte) => byte >= low && byte <= high) };
}

/** The rest of a character of UTF-8. */
function more(count: number): Node {
  return { kind: "repeat", node: byteIn(0x80, 0xbf), min: count, max: count, isLazy: false };
}

/** One of `ascii`, or any other character. No two of these share a character: neither begins within one. */
function characterOf(ascii: Node): Node {
  const either: Node = { kind: "choice", nodes: [ascii, wideCharacter] };
  return { kind: "sequence", nodes: [{ kind: "place", place: "character" }, either] };
}

/** A character of several bytes in UTF-8, or a byte that is none of a character. */
const wideCharacter: Node = {
  kind: "choice",
  nodes: [
    { kind: "sequence", nodes: [byteIn(0xc2, 0xdf), more(1)] },
    { kind: "sequence", nodes: [byteIn(0xe0, 0xef), more(2)] },
    { kind: "sequence", nodes: [byteIn(0xf0, 0xf4), more(3)] },
    byteIn(0x80, 0xff),
  ],
};
const anyCharacter: Node = characterOf(byteIn(0, 0x7f));
const anything: Extract<Node, { kind: "repeat" }> = {
  kind: "repeat",
  node: byteIn(0, 0xff),
  min: 0,
  max: Infinity,
  isLazy: false,
};
/** Anything up to a slash, and the slash. */
const folders: Node = { kind: "sequence", nodes: [anything, byteIn(0x2f, 0x2f)] };

const notAscii: PatternFault = {
  message: "has a character in brackets that is not ASCII",
  remedy: "write several patterns, or a `regex` with a choice: (ä|ö).",
};
