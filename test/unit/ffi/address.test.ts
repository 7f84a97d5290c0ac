// Tests of address text and of sockaddr records against the kernel's own layout.

import { describe, expect, test } from "bun:test";

import * as fc from "fast-check";

import {
  type AddressFault,
  copyHost,
  decodeSockaddr,
  encodeSockaddr,
  formatIp,
  formatPeer,
  formatSockaddr,
  type IpAddress,
  isSameHost,
  parseIp,
  parseSocketAddress,
  portAt,
} from "#ffi/address.ts";

describe("text in", () => {
  test("reads the four forms of a listening address", () => {
    expect(parseSocketAddress("0.0.0.0:69")).toEqual({
      family: 4,
      bytes: new Uint8Array(4),
      port: 69,
      scopeId: 0,
    });
    expect(parseSocketAddress("[::]:6969")).toEqual({
      family: 6,
      bytes: new Uint8Array(16),
      port: 6969,
      scopeId: 0,
    });
    const numeric = parseSocketAddress("[fe80::1%2]:69");
    expect(numeric).toMatchObject({ family: 6, port: 69, scopeId: 2 });
    const named = parseSocketAddress("[fe80::1%lo]:69");
    expect(named).toMatchObject({ family: 6, port: 69, scopeId: 1 });
  });

  test.each([
    ["", "is not an address and a port"],
    ["69", "is not an address and a port"],
    ["0.0.0.0", "is not an address and a port"],
    ["::1:69", "is not an address and a port"],
    ["localhost:69", '"localhost" is not an IP address'],
    ["[192.0.2.1]:69", "brackets around an IPv4 address"],
    ["0.0.0.0:65536", "port 65536"],
    ["[fe80::1%nosuchif0]:69", 'no network interface "nosuchif0"'],
    ["[fe80::1%]:69", 'no network interface ""'],
    ["[fe80::1%0]:69", 'no network interface "0"'],
  ])("refuses %p", (text, sentence) => {
    expect((parseSocketAddress(text) as AddressFault).fault).toContain(sentence);
  });

  test.each([
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "256.1.1.1",
    "1.2.3.4 ",
    "1.2.3.-4",
    ":",
    ":::",
    "1:",
    ":1",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7::8",
    "1::2::3",
    "12345::",
    "g::",
    "1.2.3.4::",
    "::1.2.3.4:5",
    "1:2:3:4:5:6:7:1.2.3.4",
    "192.0.2.1%lo",
  ])("%p is no address", (text) => {
    expect(parseIp(text)).toHaveProperty("fault");
  });
});

describe("text out", () => {
  // The examples of RFC 5952 §4 and §5.
  test.each([
    ["2001:0db8::0001", "2001:db8::1"],
    ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:DB8::ABCD", "2001:db8::abcd"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["1::", "1::"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::ffff:c000:201", "192.0.2.1"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["fe80::1%lo", "fe80::1%lo"],
    ["fe80::1%999999", "fe80::1%999999"],
  ])("%s prints as %s", (text, canonical) => {
    expect(formatIp(parseIp(text) as IpAddress)).toBe(canonical);
  });

  test("a peer prints with its port, and with brackets only where colons need them", () => {
    const six = parseIp("::ffff:192.0.2.1") as IpAddress;
    expect(formatPeer({ ...six, port: 1024 })).toBe("192.0.2.1:1024");
    const link = parseIp("fe80::1%lo") as IpAddress;
    expect(formatPeer({ ...link, port: 1024 })).toBe("[fe80::1%lo]:1024");
  });

  test("whatever prints reads back as itself, and prints the same again", () => {
    // Half of the generated groups are zero, so that runs of every length occur.
    const group = fc.oneof(fc.constant(0), fc.nat(0xffff));
    fc.assert(
      fc.property(
        fc.array(group, { minLength: 8, maxLength: 8 }),
        fc.nat(65_535),
        (groups, port) => {
          const bytes = Uint8Array.from(groups.flatMap((value) => [value >>> 8, value & 0xff]));
          const text = formatPeer({ family: 6, bytes, port, scopeId: 0 });
          const back = parseSocketAddress(text);
          expect(back).toMatchObject({ port });
          const ip = back as IpAddress;
          // Only a v4-mapped address comes back shorter: it is printed as what the user knows it by.
          expect(ip.bytes).toEqual(ip.family === 6 ? bytes : bytes.subarray(12));
          expect(formatPeer({ ...ip, port })).toBe(text);
        },
      ),
    );
  });
});

describe("peers", () => {
  test.each([
    ["192.0.2.1:69", "192.0.2.1:40000", true],
    ["192.0.2.1:69", "192.0.2.2:69", false],
    ["[2001:db8::1]:69", "[2001:db8::1]:70", true],
    ["[2001:db8::1]:69", "[2001:db8::2]:69", false],
    ["[fe80::1%2]:69", "[fe80::1%3]:69", false],
    ["192.0.2.1:69", "[2001:db8::1]:69", false],
  ])("%s and %s are of one host: %p", (one, other, isSame) => {
    const bytes = new Uint8Array(64);
    for (const [offset, text] of [
      [0, one],
      [32, other],
    ] as const) {
      const address = parseSocketAddress(text);
      if ("fault" in address) throw new Error(address.fault);
      encodeSockaddr(bytes, offset, address);
      expect(portAt(bytes, offset)).toBe(address.port);
    }
    expect(isSameHost(bytes, 0, bytes, 32)).toBe(isSame);
  });
});

describe("straight from the kernel's record", () => {
  const texts = [
    "192.0.2.1:69",
    "[::ffff:192.0.2.1]:70",
    "[2001:db8::1]:1024",
    "[fe80::1%lo]:65535",
  ];

  test.each(texts)("%s has the text of the address that it holds", (text) => {
    const name = new Uint8Array(40);
    const address = parseSocketAddress(text);
    if ("fault" in address) throw new Error(address.fault);
    encodeSockaddr(name, 8, address);
    expect(formatSockaddr(name, 8)).toBe(formatPeer(address));
    expect(decodeSockaddr(name, 8)).toEqual(address);
  });

  test("an IPv4 client has the same 4 bytes on a socket of either family, others have their 16", () => {
    const hosts = texts.map((text) => {
      const name = new Uint8Array(40);
      const address = parseSocketAddress(text);
      if ("fault" in address) throw new Error(address.fault);
      encodeSockaddr(name, 8, address);
      const into = new Uint8Array(16);
      return into.subarray(0, copyHost(name, 8, into)).toHex();
    });
    expect(hosts).toEqual([
      "c0000201",
      "c0000201",
      "20010db8000000000000000000000001",
      "fe800000000000000000000000000001",
    ]);
  });

  test("what is of neither family is none", () => {
    expect(formatSockaddr(new Uint8Array(28), 0)).toBeUndefined();
    expect(copyHost(new Uint8Array(28), 0, new Uint8Array(16))).toBe(0);
  });
});
