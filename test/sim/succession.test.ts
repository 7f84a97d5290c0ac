// What clients of a shard meet that died in the middle of their transfers, as transcripts of its successor, on the same sockets.

import { afterEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { cleanUp } from "../unit/storage/rig.ts";
import { ShardExchange } from "./shard-exchange.ts";

afterEach(cleanUp);

const options = { transferSockets: 1 };
const wide = { windowsize: "4" };
const narrower = "[transfer]\nmax_windowsize = 2";

describe("a request that comes again, after the shard that has answered it died,", () => {
  test("is left alone for two seconds if the answer were another one: the client may go by the first", () => {
    const exchange = new ShardExchange({}, options);
    exchange.wrq("a", "f", wide).replace(narrower).wrq("a", "f", wide).data("a", 1);
    exchange.wait(1999).wrq("a", "f", wide).wait(1).wrq("a", "f", wide);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: WRQ "f" octet windowsize=4
      0.000 tid1 > a: OACK windowsize=4
      0.000 a > 69: WRQ "f" octet windowsize=4
      0.000 a > tid1: DATA 1 512 bytes
      0.000 tid1 > a: ERROR 5 "Unknown transfer ID"
      1.999 a > 69: WRQ "f" octet windowsize=4
      2.000 a > 69: WRQ "f" octet windowsize=4
      2.000 tid1 > a: OACK windowsize=2"
    `);
  });

  test("is answered at once if the answer is the same, and the transfer goes on from its beginning", () => {
    const exchange = new ShardExchange({}, options);
    exchange.wrq("a", "f", wide).replace().wrq("a", "f", wide).data("a", 1).data("a", 2, 5);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: WRQ "f" octet windowsize=4
      0.000 tid1 > a: OACK windowsize=4
      0.000 a > 69: WRQ "f" octet windowsize=4
      0.000 tid1 > a: OACK windowsize=4
      0.000 a > tid1: DATA 1 512 bytes
      0.000 a > tid1: DATA 2 5 bytes
      0.000 tid1 > a: ACK 2
      complete"
    `);
  });

  test("is left alone as well if the file is another one by now", () => {
    const exchange = new ShardExchange({ f: 600, g: 5 }, options);
    exchange.rrq("a", "f").rrq("b", "g");
    for (const name of ["f", "g"]) writeFileSync(join(exchange.served, name), "other");
    exchange.replace().rrq("a", "f").rrq("a", "g").rrq("c", "f").rrq("b", "g").wait(2000);
    expect(exchange.rrq("b", "g").transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: RRQ "f" octet
      0.000 tid1 > a: DATA 1 512 bytes
      0.000 b > 69: RRQ "g" octet
      0.000 tid1 > b: DATA 1 5 bytes
      0.000 a > 69: RRQ "f" octet
      0.000 a > 69: RRQ "g" octet
      0.000 tid1 > a: DATA 1 5 bytes
      0.000 c > 69: RRQ "f" octet
      0.000 tid1 > c: DATA 1 5 bytes
      0.000 b > 69: RRQ "g" octet
      1.003 tid1 > c: DATA 1 5 bytes
      1.003 tid1 > a: DATA 1 5 bytes
      2.000 b > 69: RRQ "g" octet
      2.000 tid1 > b: DATA 1 5 bytes"
    `);
  });

  test("is left alone by the successor of the successor, too", () => {
    const exchange = new ShardExchange({}, options);
    exchange.wrq("a", "f", wide).replace(narrower).replace(narrower).wrq("a", "f", wide);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: WRQ "f" octet windowsize=4
      0.000 tid1 > a: OACK windowsize=4
      0.000 a > 69: WRQ "f" octet windowsize=4"
    `);
  });
});

test("a request for what the dead shard had served already is answered at once, whatever the answer", () => {
  const exchange = new ShardExchange({ f: 5 }, options);
  exchange.rrq("a", "f").ack("a", 1);
  writeFileSync(join(exchange.served, "f"), "other!");
  expect(exchange.replace().rrq("a", "f").transcript()).toMatchInlineSnapshot(`
    "0.000 a > 69: RRQ "f" octet
    0.000 tid1 > a: DATA 1 5 bytes
    0.000 a > tid1: ACK 1
    0.000 a > 69: RRQ "f" octet
    0.000 tid1 > a: DATA 1 6 bytes
    complete"
  `);
});
