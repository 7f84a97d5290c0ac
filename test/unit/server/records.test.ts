// Reports of a shard: in batches, and dropped and counted where their reader is too far behind.

import { expect, test } from "bun:test";

import { CONTROL_BYTES, ControlWord, type RefusalRecord } from "#server/contract.ts";
import { Counters } from "#server/counters.ts";
import { Counter, COUNTERS } from "#server/measures.ts";
import { Records } from "#server/records.ts";

test("a batch goes out when it is full, and the rest when the shard rests", () => {
  const { records, batches } = setUp();
  for (let count = 0; count < 100; count += 1) records.add(refusal);
  expect(batches).toEqual([64]);
  records.flush();
  records.flush();
  expect(batches).toEqual([64, 36]);
});

test("what is no full batch waits for five milliseconds, and wakes the shard for it", () => {
  const { records, batches } = setUp();
  expect(records.nextUs).toBe(Infinity);
  records.add(refusal);
  records.settle(1000);
  records.add(refusal);
  records.settle(5999);
  expect(records.nextUs).toBe(6000);
  expect(batches).toEqual([]);
  records.settle(6000);
  expect(batches).toEqual([2]);
  expect(records.nextUs).toBe(Infinity);
  records.settle(90_000);
  expect(batches).toEqual([2]);
});

test("a batch that was full leaves no wait behind", () => {
  const { records, batches } = setUp();
  records.add(refusal);
  records.settle(1000);
  for (let count = 0; count < 63; count += 1) records.add(refusal);
  expect(records.nextUs).toBe(Infinity);
  records.add(refusal);
  records.settle(50_000);
  expect([records.nextUs, batches]).toEqual([55_000, [64]]);
});

test("a reader that does not read has a bounded number before it, and the rest is counted", () => {
  const { records, batches, control, lost } = setUp();
  for (let count = 0; count < 20_000; count += 1) records.add(refusal);
  const delivered = batches.reduce((sum, count) => sum + count, 0);
  expect(delivered).toBe(16_384);
  records.flush();
  expect(lost()).toBe(20_000 - 16_384);
  // It reads one batch: one batch has room again.
  Atomics.add(control, ControlWord.recordsRead, 64);
  for (let count = 0; count < 128; count += 1) records.add(refusal);
  expect(batches.reduce((sum, count) => sum + count, 0)).toBe(delivered + 64);
});

test("the count wraps, and goes on where an earlier shard has left it", () => {
  const { records, batches, control } = setUp(0x7fff_fff0);
  for (let count = 0; count < 64; count += 1) records.add(refusal);
  Atomics.add(control, ControlWord.recordsRead, 64);
  expect(Atomics.load(control, ControlWord.recordsRead)).toBeLessThan(0);
  for (let count = 0; count < 20_000; count += 1) records.add(refusal);
  expect(batches.reduce((sum, count) => sum + count, 0)).toBe(64 + 16_384);
});

const refusal: RefusalRecord = {
  kind: "refusal",
  timeMs: 0,
  peer: "10.0.0.7:2070",
  interfaceIndex: 0,
  listener: 0,
  localAddress: undefined,
  name: "x",
  isWrite: false,
  code: 1,
  reason: "File not found",
  cause: "not-found",
};

function setUp(recordsRead = 0): {
  readonly records: Records;
  readonly batches: number[];
  readonly control: Int32Array;
  readonly lost: () => number;
} {
  const control = new Int32Array(new SharedArrayBuffer(CONTROL_BYTES));
  Atomics.store(control, ControlWord.recordsRead, recordsRead);
  const counters = new Counters(new SharedArrayBuffer(COUNTERS * 8));
  const batches: number[] = [];
  const records = new Records((batch) => void batches.push(batch.length), control, counters);
  return { records, batches, control, lost: () => counters.value(Counter.recordsLost) };
}
