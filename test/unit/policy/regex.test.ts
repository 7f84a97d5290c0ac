// The regular expressions against those of others: JavaScript's for Perl's dialect, glibc's recorded answers for POSIX's. And
// against the clock that counts: steps.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";

import * as fc from "fast-check";

import { byteStringOf } from "#policy/names.ts";
import type { Dialect } from "#policy/regex-parser.ts";
import { compileRegex, type Regex } from "#policy/regex.ts";

function compiled(pattern: string, dialect: Dialect, ignoreCase = false): Regex {
  const regex = compileRegex(pattern, dialect, ignoreCase);
  if ("message" in regex) throw new Error(`${pattern} ${regex.message}`);
  return regex;
}

/** `0,2,1,2` as regexec gives them, or `no`. */
function spans(regex: Regex, text: string): string {
  return regex.exec(text)?.join(",") ?? "no";
}

describe("POSIX extended", () => {
  const recorded = readFileSync(`${import.meta.dir}/fixtures/glibc-regex.tsv`, "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split("\t"));

  test("matches and captures as glibc does", () => {
    expect(recorded.length).toBeGreaterThan(500);
    for (const [flags = "", pattern = "", text = "", expected = ""] of recorded) {
      const regex = compiled(pattern, "posix", flags === "i");
      expect(`${pattern} on ${text}: ${spans(regex, text)}`).toBe(
        `${pattern} on ${text}: ${expected}`,
      );
      expect(regex.test(text)).toBe(expected !== "no");
    }
  });

  // glibc again: of the ways to the longest match it takes the first, where the standard wants the longest groups.
  test.each([
    ["(a|ab)(c|bcd)(d*)", "abcd", "0,4,0,1,1,4,4,4"],
    ["(pxe|pxelinux)(.*)", "pxelinux.0", "0,10,0,3,3,10"],
    ["xyz|xyzzy", "xyzzy", "0,5"],
    ["(a*)*", "b", "0,0,0,0"],
    ["\\d", "d", "0,1"],
    ["[\\d]", "\\", "0,1"],
    ["[]a]", "]", "0,1"],
    ["[^]a]", "]b", "1,2"],
    ["a{,2}", "aaa", "0,2"],
    ["a.c", "a\nc", "0,3"],
    ["^[a-z]:", "c:x", "0,2"],
    ["\\<b", "ab b", "3,4"],
  ])("%s on %j", (pattern, text, expected) => {
    expect(spans(compiled(pattern, "posix"), text)).toBe(expected);
  });
});

describe("Perl's", () => {
  const leaf = fc.constantFrom(
    "a",
    "b",
    "c",
    ".",
    "[ab]",
    "[^a]",
    "\\w",
    "\\d",
    "\\W",
    "x\\/",
    "1",
  );
  const place = fc.constantFrom("^", "$", "\\b", "\\B");
  const count = fc.constantFrom(
    "",
    "",
    "",
    "*",
    "+",
    "?",
    "*?",
    "+?",
    "??",
    "{2}",
    "{1,3}",
    "{1,}",
  );
  // A group that may be empty is not repeated: JavaScript forgets what an empty turn captured, Perl does not.
  const group = fc
    .array(fc.array(leaf, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 })
    .chain((branches) =>
      fc.constantFrom("(", "(?:").map((open) => {
        return `${open}${branches.map((branch) => branch.join("")).join("|")})`;
      }),
    );
  const atom = fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .tuple(
          leaf.map((text) => `(?:${text})`),
          count,
        )
        .map((parts) => parts.join("")),
    },
    { weight: 3, arbitrary: fc.tuple(group, count).map((parts) => parts.join("")) },
    { weight: 1, arbitrary: place },
  );
  const sequence = fc.array(atom, { maxLength: 4 }).map((parts) => parts.join(""));
  const pattern = fc
    .array(sequence, { minLength: 1, maxLength: 2 })
    .map((parts) => parts.join("|"));
  const text = fc.string({ unit: fc.constantFrom(...Array.from("abcAx/1- ")), maxLength: 12 });

  test("matches and captures as JavaScript does", () => {
    fc.assert(
      fc.property(pattern, text, fc.boolean(), (pattern, text, ignoreCase) => {
        const theirs = new RegExp(pattern, ignoreCase ? "di" : "d").exec(text);
        const ours = compiled(pattern, "perl", ignoreCase);
        // A capture in a repeated group keeps its last turn in Perl, and is forgotten by JavaScript.
        const isComparable = ours.captures <= 1;
        const expected = theirs?.indices?.map((span) => span ?? [-1, -1]).slice(0, 10);
        const found = spans(ours, text).split(",");
        const wanted = expected?.join(",").split(",") ?? ["no"];
        expect(isComparable ? found : found.slice(0, 2)).toEqual(
          isComparable ? wanted : wanted.slice(0, 2),
        );
        expect(ours.test(text)).toBe(theirs !== null);
      }),
      { numRuns: 5000 },
    );
  });

  test.each([
    ["(?i)boot", "BOOT", "0,4"],
    ["a+?", "aaa", "0,1"],
    ["a|ab", "ab", "0,1"],
    ["\\x41\\x{42}", "AB", "0,2"],
    ["[\\w.-]+", "/a.b-c", "1,6"],
    ["a{,2}", "a{,2}", "0,5"],
    ["a.c", "a\nc", "no"],
    ["\\Aab\\z", "ab", "0,2"],
    ["[]a]+", "a]", "0,2"],
  ])("%s on %j", (pattern, text, expected) => {
    expect(spans(compiled(pattern, "perl"), text)).toBe(expected);
  });

  test("a character of several bytes is one atom", () => {
    const name = byteStringOf("éé");
    expect(spans(compiled("^é+$", "perl"), name)).toBe("0,4");
    expect(compiled("^é$", "perl").test(name)).toBe(false);
    expect(compiled("\\xff", "perl").test("a\u00ffb")).toBe(true);
  });
});

