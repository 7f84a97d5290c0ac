// Patterns mean what Rust's `glob::Pattern::matches` makes of them with its default options.

import { describe, expect, test } from "bun:test";

import * as fc from "fast-check";

import { matchesGlob, parseGlob } from "#policy/glob.ts";
import { byteStringOf } from "#policy/names.ts";
import { capture, compilePattern } from "#policy/pattern.ts";

function matches(pattern: string, name: string): boolean {
  const glob = parseGlob(pattern);
  return glob.isGlob && matchesGlob(glob, name);
}

/** What the wildcards of a rule's pattern take of a name, which is bytes; undefined if it does not match. */
function ruleMatch(text: string, name: string): readonly string[] | undefined {
  const regex = compilePattern({ kind: "glob", text, ignoreCase: false });
  if ("message" in regex) throw new Error(`${text} ${regex.message}`);
  const match = regex.exec(name);
  if (match === undefined) return undefined;
  return Array.from({ length: regex.captures }, (_, index) => capture(name, match, index + 1));
}

describe("a pattern matches the whole name", () => {
  test.each([
    ["a.txt", ["a.txt"], ["a.txt2", "A.txt", "b/a.txt", ""]],
    ["*.txt", ["a.txt", ".txt", "a/b/c.txt", ".hidden.txt"], ["a.TXT", "a.txt.bak"]],
    ["backups/*.cfg", ["backups/a.cfg", "backups/x/y.cfg", "backups/.cfg"], ["a.cfg", "backups/a"]],
    ["?.cfg", ["a.cfg", "/.cfg", "é.cfg", "😀.cfg"], [".cfg", "ab.cfg"]],
    ["a?b", ["a/b", "axb"], ["ab", "axxb"]],
    ["*", ["", "a", "a/b", ".a"], []],
    ["", [""], ["a"]],
    ["a*b*c", ["abc", "aXbYc", "abbcc", "a/b/c"], ["ab", "acb", "abcd"]],
    ["[abc]", ["a", "c"], ["d", "", "ab", "A"]],
    ["[a-c]x", ["ax", "cx"], ["dx", "-x"]],
    ["[!a-c]x", ["dx", "/x", "!x"], ["ax", "x"]],
    ["[-a]", ["-", "a"], ["b"]],
    ["[a-]", ["-", "a"], ["b"]],
    ["[]]", ["]"], ["[", ""]],
    ["[]a]", ["]", "a"], ["["]],
    ["[!]]", ["a", "["], ["]"]],
    ["[]-a]", ["]", "^", "_", "`", "a"], ["-", "b"]],
    ["[z-a]", [], ["a", "m", "z", "-"]],
    ["[a!]", ["a", "!"], ["b"]],
    ["[*]x", ["*x"], ["ax"]],
    ["[?]", ["?"], ["a"]],
    ["[[]", ["["], ["a"]],
    ["[!!]", ["a"], ["!"]],
    ["a]", ["a]"], ["a"]],
    ["\\*", ["\\", "\\x"], ["*"]],
    ["**", ["", "a", "a/b", "a/b/"], []],
    ["**/", ["", "a", "a/", "a/b"], []],
    ["a/**", ["a/", "a/b", "a/b/c"], ["a", "b/a"]],
    ["**/a", ["a", "x/a", "x/y/a"], ["xa", "x/ya", "a/b"]],
    ["a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["ab", "a/xb", "a/x/yb"]],
    ["a/**/*", ["a/", "a/b", "a/b/c"], ["a", "b"]],
    ["**/**/a", ["a", "x/a", "x/y/a"], ["xa"]],
    ["**/*.cfg", ["a.cfg", "x/a.cfg", ".cfg"], ["a.cf"]],
    ["**/?", ["a", "x/a", "ab/c"], ["", "ab"]],
    ["*/**/a", ["x/a", "x/y/a", "/a", "x/y/z/a"], ["a", "x/ya"]],
  ])("%p", (pattern, those, notThese) => {
    for (const name of those) expect([name, matches(pattern, name)]).toEqual([name, true]);
    for (const name of notThese) expect([name, matches(pattern, name)]).toEqual([name, false]);
  });
});

describe("what is no pattern never matches, and says where it goes wrong", () => {
  test.each([
    ["***", 0, "more than two stars"],
    ["a/***/b", 2, "more than two stars"],
    ["a**", 1, "beside other characters"],
    ["a**/b", 1, "beside other characters"],
    ["a/**b", 2, "beside other characters"],
    ["**a", 0, "beside other characters"],
    ["[", 0, "no `]` closes"],
    ["x[", 1, "no `]` closes"],
    ["[]", 0, "no `]` closes"],
    ["[!", 0, "no `]` closes"],
    ["[!]", 0, "no `]` closes"],
    ["[abc", 0, "no `]` closes"],
    ["😀[abc", 2, "no `]` closes"],
    ["[a]**", 3, "beside other characters"],
  ])("%p", (pattern, at, message) => {
    const fault = parseGlob(pattern);
    if (fault.isGlob) throw new Error("understood");
    expect(fault.at).toBe(at);
    expect(fault.message).toContain(message);
    expect(fault.remedy).toEndWith(".");
    expect(matches(pattern, pattern)).toBe(false);
  });
});

test("matching agrees with a regular expression that says the same", () => {
  const part = fc.constantFrom("a", "b", "/", "?", "*", "[ab]", "[!a]", "/**/");
  const name = fc.string({ unit: fc.constantFrom("a", "b", "/", "."), maxLength: 12 });
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), name, (parts, name) => {
      const pattern = parts.join("");
      const glob = parseGlob(pattern);
      fc.pre(glob.isGlob);
      expect(glob.isGlob && matchesGlob(glob, name)).toBe(regexOf(pattern).test(name));
    }),
    { numRuns: 5000 },
  );
});

