// How an upload ends, as transcripts: the held ACK, dallying, refusals, giving up, and the server ending it.

import { describe, expect, test } from "bun:test";

import { errorReplies } from "#protocol/error-reply.ts";
import type { Receiver } from "#protocol/receiver.ts";

import { expectMark } from "../../marks.ts";
import { UploadExchange } from "../../sim/upload-exchange.ts";

/** An upload of two blocks whose last one has come. */
function held(options: Readonly<Record<string, string>> = {}): UploadExchange {
  return new UploadExchange({ options }).wait(10).data(1).wait(10).data(2, 100);
}

describe("while the final ACK is held", () => {
  test("repetitions are neither answered nor a death, however long it takes", () => {
    expectMark("repetition-while-held-ignored", () => {
      const exchange = held();
      for (let second = 0; second < 100; second++) exchange.wait(1000).data(2, 100);
      expect(exchange.receiver).toMatchObject({ outcome: "running", isHeld: true });
      expect(exchange.receiver.deadlineUs).toBe(Infinity);
      expect(exchange.receiver.statistics).toMatchObject({ blocksRepeated: 100, repliesSent: 2 });
      expect(exchange.complete().transcript(exchange.lineCount - 2)).toMatchInlineSnapshot(`
        "100.020 ← DATA 2 100 bytes
        100.020 → ACK 2
        running"
      `);
    });
  });

  test("a block behind the last one shows that it was none: ERROR 4, and the end", () => {
    expectMark("block-behind-the-last-refused", () => {
      const exchange = new UploadExchange({ options: { blksize: "1024", windowsize: "3" } });
      exchange.wait(10).data(1, 512).data(2, 512).data(3, 512).complete();
      expect(exchange.published).toBeUndefined();
      expect(exchange.transcript(2)).toMatchInlineSnapshot(`
        "0.010 ← DATA 1 512 bytes
        0.010 ← DATA 2 512 bytes
        0.010 → ERROR 4 "Illegal TFTP operation"
        0.010 ← DATA 3 512 bytes
        protocol-error"
      `);
    });
    // Of a window from behind the wrap, too; but neither a repeated block nor one that is too far away shows anything.
    const wrapped = new UploadExchange({ options: { blksize: "8", windowsize: "2" } });
    for (let block = 1; block < 65_535; block += 1) wrapped.data(block, 8);
    wrapped.data(65_535, 7).data(65_534, 8).data(65_535, 7).data(2, 8).data(65_533, 8);
    expect(wrapped.receiver.isHeld).toBe(true);
    expect(wrapped.data(0, 8).receiver.outcome).toBe("protocol-error");
    const widest = new UploadExchange({ options: { blksize: "8", windowsize: "65535" } });
    widest.data(1, 8).data(2, 8).data(3, 1).data(2, 8).data(1, 8);
    expect(widest.receiver.isHeld).toBe(true);
  });

  test("the sender's ERROR ends it, and completion then does nothing", () => {
    const exchange = held().error(0, "gave up").complete();
    exchange.command((receiver, nowUs) => receiver.complete(nowUs));
    expect(exchange.published).toBeUndefined();
    expect(exchange.transcript(4)).toMatchInlineSnapshot(`
      "0.020 ← DATA 2 100 bytes
      0.020 ← ERROR 0 "gave up"
      closed-by-client"
    `);
  });

  test("a pause changes nothing", () => {
    const exchange = held().command((receiver) => receiver.pause());
    expect(exchange.wait(60_000).receiver.outcome).toBe("running");
    exchange.command((receiver, nowUs) => receiver.resume(nowUs)).wait(60_000);
    expect(exchange.receiver.isHeld).toBe(true);
    exchange.command((receiver) => receiver.pause()).complete();
    expect(exchange.transcript(5)).toMatchInlineSnapshot(`
      "120.020 → ACK 2
      running"
    `);
  });
});

