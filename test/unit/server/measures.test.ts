// The table of what is counted: every row is sound, words do not overlap, and what is counted is found again under its name.

import { expect, test } from "bun:test";

import { Counters } from "#server/counters.ts";
import {
  Counter,
  type CounterName,
  COUNTERS,
  type Measure,
  measures,
  wordsOf,
} from "#server/measures.ts";
import { countRefusal } from "#server/tally.ts";
import { exposition } from "#supervisor/exposition.ts";
import { shardFamilies } from "#supervisor/shard-metrics.ts";

const rows = Object.entries(measures) as [CounterName, Measure][];

test("every word belongs to one row", () => {
  const owned = rows.flatMap(([name, row]) =>
    Array.from({ length: wordsOf(row) }, (_, offset) => Counter[name] + offset),
  );
  expect(owned).toEqual(Array.from({ length: COUNTERS }, (_, word) => word));
});

test("rows of a family stand together, agree, and the first describes it", () => {
  const seen = new Set<string>();
  let last: Measure | undefined;
  for (const [, row] of rows) {
    if (row.name === last?.name) {
      expect(row.help).toBeUndefined();
      expect([row.type, row.isPerShard, row.by?.label]).toEqual([
        last.type,
        last.isPerShard,
        last.by?.label,
      ]);
      expect(Object.keys(row.labels ?? {})).toEqual(Object.keys(last.labels ?? {}));
      expect(row.labels).not.toEqual(last.labels ?? {});
    } else {
      expect(seen).not.toContain(row.name);
      expect(row.help).toEndWith(".");
    }
    seen.add(row.name);
    last = row;
  }
});

test.each(rows)("%s follows Prometheus's rules for names", (_name, row) => {
  expect(row.name).toMatch(/^[a-z]+(?:_[a-z]+)*$/);
  expect(row.name).not.toMatch(/_(?:total|count|sum|bucket|us|ms)$/);
  expect(row.scale !== undefined).toBe(row.name.endsWith("_seconds"));
  expect(row.type === "histogram").toBe(row.bounds !== undefined);
  const bounds = row.bounds ?? [];
  expect(bounds).toEqual(bounds.toSorted((one, other) => one - other));
  expect(new Set(row.by?.values ?? []).size).toBe(row.by?.values.length ?? 0);
});

test("a sum over shards, a shard by itself, a value of a label, and microseconds as seconds", () => {
  const [one, other] = [memory(), memory()];
  const [first, second] = [new Counters(one), new Counters(other)];
  first.add(Counter.strayDatagrams, 2);
  second.add(Counter.strayDatagrams, 3);
  second.add(Counter.turns, 7);
  second.add(Counter.spunUs, 1_500_000);
  countRefusal(first, "busy");
  const page = pageOf(one, other);
  expect(page).toContain("tftp_stray_datagrams_total 5");
  expect(page).toContain('tftp_shard_turns_total{shard="0"} 0');
  expect(page).toContain('tftp_shard_turns_total{shard="1"} 7');
  expect(page).toContain('tftp_shard_spin_seconds_total{shard="1"} 1.5');
  expect(page).toContain('tftp_requests_refused_total{cause="busy"} 1');
  expect(page).toContain('tftp_requests_refused_total{cause="full"} 0');
});

test("a histogram counts a value that is a bound below it, and what is above all in the last bucket", () => {
  const shard = memory();
  const counters = new Counters(shard);
  const bounds = measures.rtt.bounds ?? [];
  for (const us of [100, 101, 2_000_000]) counters.observe(Counter.rtt, bounds, us);
  const page = pageOf(shard);
  expect(page).toContain('tftp_rtt_seconds_bucket{le="0.0001"} 1\n');
  expect(page).toContain('tftp_rtt_seconds_bucket{le="0.00025"} 2\n');
  expect(page).toContain('tftp_rtt_seconds_bucket{le="1.0"} 2\n');
  expect(page).toContain('tftp_rtt_seconds_bucket{le="+Inf"} 3\n');
  expect(page).toContain("tftp_rtt_seconds_sum 2.000201\n");
  expect(page).toContain("tftp_rtt_seconds_count 3\n");
});

function memory(): SharedArrayBuffer {
  return new SharedArrayBuffer(COUNTERS * Float64Array.BYTES_PER_ELEMENT);
}

function pageOf(...shards: readonly SharedArrayBuffer[]): string {
  return exposition(shardFamilies(shards.map((words) => new Float64Array(words))), "text");
}
