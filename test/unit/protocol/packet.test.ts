// The six packets: what the length check lets through, what the accessors read, what the writers write.

import { expect, test } from "bun:test";

import * as fc from "fast-check";

import {
  ackBytes,
  blockNumber,
  dataHeaderBytes,
  encodeError,
  encodeOackOptions,
  encodeRequest,
  errorCode,
  errorMessage,
  Opcode,
  packetKind,
  writeAck,
  writeDataHeader,
} from "#protocol/packet.ts";

import { ackPacket, errorPacket } from "../../sim/packets.ts";

test("a packet too short for its opcode, or with an unknown opcode, is none", () => {
  expect(kindOf()).toBe(Opcode.none);
  expect(kindOf(0)).toBe(Opcode.none);
  expect(kindOf(0, 0)).toBe(Opcode.none);
  expect(kindOf(0, 7, 0, 0)).toBe(Opcode.none);
  expect(kindOf(1, 4, 0, 0)).toBe(Opcode.none);
  expect(kindOf(0, 4, 0)).toBe(Opcode.none);
  expect(kindOf(0, 3, 0)).toBe(Opcode.none);
  expect(kindOf(0, 5, 0)).toBe(Opcode.none);
  expect(kindOf(0, 1)).toBe(Opcode.rrq);
  expect(kindOf(0, 2)).toBe(Opcode.wrq);
  expect(kindOf(0, 3, 0, 1)).toBe(Opcode.data);
  expect(kindOf(0, 5, 0, 1)).toBe(Opcode.error);
  expect(kindOf(0, 6)).toBe(Opcode.oack);
});

test("only the datagram's length counts, not the buffer's", () => {
  expect(packetKind(ackPacket(1), 3)).toBe(Opcode.none);
});

test("an ACK may be longer than four bytes: msftwindow appends one", () => {
  const bytes = Uint8Array.of(0, 4, 0x12, 0x34, 8);
  expect(packetKind(bytes, bytes.length)).toBe(Opcode.ack);
  expect(blockNumber(bytes)).toBe(0x1234);
});

test("an ERROR gives its code and its message, with or without the closing NUL", () => {
  const closed = errorPacket(8, "no thanks");
  expect(errorCode(closed)).toBe(8);
  expect(errorMessage(closed, closed.length)).toBe("no thanks");
  expect(errorMessage(closed, closed.length - 1)).toBe("no thanks");
  expect(errorMessage(closed, 6)).toBe("no");
  expect(errorMessage(Uint8Array.of(0, 5, 0, 0), 4)).toBe("");
  expect(errorMessage(Uint8Array.of(0, 5, 0, 0, 0xff), 5)).toBe("ÿ");
});

test("a header is written where it is asked to be, and nowhere else", () => {
  const bytes = new Uint8Array(12).fill(0xee);
  writeDataHeader(bytes, 2, 0xabcd);
  expect(bytes.toHex()).toBe("eeee0003abcdeeeeeeeeeeee");
  writeAck(bytes, 8, 1);
  expect(bytes.toHex()).toBe("eeee0003abcdeeee00040001");
  expect([dataHeaderBytes, ackBytes]).toEqual([4, 4]);
});

test("what is written is read back, for every block number", () => {
  const bytes = new Uint8Array(4);
  for (let wire = 0; wire <= 65_535; wire++) {
    writeDataHeader(bytes, 0, wire);
    if (blockNumber(bytes) !== wire) expect(blockNumber(bytes)).toBe(wire);
  }
  expect(packetKind(bytes, 4)).toBe(Opcode.data);
});

test("ERROR and OACK are exact to the byte", () => {
  expect(encodeError(1, "File not found")).toEqual(errorPacket(1, "File not found"));
  expect(encodeOackOptions([{ name: "tsize", value: "7" }])).toEqual(
    new Uint8Array(Buffer.from("\x00\x06tsize\x007\x00", "latin1")),
  );
});

test("a request is exact to the byte, and its name goes out as it is", () => {
  const name = Uint8Array.of(0x61, 0xff, 0x2f);
  const options = [{ name: "blksize", value: "1428" }];
  expect(Buffer.from(encodeRequest(Opcode.rrq, name, "octet", options)).toString("latin1")).toBe(
    "\x00\x01a\xff/\x00octet\x00blksize\x001428\x00",
  );
  expect(encodeRequest(Opcode.wrq, name, "netascii", [])).toEqual(
    new Uint8Array(Buffer.from("\x00\x02a\xff/\x00netascii\x00", "latin1")),
  );
});

test("no bytes make the length check or an accessor behind it throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const kind = packetKind(bytes, bytes.length);
      if (kind === Opcode.ack || kind === Opcode.data) {
        expect(blockNumber(bytes)).toBe((bytes[2] ?? 0) * 256 + (bytes[3] ?? 0));
      }
      if (kind === Opcode.error) {
        expect(errorMessage(bytes, bytes.length).length).toBeLessThanOrEqual(bytes.length - 4);
      }
    }),
  );
});

function kindOf(...bytes: number[]): Opcode {
  return packetKind(Uint8Array.from(bytes), bytes.length);
}
