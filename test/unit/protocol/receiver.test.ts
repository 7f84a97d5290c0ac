// The Receiver as transcripts: each test is one behaviour of an RFC, while blocks come in.

import { describe, expect, test } from "bun:test";

import { expectMark } from "../../marks.ts";
import { UploadExchange } from "../../sim/upload-exchange.ts";

describe("RFC 1350", () => {
  test("one block at a time; the short one is the last, and waits until the file is safe", () => {
    expectMark("final-ack-held", () => {
      const exchange = new UploadExchange().wait(1).data(1).wait(1).data(2).wait(1).data(3, 7);
      exchange.wait(500).complete();
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 ← WRQ "f" octet
        0.000 → ACK 0
        0.001 ← DATA 1 512 bytes
        0.001 → ACK 1
        0.002 ← DATA 2 512 bytes
        0.002 → ACK 2
        0.003 ← DATA 3 7 bytes
        0.503 → ACK 3
        running"
      `);
      expect(exchange.published?.length).toBe(512 + 512 + 7);
    });
  });

  test("an empty file is one empty block; a multiple of the block size ends with one", () => {
    expect(new UploadExchange().data(1, 0).complete().transcript()).toMatchInlineSnapshot(`
      "0.000 ← WRQ "f" octet
      0.000 → ACK 0
      0.000 ← DATA 1 0 bytes
      0.000 → ACK 1
      running"
    `);
    const multiple = new UploadExchange().data(1).data(2, 0);
    expect(multiple.receiver).toMatchObject({ acceptedBlock: 2, hasLastBlock: true });
    expect(multiple.complete().published?.length).toBe(512);
  });

  test("an ACK is repeated by the timer, each time later", () => {
    expectMark("last-block-in-order-acknowledged-on-timeout", () => {
      const exchange = new UploadExchange().wait(100).data(1).wait(4000);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 ← WRQ "f" octet
        0.000 → ACK 0
        0.100 ← DATA 1 512 bytes
        0.100 → ACK 1
        0.400 → ACK 1
        1.000 → ACK 1
        2.200 → ACK 1
        running"
      `);
    });
  });

  test("after four repetitions the sender is left in peace, so that one which any packet delays repeats its block", () => {
    expectMark("sender-left-in-peace", () => {
      const exchange = new UploadExchange().wait(100).data(1).wait(25_000);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 ← WRQ "f" octet
        0.000 → ACK 0
        0.100 ← DATA 1 512 bytes
        0.100 → ACK 1
        0.400 → ACK 1
        1.000 → ACK 1
        2.200 → ACK 1
        4.600 → ACK 1
        12.100 → ACK 1
        19.600 → ACK 1
        running"
      `);
    });
  });

  test("a device that thinks for twenty seconds goes on where it was", () => {
    const exchange = new UploadExchange().wait(10).data(1).wait(20_000).data(2).data(3, 1);
    expect(exchange.receiver).toMatchObject({ acceptedBlock: 3, isHeld: true });
  });

  test("a block longer than agreed is ERROR 4, and the end", () => {
    expectMark("block-too-long-refused", () => {
      const exchange = new UploadExchange({ options: { blksize: "8" } }).data(1, 8).data(2, 9);
      expect(exchange.wait(9000).data(2, 8).transcript()).toMatchInlineSnapshot(`
        "0.000 ← WRQ "f" octet blksize=8
        0.000 → OACK blksize=8
        0.000 ← DATA 1 8 bytes
        0.000 → ACK 1
        0.000 ← DATA 2 9 bytes
        0.000 → ERROR 4 "Illegal TFTP operation"
        9.000 ← DATA 2 8 bytes
        protocol-error"
      `);
    });
    // Only where it would be taken: a stray one from a transfer before must not end this one.
    const stray = new UploadExchange({ options: { blksize: "8" } }).data(1, 8).data(1, 9);
    expect(stray.data(7, 9).receiver.outcome).toBe("running");
  });

  test("blocks that nobody can have sent are ignored", () => {
    expectMark("data-outside-window-ignored", () => {
      const exchange = new UploadExchange().data(0).data(2).data(65_535).wait(10).data(1);
      expect(exchange.data(3).data(65_535).data(0).transcript()).toMatchInlineSnapshot(`
        "0.000 ← WRQ "f" octet
        0.000 → ACK 0
        0.000 ← DATA 0 512 bytes
        0.000 ← DATA 2 512 bytes
        0.000 ← DATA 65535 512 bytes
        0.010 ← DATA 1 512 bytes
        0.010 → ACK 1
        0.010 ← DATA 3 512 bytes
        0.010 ← DATA 65535 512 bytes
        0.010 ← DATA 0 512 bytes
        running"
      `);
    });
  });

  test("an ERROR ends the transfer at once, unanswered", () => {
    expectMark("sender-error-ends-transfer", () => {
      const exchange = new UploadExchange().wait(1).data(1).error(0, "flash failed").data(2);
      expect(exchange.wait(9000).request().error(0, "again").transcript()).toMatchInlineSnapshot(`
        "0.000 ← WRQ "f" octet
        0.000 → ACK 0
        0.001 ← DATA 1 512 bytes
        0.001 → ACK 1
        0.001 ← ERROR 0 "flash failed"
        0.001 ← DATA 2 512 bytes
        9.001 ← WRQ "f" octet
        9.001 ← ERROR 0 "again"
        closed-by-client"
      `);
    });
  });
});

describe("RFC 2347", () => {
  test("the OACK answers the request, and DATA 1 answers the OACK", () => {
    const options = { blksize: "1000", tsize: "1500", timeout: "3" };
    const exchange = new UploadExchange({ options }).wait(5).data(1, 1000).wait(5).data(2, 500);
    expect(exchange.complete().transcript()).toMatchInlineSnapshot(`
      "0.000 ← WRQ "f" octet blksize=1000 tsize=1500 timeout=3
      0.000 → OACK blksize=1000 tsize=1500 timeout=3
      0.005 ← DATA 1 1000 bytes
      0.005 → ACK 1
      0.010 ← DATA 2 500 bytes
      0.010 → ACK 2
      running"
    `);
  });

  test("without options that are known, it is ACK 0", () => {
    const exchange = new UploadExchange({ options: { multicast: "" } });
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 ← WRQ "f" octet multicast=
      0.000 → ACK 0
      running"
    `);
  });

  test("the OACK is repeated by the timer, at the timeout that was asked for", () => {
    expectMark("first-reply-repeated-on-timeout", () => {
      const exchange = new UploadExchange({ options: { timeout: "2" } }).wait(5000).data(1);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 ← WRQ "f" octet timeout=2
        0.000 → OACK timeout=2
        2.000 → OACK timeout=2
        4.000 → OACK timeout=2
        5.000 ← DATA 1 512 bytes
        5.000 → ACK 1
        running"
      `);
      expect(exchange.receiver.statistics).toMatchObject({ timeouts: 2, rttUs: 0 });
    });
  });

  test("the request that comes again gets it again, until the first block", () => {
    expectMark("first-reply-repeated-to-sender", () => {
      const exchange = new UploadExchange({ options: { tsize: "9" } }).wait(300).request();
      expect(exchange.data(1).request().transcript()).toMatchInlineSnapshot(`
        "0.000 ← WRQ "f" octet tsize=9
        0.000 → OACK tsize=9
        0.300 ← WRQ "f" octet tsize=9
        0.300 → OACK tsize=9
        0.300 ← DATA 1 512 bytes
        0.300 → ACK 1
        0.300 ← WRQ "f" octet tsize=9
        running"
      `);
    });
    expect(new UploadExchange().wait(300).request().request().transcript()).toMatchInlineSnapshot(`
      "0.000 ← WRQ "f" octet
      0.000 → ACK 0
      0.300 ← WRQ "f" octet
      0.300 → ACK 0
      0.300 ← WRQ "f" octet
      0.300 → ACK 0
      running"
    `);
  });
});

describe("RFC 7440", () => {
  const options = { windowsize: "4" };

  test("an ACK at the end of a window, and none before it", () => {
    expectMark("window-end-acknowledged", () => {
      const exchange = new UploadExchange({ options }).wait(10);
      exchange.data(1).data(2).data(3).data(4).wait(10).data(5).data(6, 1);
      expect(exchange.complete().transcript()).toMatchInlineSnapshot(`
        "0.000 ← WRQ "f" octet windowsize=4
        0.000 → OACK windowsize=4
        0.010 ← DATA 1 512 bytes
        0.010 ← DATA 2 512 bytes
        0.010 ← DATA 3 512 bytes
        0.010 ← DATA 4 512 bytes
        0.010 → ACK 4
        0.020 ← DATA 5 512 bytes
        0.020 ← DATA 6 1 bytes
        0.020 → ACK 6
        running"
      `);
      expect(exchange.receiver.statistics).toEqual({
        blocksAccepted: 6,
        blocksRepeated: 0,
        blocksEarly: 0,
        repliesSent: 3,
        timeouts: 0,
        nacks: 0,
        rttUs: 10_000,
      });
    });
  });

  test("a gap is acknowledged once, by the last block in order, and a window begins behind it", () => {
    expectMark("gap-acknowledged-once", () => {
      const exchange = new UploadExchange({ options }).wait(10).data(1).data(3).data(4);
      expect(exchange.wait(10).data(2).data(3).data(4).data(5).transcript()).toMatchInlineSnapshot(`
        "0.000 ← WRQ "f" octet windowsize=4
        0.000 → OACK windowsize=4
        0.010 ← DATA 1 512 bytes
        0.010 ← DATA 3 512 bytes
        0.010 → ACK 1
        0.010 ← DATA 4 512 bytes
        0.020 ← DATA 2 512 bytes
        0.020 ← DATA 3 512 bytes
        0.020 ← DATA 4 512 bytes
        0.020 ← DATA 5 512 bytes
        0.020 → ACK 5
        running"
      `);
      expect(exchange.receiver.statistics).toMatchObject({ blocksEarly: 2, nacks: 1 });
    });
  });

  test("the same gap is not acknowledged again until the timer has", () => {
    expectMark("gap-not-acknowledged-again", () => {
      const exchange = new UploadExchange({ options }).wait(10).data(1).data(3).data(4);
      exchange.data(3).data(4).wait(50).data(3).data(4);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 ← WRQ "f" octet windowsize=4
        0.000 → OACK windowsize=4
        0.010 ← DATA 1 512 bytes
        0.010 ← DATA 3 512 bytes
        0.010 → ACK 1
        0.010 ← DATA 4 512 bytes
        0.010 ← DATA 3 512 bytes
        0.010 ← DATA 4 512 bytes
        0.060 → ACK 1
        0.060 ← DATA 3 512 bytes
        0.060 → ACK 1
        0.060 ← DATA 4 512 bytes
        running"
      `);
    });
  });

  test("the first block is missing: ACK 0", () => {
    const exchange = new UploadExchange({ options }).wait(10).data(2).request();
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 ← WRQ "f" octet windowsize=4
      0.000 → OACK windowsize=4
      0.010 ← DATA 2 512 bytes
      0.010 → ACK 0
      0.010 ← WRQ "f" octet windowsize=4
      running"
    `);
  });

  test("the end of a window is lost: the timer acknowledges what is there", () => {
    const exchange = new UploadExchange({ options }).wait(10).data(1).data(2).wait(50);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 ← WRQ "f" octet windowsize=4
      0.000 → OACK windowsize=4
      0.010 ← DATA 1 512 bytes
      0.010 ← DATA 2 512 bytes
      0.060 → ACK 2
      running"
    `);
  });

  test("nothing beyond the window is taken", () => {
    const exchange = new UploadExchange({ options }).command((receiver) => receiver.pause());
    for (let wire = 1; wire <= 9; wire++) exchange.data(wire);
    expect(exchange.receiver.acceptedBlock).toBe(4);
    const before = exchange.lineCount;
    exchange.command((receiver, nowUs) => receiver.resume(nowUs)).data(5);
    expect(exchange.transcript(before)).toMatchInlineSnapshot(`
      "0.000 → ACK 4
      0.000 ← DATA 5 512 bytes
      running"
    `);
  });
});

