// The Sender as transcripts: each test is one behaviour of an RFC, or one of a client that was captured.

import { describe, expect, test } from "bun:test";

import { expectMark } from "../../marks.ts";
import { Exchange } from "../../sim/exchange.ts";

describe("RFC 1350", () => {
  test("one block at a time, and the short one ends it", () => {
    expectMark("last-block-acknowledged", () => {
      const exchange = new Exchange({ file: 1025 });
      exchange.wait(1).ack(1).wait(1).ack(2).wait(1).ack(3);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 ← RRQ "f" octet
        0.000 → DATA 1 512 bytes
        0.001 ← ACK 1
        0.001 → DATA 2 512 bytes
        0.002 ← ACK 2
        0.002 → DATA 3 1 bytes
        0.003 ← ACK 3
        complete"
      `);
    });
  });

  test("an empty file is one empty block; a multiple of the block size ends with one", () => {
    expect(new Exchange({ file: 0 }).ack(1).transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet
      0.000 → DATA 1 0 bytes
      0.000 ← ACK 1
      complete"
    `);
    expect(new Exchange({ file: 512 }).ack(1).ack(2).transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet
      0.000 → DATA 1 512 bytes
      0.000 ← ACK 1
      0.000 → DATA 2 0 bytes
      0.000 ← ACK 2
      complete"
    `);
  });

  test("a lost block is repeated by the timer, each time later", () => {
    expectMark("window-repeated-on-timeout", () => {
      const exchange = new Exchange({ file: 600 }).wait(20_000);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 ← RRQ "f" octet
        0.000 → DATA 1 512 bytes
        1.000 → DATA 1 512 bytes
        3.000 → DATA 1 512 bytes
        7.000 → DATA 1 512 bytes
        12.000 → DATA 1 512 bytes
        17.000 → DATA 1 512 bytes
        running"
      `);
    });
  });

  test("the timer follows the measured round trip, and never below 50 ms", () => {
    const exchange = new Exchange({ file: 2000 }).wait(100).ack(1).wait(1000);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet
      0.000 → DATA 1 512 bytes
      0.100 ← ACK 1
      0.100 → DATA 2 512 bytes
      0.400 → DATA 2 512 bytes
      1.000 → DATA 2 512 bytes
      running"
    `);
    const near = new Exchange({ file: 2000 }).wait(1).ack(1).wait(60);
    expect(near.transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet
      0.000 → DATA 1 512 bytes
      0.001 ← ACK 1
      0.001 → DATA 2 512 bytes
      0.051 → DATA 2 512 bytes
      running"
    `);
  });

  test("an ERROR ends the transfer at once, unanswered", () => {
    expectMark("client-error-ends-transfer", () => {
      const exchange = new Exchange({ file: 2000 }).ack(1).error(3, "disk full").ack(2).wait(9000);
      expect(exchange.error(0, "again").request().transcript()).toMatchInlineSnapshot(`
        "0.000 ← RRQ "f" octet
        0.000 → DATA 1 512 bytes
        0.000 ← ACK 1
        0.000 → DATA 2 512 bytes
        0.000 ← ERROR 3 "disk full"
        0.000 ← ACK 2
        9.000 ← ERROR 0 "again"
        9.000 ← RRQ "f" octet
        closed-by-client"
      `);
    });
  });

  test("ACKs of blocks that were not sent are ignored", () => {
    expectMark("ack-outside-window-ignored", () => {
      const exchange = new Exchange({ file: 2000 }).ack(2).ack(65_535).ack(1).ack(3).ack(9);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 ← RRQ "f" octet
        0.000 → DATA 1 512 bytes
        0.000 ← ACK 2
        0.000 ← ACK 65535
        0.000 ← ACK 1
        0.000 → DATA 2 512 bytes
        0.000 ← ACK 3
        0.000 ← ACK 9
        running"
      `);
    });
  });
});

describe("RFC 1123 §4.2.3.1, the Sorcerer's Apprentice", () => {
  test("in lockstep a repeated ACK never repeats a block, however often and late", () => {
    expectMark("repeated-ack-ignored", () => {
      const exchange = new Exchange({ file: 2000 }).wait(10).ack(1).ack(1).wait(40).ack(1).ack(1);
      expect(exchange.ack(0).transcript()).toMatchInlineSnapshot(`
        "0.000 ← RRQ "f" octet
        0.000 → DATA 1 512 bytes
        0.010 ← ACK 1
        0.010 → DATA 2 512 bytes
        0.010 ← ACK 1
        0.050 ← ACK 1
        0.050 ← ACK 1
        0.050 ← ACK 0
        running"
      `);
      expect(exchange.sender.statistics.blocksResent).toBe(0);
    });
  });

  test("PXELINUX, after a stall: its repeated ACK and our timer do not add up", () => {
    const exchange = new Exchange({ file: 3000 }).wait(1).ack(1).wait(60).ack(1).ack(2).ack(2);
    expect(exchange.wait(1).ack(3).ack(3).transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet
      0.000 → DATA 1 512 bytes
      0.001 ← ACK 1
      0.001 → DATA 2 512 bytes
      0.051 → DATA 2 512 bytes
      0.061 ← ACK 1
      0.061 ← ACK 2
      0.061 → DATA 3 512 bytes
      0.061 ← ACK 2
      0.062 ← ACK 3
      0.062 → DATA 4 512 bytes
      0.062 ← ACK 3
      running"
    `);
  });
});

