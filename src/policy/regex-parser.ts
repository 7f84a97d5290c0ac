// Reading regular expressions (policy layer, pure): from the text of a pattern to a tree. Two dialects: POSIX extended, as
// egrep and tftpd-hpa's maps have it, and the part of Perl's that can be matched in linear time.

import { byteStringOf } from "./names.ts";
import { classNamed, parseBracket } from "./regex-class.ts";
import {
  CAPTURES_MAX,
  foldedSet,
  type Node,
  type PatternFault,
  type Place,
  setOf,
  setWhere,
} from "./regex-syntax.ts";

/** `posix`: extended regular expressions (POSIX.1 §9.4, with GNU's `\w`, `\b` and so on). `perl`: Perl's, without what needs backtracking. */
export type Dialect = "posix" | "perl";

/** A pattern that was read. */
export interface ParsedPattern {
  readonly node: Node;
  /** How many captures it has, 0–9. */
  readonly captures: number;
}

/** How deep groups may nest: a guess, far beyond what anybody writes. */
const DEPTH_MAX = 50;

/** How often a counted repetition may repeat: RE_DUP_MAX of POSIX.1 is 255. */
const REPEAT_MAX = 255;

/** Reads a pattern. */
export function parsePattern(
  pattern: string,
  dialect: Dialect,
  ignoreCase: boolean,
): ParsedPattern | PatternFault {
  const parser = new Parser(pattern, dialect, ignoreCase);
  try {
    const node = parser.parse();
    return { node, captures: parser.captures };
  } catch (cause) {
    if (cause instanceof Refusal) return cause.fault;
    throw cause;
  }
}

/** Thrown inside this file alone: the way out of a nest of groups. */
class Refusal extends Error {
  readonly fault: PatternFault;

  constructor(fault: PatternFault) {
    super(fault.message);
    this.fault = fault;
  }
}

class Parser {
  captures = 0;
  readonly #text: string;
  readonly #isPosix: boolean;
  #ignoreCase: boolean;
  #at = 0;
  #depth = 0;

  constructor(text: string, dialect: Dialect, ignoreCase: boolean) {
    this.#text = text;
    this.#isPosix = dialect === "posix";
    this.#ignoreCase = ignoreCase;
  }

  parse(): Node {
    if (!this.#isPosix && this.#eat("(?i)")) this.#ignoreCase = true;
    const node = this.#parseChoice();
    if (this.#at < this.#text.length) {
      this.#refuse("has a `)` that closes nothing", "write \\) for the character itself.");
    }
    return node;
  }

  #parseChoice(): Node {
    const branches = [this.#parseSequence()];
    while (this.#eat("|")) branches.push(this.#parseSequence());
    return branches.length === 1 ? (branches[0] ?? nothing) : { kind: "choice", nodes: branches };
  }

  #parseSequence(): Node {
    const nodes: Node[] = [];
    while (this.#at < this.#text.length && !this.#sees("|") && !this.#sees(")")) {
      nodes.push(this.#parseRepeats(this.#parseAtom()));
    }
    return nodes.length === 1 ? (nodes[0] ?? nothing) : { kind: "sequence", nodes };
  }

  #parseRepeats(atom: Node): Node {
    let node = atom;
    for (let count = 0; ; count += 1) {
      const bounds = this.#parseBounds();
      if (bounds === undefined) return node;
      if (node.kind === "place") {
        this.#refuse("repeats a place such as ^ or \\b", "remove what follows it.");
      }
      if (count > 0 && !this.#isPosix) {
        this.#refuse("repeats a repetition", "put the first one in a group: (?:a+)*.");
      }
      const isLazy = !this.#isPosix && this.#eat("?");
      if (!this.#isPosix && this.#sees("+")) {
        this.#refuse(
          "has a possessive repetition",
          "remove the second +; nothing backtracks here.",
        );
      }
      node = { kind: "repeat", node, ...bounds, isLazy };
    }
  }

