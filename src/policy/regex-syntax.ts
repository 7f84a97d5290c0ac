// Regular expressions as trees (policy layer, pure): what the parsers of patterns make and the compiler reads. A tree speaks
// of bytes alone; upper and lower case, classes and escapes have become sets of bytes when a tree is made.

import { at, u8 } from "#base/bytes.ts";

/** 256 flags, one for each byte: 1 if the set holds it. */
export type ByteSet = Uint8Array;

/**
 * What is asked of a place between two bytes. A word is made of ASCII letters, digits and `_`. `character`: not within one of several
 * bytes in UTF-8.
 */
export type Place =
  "start" | "end" | "boundary" | "no-boundary" | "word-start" | "word-end" | "character";

export type Node =
  | { readonly kind: "set"; readonly set: ByteSet }
  | { readonly kind: "place"; readonly place: Place }
  | { readonly kind: "sequence"; readonly nodes: readonly Node[] }
  | { readonly kind: "choice"; readonly nodes: readonly Node[] }
  /** `max` may be Infinity. Greedy unless `isLazy`. */
  | {
      readonly kind: "repeat";
      readonly node: Node;
      readonly min: number;
      readonly max: number;
      readonly isLazy: boolean;
    }
  /** What `node` matched is capture number `index`, from 1. */
  | { readonly kind: "capture"; readonly node: Node; readonly index: number };

/** What is wrong with a pattern, and what to do about it. The message continues "the pattern …". */
export interface PatternFault {
  readonly message: string;
  readonly remedy: string;
}

/** How many captures a pattern has at most; groups beyond them only group. `{1}` to `{9}` name them. */
export const CAPTURES_MAX = 9;

const LETTERS = /[A-Za-z]/;

/** The set of the bytes for which `holds`. */
export function setWhere(holds: (byte: number) => boolean): ByteSet {
  return Uint8Array.from({ length: 256 }, (_, byte) => Number(holds(byte)));
}

/** The set of one byte, or of both cases of a letter. Sets are shared: ten thousand patterns have few bytes of their own. */
export function setOf(byte: number, ignoreCase: boolean): ByteSet {
  const shared = ignoreCase ? foldedSingles : singles;
  const known = shared[byte];
  if (known !== undefined) return known;
  const single = setWhere((other) => other === byte);
  const set = ignoreCase ? foldedSet(single) : single;
  shared[byte] = set;
  return set;
}

const singles: ByteSet[] = [];
const foldedSingles: ByteSet[] = [];

/** `set` with the other case of each of its letters. */
export function foldedSet(set: ByteSet): ByteSet {
  return setWhere((byte) => {
    const isLetter = LETTERS.test(String.fromCharCode(byte));
    // The cases of an ASCII letter differ in this one bit.
    return u8(set, byte) === 1 || (isLetter && u8(set, byte ^ 0x20) === 1);
  });
}

/** Whether `node` can match without a byte. */
export function isNullable(node: Node): boolean {
  switch (node.kind) {
    case "set":
      return false;
    case "place":
      return true;
    case "sequence":
      return node.nodes.every(isNullable);
    case "choice":
      return node.nodes.some(isNullable);
    case "repeat":
      return node.min === 0 || isNullable(node.node);
    case "capture":
      return isNullable(node.node);
  }
  return node satisfies never;
}

/** Adds to `first` the bytes with which a match of `node` can begin. Returns whether it can be empty. */
export function collectFirst(node: Node, first: ByteSet): boolean {
  switch (node.kind) {
    case "set":
      for (let byte = 0; byte < 256; byte += 1) if (u8(node.set, byte) === 1) first[byte] = 1;
      return false;
    case "place":
      return true;
    case "sequence":
      return node.nodes.every((part) => collectFirst(part, first));
    case "choice":
      return node.nodes.reduce((some, part) => collectFirst(part, first) || some, false);
    case "repeat":
      // Zero times matches nothing, but what follows may begin then.
      return node.max === 0 || collectFirst(node.node, first) || node.min === 0;
    case "capture":
      return collectFirst(node.node, first);
  }
  return node satisfies never;
}

/** Whether a match can only begin at the start of the name. */
export function isAnchored(node: Node): boolean {
  switch (node.kind) {
    case "set":
      return false;
    case "place":
      return node.place === "start";
    case "sequence": {
      // A place before the anchor takes no byte.
      const decisive = node.nodes.find((part) => part.kind !== "place" || part.place === "start");
      return decisive !== undefined && isAnchored(decisive);
    }
    case "choice":
      return node.nodes.every(isAnchored);
    case "repeat":
      return node.min > 0 && isAnchored(node.node);
    case "capture":
      return isAnchored(node.node);
  }
  return node satisfies never;
}

/**
 * Stretches of bytes that stand in every match of `node`, in lower case, the way an index asks for them. Empty if there is
 * nothing that every match has.
 */
export function requiredLiterals(node: Node): readonly string[] {
  const literals: string[] = [];
  let run = "";
  const end = (): void => {
    if (run !== "") literals.push(run);
    run = "";
  };
  const walk = (part: Node): void => {
    switch (part.kind) {
      case "set": {
        const letter = onlyByte(part.set);
        if (letter === undefined) end();
        else run += letter;
        return;
      }
      case "place":
        return;
      case "sequence":
        for (const each of part.nodes) walk(each);
        return;
      case "capture":
        walk(part.node);
        return;
      case "choice":
        if (part.nodes.length === 1) walk(at(part.nodes, 0));
        else end();
        return;
      case "repeat":
        if (part.min === 0) {
          end();
          return;
        }
        // One of the repetitions, by itself: what stands before and behind it may be another one.
        end();
        walk(part.node);
        end();
        return;
    }
    part satisfies never;
  };
  walk(node);
  end();
  return literals;
}

/** The one byte of a set, or the lower case of its two if they are the cases of one letter. */
function onlyByte(set: ByteSet): string | undefined {
  const known = onlyBytes.get(set);
  if (known !== undefined) return known;
  let found: string | undefined;
  for (let byte = 0; byte < 256; byte += 1) {
    if (u8(set, byte) === 0) continue;
    const letter = String.fromCharCode(byte);
    const folded = LETTERS.test(letter) ? letter.toLowerCase() : letter;
    if (found !== undefined && found !== folded) return undefined;
    found = folded;
  }
  if (found !== undefined) onlyBytes.set(set, found);
  return found;
}

/** What was found out, for the sets are shared. */
const onlyBytes: WeakMap<ByteSet, string> = new WeakMap();
