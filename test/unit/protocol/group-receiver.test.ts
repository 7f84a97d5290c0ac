// The GroupReceiver as transcripts: each test is one behaviour of RFC 2090, seen from one of its clients.

import { describe, expect, test } from "bun:test";

import { expectMark } from "../../marks.ts";
import { GroupExchange } from "../../sim/group-exchange.ts";

const master = { fullBlocks: 2, isMaster: true };
const listener = { fullBlocks: 2, isMaster: false };

describe("the master", () => {
  test("acknowledges each block, and ends with the ACK of the last", () => {
    expectMark("group-left-with-last-ack", () => {
      const exchange = new GroupExchange(master).wait(1).data(1).wait(1).data(2).wait(1);
      expect(exchange.data(3, 100).wait(2000).transcript()).toMatchInlineSnapshot(`
        "0.000 → ACK 0
        0.001 ← DATA 1 512 bytes
        0.001 → ACK 1
        0.002 ← DATA 2 512 bytes
        0.002 → ACK 2
        0.003 ← DATA 3 100 bytes
        0.003 → ACK 3
        complete"
      `);
    });
  });

  test("asks again where nothing comes, each time later, and is not heard if nothing ever does", () => {
    expectMark("group-given-up-with-one-error", () => {
      expect(new GroupExchange(master).wait(60_000).transcript()).toMatchInlineSnapshot(`
        "0.000 → ACK 0
        1.000 → ACK 0
        8.500 → ACK 0
        16.000 → ERROR 0 "Left the multicast"
        unheard"
      `);
    });
    expectMark("group-master-asks-again", () => new GroupExchange(master).wait(1500));
  });

  test("leaves the server in peace soon, so that its timer comes to its end", () => {
    expectMark("group-server-left-in-peace", () => {
      const exchange = new GroupExchange(master).wait(10).data(1).wait(15_000);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 → ACK 0
        0.010 ← DATA 1 512 bytes
        0.010 → ACK 1
        0.060 → ACK 1
        0.160 → ACK 1
        0.360 → ACK 1
        0.760 → ACK 1
        8.260 → ACK 1
        running"
      `);
    });
  });

  test("gives up where nothing new comes any more", () => {
    const exchange = new GroupExchange(master).wait(100).data(1).wait(60_000);
    expect(exchange.client.receiver.outcome).toBe("gave-up");
    expect(exchange.transcript()).toContain("ERROR 0");
  });

  test("does not answer a block that comes twice, unless its ACK was lost", () => {
    expectMark("group-repetition-acknowledged", () => {
      const exchange = new GroupExchange({ fullBlocks: 5, isMaster: true }).wait(20).data(1);
      // As late as a server's timer, that does not see the ACK; and sooner than ours.
      exchange.data(1).wait(20).data(2).data(2).wait(30).data(2);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 → ACK 0
        0.020 ← DATA 1 512 bytes
        0.020 → ACK 1
        0.020 ← DATA 1 512 bytes
        0.040 ← DATA 2 512 bytes
        0.040 → ACK 2
        0.040 ← DATA 2 512 bytes
        0.070 ← DATA 2 512 bytes
        0.070 → ACK 2
        running"
      `);
    });
  });

  test("goes on behind what it has heard as a listener", () => {
    expectMark("group-master-asks-for-first-missing", () => {
      const exchange = new GroupExchange({ fullBlocks: 5, isMaster: false });
      exchange.data(2).data(3).data(5).wait(10).oack(1).wait(10).data(1).wait(10).data(4).wait(10);
      expect(exchange.data(6, 100).transcript()).toMatchInlineSnapshot(`
        "0.000 ← DATA 2 512 bytes
        0.000 ← DATA 3 512 bytes
        0.000 ← DATA 5 512 bytes
        0.010 ← OACK multicast=,,1
        0.010 → ACK 0
        0.020 ← DATA 1 512 bytes
        0.020 → ACK 3
        0.030 ← DATA 4 512 bytes
        0.030 → ACK 5
        0.040 ← DATA 6 100 bytes
        0.040 → ACK 6
        running"
      `);
    });
  });

  test("leaves its question where it was while other blocks come", () => {
    const exchange = new GroupExchange({ fullBlocks: 5, isMaster: true }).wait(10);
    expect(exchange.data(4).data(5).wait(10).data(1).transcript()).toMatchInlineSnapshot(`
      "0.000 → ACK 0
      0.010 ← DATA 4 512 bytes
      0.010 ← DATA 5 512 bytes
      0.020 ← DATA 1 512 bytes
      0.020 → ACK 1
      running"
    `);
  });

  test("that is told to be none keeps quiet", () => {
    expectMark("group-listener-is-silent", () => {
      const exchange = new GroupExchange(master).wait(10).data(1).oack(0).data(2).wait(500);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 → ACK 0
        0.010 ← DATA 1 512 bytes
        0.010 → ACK 1
        0.010 ← OACK multicast=,,0
        0.010 ← DATA 2 512 bytes
        running"
      `);
    });
  });
});

describe("a listener", () => {
  test("takes every block, says nothing before the last, and that it has all", () => {
    const exchange = new GroupExchange(listener).wait(10).data(1).data(2).data(3, 100);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.010 ← DATA 1 512 bytes
      0.010 ← DATA 2 512 bytes
      0.010 ← DATA 3 100 bytes
      0.010 → ACK 3
      running"
    `);
    expect(exchange.client.published?.length).toBe(1124);
  });

  test("asks where nothing is heard, later than the server would, and less often once it is answered", () => {
    expectMark("group-listener-asks-in-silence", () => {
      const exchange = new GroupExchange(listener).wait(10).data(2).wait(8000).oack(0);
      exchange.wait(24_000).data(2).wait(8000);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.010 ← DATA 2 512 bytes
        7.510 → ACK 0
        8.010 ← OACK multicast=,,0
        23.010 → ACK 0
        30.510 → ACK 0
        32.010 ← DATA 2 512 bytes
        39.510 → ACK 0
        running"
      `);
    });
  });

  test("that is answered with the block it asked for is the master: the OACK was lost", () => {
    expectMark("group-listener-answered-is-master", () => {
      const exchange = new GroupExchange(listener).data(2).wait(7500).data(1).data(3, 100);
      expect(exchange.transcript()).toMatchInlineSnapshot(`
        "0.000 ← DATA 2 512 bytes
        7.500 → ACK 0
        7.500 ← DATA 1 512 bytes
        7.500 → ACK 2
        7.500 ← DATA 3 100 bytes
        7.500 → ACK 3
        running"
      `);
    });
  });

  test("waits as long as others are served, though nothing is new to it", () => {
    const exchange = new GroupExchange(listener).data(2);
    for (let second = 0; second < 600; second++) exchange.wait(900).data(2);
    expect(exchange.client.receiver.outcome).toBe("running");
    expect(exchange.transcript()).not.toContain("→");
    // Others are not served for ever.
    for (let second = 0; second < 3500; second++) exchange.wait(900).data(2);
    expect(exchange.client.receiver.outcome).toBe("gave-up");
  });

  test("gives up where the server is gone", () => {
    const exchange = new GroupExchange(listener).data(2).wait(60_000);
    expect(exchange.client.receiver.outcome).toBe("gave-up");
  });

  test("that hears OACKs and no block is on a network without multicast", () => {
    const exchange = new GroupExchange(listener);
    for (let second = 0; second < 30; second++) exchange.wait(1000).oack(0);
    expect(exchange.client.receiver.outcome).toBe("unheard");
    expect(exchange.transcript()).toContain('→ ERROR 0 "Left the multicast"');
  });
});

describe("the end", () => {
  test("is told again to a server that makes the client its master", () => {
    expectMark("group-last-ack-repeated", () => {
      const exchange = new GroupExchange(listener).data(1).data(2).data(3, 100).wait(50).oack(1);
      expect(exchange.wait(3000).transcript()).toMatchInlineSnapshot(`
        "0.000 ← DATA 1 512 bytes
        0.000 ← DATA 2 512 bytes
        0.000 ← DATA 3 100 bytes
        0.000 → ACK 3
        0.050 ← OACK multicast=,,1
        0.050 → ACK 3
        complete"
      `);
    });
  });

  test("is told by an ERROR where an ACK says nothing to the server", () => {
    expectMark("group-left-with-error", () => {
      const exchange = new GroupExchange(listener).data(1).data(2).data(3, 100).wait(1).oack(0);
      expect(exchange.oack(0).wait(1000).oack(0).wait(60_000).transcript()).toMatchInlineSnapshot(`
        "0.000 ← DATA 1 512 bytes
        0.000 ← DATA 2 512 bytes
        0.000 ← DATA 3 100 bytes
        0.000 → ACK 3
        0.001 ← OACK multicast=,,0
        0.001 ← OACK multicast=,,0
        1.001 → ACK 3
        1.001 ← OACK multicast=,,0
        1.001 → ERROR 0 "Left the multicast"
        complete"
      `);
    });
  });

  test("of the master is told again if that was lost", () => {
    const exchange = new GroupExchange(master).wait(20).data(1).wait(20).data(2).wait(20);
    exchange.data(3, 100).wait(400).data(3, 100).wait(5000);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 → ACK 0
      0.020 ← DATA 1 512 bytes
      0.020 → ACK 1
      0.040 ← DATA 2 512 bytes
      0.040 → ACK 2
      0.060 ← DATA 3 100 bytes
      0.060 → ACK 3
      0.460 ← DATA 3 100 bytes
      0.460 → ACK 3
      complete"
    `);
  });
});

describe("what is no block of the file ends it:", () => {
  test.each([
    ["a full block that is too long", 1, 513],
    ["a full block that is too short", 1, 511],
    ["a last block of another length", 3, 99],
    ["a block behind the last", 4, 512],
    ["block 0", 0, 512],
  ])("%s", (_what, wire, bytes) => {
    expectMark("group-block-refused", () => {
      const exchange = new GroupExchange(listener).data(wire, bytes).data(1);
      expect(exchange.transcript()).toEndWith(
        '→ ERROR 4 "Illegal TFTP operation"\n0.000 ← DATA 1 512 bytes\nprotocol-error',
      );
    });
  });

  test("but not once all is there", () => {
    const exchange = new GroupExchange(listener).data(1).data(2).data(3, 100).data(4);
    expect(exchange.client.receiver.outcome).toBe("running");
  });
});
