// Names as bytes: nothing is lost on the way there and back, and junk is cut by rule.

import { describe, expect, test } from "bun:test";

import * as fc from "fast-check";

import {
  bytesOf,
  byteString,
  byteStringOf,
  cutJunk,
  kernelName,
  lowerCase,
  pathText,
  textOf,
  upperCase,
} from "#policy/names.ts";
import { cleanName, tidyName } from "#policy/path.ts";

describe("byte strings", () => {
  test("hold every byte", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(bytesOf(byteString(bytes))).toEqual(bytes);
      }),
    );
  });

  test("hold every text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(textOf(byteStringOf(text))).toBe(text);
      }),
    );
  });

  test("that are no UTF-8 are read byte by byte", () => {
    expect(textOf("boot\u00ff\u0001")).toBe("boot\u00ff\u0001");
    expect(textOf("caf\u00c3\u00a9")).toBe("café");
  });

  test("change the case of ASCII letters alone", () => {
    expect(lowerCase("BOOT\u00c3\u0089")).toBe("boot\u00c3\u0089");
    expect(upperCase("boot\u00e9\u00df")).toBe("BOOT\u00e9\u00df");
  });
});

describe("junk behind a name", () => {
  test.each([
    ["ff", "pxelinux.0\u00ff\u0013x", "pxelinux.0"],
    ["ff", "caf\u00c3\u00a9", "caf\u00c3\u00a9"],
    ["ff", "pxelinux.0", "pxelinux.0"],
    ["ff", "\u00ff", ""],
    ["unprintable", "pxelinux.bin\u000ao\u001e", "pxelinux.bin"],
    ["unprintable", "with space~", "with space~"],
    ["unprintable", "caf\u00c3\u00a9", "caf"],
    ["keep", "a\u00ffb", "a\u00ffb"],
  ] as const)("%s: %j", (rule, name, expected) => {
    expect(cutJunk(name, rule)).toBe(expected);
  });
});

describe("names as rules see them", () => {
  test.each([
    ["C:\\Boot\\..\\BCD", "Boot/../BCD"],
    ["/srv/tftp/a", "a"],
    ["//a/./.b", "a/.b"],
    ["/", ""],
  ])("%j", (name, expected) => {
    expect(tidyName(name, "/srv/tftp")).toBe(expected);
  });

  test("are cleaned to the same as the names they came from", () => {
    const piece = fc.constantFrom("..", ".", "/", "\\", "a", ".b", "C:", "srv", "tftp", "\u00ff");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
        const name = pieces.join("");
        // A drive letter or a root that appears only by tidying is no longer at the start of an absolute name.
        const tidy = tidyName(name, "/srv/tftp");
        if (/^[A-Z]:\//.test(tidy)) return;
        expect(cleanName(tidy, "/srv/tftp")).toEqual(cleanName(name, "/srv/tftp"));
      }),
    );
  });
});

test("the kernel is told text or bytes, and a segment that is no UTF-8 leaves its neighbours as they are", () => {
  expect(kernelName("a/b")).toBe("a/b");
  expect(kernelName("caf\u00e9")).toEqual(Uint8Array.of(0x63, 0x61, 0x66, 0xe9));
  expect(pathText(`${byteStringOf("é")}/\u00ff`)).toBe("é/\u00ff");
});
