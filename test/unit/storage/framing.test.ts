// The layout of blocks in memory: every packet is there whole, header and payload, for any file and block size, and runs
// of blocks never leave their chunk.

import { expect, test } from "bun:test";

import * as fc from "fast-check";

import { blockNumber, dataHeaderBytes, Opcode, packetKind } from "#protocol/packet.ts";
import { Framing } from "#storage/framing.ts";

const CHUNK = 4096;

function payloadOf(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => (index * 7 + (index >>> 8)) & 0xff);
}

test("framed chunks hold the packets of the file, one behind the other", () => {
  const sizes = fc.record({
    blockBytes: fc.oneof(
      fc.constantFrom(8, 512, 1428, CHUNK - 4),
      fc.integer({ min: 8, max: CHUNK - 4 }),
    ),
    extra: fc.integer({ min: 0, max: 3 * CHUNK }),
    isMultiple: fc.boolean(),
  });
  fc.assert(
    fc.property(sizes, ({ blockBytes, extra, isMultiple }) => {
      const framing = Framing.packets(CHUNK, blockBytes, 0);
      const fileBytes = isMultiple ? extra - (extra % blockBytes) : extra;
      const file = payloadOf(fileBytes);
      const lastBlock = Math.floor(fileBytes / blockBytes) + 1;
      const packets: number[] = [];
      for (let chunk = 0; chunk < framing.chunkCount(fileBytes); chunk += 1) {
        const memory = new Uint8Array(CHUNK + 64).fill(0xee);
        const position = chunk * framing.payloadBytes;
        const bytes = Math.min(framing.payloadBytes, fileBytes - position);
        memory.set(file.subarray(position, position + bytes), 64);
        framing.frame(memory, 64, bytes, chunk);
        expect(memory.subarray(0, 64).every((byte) => byte === 0xee)).toBeTrue();
        const first = chunk * framing.blocksPerChunk + 1;
        const end = Math.min(first + framing.blocksPerChunk, lastBlock + 1);
        expect(framing.runFrom(first)).toBe(framing.blocksPerChunk);
        for (let block = first; block < end; block += 1) {
          const start = 64 + (block - first) * framing.strideBytes;
          const payload = file.subarray((block - 1) * blockBytes, block * blockBytes);
          expect(packetKind(memory, dataHeaderBytes, start)).toBe(Opcode.data);
          expect(blockNumber(memory, start)).toBe(block & 0xffff);
          const body = memory.subarray(
            start + dataHeaderBytes,
            start + dataHeaderBytes + payload.length,
          );
          expect(Buffer.compare(body, payload)).toBe(0);
          packets.push(block);
        }
      }
      expect(packets.length).toBe(lastBlock);
    }),
    { numRuns: 300 },
  );
});

test("headers follow the rollover that was agreed on", () => {
  const memory = new Uint8Array(CHUNK);
  const zero = Framing.packets(CHUNK, 8, 0);
  const one = Framing.packets(CHUNK, 8, 1);
  const chunk = Math.floor(65_535 / zero.blocksPerChunk);
  const place = (65_535 - chunk * zero.blocksPerChunk) * zero.strideBytes;
  zero.frame(memory, 0, zero.payloadBytes, chunk);
  expect([blockNumber(memory, place - 12), blockNumber(memory, place)]).toEqual([65_535, 0]);
  one.frame(memory, 0, one.payloadBytes, chunk);
  expect([blockNumber(memory, place - 12), blockNumber(memory, place)]).toEqual([65_535, 1]);
  expect(zero.key).not.toBe(one.key);
});

test("a raw file is one block per chunk, without headers", () => {
  const framing = Framing.raw(CHUNK);
  const memory = payloadOf(CHUNK);
  framing.frame(memory, 0, CHUNK, 3);
  expect(Buffer.compare(memory, payloadOf(CHUNK))).toBe(0);
  expect(framing.chunkCount(2 * CHUNK + 1)).toBe(3);
});
