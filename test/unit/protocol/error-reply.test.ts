// What a peer is told: the codes of RFC 1350's appendix, and sentences that give nothing away.

import { expect, test } from "bun:test";

import { errorReplies } from "#protocol/error-reply.ts";
import { farewells, receiverFarewells } from "#protocol/outcome.ts";
import { printPacket } from "#protocol/print.ts";

test("every reply, as it goes out", () => {
  const lines = Object.entries(errorReplies).map(
    ([cause, { datagram }]) => `${cause}: ${printPacket(datagram)}`,
  );
  expect(lines.join("\n")).toMatchInlineSnapshot(`
    "busy: ERROR 0 "Server busy, try again later"
    timedOut: ERROR 0 "Timed out"
    fileChanged: ERROR 0 "File changed during the transfer"
    readFailed: ERROR 0 "Read error"
    writeFailed: ERROR 0 "Write error"
    otherSize: ERROR 0 "Not the announced size"
    shuttingDown: ERROR 0 "Server is shutting down"
    killed: ERROR 0 "Ended by the administrator"
    cancelled: ERROR 0 "Cancelled by the client"
    denied: ERROR 0 "Request denied"
    notFound: ERROR 1 "File not found"
    accessViolation: ERROR 2 "Access violation"
    diskFull: ERROR 3 "Disk full or allocation exceeded"
    illegalOperation: ERROR 4 "Illegal TFTP operation"
    malformedRequest: ERROR 4 "Malformed request"
    modeNotSupported: ERROR 4 "Transfer mode not supported"
    unknownTransfer: ERROR 5 "Unknown transfer ID"
    fileExists: ERROR 6 "File already exists"
    noSuchUser: ERROR 7 "No such user"
    leftGroup: ERROR 0 "Left the multicast"
    optionRefused: ERROR 8 "Option refused""
  `);
});

test("a replaced transfer ends in silence, every other abort with an ERROR", () => {
  expect(farewells.replaced).toBeUndefined();
  expect(farewells["file-changed"]?.code).toBe(0);
  expect(farewells["io-error"]?.code).toBe(0);
  expect(farewells.shutdown?.code).toBe(0);
  expect(receiverFarewells.replaced).toBeUndefined();
  expect(receiverFarewells["io-error"]).toBe(errorReplies.writeFailed);
  expect(receiverFarewells.shutdown).toBe(errorReplies.shuttingDown);
});
