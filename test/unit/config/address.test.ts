// Addresses, ports and ranges as files write them.

import { describe, expect, test } from "bun:test";

import { isFault, parseListenAddress, parsePortRange } from "#config/address.ts";

describe("parseListenAddress", () => {
  test.each([
    ["[::]:69", { address: "::", port: 69 }],
    ["0.0.0.0:6969", { address: "0.0.0.0", port: 6969 }],
    ["[2001:db8::1]:65535", { address: "2001:db8::1", port: 65_535 }],
    ["[fe80::1%eth0]:69", { address: "fe80::1", port: 69, scope: "eth0" }],
    ["[fe80::1%2]:69", { address: "fe80::1", port: 69, scope: "2" }],
    ["[::ffff:192.0.2.1]:69", { address: "::ffff:192.0.2.1", port: 69 }],
    ["127.0.0.1:0", { address: "127.0.0.1", port: 0 }],
  ])("reads %s", (text, expected) => {
    expect(parseListenAddress(text)).toEqual(expected);
  });

  test.each([
    ["0.0.0.0", 'write "0.0.0.0:69".'],
    ["::1:69", 'write "[::1:69]:69", or "[::1]:69".'],
    ["fe80::abcd:beef", 'write "[fe80::abcd:beef]:69".'],
    [":69", 'write "[::]:69" for all.'],
    ["localhost:69", "host names are not looked up"],
    ["[localhost]:69", "host names are not looked up"],
    ["[127.0.0.1]:69", "host names are not looked up"],
    ["256.0.0.1:69", "host names are not looked up"],
    ["", "host names are not looked up"],
    ["[::]", "host names are not looked up"],
    ["[::]:", "a port is a number from 1 to 65535."],
    ["[::]:65536", "a port is a number from 1 to 65535."],
    ["[::]:-1", "a port is a number from 1 to 65535."],
    ["[::]: 69", "a port is a number from 1 to 65535."],
    ["[::]:sixty-nine", "a port is a number from 1 to 65535."],
  ])("refuses %p with a remedy", (text, remedy) => {
    const answer = parseListenAddress(text);
    expect(isFault(answer) ? answer.remedy : answer).toContain(remedy);
  });
});

describe("parsePortRange", () => {
  test("reads a range, one port, and none", () => {
    expect(parsePortRange("40000-40099")).toEqual({ first: 40_000, last: 40_099 });
    expect(parsePortRange("40000 - 40000")).toEqual({ first: 40_000, last: 40_000 });
    expect(parsePortRange("7000")).toEqual({ first: 7000, last: 7000 });
    expect(parsePortRange("")).toBeUndefined();
  });

  test.each(["9-8", "0-10", "1-65536", "a-b", "1-2-3", "-", "-5", "5-", " "])(
    "refuses %p",
    (text) => {
      const answer = parsePortRange(text);
      expect(answer !== undefined && isFault(answer)).toBe(true);
    },
  );
});