describe("no name makes a pattern slow", () => {
  test.each([
    ["(a+)+$", "posix"],
    ["(a+)+$", "perl"],
    ["(a|aa)+$", "perl"],
    ["(.*)*x", "posix"],
    ["(.*a){12}", "perl"],
    ["^(a?){30}a{30}$", "perl"],
  ] as const)("%s (%s)", (pattern, dialect) => {
    const stepsOf = (length: number): number => {
      const regex = compiled(pattern, dialect);
      regex.exec(`${"a".repeat(length)}!`);
      return regex.steps;
    };
    // Ten times the name, ten times the steps.
    expect(stepsOf(10_000)).toBeLessThan(10_000 * 150);
    expect(stepsOf(10_000) / stepsOf(1000)).toBeLessThan(10.5);
  });

  test("nor a name in which nothing can begin", () => {
    const regex = compiled("boot(a+)+$", "perl");
    regex.exec("x".repeat(10_000));
    expect(regex.steps).toBe(0);
  });
});

describe("what is refused", () => {
  test.each([
    ["perl", "(a)\\1", "refers back to a group"],
    ["posix", "(a)\\1", "refers back to a group"],
    ["perl", "a(?=b)", "looks ahead or behind"],
    ["perl", "(?<!a)b", "looks ahead or behind"],
    ["perl", "(?<name>a)", "a kind of group that is not known"],
    ["perl", "a++", "a possessive repetition"],
    ["perl", "a**", "repeats a repetition"],
    ["perl", "*a", "repeats nothing"],
    ["posix", "a|*b", "repeats nothing"],
    ["posix", "{1}", "repeats nothing"],
    ["posix", "a{x", "a `{` that is no repetition"],
    ["posix", "a{2,1}", "cannot repeat {2,1}"],
    ["perl", "a{256}", "cannot repeat {256}"],
    ["perl", "^*", "repeats a place"],
    ["perl", "(a", "a group without its )"],
    ["perl", "a)", "a `)` that closes nothing"],
    ["perl", "a\\", "ends with a backslash"],
    ["perl", "\\q", "\\q, which is not known"],
    ["posix", "\\'", "\\', which is not known"],
    ["perl", "[a", "a [ without its ]"],
    ["posix", "[z-a]", "a range that ends before it begins"],
    ["posix", "[[:foo:]]", "a class in brackets that is not known"],
    ["posix", "[[.a.]]", "a class in brackets that is not known"],
    ["perl", "[\\q]", "an escape in brackets that is not known"],
    ["perl", "[é]", "a character in brackets that is not ASCII"],
    ["perl", "(".repeat(60), "nests groups too deep"],
    ["perl", "(((a{99}){99}){99})", "is too large"],
    ["perl", "(a{200}|b{200}){20}", "is too large"],
  ] as const)("%s %s", (dialect, pattern, message) => {
    const fault = compileRegex(pattern, dialect);
    expect("message" in fault ? fault.message : "compiled").toContain(message);
    expect("message" in fault ? fault.remedy : "").toEndWith(".");
  });

  test("no pattern throws", () => {
    const soup = fc.string({
      unit: fc.constantFrom(...Array.from("ab()[]{}*+?|\\^$.,1:-é")),
      maxLength: 20,
    });
    fc.assert(
      fc.property(soup, fc.constantFrom<Dialect>("posix", "perl"), (pattern, dialect) => {
        const regex = compileRegex(pattern, dialect);
        if (!("message" in regex)) regex.exec("ab");
      }),
      { numRuns: 3000 },
    );
  });
});

describe("what every match has", () => {
  test.each([
    ["^boot/(\\w+)\\.cfg$", ["boot/", ".cfg"]],
    ["(?i)Boot", ["boot"]],
    ["a(b|c)d", ["a", "d"]],
    ["(abc)+d", ["abc", "d"]],
    ["(abc)?d", ["d"]],
    ["ab{2}c", ["a", "b", "c"]],
    ["a|b", []],
    ["[Aa]b", ["ab"]],
  ])("%s", (pattern, literals) => {
    expect([...compiled(pattern, "perl").literals]).toEqual(literals);
  });
});
