// Text, files that change, and transfers that end, as transcripts of the real shard with its storage: what the bytes are and what
// is free afterwards.

import { afterEach, describe, expect, test } from "bun:test";
import { renameSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Errno } from "#ffi/errno.ts";
import { readNow } from "#storage/file-cache.ts";

import { cleanUp } from "../unit/storage/rig.ts";
import { ShardExchange } from "./shard-exchange.ts";

afterEach(cleanUp);

describe("netascii", () => {
  test("pairs are split between blocks and between windows, and what is sent again is the same to the byte", () => {
    const text = "1234567\n123456\r12\n45\r78\n";
    const exchange = new ShardExchange({ f: text }, { showsBytes: true });
    exchange.rrq("a", "f", { blksize: "8", windowsize: "2" }, "netascii").wait(1).ack("a", 0);
    exchange.wait(60).ack("a", 2).wait(1).ack("a", 3).wait(1).ack("a", 4);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: RRQ "f" netascii blksize=8 windowsize=2
      0.000 tid2 > a: OACK blksize=8 windowsize=2
      0.001 a > tid2: ACK 0
      0.001 tid2 > a: DATA 1 8 bytes "1234567\\r"
      0.001 tid2 > a: DATA 2 8 bytes "\\n123456\\r"
      0.053 tid2 > a: DATA 1 8 bytes "1234567\\r"
      0.053 tid2 > a: DATA 2 8 bytes "\\n123456\\r"
      0.061 a > tid2: ACK 2
      0.061 tid2 > a: DATA 3 8 bytes "\\u000012\\r\\n45\\r"
      0.061 tid2 > a: DATA 4 5 bytes "\\u000078\\r\\n"
      0.062 a > tid2: ACK 3
      0.062 tid2 > a: DATA 4 5 bytes "\\u000078\\r\\n"
      0.063 a > tid2: ACK 4
      complete"
    `);
  });

  test("has no tsize: asked alone there is no OACK, with others it is left out", () => {
    const exchange = new ShardExchange({ f: "a\nb\n" }, { showsBytes: true });
    exchange.rrq("a", "f", { tsize: "0" }, "netascii").ack("a", 1);
    exchange.rrq("b", "f", { tsize: "0", blksize: "8" }, "netascii").ack("b", 0).ack("b", 1);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: RRQ "f" netascii tsize=0
      0.000 tid2 > a: DATA 1 6 bytes "a\\r\\nb\\r\\n"
      0.000 a > tid2: ACK 1
      0.000 b > 69: RRQ "f" netascii tsize=0 blksize=8
      0.000 tid3 > b: OACK blksize=8
      0.000 b > tid3: ACK 0
      0.000 tid3 > b: DATA 1 6 bytes "a\\r\\nb\\r\\n"
      0.000 b > tid3: ACK 1
      complete
      complete"
    `);
  });

  test("is read across blocks and windows, and a repeated block is not read twice", () => {
    const exchange = new ShardExchange({}, { showsBytes: true });
    exchange.wrq("a", "f", { blksize: "8", windowsize: "2" }, "netascii").wait(10);
    exchange.data("a", 1, "1234567\r").data("a", 2, "\n234567\r").wait(20);
    exchange.data("a", 2, "\n234567\r").data("a", 3, "\0\r\n4\rx6\r").data("a", 4, "\n");
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: WRQ "f" netascii blksize=8 windowsize=2
      0.000 tid2 > a: OACK blksize=8 windowsize=2
      0.010 a > tid2: DATA 1 8 bytes "1234567\\r"
      0.010 a > tid2: DATA 2 8 bytes "\\n234567\\r"
      0.010 tid2 > a: ACK 2
      0.030 a > tid2: DATA 2 8 bytes "\\n234567\\r"
      0.030 tid2 > a: ACK 2
      0.030 a > tid2: DATA 3 8 bytes "\\u0000\\r\\n4\\rx6\\r"
      0.030 a > tid2: DATA 4 1 bytes "\\n"
      0.030 tid2 > a: ACK 4
      complete"
    `);
    expect(exchange.uploaded("f")).toBe("1234567\n234567\r\n4\rx6\n");
  });
});

describe("a file", () => {
  // More than is read ahead for the first block.
  const bytes = 3_000_000;

  test("that shrinks under way ends with an ERROR, and not with a short block", () => {
    const exchange = new ShardExchange({ f: bytes });
    exchange.rrq("a", "f", { blksize: "60000" }).ack("a", 0);
    truncateSync(join(exchange.served, "f"), 70_000);
    exchange.ack("a", 1).ack("a", 2);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: RRQ "f" octet blksize=60000
      0.000 tid2 > a: OACK blksize=60000
      0.000 a > tid2: ACK 0
      0.000 tid2 > a: DATA 1 60000 bytes
      0.000 a > tid2: ACK 1
      0.000 tid2 > a: ERROR 0 "File changed during the transfer"
      0.000 a > tid2: ACK 2
      file-changed"
    `);
  });

  test("that cannot be read any more does, too", () => {
    let isBroken = false;
    const exchange = new ShardExchange(
      { f: bytes },
      { readNow: (...args) => (isBroken ? -Errno.EIO : readNow(...args)) },
    );
    exchange.rrq("a", "f", { blksize: "60000" }).ack("a", 0);
    isBroken = true;
    exchange.ack("a", 1).ack("a", 2);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: RRQ "f" octet blksize=60000
      0.000 tid2 > a: OACK blksize=60000
      0.000 a > tid2: ACK 0
      0.000 tid2 > a: DATA 1 60000 bytes
      0.000 a > tid2: ACK 1
      0.000 tid2 > a: ERROR 0 "Read error"
      0.000 a > tid2: ACK 2
      io-error"
    `);
  });

  test("that is replaced by rename goes on as it was, and the next request has the new one", () => {
    const exchange = new ShardExchange({ f: "1234567old" }, { showsBytes: true });
    exchange.rrq("a", "f", { blksize: "8" }).ack("a", 0);
    writeFileSync(join(exchange.served, "g"), "another");
    renameSync(join(exchange.served, "g"), join(exchange.served, "f"));
    exchange.ack("a", 1).ack("a", 2).wait(2000).rrq("b", "f").ack("b", 1);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: RRQ "f" octet blksize=8
      0.000 tid2 > a: OACK blksize=8
      0.000 a > tid2: ACK 0
      0.000 tid2 > a: DATA 1 8 bytes "1234567o"
      0.000 a > tid2: ACK 1
      0.000 tid2 > a: DATA 2 2 bytes "ld"
      0.000 a > tid2: ACK 2
      2.000 b > 69: RRQ "f" octet
      2.000 tid3 > b: DATA 1 7 bytes "another"
      2.000 b > tid3: ACK 1
      complete
      complete"
    `);
  });
});

