// netascii: both directions, and every way to cut the stream.

import { describe, expect, test } from "bun:test";

import * as fc from "fast-check";

import { NetasciiDecoder, NetasciiEncoder } from "#protocol/netascii.ts";

import { expectMark } from "../../marks.ts";

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

/** Encodes `text` in blocks of `blockBytes`; the last one is the first that is not full. */
function encode(text: Uint8Array, blockBytes: number, sourceBytes: number = Infinity): string[] {
  const encoder = new NetasciiEncoder();
  const blocks: string[] = [];
  let offset = 0;
  for (;;) {
    const block = new Uint8Array(blockBytes);
    let filled = 0;
    while (filled < blockBytes) {
      const end = Math.min(text.length, offset + sourceBytes);
      encoder.encode(text, offset, end, block, filled, blockBytes);
      offset += encoder.consumed;
      filled += encoder.produced;
      if (offset === text.length && encoder.pending < 0) break;
    }
    blocks.push(Buffer.from(block.subarray(0, filled)).toString("latin1"));
    if (filled < blockBytes) return blocks;
  }
}

/** Decodes `text` in pieces of this length, into windows of `windowBytes`. */
function decode(text: Uint8Array, pieceBytes: number, windowBytes: number): string {
  return decodeCut(text, repeat(pieceBytes), repeat(windowBytes));
}

/** Decodes `text` in pieces of these lengths, into windows of those. */
function decodeCut(text: Uint8Array, pieces: Iterator<number>, windows: Iterator<number>): string {
  const decoder = new NetasciiDecoder();
  const out: number[] = [];
  for (let offset = 0; offset < text.length;) {
    const end = Math.min(text.length, offset + Number(pieces.next().value));
    const window = new Uint8Array(Number(windows.next().value));
    decoder.decode(text, offset, end, window, 0, window.length);
    offset += decoder.consumed;
    out.push(...window.subarray(0, decoder.produced));
  }
  const last = new Uint8Array(1);
  decoder.finish(last, 0);
  out.push(...last.subarray(0, decoder.produced));
  return Buffer.from(out).toString("latin1");
}

function* repeat(value: number): Generator<number, never> {
  for (;;) yield value;
}

/** The definition, without any cut. */
function whole(text: Uint8Array): string {
  const plain = Buffer.from(text).toString("latin1");
  return plain.replace(/[\r\n]/g, (byte) => (byte === "\n" ? "\r\n" : "\r\0"));
}

describe("sending", () => {
  test("LF becomes CR LF", () => {
    expectMark("netascii-line-feed-sent", () => {
      expect(encode(bytesOf("a\nb\n"), 512)).toEqual(["a\r\nb\r\n"]);
    });
  });

  test("CR becomes CR NUL, before LF too", () => {
    expectMark("netascii-carriage-return-sent", () => {
      expect(encode(bytesOf("a\rb\r\n"), 512)).toEqual(["a\r\0b\r\0\r\n"]);
    });
  });

  test("a pair is split where the block ends, and no block is longer than it may be", () => {
    expectMark("netascii-pair-split-when-sent", () => {
      expect(encode(bytesOf("1234567\n89\n"), 8)).toEqual(["1234567\r", "\n89\r\n"]);
    });
    expect(encode(bytesOf("123456\n"), 8)).toEqual(["123456\r\n", ""]);
    expect(encode(bytesOf("1234567\n"), 8)).toEqual(["1234567\r", "\n"]);
    expect(encode(bytesOf(""), 8)).toEqual([""]);
  });

  test("from a noted position the same bytes come again", () => {
    const text = bytesOf("1234567\n89\r0\n");
    const encoder = new NetasciiEncoder();
    const first = new Uint8Array(8);
    encoder.encode(text, 0, text.length, first, 0, 8);
    const { consumed, pending } = encoder;
    const second = new Uint8Array(8);
    encoder.encode(text, consumed, text.length, second, 0, 8);

    const again = new NetasciiEncoder();
    again.resume(pending);
    const repeated = new Uint8Array(8);
    again.encode(text, consumed, text.length, repeated, 0, 8);
    expect(repeated).toEqual(second);
    expect(again.produced).toBe(encoder.produced);
  });
});

describe("receiving", () => {
  test("CR LF becomes LF, CR NUL becomes CR", () => {
    expectMark("netascii-pair-received", () => {
      expect(decode(bytesOf("a\r\nb\r\0c"), 512, 512)).toBe("a\nb\rc");
    });
  });

  test("a pair split between two blocks is one pair", () => {
    expectMark("netascii-pair-split-when-received", () => {
      expect(decode(bytesOf("1234567\r\n8"), 8, 512)).toBe("1234567\n8");
    });
  });

  test("a CR before anything else stays, and so does one at the end", () => {
    expect(decode(bytesOf("a\rb\r\r\nc\r"), 512, 512)).toBe("a\rb\r\nc\r");
  });
});

describe("for any text", () => {
  const alphabet = fc.constantFrom(0x0a, 0x0d, 0x00, 0x61, 0xff);
  const texts = fc.array(alphabet, { maxLength: 60 }).map((bytes) => Uint8Array.from(bytes));
  const sizes = fc.integer({ min: 1, max: 9 });

  test("cutting source or blocks changes nothing, and all blocks but the last are full", () => {
    fc.assert(
      fc.property(texts, sizes, sizes, (text, blockBytes, sourceBytes) => {
        const blocks = encode(text, blockBytes, sourceBytes);
        expect(blocks.join("")).toBe(whole(text));
        for (const block of blocks.slice(0, -1)) expect(block.length).toBe(blockBytes);
        expect(blocks.at(-1)?.length).toBeLessThan(blockBytes);
      }),
    );
  });

  test("what was encoded is decoded, however it is cut", () => {
    fc.assert(
      fc.property(texts, sizes, sizes, (text, pieceBytes, windowBytes) => {
        const sent = bytesOf(whole(text));
        expect(decode(sent, pieceBytes, windowBytes)).toBe(Buffer.from(text).toString("latin1"));
      }),
    );
  });

  test("encoder and decoder undo each other, whatever the cuts on the way", () => {
    const cuts = fc.infiniteStream(sizes);
    fc.assert(
      fc.property(texts, sizes, cuts, cuts, (text, blockBytes, pieces, windows) => {
        const sent = bytesOf(encode(text, blockBytes).join(""));
        expect(decodeCut(sent, pieces, windows)).toBe(Buffer.from(text).toString("latin1"));
      }),
    );
  });

  test("what no encoder sent keeps every byte that is no pair", () => {
    const cuts = fc.infiniteStream(sizes);
    fc.assert(
      fc.property(texts, cuts, cuts, (text, pieces, windows) => {
        const came = Buffer.from(text).toString("latin1");
        const kept = came.replace(/\r\n|\r\0/g, (pair) => (pair === "\r\n" ? "\n" : "\r"));
        expect(decodeCut(text, pieces, windows)).toBe(kept);
      }),
    );
  });
});
