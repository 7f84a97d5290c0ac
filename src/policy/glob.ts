// Name patterns (policy layer, pure), with the meaning that Rust's `glob` crate gives them by default, because Snow-Owl's
// files were written for it. Matching takes pattern × name steps at most, whatever the pattern: nothing is tried twice.

/** A pattern that {@link parseGlob} understood. */
export interface Glob {
  readonly isGlob: true;
  readonly tokens: readonly Token[];
}

/** A pattern that is none. Such a one never matches (`glob::Pattern::new` fails). */
export interface GlobFault {
  readonly isGlob: false;
  /** Where, in UTF-16 units from the pattern's start. */
  readonly at: number;
  readonly message: string;
  readonly remedy: string;
}

/**
 * `sequence` is `*`: any characters, `/` too. `folders` is `**`: nothing, or anything up to and with a `/`; at the
 * pattern's end anything at all.
 */
type Token =
  | { readonly kind: "literal"; readonly character: string }
  | { readonly kind: "any" }
  | { readonly kind: "class"; readonly ranges: readonly Range[]; readonly isNegated: boolean }
  | { readonly kind: "sequence" }
  | { readonly kind: "folders" };

/** Characters from the first to the last, both included, by code point. */
type Range = readonly [first: string, last: string];

/**
 * Parses `?`, `*`, `**`, `[abc]`, `[a-z]` and `[!a-z]`. A `]` or a `-` at the start of a class is itself. `**` must be a whole
 * path component, and three stars are no pattern. There is no escape: `[*]` is a star.
 */
export function parseGlob(pattern: string): Glob | GlobFault {
  const characters = Array.from(pattern);
  const tokens: Token[] = [];
  let at = 0;
  while (at < characters.length) {
    const character = characters[at] ?? "";
    if (character === "*") {
      const stars = countStars(characters, at);
      if (stars === 1) {
        tokens.push({ kind: "sequence" });
        at += 1;
        continue;
      }
      const fault = starsFault(characters, at, stars);
      if (fault !== undefined) return faultAt(characters, at, fault);
      tokens.push({ kind: "folders" });
      // The `/` behind belongs to it: `a/**/b` is also `a/b`.
      at += 3;
    } else if (character === "[") {
      const close = closeOf(characters, at);
      if (close === -1) return faultAt(characters, at, UNCLOSED);
      tokens.push(classOf(characters.slice(at + 1, close)));
      at = close + 1;
    } else {
      tokens.push(character === "?" ? { kind: "any" } : { kind: "literal", character });
      at += 1;
    }
  }
  return { isGlob: true, tokens };
}

/** Whether the whole name matches: case counts, leading dots are nothing special, and every wildcard takes a `/` too. */
export function matchesGlob(glob: Glob, name: string): boolean {
  const characters = Array.from(name);
  const end = characters.length;
  // reached[i]: the tokens so far match the first i characters.
  let reached = new Uint8Array(end + 1);
  reached[0] = 1;
  for (const token of glob.tokens) {
    const next = new Uint8Array(end + 1);
    let wasReached = 0;
    for (let i = 0; i <= end; i += 1) {
      const before = characters[i - 1] ?? "";
      if (token.kind === "sequence") {
        wasReached |= reached[i] ?? 0;
        next[i] = wasReached;
      } else if (token.kind === "folders") {
        next[i] = (reached[i] ?? 0) | (before === "/" || i === end ? wasReached : 0);
        wasReached |= reached[i] ?? 0;
      } else if (i > 0 && reached[i - 1] === 1 && takes(token, before)) {
        next[i] = 1;
      }
    }
    reached = next;
  }
  return reached[end] === 1;
}

function takes(
  token: Exclude<Token, { kind: "sequence" | "folders" }>,
  character: string,
): boolean {
  switch (token.kind) {
    case "literal":
      return character === token.character;
    case "any":
      return true;
    case "class":
      return token.isNegated !== token.ranges.some((range) => isWithin(character, range));
  }
  return token satisfies never;
}

function isWithin(character: string, [first, last]: Range): boolean {
  const code = character.codePointAt(0) ?? 0;
  return code >= (first.codePointAt(0) ?? 0) && code <= (last.codePointAt(0) ?? 0);
}

/** The end of a class that opens at `at`, or −1. Its first member may be `]`. */
function closeOf(characters: readonly string[], at: number): number {
  const firstMember = characters[at + 1] === "!" ? at + 2 : at + 1;
  return characters.indexOf("]", firstMember + 1);
}

/** The class between the brackets. A `-` without characters on both sides is itself. */
function classOf(inside: readonly string[]): Token {
  const isNegated = inside[0] === "!";
  const ranges: Range[] = [];
  let at = isNegated ? 1 : 0;
  while (at < inside.length) {
    const first = inside[at] ?? "";
    const isRange = inside[at + 1] === "-" && at + 2 < inside.length;
    ranges.push([first, isRange ? (inside[at + 2] ?? "") : first]);
    at += isRange ? 3 : 1;
  }
  return { kind: "class", ranges, isNegated };
}

function countStars(characters: readonly string[], at: number): number {
  let end = at;
  while (characters[end] === "*") end += 1;
  return end - at;
}

type Mistake = Pick<GlobFault, "message" | "remedy">;

const UNCLOSED: Mistake = {
  message: "has a `[` that no `]` closes",
  remedy: "close the class, or write [[] for the character itself.",
};
const TOO_MANY_STARS: Mistake = {
  message: "has more than two stars in a row",
  remedy: "write * for any characters, or ** for any folders.",
};
const STARS_IN_NAME: Mistake = {
  message: "has `**` beside other characters of a name",
  remedy: "write * here: it crosses / too. ** stands alone between slashes.",
};

/** What is wrong with several stars at `at`, if anything. */
function starsFault(characters: readonly string[], at: number, stars: number): Mistake | undefined {
  if (stars > 2) return TOO_MANY_STARS;
  const before = characters[at - 1] ?? "/";
  const behind = characters[at + 2] ?? "/";
  return before === "/" && behind === "/" ? undefined : STARS_IN_NAME;
}

function faultAt(characters: readonly string[], at: number, mistake: Mistake): GlobFault {
  return { isGlob: false, at: characters.slice(0, at).join("").length, ...mistake };
}
