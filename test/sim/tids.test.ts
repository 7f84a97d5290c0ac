// Ports, addresses and packets that belong to nobody, as transcripts of the real shard: RFC 1350 §4 and §5.

import { afterEach, describe, expect, test } from "bun:test";

import { cleanUp } from "../unit/storage/rig.ts";
import { ackPacket, dataPacket, errorPacket } from "./packets.ts";
import { ShardExchange } from "./shard-exchange.ts";
import { SERVICE_FD } from "./shard-rig.ts";

afterEach(cleanUp);

describe("a transfer ID", () => {
  test("is another than that of the transfer before, and its packets come from there alone", () => {
    // With two sockets the next one in turn would be the one that the client has just had.
    const exchange = new ShardExchange({ f: 600 }, { transferSockets: 2 });
    exchange.rrq("a", "f").rrq("b", "f").ack("a", 1).ack("a", 2).rrq("a", "f");
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: RRQ "f" octet
      0.000 tid2 > a: DATA 1 512 bytes
      0.000 b > 69: RRQ "f" octet
      0.000 tid1 > b: DATA 1 512 bytes
      0.000 a > tid2: ACK 1
      0.000 tid2 > a: DATA 2 88 bytes
      0.000 a > tid2: ACK 2
      0.000 a > 69: RRQ "f" octet
      0.000 tid1 > a: DATA 1 512 bytes
      complete"
    `);
  });

  test("is the service port where all transfers share one, and clients are told by theirs", () => {
    const exchange = new ShardExchange({ f: 600 }, { transferSockets: 0 });
    exchange.rrq("a", "f").rrq("b", "f").ack("a", 1).ack("b", 1).ack("a", 2);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: RRQ "f" octet
      0.000 69 > a: DATA 1 512 bytes
      0.000 b > 69: RRQ "f" octet
      0.000 69 > b: DATA 1 512 bytes
      0.000 a > 69: ACK 1
      0.000 69 > a: DATA 2 88 bytes
      0.000 b > 69: ACK 1
      0.000 69 > b: DATA 2 88 bytes
      0.000 a > 69: ACK 2
      complete"
    `);
  });

  test("has the address that was asked", () => {
    const exchange = new ShardExchange({ f: 600 }, { asks: { a: 2, b: 3 } });
    exchange.rrq("a", "f").rrq("b", "f").rrq("a", "missing").ack("b", 1);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 192.0.2.2:69: RRQ "f" octet
      0.000 192.0.2.2:tid2 > a: DATA 1 512 bytes
      0.000 b > 192.0.2.3:69: RRQ "f" octet
      0.000 192.0.2.3:tid3 > b: DATA 1 512 bytes
      0.000 a > 192.0.2.2:69: RRQ "missing" octet
      0.000 192.0.2.2:69 > a: ERROR 1 "File not found"
      0.000 b > 192.0.2.3:tid3: ACK 1
      0.000 192.0.2.3:tid3 > b: DATA 2 88 bytes
      replaced"
    `);
  });

  test("of another is told so, once a second, and the transfer there goes on", () => {
    const exchange = new ShardExchange({ f: 600 });
    exchange.rrq("a", "f");
    const tid = exchange.portOf("a");
    exchange
      .send("b", ackPacket(1), tid)
      .send("b", ackPacket(2), tid)
      .send("c", dataPacket(1, new Uint8Array(9)), tid);
    exchange
      .send("b", errorPacket(0, "stop"), tid)
      .ack("a", 1)
      .wait(40)
      .send("b", ackPacket(1), tid)
      .ack("a", 2);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: RRQ "f" octet
      0.000 tid2 > a: DATA 1 512 bytes
      0.000 b > tid2: ACK 1
      0.000 tid2 > b: ERROR 5 "Unknown transfer ID"
      0.000 b > tid2: ACK 2
      0.000 c > tid2: DATA 1 9 bytes
      0.000 tid2 > c: ERROR 5 "Unknown transfer ID"
      0.000 b > tid2: ERROR 0 "stop"
      0.000 a > tid2: ACK 1
      0.000 tid2 > a: DATA 2 88 bytes
      0.040 b > tid2: ACK 1
      0.040 a > tid2: ACK 2
      complete"
    `);
  });
});