describe("RFC 2347", () => {
  test("DATA 1 waits for ACK 0", () => {
    expectMark("data-waits-for-ack-0", () => {
      const exchange = new Exchange({ file: 700, options: { blksize: "1000", tsize: "0" } });
      expect(exchange.wait(5).ack(0).wait(5).ack(1).transcript()).toMatchInlineSnapshot(`
        "0.000 ← RRQ "f" octet blksize=1000 tsize=0
        0.000 → OACK blksize=1000 tsize=700
        0.005 ← ACK 0
        0.005 → DATA 1 700 bytes
        0.010 ← ACK 1
        complete"
      `);
    });
  });

  test("until then any other ACK is ignored", () => {
    expectMark("ack-before-data-ignored", () => {
      const exchange = new Exchange({ file: 700, options: { tsize: "0" } }).ack(1).ack(65_535);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 ← RRQ "f" octet tsize=0
        0.000 → OACK tsize=700
        0.000 ← ACK 1
        0.000 ← ACK 65535
        running"
      `);
    });
  });

  test("the OACK is repeated by the timer", () => {
    expectMark("oack-repeated-on-timeout", () => {
      const exchange = new Exchange({ file: 700, options: { tsize: "0" } }).wait(1500).ack(0);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 ← RRQ "f" octet tsize=0
        0.000 → OACK tsize=700
        1.000 → OACK tsize=700
        1.500 ← ACK 0
        1.500 → DATA 1 512 bytes
        running"
      `);
    });
  });

  test("a second ACK 0, to the repeated OACK, sends nothing more", () => {
    const exchange = new Exchange({ file: 700, options: { tsize: "0" } }).wait(1500);
    const sent = exchange.ack(0).ack(0).ack(0).sender.statistics.blocksSent;
    expect(sent).toBe(1);
  });

  test("ERROR 8 or 0 to the OACK is a probe, not a failure", () => {
    expectMark("client-probes-with-oack", () => {
      const edk2 = { tsize: "0", blksize: "1468", windowsize: "4" };
      const exchange = new Exchange({ file: 700, options: edk2 }).error(8, "User aborted");
      expect(exchange.wait(9000).transcript()).toMatchInlineSnapshot(`
        "0.000 ← RRQ "f" octet tsize=0 blksize=1468 windowsize=4
        0.000 → OACK tsize=700 blksize=1468 windowsize=4
        0.000 ← ERROR 8 "User aborted"
        probe"
      `);
    });
    const options = { tsize: "0" };
    expect(new Exchange({ file: 700, options }).error(0, "x").sender.outcome).toBe("probe");
    const refused = new Exchange({ file: 700, options }).error(2, "x");
    expect(refused.sender.outcome).toBe("closed-by-client");
    const bare = new Exchange({ file: 700 }).error(0, "x");
    expect(bare.sender.outcome).toBe("closed-by-client");
  });
});

