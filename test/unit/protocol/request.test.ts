// Requests: what real clients send, what is answered with ERROR 4, and what is dropped.

import { describe, expect, test } from "bun:test";

import * as fc from "fast-check";

import { errorReplies, type ErrorReply } from "#protocol/error-reply.ts";
import { parseRequest, type Request, requestBytesMax } from "#protocol/request.ts";

import { expectMark } from "../../marks.ts";
import { requestPacket } from "../../sim/packets.ts";

/** A datagram from its text, one byte per character; `|` stands for NUL. */
function datagram(text: string): Uint8Array {
  return Buffer.from(text.replaceAll("|", "\0"), "latin1");
}

function parse(bytes: Uint8Array): Request {
  const request = parseRequest(bytes, bytes.length);
  if (request.kind === "fault") throw new Error(request.reason);
  return request;
}

function refusal(bytes: Uint8Array): ErrorReply | "drop" {
  const fault = parseRequest(bytes, bytes.length);
  if (fault.kind !== "fault") throw new Error("it was accepted");
  return fault.reply;
}

const rrq = "|\x01";

describe("what clients send", () => {
  test("a bare read and a bare write", () => {
    expect(parse(datagram(`${rrq}pxelinux.0|octet|`))).toEqual({
      kind: "read",
      name: "pxelinux.0",
      nameBytes: new TextEncoder().encode("pxelinux.0"),
      mode: "octet",
      options: [],
    });
    expect(parse(datagram("|\x02a|netascii|"))).toMatchObject({ kind: "write", mode: "netascii" });
  });

  test("options keep their order and the text of their values", () => {
    const request = parse(datagram(`${rrq}f|octet|tsize|0|blksize|01468|windowsize|4|`));
    expect(request.options).toEqual([
      { name: "tsize", value: "0" },
      { name: "blksize", value: "01468" },
      { name: "windowsize", value: "4" },
    ]);
  });

  test("the case of mode and option names does not matter; that of file names does", () => {
    expectMark("case-folded", () => {
      const request = parse(datagram(`${rrq}Boot/BCD|OcTeT|BLKSIZE|1456|`));
      expect(request).toMatchObject({ name: "Boot/BCD", mode: "octet" });
      expect(request.options).toEqual([{ name: "blksize", value: "1456" }]);
    });
  });

  test("of an option asked twice the first counts", () => {
    expectMark("option-repeated-first-wins", () => {
      const request = parse(datagram(`${rrq}f|octet|blksize|512|tsize|0|BlkSize|1024|`));
      expect(request.options).toEqual([
        { name: "blksize", value: "512" },
        { name: "tsize", value: "0" },
      ]);
    });
  });

  test("an option may have an empty value: atftp's multicast", () => {
    expect(parse(datagram(`${rrq}f|octet|multicast||blksize|8|`)).options).toEqual([
      { name: "multicast", value: "" },
      { name: "blksize", value: "8" },
    ]);
  });

  test("padding, a missing last value and half a value are ignored", () => {
    const tsize = [{ name: "tsize", value: "0" }];
    expect(optionsOf("||||")).toEqual([]);
    expect(optionsOf("tsize|0|||||||")).toEqual(tsize);
    expect(optionsOf("tsize|0|blksize|")).toEqual(tsize);
    expect(optionsOf("tsize|0|blksize")).toEqual(tsize);
    expect(optionsOf("tsize|0|blksize|14")).toEqual(tsize);
  });

  test("a name is UTF-8 where it can be, and one character per byte where it cannot", () => {
    const utf8 = new TextEncoder().encode("\uFEFFgrüße");
    const name = Buffer.from(utf8).toString("latin1");
    expect(parse(datagram(`${rrq}${name}|octet|`)).name).toBe("\uFEFFgrüße");
    const garbled = parse(datagram(`${rrq}a\xff\xfeb|octet|`));
    expect(garbled.name).toBe("aÿþb");
    expect([...garbled.nameBytes]).toEqual([0x61, 0xff, 0xfe, 0x62]);
  });

  test("the record outlives the receive buffer, and bytes behind the datagram are not read", () => {
    const buffer = new Uint8Array(2048).fill(0x41);
    const bytes = datagram(`${rrq}f|octet|`);
    buffer.set(bytes);
    const request = parseRequest(buffer, bytes.length);
    buffer.fill(0);
    expect(request).toMatchObject({ name: "f", nameBytes: Uint8Array.of(0x66), options: [] });
    expect(parseRequest(bytes, bytes.length - 1)).toMatchObject({ kind: "fault" });
  });
});

describe("what is refused", () => {
  test("missing NULs and empty names get ERROR 4", () => {
    expectMark("malformed-request-refused", () => {
      for (const tail of ["", "f", "f|", "f|octet", "|octet|", "|"]) {
        expect(refusal(datagram(`${rrq}${tail}`))).toBe(errorReplies.malformedRequest);
      }
    });
  });

  test("mail and unknown modes get ERROR 4", () => {
    expectMark("mode-refused", () => {
      for (const mode of ["mail", "MAIL", "image", "", "octet8"]) {
        expect(refusal(datagram(`${rrq}f|${mode}|`))).toBe(errorReplies.modeNotSupported);
      }
    });
    expect(errorReplies.modeNotSupported.code).toBe(4);
  });

  test("a request longer than the limit is refused, one as long is not", () => {
    const name = "n".repeat(requestBytesMax - "||octet|".length - 1);
    expect(parse(datagram(`${rrq}${name}|octet|`)).name).toBe(name);
    expect(refusal(datagram(`${rrq}${name}n|octet|`))).toBe(errorReplies.malformedRequest);
  });

  test("what is no request is dropped", () => {
    for (const text of [
      "",
      "|",
      "|\x03|\x01",
      "|\x04|\x01",
      "|\x05|\x01e|",
      "|\x06",
      "\x01\x01f|",
    ]) {
      expect(refusal(datagram(text))).toBe("drop");
    }
  });

  test("a fault cannot be altered", () => {
    expect(parseRequest(new Uint8Array(0), 0)).toSatisfy(Object.isFrozen);
  });
});

describe("for any bytes", () => {
  test("the parser returns a request or a fault, and never throws", () => {
    const tail = fc.uint8Array({ maxLength: 600 });
    fc.assert(
      fc.property(fc.constantFrom(0, 1, 2, 3, 9), tail, (opcode, bytes) => {
        const whole = Uint8Array.of(0, opcode, ...bytes);
        const request = parseRequest(whole, whole.length);
        if (request.kind === "fault") return;
        expect(request.name.length).toBeGreaterThan(0);
        const names = request.options.map(({ name }) => name);
        expect(new Set(names).size).toBe(names.length);
      }),
    );
  });

  test("a well-formed request is read back", () => {
    const text = fc.stringMatching(/^[a-z0-9]{1,8}$/);
    const option = fc.record({ name: text, value: text });
    const options = fc.uniqueArray(option, { maxLength: 16, selector: ({ name }) => name });
    fc.assert(
      fc.property(fc.constantFrom(1, 2), text, options, (opcode, name, options) => {
        const request = parse(requestPacket(opcode, name, "octet", options));
        expect(request).toMatchObject({ kind: opcode === 1 ? "read" : "write", name, options });
      }),
    );
  });
});

/** The options of a request whose strings go on with `tail`. */
function optionsOf(tail: string): Request["options"] {
  return parse(datagram(`${rrq}f|octet|${tail}`)).options;
}
