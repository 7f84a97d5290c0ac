// Datagrams that the kernel hands over in one piece (UDP_GRO), as it does where a window comes at once: each of them is one to the server.

import { afterEach, expect, test } from "bun:test";

import { cleanUp } from "../unit/storage/rig.ts";
import { ackPacket, dataPacket, errorPacket } from "./packets.ts";
import { ShardExchange } from "./shard-exchange.ts";

afterEach(cleanUp);

test("a window that comes at once is its blocks, and the next one, too, with a shorter one at its end", () => {
  const exchange = new ShardExchange({})
    .wrq("a", "up", { windowsize: "4" })
    .sendTogether("a", [1, 2, 3, 4].map(block))
    .sendTogether("a", [block(5), block(6), dataPacket(7, bytesOf("end"))])
    .wait(100);
  expect(exchange.uploaded("up")).toBe(
    "123456".replaceAll(/./g, (digit) => digit.repeat(512)) + "end",
  );
  expect(exchange.transcript()).toMatchInlineSnapshot(`
    "0.000 a > 69: WRQ "up" octet windowsize=4
    0.000 tid2 > a: OACK windowsize=4
    0.000 a > tid2: DATA 1 512 bytes
    0.000 a > tid2: DATA 2 512 bytes
    0.000 a > tid2: DATA 3 512 bytes
    0.000 a > tid2: DATA 4 512 bytes
    0.000 tid2 > a: ACK 4
    0.000 a > tid2: DATA 5 512 bytes
    0.000 a > tid2: DATA 6 512 bytes
    0.000 a > tid2: DATA 7 3 bytes
    0.000 tid2 > a: ACK 7
    complete"
  `);
});

test("an ERROR behind a block is as long as its last part, and ends the upload", () => {
  const exchange = new ShardExchange({})
    .wrq("a", "up", { windowsize: "4" })
    .sendTogether("a", [block(1), errorPacket(0, "stop")])
    .wait(100);
  expect(() => exchange.uploaded("up")).toThrow("ENOENT");
  expect(exchange.transcript()).toMatchInlineSnapshot(`
    "0.000 a > 69: WRQ "up" octet windowsize=4
    0.000 tid2 > a: OACK windowsize=4
    0.000 a > tid2: DATA 1 512 bytes
    0.000 a > tid2: ERROR 0 "stop"
    closed-by-client"
  `);
});

test("two ACKs of one download are two", () => {
  const exchange = new ShardExchange({ file: "x".repeat(1500) })
    .rrq("a", "file", { windowsize: "2" })
    .ack("a", 0)
    .sendTogether("a", [ackPacket(1), ackPacket(2)])
    .ack("a", 3)
    .wait(100);
  expect(exchange.transcript()).toMatchInlineSnapshot(`
    "0.000 a > 69: RRQ "file" octet windowsize=2
    0.000 tid2 > a: OACK windowsize=2
    0.000 a > tid2: ACK 0
    0.000 tid2 > a: DATA 1 512 bytes
    0.000 tid2 > a: DATA 2 512 bytes
    0.000 a > tid2: ACK 1
    0.000 a > tid2: ACK 2
    0.000 tid2 > a: DATA 3 476 bytes
    0.000 a > tid2: ACK 3
    complete"
  `);
});

function block(number: number): Uint8Array {
  return dataPacket(number, bytesOf(String(number).repeat(512)));
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