describe("block numbers wrap", () => {
  test("to 0, and one from before the wrap is not taken again", () => {
    const exchange = nearWrap({});
    const before = exchange.lineCount;
    for (const wire of [65_535, 0, 1]) exchange.wait(1).data(wire, 8).data(wire, 8).data(65_534, 8);
    expect(exchange.receiver.acceptedBlock).toBe(65_537);
    expect(exchange.data(2, 0).complete().transcript(before)).toMatchInlineSnapshot(`
      "0.001 ← DATA 65535 8 bytes
      0.001 → ACK 65535
      0.001 ← DATA 65535 8 bytes
      0.001 ← DATA 65534 8 bytes
      0.002 ← DATA 0 8 bytes
      0.002 → ACK 0
      0.002 ← DATA 0 8 bytes
      0.002 ← DATA 65534 8 bytes
      0.003 ← DATA 1 8 bytes
      0.003 → ACK 1
      0.003 ← DATA 1 8 bytes
      0.003 ← DATA 65534 8 bytes
      0.003 ← DATA 2 0 bytes
      0.003 → ACK 2
      running"
    `);
  });

  test("to 1, as negotiated", () => {
    const exchange = nearWrap({ rollover: "1" });
    const before = exchange.lineCount;
    for (const wire of [65_535, 0, 1, 2]) exchange.wait(1).data(wire, 8).data(65_535, 8);
    expect(exchange.data(3, 0).complete().transcript(before)).toMatchInlineSnapshot(`
      "0.001 ← DATA 65535 8 bytes
      0.001 → ACK 65535
      0.001 ← DATA 65535 8 bytes
      0.002 ← DATA 0 8 bytes
      0.002 ← DATA 65535 8 bytes
      0.002 → ACK 65535
      0.003 ← DATA 1 8 bytes
      0.003 → ACK 1
      0.003 ← DATA 65535 8 bytes
      0.004 ← DATA 2 8 bytes
      0.004 → ACK 2
      0.004 ← DATA 65535 8 bytes
      0.004 ← DATA 3 0 bytes
      0.004 → ACK 3
      running"
    `);
  });

  test("in the middle of a window, with a gap", () => {
    const exchange = nearWrap({ windowsize: "6" });
    const before = exchange.lineCount;
    for (const wire of [65_535, 0, 2, 3, 1, 2, 3, 4, 5, 6]) exchange.data(wire, 8);
    expect(exchange.transcript(before)).toMatchInlineSnapshot(`
      "0.000 ← DATA 65535 8 bytes
      0.000 ← DATA 0 8 bytes
      0.000 ← DATA 2 8 bytes
      0.000 → ACK 0
      0.000 ← DATA 3 8 bytes
      0.000 ← DATA 1 8 bytes
      0.000 ← DATA 2 8 bytes
      0.000 ← DATA 3 8 bytes
      0.000 ← DATA 4 8 bytes
      0.000 ← DATA 5 8 bytes
      0.000 ← DATA 6 8 bytes
      0.000 → ACK 6
      running"
    `);
  });
});

/** Plays a transfer up to block 65,534. */
function nearWrap(options: Record<string, string>): UploadExchange {
  const exchange = new UploadExchange({ options: { blksize: "8", ...options } });
  for (let wire = 1; wire <= 65_534; wire++) exchange.data(wire, 8);
  return exchange;
}
