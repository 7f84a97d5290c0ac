// Windows as transcripts: RFC 7440 in the cases that sender.test.ts and receiver.test.ts leave out, and every shape of a window's end.

import { describe, expect, test } from "bun:test";

import { Exchange } from "../../sim/exchange.ts";
import { generousLimits } from "../../sim/server-end.ts";
import { UploadExchange } from "../../sim/upload-exchange.ts";

describe("the size of a window", () => {
  test("is what was asked or less, in blocks and in bytes", () => {
    const few = { ...generousLimits, windowBlocksMax: 2 };
    const blocks = new Exchange({ file: 2000, options: { windowsize: "16" }, limits: few }).ack(0);
    expect(blocks.transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet windowsize=16
      0.000 → OACK windowsize=2
      0.000 ← ACK 0
      0.000 → DATA 1 512 bytes
      0.000 → DATA 2 512 bytes
      running"
    `);
    const small = { ...generousLimits, windowBytesMax: 3500 };
    const options = { windowsize: "16", blksize: "1000" };
    expect(new Exchange({ file: 9000, options, limits: small }).ack(0).transcript())
      .toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet windowsize=16 blksize=1000
      0.000 → OACK windowsize=3 blksize=1000
      0.000 ← ACK 0
      0.000 → DATA 1 1000 bytes
      0.000 → DATA 2 1000 bytes
      0.000 → DATA 3 1000 bytes
      running"
    `);
    const upload = new UploadExchange({ options: { windowsize: "16" }, limits: few }).wait(10);
    expect(upload.data(1).data(2).data(3).transcript()).toMatchInlineSnapshot(`
      "0.000 ← WRQ "f" octet windowsize=16
      0.000 → OACK windowsize=2
      0.010 ← DATA 1 512 bytes
      0.010 ← DATA 2 512 bytes
      0.010 → ACK 2
      0.010 ← DATA 3 512 bytes
      running"
    `);
  });

  test("is one block where none was agreed on: not asked, refused, or nonsense", () => {
    expect(new Exchange({ file: 2000 }).ack(1).transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet
      0.000 → DATA 1 512 bytes
      0.000 ← ACK 1
      0.000 → DATA 2 512 bytes
      running"
    `);
    const refusing = { ...generousLimits, refused: new Set(["windowsize"]) };
    const options = { windowsize: "4" };
    expect(new Exchange({ file: 2000, options, limits: refusing }).ack(1).transcript())
      .toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet windowsize=4
      0.000 → DATA 1 512 bytes
      0.000 ← ACK 1
      0.000 → DATA 2 512 bytes
      running"
    `);
    expect(new Exchange({ file: 2000, options: { windowsize: "0" } }).ack(1).transcript())
      .toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet windowsize=0
      0.000 → DATA 1 512 bytes
      0.000 ← ACK 1
      0.000 → DATA 2 512 bytes
      running"
    `);
  });
});

describe("ACKs", () => {
  const options = { windowsize: "4" };

  test("of blocks that were not sent yet, or are behind, mean nothing", () => {
    const exchange = new Exchange({ file: 9000, options }).wait(10).ack(0).wait(10);
    exchange.ack(5).ack(9).ack(65_535).ack(4).wait(10).ack(9).ack(3).ack(0);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet windowsize=4
      0.000 → OACK windowsize=4
      0.010 ← ACK 0
      0.010 → DATA 1 512 bytes
      0.010 → DATA 2 512 bytes
      0.010 → DATA 3 512 bytes
      0.010 → DATA 4 512 bytes
      0.020 ← ACK 5
      0.020 ← ACK 9
      0.020 ← ACK 65535
      0.020 ← ACK 4
      0.020 → DATA 5 512 bytes
      0.020 → DATA 6 512 bytes
      0.020 → DATA 7 512 bytes
      0.020 → DATA 8 512 bytes
      0.030 ← ACK 9
      0.030 ← ACK 3
      0.030 ← ACK 0
      running"
    `);
  });

  test("U-Boot: one for a gap, and then a whole window from behind it", () => {
    const exchange = new Exchange({ file: 512 * 7 + 9, options }).wait(10).ack(0).wait(10).ack(2);
    expect(exchange.wait(10).ack(6).wait(10).ack(8).transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet windowsize=4
      0.000 → OACK windowsize=4
      0.010 ← ACK 0
      0.010 → DATA 1 512 bytes
      0.010 → DATA 2 512 bytes
      0.010 → DATA 3 512 bytes
      0.010 → DATA 4 512 bytes
      0.020 ← ACK 2
      0.020 → DATA 3 512 bytes
      0.020 → DATA 4 512 bytes
      0.020 → DATA 5 512 bytes
      0.020 → DATA 6 512 bytes
      0.030 ← ACK 6
      0.030 → DATA 7 512 bytes
      0.030 → DATA 8 9 bytes
      0.040 ← ACK 8
      complete"
    `);
  });

  test("EDK2: one for every block behind a gap, of which one is answered, and one more if the answer is lost", () => {
    const exchange = new Exchange({ file: 512 * 8 + 9, options }).wait(10).ack(0).wait(10).ack(1);
    // 2 is lost again, a round trip later; and again, so that the timer has to do it.
    exchange.ack(1).ack(1).wait(10).ack(1).ack(1).wait(20).ack(1).wait(40).ack(5).wait(10).ack(9);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet windowsize=4
      0.000 → OACK windowsize=4
      0.010 ← ACK 0
      0.010 → DATA 1 512 bytes
      0.010 → DATA 2 512 bytes
      0.010 → DATA 3 512 bytes
      0.010 → DATA 4 512 bytes
      0.020 ← ACK 1
      0.020 → DATA 2 512 bytes
      0.020 → DATA 3 512 bytes
      0.020 → DATA 4 512 bytes
      0.020 → DATA 5 512 bytes
      0.020 ← ACK 1
      0.020 ← ACK 1
      0.030 ← ACK 1
      0.030 → DATA 2 512 bytes
      0.030 ← ACK 1
      0.030 → DATA 3 512 bytes
      0.031 → DATA 4 512 bytes
      0.031 → DATA 5 512 bytes
      0.050 ← ACK 1
      0.081 → DATA 2 512 bytes
      0.082 → DATA 3 512 bytes
      0.082 → DATA 4 512 bytes
      0.083 → DATA 5 512 bytes
      0.090 ← ACK 5
      0.090 → DATA 6 512 bytes
      0.090 → DATA 7 512 bytes
      0.091 → DATA 8 512 bytes
      0.091 → DATA 9 9 bytes
      0.100 ← ACK 9
      complete"
    `);
  });
});

