// What a request is told, as transcripts of the real shard: names and modes, refusals, and packets that are none (RFC 1350 §5, §7
// and the appendix).

import { afterEach, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { cleanUp } from "../unit/storage/rig.ts";
import { ShardExchange } from "./shard-exchange.ts";
import { SERVICE_FD } from "./shard-rig.ts";

afterEach(cleanUp);

test("modes and options in any case are the same, names are not", () => {
  const exchange = new ShardExchange({ f: 600 });
  exchange.rrq("a", "f", { BlkSize: "600", TSIZE: "0" }, "OcTeT").ack("a", 0).rrq("b", "F");
  expect(exchange.transcript()).toMatchInlineSnapshot(`
    "0.000 a > 69: RRQ "f" OcTeT BlkSize=600 TSIZE=0
    0.000 tid2 > a: OACK blksize=600 tsize=600
    0.000 a > tid2: ACK 0
    0.000 tid2 > a: DATA 1 600 bytes
    0.000 b > 69: RRQ "F" octet
    0.000 69 > b: ERROR 1 "File not found""
  `);
});

test("mail and unknown modes are ERROR 4, at once", () => {
  const exchange = new ShardExchange({ f: 600 });
  exchange.rrq("a", "f", {}, "mail").wrq("a", "f", {}, "MAIL").rrq("a", "f", {}, "binary");
  expect(exchange.wait(9000).transcript()).toMatchInlineSnapshot(`
    "0.000 a > 69: RRQ "f" mail
    0.000 69 > a: ERROR 4 "Transfer mode not supported"
    0.000 a > 69: WRQ "f" MAIL
    0.000 69 > a: ERROR 4 "Transfer mode not supported"
    0.000 a > 69: RRQ "f" binary
    0.000 69 > a: ERROR 4 "Transfer mode not supported""
  `);
});

test("what is malformed is ERROR 4 or nothing, and the next request is served", () => {
  const exchange = new ShardExchange({ f: 5 });
  const malformed = [
    "",
    "\0",
    "\0\x01",
    "\0\x01f",
    "\0\x01f\0",
    "\0\x01f\0octet",
    "\0\x01\0octet\0",
    "\0\x02\0octet\0",
    "\0\0f\0octet\0",
    "\0\x09f\0octet\0",
  ];
  for (const bytes of malformed) exchange.send("a", Buffer.from(bytes, "latin1"), SERVICE_FD);
  // Options without a value, and behind the last one, are passed over.
  exchange.send("b", Buffer.from("\0\x01f\0octet\0tsize\x000\0blksize", "latin1"), SERVICE_FD);
  expect(exchange.ack("b", 0).ack("b", 1).transcript()).toMatchInlineSnapshot(`
    "0.000 a > 69: malformed 0 bytes
    0.000 69 > a: ERROR 4 "Illegal TFTP operation"
    0.000 a > 69: malformed 1 bytes
    0.000 a > 69: RRQ malformed
    0.000 69 > a: ERROR 4 "Malformed request"
    0.000 a > 69: RRQ malformed
    0.000 69 > a: ERROR 4 "Malformed request"
    0.000 a > 69: RRQ malformed
    0.000 69 > a: ERROR 4 "Malformed request"
    0.000 a > 69: RRQ "f" octet
    0.000 69 > a: ERROR 4 "Malformed request"
    0.000 a > 69: RRQ "" octet
    0.000 69 > a: ERROR 4 "Malformed request"
    0.000 a > 69: WRQ "" octet
    0.000 69 > a: ERROR 4 "Malformed request"
    0.000 a > 69: malformed 10 bytes
    0.000 a > 69: malformed 10 bytes
    0.000 b > 69: RRQ "f" octet tsize=0 blksize=
    0.000 tid2 > b: OACK tsize=5
    0.000 b > tid2: ACK 0
    0.000 tid2 > b: DATA 1 5 bytes
    0.000 b > tid2: ACK 1
    complete"
  `);
});

test("each refusal has its code: 1 is not found, 2 is not allowed, or what its rule says", () => {
  const exchange = new ShardExchange({ f: 5, secret: 5, ".hidden": 5 }, { config: denials });
  const names = ["missing", ".hidden", "a/b/c", "../f", "secret", "tuned"];
  for (const name of names) exchange.rrq("a", name);
  expect(exchange.rrq("a", "missing", { tsize: "0" }).transcript()).toMatchInlineSnapshot(`
    "0.000 a > 69: RRQ "missing" octet
    0.000 69 > a: ERROR 1 "File not found"
    0.000 a > 69: RRQ ".hidden" octet
    0.000 69 > a: ERROR 1 "File not found"
    0.000 a > 69: RRQ "a/b/c" octet
    0.000 69 > a: ERROR 1 "File not found"
    0.000 a > 69: RRQ "../f" octet
    0.000 69 > a: ERROR 2 "Access violation"
    0.000 a > 69: RRQ "secret" octet
    0.000 69 > a: ERROR 2 "Access violation"
    0.000 a > 69: RRQ "tuned" octet
    0.000 69 > a: ERROR 8 "Option refused"
    0.000 a > 69: RRQ "missing" octet tsize=0
    0.000 69 > a: ERROR 1 "File not found""
  `);
});

test("a folder, a FIFO and a socket are refused, and hold nobody up", () => {
  const exchange = new ShardExchange({ f: 5 });
  mkdirSync(join(exchange.served, "folder"));
  Bun.spawnSync(["mkfifo", join(exchange.served, "fifo")]);
  const socket = Bun.listen({ unix: join(exchange.served, "socket"), socket: { data() {} } });
  for (const name of ["folder", "fifo", "socket", "f"]) exchange.rrq("a", name);
  socket.stop();
  expect(exchange.ack("a", 1).transcript()).toMatchInlineSnapshot(`
    "0.000 a > 69: RRQ "folder" octet
    0.000 69 > a: ERROR 2 "Access violation"
    0.000 a > 69: RRQ "fifo" octet
    0.000 69 > a: ERROR 2 "Access violation"
    0.000 a > 69: RRQ "socket" octet
    0.000 69 > a: ERROR 2 "Access violation"
    0.000 a > 69: RRQ "f" octet
    0.000 tid2 > a: DATA 1 5 bytes
    0.000 a > tid2: ACK 1
    complete"
  `);
});

test("an upload is refused with 2 where it is not allowed, 3 where there is no room, 6 where the file exists", () => {
  const config = `max_file_size_bytes = 1000\n${denials}`;
  const exchange = new ShardExchange({}, { config });
  exchange
    .wrq("a", "f")
    .data("a", 1, "end")
    .wait(9)
    .wrq("b", "f")
    .wrq("b", "../f")
    .wrq("b", "secret");
  exchange.wrq("b", "large", { tsize: "1001" });
  exchange.wrq("b", "large").data("b", 1).data("b", 2);
  expect(exchange.transcript()).toMatchInlineSnapshot(`
    "0.000 a > 69: WRQ "f" octet
    0.000 tid2 > a: ACK 0
    0.000 a > tid2: DATA 1 3 bytes
    0.000 tid2 > a: ACK 1
    0.009 b > 69: WRQ "f" octet
    0.009 69 > b: ERROR 6 "File already exists"
    0.009 b > 69: WRQ "../f" octet
    0.009 69 > b: ERROR 2 "Access violation"
    0.009 b > 69: WRQ "secret" octet
    0.009 69 > b: ERROR 2 "Access violation"
    0.009 b > 69: WRQ "large" octet tsize=1001
    0.009 69 > b: ERROR 3 "Disk full or allocation exceeded"
    0.009 b > 69: WRQ "large" octet
    0.009 tid3 > b: ACK 0
    0.009 b > tid3: DATA 1 512 bytes
    0.009 tid3 > b: ACK 1
    0.009 b > tid3: DATA 2 512 bytes
    0.009 tid3 > b: ERROR 3 "Disk full or allocation exceeded"
    complete
    too-large"
  `);
});

/** Denies two names, one with the code of RFC 2347. */
const denials = `
[[rule]]
glob = "secret"
action = "deny"
[[rule]]
glob = "tuned"
action = "deny"
code = 8
`;
