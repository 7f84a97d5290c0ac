// How a transfer ends or starts over, as transcripts: numbers that wrap, giving up, the server ending it, netascii.

import { describe, expect, test } from "bun:test";

import { expectMark } from "../../marks.ts";
import { Exchange } from "../../sim/exchange.ts";

describe("block numbers wrap", () => {
  test("to 0, and a late ACK from before the wrap is ignored", () => {
    const exchange = nearWrap({});
    const before = exchange.transcript().split("\n").length - 1;
    exchange.ack(65_535).ack(65_533).ack(65_535).ack(0).ack(65_535).ack(1);
    expect(tail(exchange, before)).toMatchInlineSnapshot(`
      "0.000 ← ACK 65535
      0.000 → DATA 0 8 bytes
      0.000 ← ACK 65533
      0.000 ← ACK 65535
      0.000 ← ACK 0
      0.000 → DATA 1 8 bytes
      0.000 ← ACK 65535
      0.000 ← ACK 1
      0.000 → DATA 2 8 bytes
      running"
    `);
  });

  test("to 1, as negotiated", () => {
    const exchange = nearWrap({ rollover: "1" });
    const before = exchange.transcript().split("\n").length - 1;
    exchange.ack(65_535).ack(0).ack(1).ack(65_535).ack(2);
    expect(tail(exchange, before)).toMatchInlineSnapshot(`
      "0.000 ← ACK 65535
      0.000 → DATA 1 8 bytes
      0.000 ← ACK 0
      0.000 ← ACK 1
      0.000 → DATA 2 8 bytes
      0.000 ← ACK 65535
      0.000 ← ACK 2
      0.000 → DATA 3 8 bytes
      running"
    `);
  });

  test("in the middle of a window", () => {
    const exchange = nearWrap({ windowsize: "6" });
    const before = exchange.transcript().split("\n").length - 1;
    exchange.ack(65_535).ack(5);
    expect(tail(exchange, before)).toMatchInlineSnapshot(`
      "0.000 ← ACK 65535
      0.000 → DATA 0 8 bytes
      0.000 → DATA 1 8 bytes
      0.000 → DATA 2 8 bytes
      0.000 → DATA 3 8 bytes
      0.000 → DATA 4 8 bytes
      0.000 → DATA 5 1 bytes
      0.000 ← ACK 5
      complete"
    `);
  });
});

/** Plays a lockstep transfer up to the last block before the wrap. */
function nearWrap(options: Record<string, string>): Exchange {
  const exchange = new Exchange({
    file: 8 * 65_540 + 1,
    options: { blksize: "8", ...options },
  });
  exchange.ack(0);
  const windowBlocks = Number(options["windowsize"] ?? 1);
  for (let wire = windowBlocks; wire <= 65_534; wire += windowBlocks) exchange.ack(wire);
  return exchange;
}

/** The lines after the first `count`. */
function tail(exchange: Exchange, count: number): string {
  return exchange.transcript().split("\n").slice(count).join("\n");
}