describe("the end of a file", () => {
  test("inside a window, at its end, and right behind it", () => {
    const options = { windowsize: "4", blksize: "8" };
    const inside = new Exchange({ file: 8, options }).ack(0).ack(2);
    expect(inside.transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet windowsize=4 blksize=8
      0.000 → OACK windowsize=4 blksize=8
      0.000 ← ACK 0
      0.000 → DATA 1 8 bytes
      0.000 → DATA 2 0 bytes
      0.000 ← ACK 2
      complete"
    `);
    const atEnd = new Exchange({ file: 8 * 3, options }).ack(0).ack(4);
    expect(atEnd.transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet windowsize=4 blksize=8
      0.000 → OACK windowsize=4 blksize=8
      0.000 ← ACK 0
      0.000 → DATA 1 8 bytes
      0.000 → DATA 2 8 bytes
      0.000 → DATA 3 8 bytes
      0.000 → DATA 4 0 bytes
      0.000 ← ACK 4
      complete"
    `);
    const behind = new Exchange({ file: 8 * 4, options }).ack(0).ack(4).ack(5);
    expect(behind.transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet windowsize=4 blksize=8
      0.000 → OACK windowsize=4 blksize=8
      0.000 ← ACK 0
      0.000 → DATA 1 8 bytes
      0.000 → DATA 2 8 bytes
      0.000 → DATA 3 8 bytes
      0.000 → DATA 4 8 bytes
      0.000 ← ACK 4
      0.000 → DATA 5 0 bytes
      0.000 ← ACK 5
      complete"
    `);
  });

  test("of an upload: inside a window, at its end, and right behind it", () => {
    const options = { windowsize: "4", blksize: "8" };
    const inside = new UploadExchange({ options }).wait(10).data(1, 8).data(2, 0).complete();
    expect(inside.transcript()).toMatchInlineSnapshot(`
      "0.000 ← WRQ "f" octet windowsize=4 blksize=8
      0.000 → OACK windowsize=4 blksize=8
      0.010 ← DATA 1 8 bytes
      0.010 ← DATA 2 0 bytes
      0.010 → ACK 2
      running"
    `);
    const atEnd = new UploadExchange({ options }).wait(10).data(1, 8).data(2, 8).data(3, 8);
    expect(atEnd.data(4, 0).complete().transcript()).toMatchInlineSnapshot(`
      "0.000 ← WRQ "f" octet windowsize=4 blksize=8
      0.000 → OACK windowsize=4 blksize=8
      0.010 ← DATA 1 8 bytes
      0.010 ← DATA 2 8 bytes
      0.010 ← DATA 3 8 bytes
      0.010 ← DATA 4 0 bytes
      0.010 → ACK 4
      running"
    `);
    const behind = new UploadExchange({ options }).wait(10);
    for (const wire of [1, 2, 3, 4]) behind.data(wire, 8);
    expect(behind.wait(10).data(5, 0).complete().transcript()).toMatchInlineSnapshot(`
      "0.000 ← WRQ "f" octet windowsize=4 blksize=8
      0.000 → OACK windowsize=4 blksize=8
      0.010 ← DATA 1 8 bytes
      0.010 ← DATA 2 8 bytes
      0.010 ← DATA 3 8 bytes
      0.010 ← DATA 4 8 bytes
      0.010 → ACK 4
      0.020 ← DATA 5 0 bytes
      0.020 → ACK 5
      running"
    `);
  });

  const cases = [1, 4, 16, 64, 256, 65_535].flatMap((windowBlocks) =>
    [...new Set([0, 1, 7, 8, windowBlocks * 8, windowBlocks * 8 + 1])].map(
      (bytes) => [windowBlocks, bytes] as const,
    ),
  );

  test.each(cases)(
    "window %d, %d bytes in blocks of 8: a window per ACK, each block once",
    (windowBlocks, bytes) => {
      const options = { windowsize: `${windowBlocks}`, blksize: "8" };
      const blocks = Math.floor(bytes / 8) + 1;
      const windows = Math.ceil(blocks / windowBlocks);
      const exchange = new Exchange({ file: bytes, options }).ack(0);
      for (let window = 1; window <= windows; window += 1) {
        const sent = Math.min(window * windowBlocks, blocks);
        expect(exchange.sender.statistics.blocksSent).toBe(sent);
        exchange.ack(sent % 65_536);
      }
      expect(exchange.sender.outcome).toBe("complete");
      expect(exchange.sender.statistics).toMatchObject({ blocksSent: blocks, blocksResent: 0 });

      const upload = new UploadExchange({ options }).wait(10);
      for (let block = 1; block < blocks; block += 1) upload.data(block % 65_536, 8);
      upload.data(blocks % 65_536, bytes % 8).complete();
      expect(upload.published?.length).toBe(bytes);
      const { statistics } = upload.receiver;
      expect(statistics).toMatchObject({ blocksAccepted: blocks, repliesSent: 1 + windows });
    },
  );
});