describe("strays", () => {
  test("at the service port are answered once a second for each source, and an ERROR never", () => {
    const exchange = new ShardExchange({});
    exchange.error("a", 5, "Unknown transfer ID").send("a", ackPacket(7), SERVICE_FD);
    exchange
      .send("a", ackPacket(8), SERVICE_FD)
      .send("a", dataPacket(1, new Uint8Array(4)), SERVICE_FD);
    exchange
      .send("b", dataPacket(1, new Uint8Array(4)), SERVICE_FD)
      .wait(999)
      .send("a", ackPacket(9), SERVICE_FD);
    exchange.wait(1).send("a", ackPacket(10), SERVICE_FD).error("a", 0, "again");
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: ERROR 5 "Unknown transfer ID"
      0.000 a > 69: ACK 7
      0.000 69 > a: ERROR 5 "Unknown transfer ID"
      0.000 a > 69: ACK 8
      0.000 a > 69: DATA 1 4 bytes
      0.000 b > 69: DATA 1 4 bytes
      0.000 69 > b: ERROR 5 "Unknown transfer ID"
      0.999 a > 69: ACK 9
      1.000 a > 69: ACK 10
      1.000 69 > a: ERROR 5 "Unknown transfer ID"
      1.000 a > 69: ERROR 0 "again""
    `);
  });

  test("of a client whose transfer has just ended are not answered", () => {
    const exchange = new ShardExchange({ f: 5 });
    exchange.rrq("a", "f").ack("a", 1).ack("a", 1).wait(500).ack("a", 1);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: RRQ "f" octet
      0.000 tid2 > a: DATA 1 5 bytes
      0.000 a > tid2: ACK 1
      0.000 a > tid2: ACK 1
      0.500 a > tid2: ACK 1
      complete"
    `);
  });
});

describe("a request that comes again from its port", () => {
  test("gets its first reply again, from the same port", () => {
    const exchange = new ShardExchange({ f: 600 });
    exchange.rrq("a", "f", { tsize: "0" }).wait(600).rrq("a", "f", { tsize: "0" }).ack("a", 0);
    exchange.rrq("b", "f").wait(10).rrq("b", "f").ack("a", 1).ack("a", 2);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: RRQ "f" octet tsize=0
      0.000 tid2 > a: OACK tsize=600
      0.600 a > 69: RRQ "f" octet tsize=0
      0.600 tid2 > a: OACK tsize=600
      0.600 a > tid2: ACK 0
      0.600 tid2 > a: DATA 1 512 bytes
      0.600 b > 69: RRQ "f" octet
      0.600 tid3 > b: DATA 1 512 bytes
      0.610 b > 69: RRQ "f" octet
      0.610 tid3 > b: DATA 1 512 bytes
      0.610 a > tid2: ACK 1
      0.610 tid2 > a: DATA 2 88 bytes
      0.610 a > tid2: ACK 2
      complete"
    `);
  });

  test("for another file ends the transfer before it, in silence", () => {
    const exchange = new ShardExchange({ f: 600, g: 100 });
    exchange.rrq("a", "f").wait(10);
    const before = exchange.portOf("a");
    exchange.rrq("a", "g").send("a", ackPacket(1), before).ack("a", 1);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: RRQ "f" octet
      0.000 tid2 > a: DATA 1 512 bytes
      0.010 a > 69: RRQ "g" octet
      0.010 tid3 > a: DATA 1 100 bytes
      0.010 a > tid2: ACK 1
      0.010 a > tid3: ACK 1
      replaced
      complete"
    `);
  });

  test("to write neither opens nor empties anything", () => {
    const exchange = new ShardExchange({});
    exchange.wrq("a", "f").wait(5).wrq("a", "f").data("a", 1).wrq("a", "f").data("a", 2, "end");
    exchange
      .wrq("b", "g", { tsize: "3" })
      .wait(5)
      .wrq("b", "g", { tsize: "3" })
      .data("b", 1, "end");
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: WRQ "f" octet
      0.000 tid2 > a: ACK 0
      0.005 a > 69: WRQ "f" octet
      0.005 tid2 > a: ACK 0
      0.005 a > tid2: DATA 1 512 bytes
      0.005 tid2 > a: ACK 1
      0.005 a > 69: WRQ "f" octet
      0.005 a > tid2: DATA 2 3 bytes
      0.005 tid2 > a: ACK 2
      0.005 b > 69: WRQ "g" octet tsize=3
      0.005 tid3 > b: OACK tsize=3
      0.010 b > 69: WRQ "g" octet tsize=3
      0.010 tid3 > b: OACK tsize=3
      0.010 b > tid3: DATA 1 3 bytes
      0.010 tid3 > b: ACK 1
      complete
      complete"
    `);
    expect(exchange.uploaded("f")).toBe(`${"\0".repeat(512)}end`);
    expect(exchange.uploaded("g")).toBe("end");
  });
});