describe("giving up", () => {
  test("a peer that never answers gets the first reply six times and one ERROR", () => {
    expectMark("gives-up-with-one-error", () => {
      const exchange = new Exchange({ file: 700, options: { tsize: "0" } }).wait(60_000);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 ← RRQ "f" octet tsize=0
        0.000 → OACK tsize=700
        1.000 → OACK tsize=700
        3.000 → OACK tsize=700
        7.000 → OACK tsize=700
        12.000 → OACK tsize=700
        17.000 → OACK tsize=700
        22.000 → ERROR 0 "Timed out"
        gave-up"
      `);
    });
  });

  test("to a peer that may be forged little is repeated, but whoever asks again is answered", () => {
    expectMark("no-more-repeats-to-a-silent-peer", () => {
      const exchange = new Exchange({ file: 700, unheardRepeatsMax: 1 }).wait(6000);
      exchange.request().wait(60_000);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 ← RRQ "f" octet
        0.000 → DATA 1 512 bytes
        1.000 → DATA 1 512 bytes
        6.000 ← RRQ "f" octet
        6.000 → DATA 1 512 bytes
        25.000 → ERROR 0 "Timed out"
        gave-up"
      `);
    });
  });

  test("who has acknowledged anything is not taken for forged", () => {
    const exchange = new Exchange({ file: 2000, unheardRepeatsMax: 0 }).ack(1).wait(5000);
    expect(exchange.sender.statistics.blocksResent).toBeGreaterThan(2);
  });

  test("a peer that any packet delays is left in peace when back-off is at its end", () => {
    expectMark("receiver-left-in-peace", () => {
      const exchange = new Exchange({ file: 2000 }).wait(100).ack(1).wait(29_000);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 ← RRQ "f" octet
        0.000 → DATA 1 512 bytes
        0.100 ← ACK 1
        0.100 → DATA 2 512 bytes
        0.400 → DATA 2 512 bytes
        1.000 → DATA 2 512 bytes
        2.200 → DATA 2 512 bytes
        4.600 → DATA 2 512 bytes
        9.400 → DATA 2 512 bytes
        16.900 → DATA 2 512 bytes
        24.400 → DATA 2 512 bytes
        running"
      `);
    });
  });

  test("and after five repetitions, where packets were lost before", () => {
    const exchange = new Exchange({ file: 2000 }).wait(1).ack(1).wait(60).ack(2).wait(1).ack(3);
    expect(exchange.wait(20_000).transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet
      0.000 → DATA 1 512 bytes
      0.001 ← ACK 1
      0.001 → DATA 2 512 bytes
      0.051 → DATA 2 512 bytes
      0.061 ← ACK 2
      0.061 → DATA 3 512 bytes
      0.062 ← ACK 3
      0.062 → DATA 4 464 bytes
      0.112 → DATA 4 464 bytes
      0.212 → DATA 4 464 bytes
      0.412 → DATA 4 464 bytes
      0.812 → DATA 4 464 bytes
      1.612 → DATA 4 464 bytes
      9.112 → DATA 4 464 bytes
      complete-unacknowledged"
    `);
  });

  test("for so long that a timer of 5 s ends which has negotiated a shorter one", () => {
    const exchange = new Exchange({ file: 2000, options: { timeout: "1" } }).ack(0).wait(1).ack(1);
    expect(exchange.wait(28_000).transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet timeout=1
      0.000 → OACK timeout=1
      0.000 ← ACK 0
      0.000 → DATA 1 512 bytes
      0.001 ← ACK 1
      0.001 → DATA 2 512 bytes
      0.051 → DATA 2 512 bytes
      0.151 → DATA 2 512 bytes
      0.351 → DATA 2 512 bytes
      0.751 → DATA 2 512 bytes
      1.551 → DATA 2 512 bytes
      3.051 → DATA 2 512 bytes
      6.051 → DATA 2 512 bytes
      12.051 → DATA 2 512 bytes
      19.551 → DATA 2 512 bytes
      27.051 → DATA 2 512 bytes
      running"
    `);
  });

  test("losses in a row do not add up", () => {
    const exchange = new Exchange({ file: 3000 }).wait(1).ack(1);
    exchange.wait(51).ack(2).wait(70).ack(3).wait(80).ack(4);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet
      0.000 → DATA 1 512 bytes
      0.001 ← ACK 1
      0.001 → DATA 2 512 bytes
      0.051 → DATA 2 512 bytes
      0.052 ← ACK 2
      0.052 → DATA 3 512 bytes
      0.113 → DATA 3 512 bytes
      0.122 ← ACK 3
      0.122 → DATA 4 512 bytes
      0.202 → DATA 4 512 bytes
      0.202 ← ACK 4
      0.202 → DATA 5 512 bytes
      running"
    `);
  });

  test("a peer that falls silent is given up after the patience", () => {
    const exchange = new Exchange({ file: 2000, patienceUs: 2_000_000 }).wait(100).ack(1);
    expect(exchange.wait(60_000).transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet
      0.000 → DATA 1 512 bytes
      0.100 ← ACK 1
      0.100 → DATA 2 512 bytes
      0.400 → DATA 2 512 bytes
      1.000 → DATA 2 512 bytes
      2.100 → ERROR 0 "Timed out"
      gave-up"
    `);
  });

  test("repeated ACKs are no progress", () => {
    const exchange = new Exchange({ file: 2000, patienceUs: 1_000_000 }).wait(100).ack(1);
    for (let round = 0; round < 20; round++) exchange.wait(100).ack(1);
    expect(exchange.sender.outcome).toBe("gave-up");
  });

  test("a negotiated timeout longer than the patience still allows one repetition", () => {
    const options = { timeout: "40" };
    expect(new Exchange({ file: 700, options }).wait(99_000).transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" octet timeout=40
      0.000 → OACK timeout=40
      40.000 → OACK timeout=40
      80.000 → ERROR 0 "Timed out"
      gave-up"
    `);
  });

  test("everything was sent and only the last ACK is missing: complete, and no ERROR", () => {
    expectMark("last-ack-never-came", () => {
      const exchange = new Exchange({ file: 600 }).wait(10).ack(1).wait(60_000);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 ← RRQ "f" octet
        0.000 → DATA 1 512 bytes
        0.010 ← ACK 1
        0.010 → DATA 2 88 bytes
        0.060 → DATA 2 88 bytes
        0.160 → DATA 2 88 bytes
        0.360 → DATA 2 88 bytes
        0.760 → DATA 2 88 bytes
        1.560 → DATA 2 88 bytes
        3.160 → DATA 2 88 bytes
        6.360 → DATA 2 88 bytes
        complete-unacknowledged"
      `);
    });
  });

  test("PXELINUX: ERROR 0 instead of the last, empty block is a completed transfer", () => {
    expectMark("client-skips-empty-last-block", () => {
      const exchange = new Exchange({ file: 1024 }).ack(1).ack(2).error(0, "No error, file close");
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 ← RRQ "f" octet
        0.000 → DATA 1 512 bytes
        0.000 ← ACK 1
        0.000 → DATA 2 512 bytes
        0.000 ← ACK 2
        0.000 → DATA 3 0 bytes
        0.000 ← ERROR 0 "No error, file close"
        complete"
      `);
    });
    const unfinished = new Exchange({ file: 1023 }).ack(1).error(0, "No error, file close");
    expect(unfinished.sender.outcome).toBe("closed-by-client");
    const early = new Exchange({ file: 1024 }).ack(1).error(0, "No error, file close");
    expect(early.sender.outcome).toBe("closed-by-client");
  });
});

