// Where keys and values stand: examples of every notation, and the law that what stands there is the value.

import { describe, expect, test } from "bun:test";

import * as fc from "fast-check";
import { parse } from "smol-toml";

import { join, locate } from "#config/positions.ts";

/** The text at a path: its key and its value, as they stand in the document. */
function textAt(document: string, path: string): [string, string] | undefined {
  const position = locate(document).get(path);
  if (position === undefined) return undefined;
  const { key, value } = position;
  return [document.slice(key.start, key.end), document.slice(value.start, value.end)];
}

describe("locate", () => {
  test("finds plain keys below headers", () => {
    const document = 'a = 1\n[logging] # where\n  level\t=  "info"  # why\n';
    expect(textAt(document, "a")).toEqual(["a", "1"]);
    expect(textAt(document, "logging")).toEqual(["logging", "logging"]);
    expect(textAt(document, "logging.level")).toEqual(["level", '"info"']);
  });

  test("finds dotted and quoted keys", () => {
    const document = 'a . "b.c".\'d\' = true\n["x y"."\\u0041"]\nz = 0x1F\n';
    expect(textAt(document, 'a."b.c".d')).toEqual(["'d'", "true"]);
    expect(textAt(document, '"x y".A.z')).toEqual(["z", "0x1F"]);
  });

  test("finds the keys of inline tables, over several lines too", () => {
    const document = "a = { b = [1, 2], c.d = {},\n  e = 'x}' }\nf = 2\n";
    expect(textAt(document, "a.b[1]")).toEqual(["2", "2"]);
    expect(textAt(document, "a.c.d")).toEqual(["d", "{}"]);
    expect(textAt(document, "a.e")).toEqual(["e", "'x}'"]);
    expect(textAt(document, "f")).toEqual(["f", "2"]);
  });

  test("finds elements between comments and trailing commas", () => {
    const document = 'a = [ # one ]\n  "x,]", # two\n  [ 1979-05-27 07:32:00, ],\n]\nb = 1';
    expect(textAt(document, "a[0]")).toEqual(['"x,]"', '"x,]"']);
    expect(textAt(document, "a[1][0]")?.[1]).toBe("1979-05-27 07:32:00");
    expect(textAt(document, "b")?.[1]).toBe("1");
  });

  test("is not misled by what strings contain", () => {
    const long = '"""\n[no]\nno = 1 \\""" # \\\\"""""';
    const literal = "'''\n'no' = \\'''''";
    const document = `a = ${long}\nb = ${literal}\nc = "\\"#"\nd = '\\'\ne = 5\n`;
    expect(parse(document)).toHaveProperty("e", 5);
    expect([...locate(document).keys()]).toEqual(["a", "b", "c", "d", "e"]);
    expect(textAt(document, "a")?.[1]).toBe(long);
    expect(textAt(document, "b")?.[1]).toBe(literal);
  });

  test("numbers arrays of tables, and tables below them belong to the last", () => {
    const document = "[[a]]\nx = 1\n[[a]]\nx = 2\n[a.b]\ny = 3\n[[a.c]]\nz = 4\n";
    expect(textAt(document, "a[0].x")?.[1]).toBe("1");
    expect(textAt(document, "a[1].x")?.[1]).toBe("2");
    expect(textAt(document, "a[1].b.y")?.[1]).toBe("3");
    expect(textAt(document, "a[1].c[0].z")?.[1]).toBe("4");
  });

  test("takes Windows line ends", () => {
    const document = "a = 1\r\n[b]\r\nc = 'x'\r\n";
    expect(textAt(document, "a")?.[1]).toBe("1");
    expect(textAt(document, "b.c")?.[1]).toBe("'x'");
  });

  test("ends on any text, TOML or not", () => {
    const soup = fc.string({ unit: fc.constantFrom(...Array.from("ab.=[]{},\"'\\# \n\t1")) });
    fc.assert(
      fc.property(soup, (document) => {
        for (const { key, value } of locate(document).values()) {
          expect(key.end).toBeLessThanOrEqual(document.length);
          expect(value.end).toBeLessThanOrEqual(document.length);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

/** A document written in a random mixture of notations, and its leaves by path. */
interface Written {
  readonly document: string;
  readonly leaves: ReadonlyMap<string, unknown>;
}

const keyName = fc.oneof(
  fc.constantFrom("a", "b", "c-d", "e_f", "0"),
  fc.string({ maxLength: 4 }).filter((name) => name !== "__proto__"),
);
const scalar = fc.oneof(
  fc.constantFrom('"plain"', "'it \\ is'", '"""\n"quoted" \\t"""', "'''\n#'no'\n'''", '"[#]\\n"'),
  fc.constantFrom("true", "-17", "0xDEAD", "6.5e-2", "inf", "1979-05-27T07:32:00Z"),
);
const gap = fc.constantFrom("", " ", "\t ");

const written: fc.Arbitrary<Written> = fc
  .array(fc.tuple(keyName, keyName, scalar, fc.constantFrom("dotted", "header", "inline"), gap), {
    maxLength: 6,
  })
  .map((entries) => {
    const leaves = new Map<string, unknown>();
    const lines: string[] = [];
    const headers: string[] = [];
    for (const [index, [outer, inner, text, notation, space]] of entries.entries()) {
      // The index keeps outer keys apart, so that no table is defined twice.
      const table = `${outer}${index}`;
      const [left, right] = [join("", table), join("", inner)];
      const pair = `${space}${right}${space}=${space}${text}`;
      if (notation === "dotted") lines.push(`${left}${space}.${pair}${space}# note`);
      else if (notation === "inline") lines.push(`${left} = {${pair}${space}}`);
      else headers.push(`[${space}${left}${space}]`, pair);
      leaves.set(join(left, inner), text);
    }
    return { document: [...lines, ...headers, ""].join("\n"), leaves };
  });

test("what stands at a leaf's position is the leaf", () => {
  fc.assert(
    fc.property(written, ({ document, leaves }) => {
      parse(document);
      for (const [path, text] of leaves) expect(textAt(document, path)?.[1]).toBe(text as string);
    }),
    { numRuns: 500 },
  );
});
