// Windows on their way out of the real shard, as transcripts: what the kernel does not take is no loss, and a burst limit
// divides a window without changing it (RFC 7440 §4, §6).

import { afterEach, expect, test } from "bun:test";

import { Errno } from "#ffi/errno.ts";

import { cleanUp } from "../unit/storage/rig.ts";
import { ShardExchange } from "./shard-exchange.ts";

afterEach(cleanUp);

test.each([Errno.EAGAIN, Errno.ENOBUFS])(
  "errno %d in the middle of a window waits for room, and the rest follows in its order",
  (errno) => {
    const exchange = new ShardExchange({ f: 3000 }, { isSegmenting: false });
    const { kernel } = exchange.rig;
    let taken = 0;
    let hasRoom = false;
    exchange.rrq("a", "f", { windowsize: "6" }).wait(10);
    kernel.isWritable = () => hasRoom;
    kernel.refusal = () => (hasRoom || (taken += 1) <= 2 ? 0 : -errno);
    exchange.ack("a", 0).wait(20);
    hasRoom = true;
    exchange.wait(10).ack("a", 6);
    expect(exchange.transcript()).toMatchInlineSnapshot(`
      "0.000 a > 69: RRQ "f" octet windowsize=6
      0.000 tid2 > a: OACK windowsize=6
      0.010 a > tid2: ACK 0
      0.010 tid2 > a: DATA 1 512 bytes
      0.010 tid2 > a: DATA 2 512 bytes
      0.040 tid2 > a: DATA 3 512 bytes
      0.040 tid2 > a: DATA 4 512 bytes
      0.040 tid2 > a: DATA 5 512 bytes
      0.040 tid2 > a: DATA 6 440 bytes
      0.040 a > tid2: ACK 6
      complete"
    `);
  },
);

test("a burst limit leaves a millisecond between two bursts, and the window is what was granted", () => {
  const config = `
[[rule]]
client = ["198.51.100.1"]
burst_blocks = 2
`;
  const exchange = new ShardExchange({ f: 3000 }, { config });
  exchange.rrq("a", "f", { windowsize: "5" }).wait(10).ack("a", 0).wait(5).ack("a", 5).ack("a", 6);
  expect(exchange.transcript()).toMatchInlineSnapshot(`
    "0.000 a > 69: RRQ "f" octet windowsize=5
    0.000 tid2 > a: OACK windowsize=5
    0.010 a > tid2: ACK 0
    0.010 tid2 > a: DATA 1 512 bytes
    0.010 tid2 > a: DATA 2 512 bytes
    0.011 tid2 > a: DATA 3 512 bytes
    0.011 tid2 > a: DATA 4 512 bytes
    0.012 tid2 > a: DATA 5 512 bytes
    0.015 a > tid2: ACK 5
    0.015 tid2 > a: DATA 6 440 bytes
    0.015 a > tid2: ACK 6
    complete"
  `);
});