describe("RFC 1350 §6, dallying", () => {
  test("after completion: the final ACK, and again for a repeated last block, until the time is over", () => {
    expectMark("dally-ends-complete", () => {
      const exchange = held().wait(50).complete().wait(5).data(2, 100).wait(995).data(2, 100);
      exchange.wait(5000).data(2, 100).wait(5000).data(2, 100);
      expect(exchange.transcript(4)).toMatchInlineSnapshot(`
        "0.020 ← DATA 2 100 bytes
        0.070 → ACK 2
        0.075 ← DATA 2 100 bytes
        1.070 ← DATA 2 100 bytes
        1.070 → ACK 2
        6.070 ← DATA 2 100 bytes
        6.070 → ACK 2
        11.070 ← DATA 2 100 bytes
        complete"
      `);
      expect(exchange.receiver.deadlineUs).toBe(Infinity);
    });
  });

  test("the final ACK waits for completion", () => {
    expectMark("final-ack-sent-when-complete", () => {
      const exchange = held().wait(700);
      expect(exchange.transcript(5)).toMatchInlineSnapshot(`"running"`);
      expect(exchange.complete().receiver.isDallying).toBe(true);
    });
  });

  test("what was acknowledged is complete, whatever comes behind it", () => {
    const exchange = held().complete().data(3).data(2, 100);
    expect(exchange.receiver).toMatchObject({ outcome: "running", isDallying: true });
  });

  test("lasts twice the sender's timeout, if that is known", () => {
    const exchange = held({ timeout: "3" }).complete().wait(5999);
    expect(exchange.receiver.outcome).toBe("running");
    expect(exchange.wait(1).receiver.outcome).toBe("complete");
  });

  test("an ERROR, an abort and a pause come too late: what was acknowledged is complete", () => {
    expect(held().complete().error(0, "late").receiver.outcome).toBe("complete");
    for (const outcome of ["shutdown", "replaced", "io-error"] as const) {
      const exchange = held().complete();
      const before = exchange.lineCount;
      exchange.command((receiver) => receiver.abort(outcome));
      expect(exchange.wait(20_000).data(2, 100).transcript(before)).toEndWith("complete");
      expect(exchange.lineCount).toBe(before + 1);
    }
    const paused = held()
      .complete()
      .command((receiver) => receiver.pause());
    expect(paused.wait(10_000).receiver.outcome).toBe("complete");
  });

  test("a final ACK that has not gone out yet goes out before the shutdown, and is not sent to a successor", () => {
    const shutdown = held().command((receiver, nowUs) => {
      receiver.complete(nowUs);
      receiver.abort("shutdown");
    });
    expect(shutdown.data(2, 100).transcript(5)).toMatchInlineSnapshot(`
      "0.020 → ACK 2
      0.020 ← DATA 2 100 bytes
      complete"
    `);
    for (const end of [
      (receiver: Receiver) => receiver.abort("replaced"),
      (receiver: Receiver) => receiver.handleError(0, 0),
    ]) {
      const exchange = held().command((receiver, nowUs) => {
        receiver.complete(nowUs);
        end(receiver);
      });
      expect(exchange.transcript(5)).toBe("complete");
    }
  });

  test("is only for what is complete, and cannot be taken back", () => {
    expect(() => new UploadExchange().data(1).receiver.complete(0)).toThrow("as a whole");
    const dallying = held().complete().receiver;
    expect(() => dallying.refuse(errorReplies.diskFull)).toThrow("is kept");
    expect(() => dallying.complete(0)).toThrow("as a whole");
  });
});

describe("a refusal", () => {
  test("goes out once, instead of the final ACK", () => {
    expectMark("error-in-place-of-ack", () => {
      const exchange = held().command((receiver) => receiver.refuse(errorReplies.fileExists));
      exchange.command((receiver) => receiver.refuse(errorReplies.diskFull));
      exchange.data(2, 100).wait(60_000).error(0, "too late").request();
      expect(exchange.transcript(4)).toMatchInlineSnapshot(`
        "0.020 ← DATA 2 100 bytes
        0.020 → ERROR 6 "File already exists"
        0.020 ← DATA 2 100 bytes
        60.020 ← ERROR 0 "too late"
        60.020 ← WRQ "f" octet
        refused"
      `);
      expect(exchange.receiver.deadlineUs).toBe(Infinity);
    });
  });

  test("in the middle of the file, and while it is paused", () => {
    const exchange = new UploadExchange().data(1).command((receiver) => receiver.pause());
    exchange.data(2).command((receiver) => receiver.refuse(errorReplies.diskFull));
    exchange.command((receiver, nowUs) => receiver.resume(nowUs));
    expect(exchange.wait(60_000).transcript(4)).toMatchInlineSnapshot(`
      "0.000 ← DATA 2 512 bytes
      0.000 → ERROR 3 "Disk full or allocation exceeded"
      refused"
    `);
  });
});

