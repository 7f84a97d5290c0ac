// Names of files on servers: URLs, pairs as scp has them, and servers alone.

import { describe, expect, test } from "bun:test";

import * as fc from "fast-check";

import { formatTarget, parseServer, parseTarget, type Target } from "#protocol/uri.ts";

import { expectMark } from "../../marks.ts";

function parsed(text: string): string {
  const target = parseTarget(text);
  if ("fault" in target) return `fault: ${target.fault}`;
  const { host, port, name, mode } = target;
  return [host, port ?? "-", Buffer.from(name).toString("latin1"), mode ?? "-"].join(" | ");
}

describe("URLs", () => {
  test.each([
    ["tftp://h/a", "h | - | a | -"],
    ["TFTP://h:6969/a/b.c", "h | 6969 | a/b.c | -"],
    ["tftp://h//abs", "h | - | /abs | -"],
    ["tftp://[2001:db8::1]:70/x", "2001:db8::1 | 70 | x | -"],
    ["tftp://[fe80::1%25eth0]/x", "fe80::1%eth0 | - | x | -"],
    ["tftp://[fe80::1%eth0]/x", "fe80::1%eth0 | - | x | -"],
    ["tftp://h", "h | - |  | -"],
    ["tftp://h/", "h | - |  | -"],
    ["tftp://h/a;b", "h | - | a;b | -"],
    ["tftp://h/Boot\\BCD", "h | - | Boot\\BCD | -"],
  ])("%s", (text, expected) => {
    expect(parsed(text)).toBe(expected);
  });

  test("the mode is kept, in any case", () => {
    expectMark("uri-mode-kept", () => {
      expect(parsed("tftp://h/a;mode=NETASCII")).toBe("h | - | a | netascii");
      expect(parsed("tftp://h/a;b;mode=octet")).toBe("h | - | a;b | octet");
    });
  });

  test("what is escaped is sent as the byte that it is", () => {
    expectMark("uri-escape-decoded", () => {
      expect(parsed("tftp://h/a%20b%FF%3Bmode=octet")).toBe("h | - | a b\u00FF;mode=octet | -");
    });
  });

  test.each([
    ["http://h/a", "fault: http://h/a is no tftp:// URL"],
    ["tftp:///a", 'fault: "" is not a server (in tftp:///a)'],
    ["tftp://h:0/a", 'fault: "h:0" is not a server (in tftp://h:0/a)'],
    ["tftp://h:65536/a", 'fault: "h:65536" is not a server (in tftp://h:65536/a)'],
    ["tftp://h/a%2", "fault: tftp://h/a%2 has a bad escape"],
    ["tftp://h/a%00b", "fault: tftp://h/a%00b has a bad escape"],
    ["tftp://h/a;mode=mail", "fault: tftp://h/a;mode=mail asks for the mode mail"],
  ])("%s", (text, expected) => {
    expect(parsed(text)).toBe(expected);
  });
});

describe("pairs", () => {
  test.each([
    ["h:a/b", "h | - | a/b | -"],
    ["h:a:b%20", "h | - | a:b%20 | -"],
    ["h:", "h | - |  | -"],
    ["[fe80::1%eth0]:x", "fe80::1%eth0 | - | x | -"],
    ["h", 'fault: "h" names no server'],
    ["dir/h:x", 'fault: "dir/h:x" names no server'],
    ["", 'fault: "" names no server'],
    ["h%:x", 'fault: "h%:x" names no server'],
    ["h\n:x", 'fault: "h\n:x" names no server'],
    ["[h/x]:y", 'fault: "[h/x]:y" names no server'],
    ["h:a\0b", "fault: the name holds a NUL"],
  ])("%s", (text, expected) => {
    expect(parsed(text)).toBe(expected);
  });
});

describe("servers", () => {
  test.each([
    ["h", "h", undefined],
    ["h:6969", "h", 6969],
    ["192.0.2.1:69", "192.0.2.1", 69],
    ["2001:db8::1", "2001:db8::1", undefined],
    ["fe80::1%eth0", "fe80::1%eth0", undefined],
    ["[2001:db8::1]:70", "2001:db8::1", 70],
  ])("%s", (text, host, port) => {
    expect(parseServer(text)).toEqual({ host, port });
  });

  test.each(["", "h:", "h:port", "h/x", "[::1", "h:123456", "fe80::1%", "h ", "x[::1]:1"])(
    "%p is none",
    (text) => {
      expect(parseServer(text)).toHaveProperty("fault");
    },
  );
});

test("any name comes back from the URL that it is written as", () => {
  const targets: fc.Arbitrary<Target> = fc.record({
    host: fc.constantFrom("h.example", "192.0.2.1", "2001:db8::1", "fe80::1%eth0", "h%250"),
    port: fc.constantFrom(undefined, 6969),
    name: fc.uint8Array({ min: 1, max: 255, maxLength: 40 }),
    mode: fc.constantFrom("octet" as const, "netascii" as const),
  });
  fc.assert(
    fc.property(targets, (target) => {
      expect(parseTarget(formatTarget(target))).toEqual(target);
    }),
  );
});