describe("a transfer that ends", () => {
  test("because its client is silent says one ERROR 0, is told as a failure, and frees its place", () => {
    const config = "[transfer]\nmax_transfers = 1\npatience_secs = 1";
    const exchange = new ShardExchange({ f: 2000 }, { config });
    exchange.rrq("a", "f").wait(10).ack("a", 1).rrq("b", "f").wait(5000).ack("a", 2);
    expect(exchange.rrq("b", "f").transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: RRQ "f" octet
      0.000 tid2 > a: DATA 1 512 bytes
      0.010 a > tid2: ACK 1
      0.010 tid2 > a: DATA 2 512 bytes
      0.010 b > 69: RRQ "f" octet
      0.010 69 > b: ERROR 0 "Server busy, try again later"
      0.061 tid2 > a: DATA 2 512 bytes
      0.180 tid2 > a: DATA 2 512 bytes
      0.417 tid2 > a: DATA 2 512 bytes
      0.954 tid2 > a: DATA 2 512 bytes
      1.011 tid2 > a: ERROR 0 "Timed out"
      5.010 a > tid2: ACK 2
      5.010 b > 69: RRQ "f" octet
      5.010 tid3 > b: DATA 1 512 bytes
      gave-up"
    `);
    expect(exchange.error("b", 0, "done").rig.kernel.wakeUs).toBe(Infinity);
  });

  test("by its client's ERROR is not answered, and sends nothing more", () => {
    const exchange = new ShardExchange({ f: 2000 });
    exchange.rrq("a", "f").ack("a", 1).error("a", 3, "disk full").wait(20_000);
    exchange.rrq("b", "f", { tsize: "0" }).error("b", 8, "User aborted").wait(20_000);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: RRQ "f" octet
      0.000 tid2 > a: DATA 1 512 bytes
      0.000 a > tid2: ACK 1
      0.000 tid2 > a: DATA 2 512 bytes
      0.000 a > tid2: ERROR 3 "disk full"
      20.000 b > 69: RRQ "f" octet tsize=0
      20.000 tid3 > b: OACK tsize=2000
      20.000 b > tid3: ERROR 8 "User aborted"
      closed-by-client
      probe"
    `);
  });

  test("with an upload dallies: a repeated last block has its ACK again, and is not written again", () => {
    const exchange = new ShardExchange({});
    exchange.wrq("a", "f").wait(10).data("a", 1).wait(10).data("a", 2, "end");
    exchange
      .wait(1000)
      .data("a", 2, "end")
      .wait(8000)
      .data("a", 2, "end")
      .wait(2000)
      .data("a", 2, "end");
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: WRQ "f" octet
      0.000 tid2 > a: ACK 0
      0.010 a > tid2: DATA 1 512 bytes
      0.010 tid2 > a: ACK 1
      0.020 a > tid2: DATA 2 3 bytes
      0.020 tid2 > a: ACK 2
      1.020 a > tid2: DATA 2 3 bytes
      1.020 tid2 > a: ACK 2
      9.020 a > tid2: DATA 2 3 bytes
      9.020 tid2 > a: ACK 2
      11.020 a > tid2: DATA 2 3 bytes
      complete"
    `);
    expect(exchange.uploaded("f")).toBe(`${"\0".repeat(512)}end`);
  });

  test("that begins with its second block, after an OACK that came twice, is refused by its size", () => {
    const exchange = new ShardExchange({});
    // curl takes each OACK for a request for the next part of its file; the first one was lost here.
    exchange.wrq("a", "f", { tsize: "515" }).wait(1500).data("a", 1, "end").wait(10);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: WRQ "f" octet tsize=515
      0.000 tid2 > a: OACK tsize=515
      1.003 tid2 > a: OACK tsize=515
      1.500 a > tid2: DATA 1 3 bytes
      1.500 tid2 > a: ERROR 0 "Not the announced size"
      protocol-error"
    `);
    expect(() => exchange.uploaded("f")).toThrow("ENOENT");
    exchange.wrq("b", "f", { tsize: "515" }).wait(10).data("b", 1, "end").wait(10);
    expect(exchange.uploaded("f")).toBe("end");
  });
});