describe("a repeated request", () => {
  test("gets the first reply again until the first ACK, and nothing after it", () => {
    expectMark("first-reply-repeated", () => {
      const exchange = new Exchange({ file: 700 }).wait(600).request().wait(100).ack(1).request();
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 ← RRQ "f" octet
        0.000 → DATA 1 512 bytes
        0.600 ← RRQ "f" octet
        0.600 → DATA 1 512 bytes
        0.700 ← ACK 1
        0.700 → DATA 2 188 bytes
        0.700 ← RRQ "f" octet
        running"
      `);
    });
  });

  test("gets the OACK again, and its ACK measures no round trip", () => {
    const exchange = new Exchange({ file: 700, options: { tsize: "0" } }).wait(600).request();
    expect(exchange.wait(1).ack(0).sender.statistics.rttUs).toBe(0);
    expect(exchange.request().transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet tsize=0
      0.000 → OACK tsize=700
      0.600 ← RRQ "f" octet tsize=0
      0.600 → OACK tsize=700
      0.601 ← ACK 0
      0.601 → DATA 1 512 bytes
      0.601 ← RRQ "f" octet tsize=0
      running"
    `);
  });
});

describe("RFC 7440", () => {
  const options = { windowsize: "4" };

  test("a window goes out, and the next after the ACK of its end; the last one is shorter", () => {
    const exchange = new Exchange({ file: 512 * 5 + 1, options }).wait(10).ack(0).wait(10).ack(4);
    expect(exchange.wait(10).ack(6).transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet windowsize=4
      0.000 → OACK windowsize=4
      0.010 ← ACK 0
      0.010 → DATA 1 512 bytes
      0.010 → DATA 2 512 bytes
      0.010 → DATA 3 512 bytes
      0.010 → DATA 4 512 bytes
      0.020 ← ACK 4
      0.020 → DATA 5 512 bytes
      0.020 → DATA 6 1 bytes
      0.030 ← ACK 6
      complete"
    `);
    expect(exchange.sender.statistics).toMatchObject({ blocksResent: 0, nacks: 0, rttUs: 10_000 });
  });

  test("an ACK inside the window: a full window from behind it, nothing before it", () => {
    expectMark("ack-inside-window-resumes-behind-it", () => {
      const exchange = new Exchange({ file: 5000, options }).wait(10).ack(0).wait(10).ack(1);
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
        running"
      `);
      expect(exchange.sender.statistics).toMatchObject({
        blocksSent: 8,
        blocksResent: 3,
        nacks: 1,
      });
    });
  });

  test("the last block of a window is lost: the timer repeats what was not acknowledged", () => {
    const exchange = new Exchange({ file: 3000, options }).wait(10).ack(0).wait(10).ack(4);
    expect(exchange.wait(60).ack(6).transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet windowsize=4
      0.000 → OACK windowsize=4
      0.010 ← ACK 0
      0.010 → DATA 1 512 bytes
      0.010 → DATA 2 512 bytes
      0.010 → DATA 3 512 bytes
      0.010 → DATA 4 512 bytes
      0.020 ← ACK 4
      0.020 → DATA 5 512 bytes
      0.020 → DATA 6 440 bytes
      0.070 → DATA 5 512 bytes
      0.070 → DATA 6 440 bytes
      0.080 ← ACK 6
      complete"
    `);
  });

  test("the first block of a window is lost: the window again, for one ACK of EDK2's many", () => {
    expectMark("window-request-answered-once", () => {
      const exchange = new Exchange({ file: 9000, options }).wait(10).ack(0).wait(10).ack(4);
      expect(exchange.wait(10).ack(4).ack(4).ack(4).transcript()).toMatchInlineSnapshot(`
        "0.000 ← RRQ "f" octet windowsize=4
        0.000 → OACK windowsize=4
        0.010 ← ACK 0
        0.010 → DATA 1 512 bytes
        0.010 → DATA 2 512 bytes
        0.010 → DATA 3 512 bytes
        0.010 → DATA 4 512 bytes
        0.020 ← ACK 4
        0.020 → DATA 5 512 bytes
        0.020 → DATA 6 512 bytes
        0.020 → DATA 7 512 bytes
        0.020 → DATA 8 512 bytes
        0.030 ← ACK 4
        0.030 → DATA 5 512 bytes
        0.030 → DATA 6 512 bytes
        0.030 → DATA 7 512 bytes
        0.030 → DATA 8 512 bytes
        0.030 ← ACK 4
        0.030 ← ACK 4
        running"
      `);
    });
  });

  test("an ACK that was under way before the window could have been seen asks for nothing", () => {
    expectMark("window-request-ignored", () => {
      const exchange = new Exchange({ file: 9000, options }).wait(10).ack(0).wait(10).ack(4);
      expect(exchange.wait(4).ack(4).sender.statistics.nacks).toBe(0);
    });
  });

  test("the echo of a window sent twice is not taken for a request for the next one", () => {
    const exchange = new Exchange({ file: 9000, options }).wait(10).ack(0).wait(10).ack(4);
    // Asked again; both copies arrive, and both are acknowledged, the second one late.
    exchange.wait(10).ack(4).wait(10).ack(8).wait(9).ack(8).ack(8);
    expect(exchange.sender.statistics).toMatchObject({ blocksSent: 16, nacks: 1 });
    // The window after that may be asked for again.
    exchange.wait(1).ack(12).wait(9).ack(12);
    expect(exchange.sender.statistics).toMatchObject({ nacks: 2 });
  });

  test("an echo of repeated blocks moves the window, and repeats nothing", () => {
    expectMark("echo-of-repeated-blocks-moves-window", () => {
      const exchange = new Exchange({ file: 9000, options: { windowsize: "2" } }).wait(10).ack(0);
      // Block 2 was late. The peer has it by now, and acknowledges the second copy: 3 is under way.
      exchange.wait(10).ack(1).wait(10).ack(2).wait(10).ack(4);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 ← RRQ "f" octet windowsize=2
        0.000 → OACK windowsize=2
        0.010 ← ACK 0
        0.010 → DATA 1 512 bytes
        0.010 → DATA 2 512 bytes
        0.020 ← ACK 1
        0.020 → DATA 2 512 bytes
        0.020 → DATA 3 512 bytes
        0.030 ← ACK 2
        0.030 → DATA 4 512 bytes
        0.040 ← ACK 4
        0.040 → DATA 5 512 bytes
        0.040 → DATA 6 512 bytes
        running"
      `);
      expect(exchange.sender.statistics).toMatchObject({ blocksResent: 1, nacks: 1 });
    });
  });

  test("an ACK that answers the pass before does not begin another", () => {
    const exchange = new Exchange({ file: 9000, options }).wait(10).ack(0).wait(10).ack(1);
    expect(exchange.wait(1).ack(2).wait(1).ack(3).sender.statistics).toMatchObject({ nacks: 1 });
    expect(exchange.sender.statistics.blocksSent).toBe(4 + 4 + 2);
  });

  test("a request for part of a window ends the back-off", () => {
    const exchange = new Exchange({ file: 9000, options, isPaced: false });
    exchange.wait(10).ack(0).wait(360).ack(1);
    const { blocksSent } = exchange.sender.statistics;
    expect(exchange.wait(49).sender.statistics.blocksSent).toBe(blocksSent);
    expect(exchange.wait(1).sender.statistics.blocksSent).toBe(blocksSent + 4);
  });

  test("an OACK sent twice may be acknowledged twice: the second ACK 0 asks for no window", () => {
    const exchange = new Exchange({ file: 9000, options }).wait(1200).ack(0).wait(800).ack(0);
    expect(exchange.sender.statistics).toMatchObject({ blocksSent: 4, nacks: 0 });
  });

  test("a late ACK of the first copy counts, while the second is on its way", () => {
    const exchange = new Exchange({ file: 9000, options }).wait(10).ack(0).wait(70).ack(4);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet windowsize=4
      0.000 → OACK windowsize=4
      0.010 ← ACK 0
      0.010 → DATA 1 512 bytes
      0.010 → DATA 2 512 bytes
      0.010 → DATA 3 512 bytes
      0.010 → DATA 4 512 bytes
      0.060 → DATA 1 512 bytes
      0.060 → DATA 2 512 bytes
      0.060 → DATA 3 512 bytes
      0.060 → DATA 4 512 bytes
      0.080 ← ACK 4
      0.080 → DATA 5 512 bytes
      0.080 → DATA 6 512 bytes
      0.080 → DATA 7 512 bytes
      0.080 → DATA 8 512 bytes
      running"
    `);
  });
});

describe("a client that was slow to begin", () => {
  test("and loses its windows then is not taken for one that answers too soon", () => {
    const exchange = new Exchange({ file: 9000, options: { windowsize: "8" }, isPaced: false });
    // The ACK of the OACK takes 163 ms, every other answer 4 ms.
    exchange.wait(163).ack(0).wait(4).ack(2);
    const { blocksSent } = exchange.sender.statistics;
    exchange.wait(600).wait(4).ack(4);
    // The window went out again after the timeout, and goes on behind the second gap at once.
    expect(exchange.sender.statistics.nacks).toBe(2);
    expect(exchange.sender.statistics.blocksSent).toBeGreaterThanOrEqual(blocksSent + 16);
  });
});
