// Addresses and networks against plain models: Node's own reading of literals, and bits compared one by one.

import { describe, expect, test } from "bun:test";
import { BlockList, isIPv4, isIPv6 } from "node:net";

import * as fc from "fast-check";

import { addressOf, formatAddress, hexAddress, parseAddress } from "#policy/address.ts";
import { type Network, NetworkMap, NetworkSet, parseNetwork } from "#policy/cidr.ts";
import { bytesOf } from "#policy/names.ts";

const address = fc.oneof(fc.ipV4(), fc.ipV6());
const near = fc.constantFrom(
  "10.0.0.0",
  "10.0.0.1",
  "10.128.0.0",
  "11.0.0.0",
  "::",
  "::1",
  "2001:db8::1",
  "2001:db8:8000::",
);

/** A network around an address, and whether Node finds other addresses in it. */
function blockList(text: string, bits: number): BlockList {
  const list = new BlockList();
  list.addSubnet(text, bits, isIPv4(text) ? "ipv4" : "ipv6");
  return list;
}

function networkOf(text: string): Network {
  const network = parseNetwork(text);
  if (network === undefined) throw new Error(`${text} is no network`);
  return network;
}

describe("addresses", () => {
  test("are read where Node reads them, and nowhere else", () => {
    const soup = fc.string({
      unit: fc.constantFrom(...Array.from("0123456789abf:.")),
      maxLength: 20,
    });
    fc.assert(
      fc.property(fc.oneof(address, soup), (text) => {
        expect(parseAddress(text) !== undefined).toBe(isIPv4(text) || isIPv6(text));
      }),
      { numRuns: 5000 },
    );
  });

  test("are written so that they are read back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        // Zeros in plenty, for the sake of `::`.
        const sparse = bytes.map((byte) => (byte > 128 ? 0 : byte));
        const parsed = addressOf(sparse);
        expect(parseAddress(formatAddress(parsed))).toBe(parsed);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ["192.0.2.169", "192.0.2.169", "C00002A9"],
    ["::ffff:192.0.2.169", "192.0.2.169", "C00002A9"],
    ["2001:DB8:0:0::1", "2001:db8::1", "20010DB8000000000000000000000001"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", "20010DB8000000010001000100010001"],
    ["::", "::", "00000000000000000000000000000000"],
    ["1::", "1::", "00010000000000000000000000000000"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3", "00010000000000020000000000000003"],
  ])("%s", (text, formatted, hex) => {
    const parsed = parseAddress(text) ?? "";
    expect([formatAddress(parsed), hexAddress(parsed)]).toEqual([formatted, hex]);
    expect([4, 16]).toContain(bytesOf(parsed).length);
  });
});

describe("networks", () => {
  test("hold the addresses that Node finds in them", () => {
    const pair = fc.tuple(fc.oneof(address, near), fc.oneof(address, near), fc.nat(128));
    fc.assert(
      fc.property(pair, ([base, other, asked]) => {
        const bits = isIPv4(base) ? asked % 33 : asked;
        const set = new NetworkSet([networkOf(`${base}/${bits}`)]);
        const parsed = parseAddress(other) ?? "";
        // Mapped addresses are IPv4 here, and Node's lists do the same; ::/0 and its like are IPv6 alone.
        const family = isIPv4(other) ? "ipv4" : "ipv6";
        const isSameFamily =
          (parsed.length === 4) === (networkOf(`${base}/${bits}`).prefix.length === 4);
        expect(set.has(parsed)).toBe(isSameFamily && blockList(base, bits).check(other, family));
      }),
      { numRuns: 5000 },
    );
  });

  test("are all found around an address, and no others", () => {
    const networks = [
      "0.0.0.0/0",
      "10.0.0.0/8",
      "10.1.0.0/16",
      "10.1.2.3",
      "::/0",
      "2001:db8::/32",
    ];
    const map = new NetworkMap<string>();
    for (const network of networks) map.set(networkOf(network), network);
    const around = (text: string): readonly string[] => {
      const found: string[] = [];
      map.forEachAround(parseAddress(text) ?? "", (network) => found.push(network));
      return found.toSorted();
    };
    expect(around("10.1.2.3")).toEqual(["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3"]);
    expect(around("::ffff:10.9.0.0")).toEqual(["0.0.0.0/0", "10.0.0.0/8"]);
    expect(around("2001:db8::7")).toEqual(["2001:db8::/32", "::/0"]);
    expect(map.get(networkOf("10.1.77.0/16"))).toBe("10.1.0.0/16");
  });

  test.each([
    ["::ffff:10.0.0.0/104", "10.255.0.1", true],
    ["::ffff:10.0.0.0/104", "11.0.0.1", false],
    ["10.1.2.3/8", "10.200.0.1", true],
    ["::/0", "10.0.0.1", false],
    ["0.0.0.0/0", "::1", false],
  ])("%s and %s", (network, text, isInside) => {
    expect(new NetworkSet([networkOf(network)]).has(parseAddress(text) ?? "")).toBe(isInside);
  });

  test.each([
    "",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/08",
    "10.0.0/8",
    "::/129",
    "1/2/3",
    "10.0.0.0/",
    "fe80::1%eth0/64",
  ])("%j is none", (text) => {
    expect(parseNetwork(text)).toBeUndefined();
  });
});
