// Packets as lines.

import { expect, test } from "bun:test";

import * as fc from "fast-check";

import { encodeOackOptions, writeDataHeader } from "#protocol/packet.ts";
import { printPacket } from "#protocol/print.ts";

import { ackPacket, errorPacket, requestPacket } from "../../sim/packets.ts";

test("each kind of packet", () => {
  const block = new Uint8Array(516);
  writeDataHeader(block, 0, 1);
  const lines = [
    printPacket(requestPacket(1, "pxe/a", "octet", [{ name: "blksize", value: "1428" }])),
    printPacket(requestPacket(2, 'say "hi"\xff', "netascii")),
    printPacket(block),
    printPacket(block, 4),
    printPacket(ackPacket(65_535)),
    printPacket(encodeOackOptions([{ name: "tsize", value: "1234" }])),
    printPacket(encodeOackOptions([])),
    printPacket(errorPacket(1, "File not found")),
  ];
  expect(lines.join("\n")).toMatchInlineSnapshot(`
    "RRQ "pxe/a" octet blksize=1428
    WRQ "say \\x22hi\\x22\\xff" netascii
    DATA 1 512 bytes
    DATA 1 0 bytes
    ACK 65535
    OACK tsize=1234
    OACK
    ERROR 1 "File not found""
  `);
});

test("packets that are cut short", () => {
  const request = requestPacket(1, "f", "octet", [{ name: "tsize", value: "0" }]);
  const cuts = [0, 1, 2, 4, 9, 15, 17].map((length) => printPacket(request, length));
  expect(cuts.join("\n")).toMatchInlineSnapshot(`
    "malformed 0 bytes
    malformed 1 bytes
    RRQ malformed
    RRQ malformed
    RRQ "f" octet
    RRQ "f" octet tsize=
    RRQ "f" octet tsize=0"
  `);
});

test("any bytes print as one line of printable ASCII", () => {
  const opcodes = fc.integer({ min: 0, max: 7 });
  fc.assert(
    fc.property(opcodes, fc.uint8Array(), (opcode, tail) => {
      expect(printPacket(Uint8Array.of(0, opcode, ...tail))).toMatch(/^[ -~]+$/);
    }),
  );
});