describe("while the disk is behind", () => {
  const options = { windowsize: "2" };

  test("the ACK is withheld, repetitions are not taken, and nobody is given up", () => {
    const exchange = new UploadExchange({ options }).wait(10).data(1);
    exchange.command((receiver) => receiver.pause()).data(2);
    for (let second = 0; second < 50; second++) exchange.wait(1000).data(1).data(2);
    exchange.data(3);
    expect(exchange.receiver).toMatchObject({ outcome: "running", acceptedBlock: 2 });
    const before = exchange.lineCount;
    exchange
      .command((receiver, nowUs) => receiver.resume(nowUs))
      .wait(29_000)
      .data(3);
    expect(exchange.transcript(before)).toMatchInlineSnapshot(`
      "50.010 → ACK 2
      50.060 → ACK 2
      50.160 → ACK 2
      50.360 → ACK 2
      50.760 → ACK 2
      58.260 → ACK 2
      65.760 → ACK 2
      73.260 → ACK 2
      79.010 ← DATA 3 512 bytes
      running"
    `);
  });

  test("before the first block, the first reply waits too", () => {
    const exchange = new UploadExchange().command((receiver) => receiver.pause()).request();
    expect(exchange.wait(90_000).transcript()).toMatchInlineSnapshot(`
      "0.000 ← WRQ "f" octet
      0.000 → ACK 0
      0.000 ← WRQ "f" octet
      running"
    `);
    exchange.command((receiver, nowUs) => receiver.resume(nowUs));
    expect(exchange.transcript(3)).toMatchInlineSnapshot(`
      "90.000 → ACK 0
      running"
    `);
  });

  test("the patience begins anew after it", () => {
    const exchange = new UploadExchange({ patienceUs: 2_000_000 }).wait(10).data(1).wait(1900);
    exchange.command((receiver) => receiver.pause()).wait(5000);
    exchange.command((receiver, nowUs) => receiver.resume(nowUs)).wait(1999);
    expect(exchange.receiver.outcome).toBe("running");
    expect(exchange.wait(1).receiver.outcome).toBe("gave-up");
    // Neither of them means anything now.
    exchange.command((receiver, nowUs) => receiver.resume(nowUs));
    expect(exchange.command((receiver) => receiver.pause()).receiver.deadlineUs).toBe(Infinity);
  });
});

describe("giving up", () => {
  test("a peer that never sends a block gets the first reply six times and one ERROR", () => {
    expectMark("receiver-gives-up-with-one-error", () => {
      const exchange = new UploadExchange({ options: { tsize: "700" } }).wait(60_000);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 ← WRQ "f" octet tsize=700
        0.000 → OACK tsize=700
        1.000 → OACK tsize=700
        3.000 → OACK tsize=700
        7.000 → OACK tsize=700
        12.000 → OACK tsize=700
        19.500 → OACK tsize=700
        27.000 → ERROR 0 "Timed out"
        gave-up"
      `);
    });
  });

  test("a peer that falls silent is given up after the patience", () => {
    const exchange = new UploadExchange({ patienceUs: 2_000_000 }).wait(100).data(1).wait(60_000);
    expect(exchange.data(2).transcript()).toMatchInlineSnapshot(`
      "0.000 ← WRQ "f" octet
      0.000 → ACK 0
      0.100 ← DATA 1 512 bytes
      0.100 → ACK 1
      0.400 → ACK 1
      1.000 → ACK 1
      2.100 → ERROR 0 "Timed out"
      60.100 ← DATA 2 512 bytes
      gave-up"
    `);
  });

  test("repeated blocks are no progress", () => {
    const exchange = new UploadExchange({ patienceUs: 1_000_000 }).wait(10).data(1);
    for (let round = 0; round < 20; round++) exchange.wait(100).data(1);
    expect(exchange.receiver.outcome).toBe("gave-up");
  });

  test("a negotiated timeout longer than the patience still allows one repetition", () => {
    const exchange = new UploadExchange({ options: { timeout: "40" } }).wait(99_000);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 ← WRQ "f" octet timeout=40
      0.000 → OACK timeout=40
      40.000 → OACK timeout=40
      80.000 → ERROR 0 "Timed out"
      gave-up"
    `);
  });
});

describe("the server ends the transfer", () => {
  for (const outcome of ["io-error", "shutdown", "replaced"] as const) {
    test(outcome, () => {
      const exchange = held().command((receiver) => receiver.abort(outcome));
      exchange
        .command((receiver) => receiver.abort("shutdown"))
        .data(2, 100)
        .complete();
      const expected = {
        "io-error": ['0.020 → ERROR 0 "Write error"'],
        shutdown: ['0.020 → ERROR 0 "Server is shutting down"'],
        replaced: [],
      };
      const said = exchange.wait(60_000).transcript(5).split("\n");
      expect(said).toEqual([...expected[outcome], "0.020 ← DATA 2 100 bytes", outcome]);
      expect(exchange.receiver.deadlineUs).toBe(Infinity);
    });
  }
});

describe("netascii", () => {
  test("pairs are read across blocks, and a CR at the very end stays", () => {
    const exchange = new UploadExchange({ mode: "netascii", options: { blksize: "8" } });
    const text = Buffer.from("1234567\r\n9\r\0\r\n\r\nab\r", "latin1");
    exchange.data(1, text.subarray(0, 8)).data(2, text.subarray(8, 16)).data(3, text.subarray(16));
    expect(Buffer.from(exchange.complete().published ?? []).toString("latin1")).toBe(
      "1234567\n9\r\n\nab\r",
    );
  });
});