describe("the server ends the transfer", () => {
  for (const outcome of ["file-changed", "io-error", "shutdown", "replaced"] as const) {
    test(outcome, () => {
      const exchange = new Exchange({ file: 2000 })
        .ack(1)
        .command((sender) => sender.abort(outcome));
      exchange
        .command((sender) => sender.abort("shutdown"))
        .ack(2)
        .wait(9000);
      const replies = exchange.transcript().split("\n").slice(4);
      const expected = {
        "file-changed": '0.000 → ERROR 0 "File changed during the transfer"',
        "io-error": '0.000 → ERROR 0 "Read error"',
        shutdown: '0.000 → ERROR 0 "Server is shutting down"',
        replaced: undefined,
      };
      const said = expected[outcome] === undefined ? [] : [expected[outcome]];
      expect(replies).toEqual([...said, "0.000 ← ACK 2", outcome]);
      expect(exchange.sender.deadlineUs).toBe(Infinity);
    });
  }
});

describe("netascii", () => {
  test("the end becomes known as the blocks are made, in mid-window", () => {
    const file = new TextEncoder().encode("a line\nanother line\n");
    const options = { blksize: "8", windowsize: "8", tsize: "0" };
    const exchange = new Exchange({ file, mode: "netascii", options }).ack(0).wait(10).ack(3);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 ← RRQ "f" netascii blksize=8 windowsize=8 tsize=0
      0.000 → OACK blksize=8 windowsize=8
      0.000 ← ACK 0
      0.000 → DATA 1 8 bytes
      0.000 → DATA 2 8 bytes
      0.000 → DATA 3 6 bytes
      0.010 ← ACK 3
      complete"
    `);
    expect(exchange.sender.statistics).toMatchObject({ blocksSent: 3, blocksResent: 0 });
  });
});