  #parseBounds(): { min: number; max: number } | undefined {
    if (this.#eat("*")) return { min: 0, max: Infinity };
    if (this.#eat("+")) return { min: 1, max: Infinity };
    if (this.#eat("?")) return { min: 0, max: 1 };
    if (!this.#sees("{")) return undefined;
    const found = /\{(\d*)(,?)(\d*)\}/y;
    found.lastIndex = this.#at;
    const [all = "", low = "", comma = "", high = ""] = found.exec(this.#text) ?? [];
    const isMeant = low !== "" || (this.#isPosix && comma !== "");
    if (all === "" || !isMeant) {
      if (!this.#isPosix) return undefined;
      this.#refuse("has a `{` that is no repetition", "write \\{ for the character itself.");
    }
    this.#at += all.length;
    const min = Number(low);
    const max = comma === "" ? min : high === "" ? Infinity : Number(high);
    if (min > max || min > REPEAT_MAX || (max > REPEAT_MAX && max !== Infinity)) {
      this.#refuse(
        `cannot repeat ${all}`,
        `write a smaller number first, and none above ${REPEAT_MAX}.`,
      );
    }
    return { min, max };
  }

  #parseAtom(): Node {
    const character = String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0);
    this.#at += character.length;
    switch (character) {
      case "(":
        return this.#parseGroup();
      case "[":
        return this.#parseClass();
      case ".":
        // Perl's dot leaves out the line feed, POSIX's nothing.
        return { kind: "set", set: setWhere((byte) => this.#isPosix || byte !== 0x0a) };
      case "^":
        return { kind: "place", place: "start" };
      case "$":
        return { kind: "place", place: "end" };
      case "\\":
        return this.#parseEscape();
      case "*":
      case "+":
      case "?":
        return this.#refuse(
          `repeats nothing with ${character}`,
          `write \\${character} for the character itself.`,
        );
      case "{":
        if (this.#isPosix)
          this.#refuse("repeats nothing with {", "write \\{ for the character itself.");
        return this.#literal(character);
      default:
        return this.#literal(character);
    }
  }

  #parseGroup(): Node {
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) this.#refuse("nests groups too deep", "write a simpler one.");
    const isCapture = this.#isPosix || !this.#parseGroupKind();
    const index = isCapture ? ++this.captures : 0;
    const node = this.#parseChoice();
    if (!this.#eat(")"))
      this.#refuse("has a group without its )", "close it, or write \\( for the character.");
    this.#depth -= 1;
    if (index <= CAPTURES_MAX) return isCapture ? { kind: "capture", node, index } : node;
    this.captures = CAPTURES_MAX;
    return node;
  }

  /** Eats `?:`. Whether it was there; every other kind of group is refused. */
  #parseGroupKind(): boolean {
    if (this.#eat("?:")) return true;
    if (!this.#sees("?")) return false;
    const isLook = /\?<?[=!]/y;
    isLook.lastIndex = this.#at;
    if (isLook.test(this.#text)) {
      this.#refuse(
        "looks ahead or behind, which takes unbounded time",
        "write two rules, the first with `not = true` or with an `action`.",
      );
    }
    return this.#refuse(
      "has a kind of group that is not known here",
      "write (…) or (?:…); (?i) may stand at the very start.",
    );
  }

  #parseClass(): Node {
    const bracket = parseBracket(this.#text, this.#at, this.#isPosix);
    if ("message" in bracket) return this.#refuse(bracket.message, bracket.remedy);
    this.#at = bracket.end;
    const set = this.#ignoreCase ? foldedSet(bracket.set) : bracket.set;
    return { kind: "set", set: bracket.isNegated ? setWhere((byte) => set[byte] === 0) : set };
  }

  #parseEscape(): Node {
    const letter = this.#text[this.#at] ?? "";
    if (letter === "")
      this.#refuse("ends with a backslash", "write \\\\ for the character itself.");
    if (/[1-9]/.test(letter)) {
      this.#refuse(
        "refers back to a group, which takes unbounded time",
        "write out what the group matches.",
      );
    }
    const place = places[letter];
    const isKnownPlace = place !== undefined && (place.isPosix || !this.#isPosix);
    if (isKnownPlace && (this.#isPosix || !/[<>]/.test(letter))) {
      this.#at += 1;
      return { kind: "place", place: place.place };
    }
    const set = /[dD]/.test(letter) && this.#isPosix ? undefined : classNamed(letter);
    if (set !== undefined) {
      this.#at += 1;
      return { kind: "set", set };
    }
    if (this.#isPosix) return this.#parsePosixEscape(letter);
    return this.#parsePerlEscape(letter);
  }

  #parsePosixEscape(letter: string): Node {
    if (letter === "`" || letter === "'") {
      this.#refuse(`has \\${letter}, which is not known here`, "write ^ or $.");
    }
    const character = String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0);
    this.#at += character.length;
    return this.#literal(character);
  }

  #parsePerlEscape(letter: string): Node {
    const byte = /x(?:([\dA-Fa-f]{2})|\{([\dA-Fa-f]{1,2})\})/y;
    byte.lastIndex = this.#at;
    const found = byte.exec(this.#text);
    if (found !== null) {
      this.#at += found[0].length;
      return this.#byte(Number.parseInt(found[1] ?? found[2] ?? "", 16));
    }
    const control = controls[letter];
    if (control === undefined && /[\dA-Za-z]/.test(letter)) {
      this.#refuse(`has \\${letter}, which is not known here`, "remove the backslash.");
    }
    const character = String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0);
    this.#at += character.length;
    return control === undefined ? this.#literal(character) : this.#byte(control);
  }

  /** A character: its bytes in UTF-8, as one atom. */
  #literal(character: string): Node {
    const bytes = Array.from(byteStringOf(character), (byte) => this.#byte(byte.charCodeAt(0)));
    return bytes.length === 1 ? (bytes[0] ?? nothing) : { kind: "sequence", nodes: bytes };
  }

  #byte(byte: number): Node {
    return { kind: "set", set: setOf(byte, this.#ignoreCase) };
  }

  #sees(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  #eat(text: string): boolean {
    if (!this.#sees(text)) return false;
    this.#at += text.length;
    return true;
  }

  #refuse(message: string, remedy: string): never {
    throw new Refusal({ message: `${message} (character ${Math.max(1, this.#at)})`, remedy });
  }
}

const nothing: Node = { kind: "sequence", nodes: [] };

/** Places that are written with a backslash. */
const places: Readonly<Record<string, { place: Place; isPosix: boolean }>> = {
  b: { place: "boundary", isPosix: true },
  B: { place: "no-boundary", isPosix: true },
  "<": { place: "word-start", isPosix: true },
  ">": { place: "word-end", isPosix: true },
  A: { place: "start", isPosix: false },
  z: { place: "end", isPosix: false },
  Z: { place: "end", isPosix: false },
};

/** Control characters that Perl writes with a backslash. */
const controls: Readonly<Record<string, number>> = {
  t: 9,
  n: 10,
  v: 11,
  f: 12,
  r: 13,
  e: 27,
  0: 0,
};