test("a rule's pattern agrees, which is matched byte by byte", () => {
  const part = fc.constantFrom("a", "é", "?", "?", "*", "[ab]", "[!a]", "/**/");
  const name = fc.string({ unit: fc.constantFrom("a", "/", "é", "日", "😀"), maxLength: 6 });
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), name, (parts, name) => {
      const pattern = parts.join("");
      const glob = parseGlob(pattern);
      fc.pre(glob.isGlob);
      expect(ruleMatch(pattern, byteStringOf(name)) !== undefined).toBe(
        glob.isGlob && matchesGlob(glob, name),
      );
    }),
    { numRuns: 5000 },
  );
});

describe("in a rule's pattern a wildcard", () => {
  test("takes no part of a character", () => {
    expect(ruleMatch("??", byteStringOf("é"))).toBeUndefined();
    expect(ruleMatch("*??", byteStringOf("日"))).toBeUndefined();
    expect(ruleMatch("[!a][!a]", byteStringOf("é"))).toBeUndefined();
    expect(ruleMatch("*?", byteStringOf("a日"))).toEqual(["a", byteStringOf("日")]);
  });

  test("takes one byte of what is no UTF-8", () => {
    expect(ruleMatch("caf?.cfg", "caf\u{e9}.cfg")).toEqual(["\u{e9}"]);
    expect(ruleMatch("????", "\u{f0}\u{9f}\u{98}a")).toEqual(["\u{f0}", "\u{9f}", "\u{98}", "a"]);
    expect(ruleMatch("?".repeat(5), "\u{80}".repeat(5))).toHaveLength(5);
  });
});

test("a pattern made to backtrack is matched in steps that are counted by its length", () => {
  const stars = "a*".repeat(500);
  expect(matches(`${stars}b`, "a".repeat(4000))).toBe(false);
  expect(matches(`${"**/".repeat(300)}b`, "a/".repeat(2000))).toBe(false);
});

/** `(?:.*\/)?` is `**` between slashes; at the very end it takes everything. */
function regexOf(pattern: string): RegExp {
  const body = pattern.replaceAll(/\*\*(?:\/|$)|[*?]|\[!|\[|./gu, (token) => {
    if (token.startsWith("**")) return "(?:[^]*\\/|[^]*$)?";
    if (token === "*") return "[^]*";
    if (token === "?") return "[^]";
    if (token === "[!") return "[^";
    return token === "/" || token === "." ? `\\${token}` : token;
  });
  return new RegExp(`^${body}$`, "u");
}
