// Blocks that come again, as transcripts: when the Receiver answers them, and when it does not.

import { describe, expect, test } from "bun:test";

import { expectMark } from "../../marks.ts";
import { UploadExchange } from "../../sim/upload-exchange.ts";

describe("a repeated block", () => {
  test("is acknowledged again, and accepted once", () => {
    expectMark("repetition-acknowledged-once-a-burst", () => {
      const exchange = new UploadExchange().wait(10).data(1).wait(15).data(1).wait(10).data(2);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 ← WRQ "f" octet
        0.000 → ACK 0
        0.010 ← DATA 1 512 bytes
        0.010 → ACK 1
        0.025 ← DATA 1 512 bytes
        0.025 → ACK 1
        0.035 ← DATA 2 512 bytes
        0.035 → ACK 2
        running"
      `);
      const { statistics } = exchange.receiver;
      expect(statistics).toMatchObject({ blocksAccepted: 2, blocksRepeated: 1 });
    });
  });

  test("that the ACK has crossed is not: the Sorcerer's Apprentice stays asleep", () => {
    expectMark("repetition-not-acknowledged", () => {
      const exchange = new UploadExchange().wait(10).data(1).wait(9).data(1).data(1).wait(1);
      expect(exchange.data(2).wait(5).data(2).data(1).transcript()).toMatchInlineSnapshot(`
        "0.000 ← WRQ "f" octet
        0.000 → ACK 0
        0.010 ← DATA 1 512 bytes
        0.010 → ACK 1
        0.019 ← DATA 1 512 bytes
        0.019 ← DATA 1 512 bytes
        0.020 ← DATA 2 512 bytes
        0.020 → ACK 2
        0.025 ← DATA 2 512 bytes
        0.025 ← DATA 1 512 bytes
        running"
      `);
    });
  });

  test("of a window is answered for the first of its blocks, and again when it begins anew", () => {
    const exchange = new UploadExchange({ options: { windowsize: "3" } }).wait(10);
    exchange.data(1).data(2).data(3).wait(30);
    const before = exchange.lineCount;
    exchange.data(1).wait(20).data(2).wait(20).data(3).wait(5).data(2).data(3);
    expect(exchange.transcript(before)).toMatchInlineSnapshot(`
      "0.040 ← DATA 1 512 bytes
      0.040 → ACK 3
      0.060 ← DATA 2 512 bytes
      0.080 ← DATA 3 512 bytes
      0.085 ← DATA 2 512 bytes
      0.085 → ACK 3
      0.085 ← DATA 3 512 bytes
      running"
    `);
  });

  test("of the next window is told from those before", () => {
    const exchange = new UploadExchange({ options: { windowsize: "3" } }).wait(10);
    exchange.data(1).data(2).data(3).wait(30).data(3).wait(10).data(4).data(5).data(6).wait(30);
    const before = exchange.lineCount;
    expect(exchange.data(4).data(5).data(6).transcript(before)).toMatchInlineSnapshot(`
      "0.080 ← DATA 4 512 bytes
      0.080 → ACK 6
      0.080 ← DATA 5 512 bytes
      0.080 ← DATA 6 512 bytes
      running"
    `);
  });

  test("is an echo for one round trip, as the best answer to an ACK has shown it", () => {
    const exchange = new UploadExchange().wait(50).data(1).wait(160).data(2);
    const before = exchange.lineCount;
    // ACK 1 went out twice; DATA 2 may have answered either. Only the 50 ms of DATA 1 are certain.
    exchange.wait(45).data(2).wait(6).data(2).wait(1).data(3).wait(10).data(4);
    // Now it is 10 ms.
    expect(exchange.wait(11).data(4).transcript(before)).toMatchInlineSnapshot(`
      "0.255 ← DATA 2 512 bytes
      0.261 ← DATA 2 512 bytes
      0.261 → ACK 2
      0.262 ← DATA 3 512 bytes
      0.262 → ACK 3
      0.272 ← DATA 4 512 bytes
      0.272 → ACK 4
      0.283 ← DATA 4 512 bytes
      0.283 → ACK 4
      running"
    `);
  });

  test("inside a window is not: the window has no ACK yet, and goes on by itself", () => {
    const exchange = new UploadExchange({ options: { windowsize: "4" } }).wait(10);
    exchange.data(1).data(2).wait(40).data(1).data(2);
    expect(exchange.data(3).data(4).transcript()).toMatchInlineSnapshot(`
      "0.000 ← WRQ "f" octet windowsize=4
      0.000 → OACK windowsize=4
      0.010 ← DATA 1 512 bytes
      0.010 ← DATA 2 512 bytes
      0.050 ← DATA 1 512 bytes
      0.050 ← DATA 2 512 bytes
      0.050 ← DATA 3 512 bytes
      0.050 ← DATA 4 512 bytes
      0.050 → ACK 4
      running"
    `);
  });

  test("from before the last window means nothing, nor does one from beyond this one", () => {
    const exchange = new UploadExchange().wait(10).data(1).data(2).wait(30).data(1).data(4);
    expect(exchange.receiver.statistics).toMatchObject({ blocksRepeated: 0, repliesSent: 3 });
  });
});

test("ACKs that are lost in a row do not add up to a longer wait with each", () => {
  const exchange = new UploadExchange().wait(1).data(1).wait(51).data(2).wait(70).data(3);
  expect(exchange.wait(80).data(4).transcript()).toMatchInlineSnapshot(`
    "0.000 ← WRQ "f" octet
    0.000 → ACK 0
    0.001 ← DATA 1 512 bytes
    0.001 → ACK 1
    0.051 → ACK 1
    0.052 ← DATA 2 512 bytes
    0.052 → ACK 2
    0.113 → ACK 2
    0.122 ← DATA 3 512 bytes
    0.122 → ACK 3
    0.202 → ACK 3
    0.202 ← DATA 4 512 bytes
    0.202 → ACK 4
    running"
  `);
});
