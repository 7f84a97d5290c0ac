// The counters of all shards as metric families (supervisor layer), by the table in server/measures.ts. Reads shared memory that
// the shards go on writing: a word is never torn, and a page is as exact as its moment.

import { f64At } from "#base/bytes.ts";
import { Counter, type CounterName, type Measure, measures } from "#server/measures.ts";

import { type Family, type Histogram, type Labels, PREFIX, type Sample } from "./exposition.ts";

/** `shards`: the counters of each. */
export function shardFamilies(shards: readonly Float64Array[]): readonly Family[] {
  const families: Family[] = [];
  const samplesOf = new Map<string, Sample[]>();
  for (const [name, row] of Object.entries(measures) as [CounterName, Measure][]) {
    const samples = rowSamples(row, Counter[name], shards);
    const known = samplesOf.get(row.name);
    if (known !== undefined) {
      known.push(...samples);
      continue;
    }
    const list = [...samples];
    samplesOf.set(row.name, list);
    const { type = "counter", help = "" } = row;
    families.push({ name: `${PREFIX}${row.name}`, type, help, samples: list });
  }
  return families;
}

function rowSamples(row: Measure, first: number, shards: readonly Float64Array[]): Sample[] {
  if (row.isPerShard !== true) return samplesOf(row, first, shards, row.labels ?? {});
  return shards.flatMap((counters, index) =>
    samplesOf(row, first, [counters], { ...row.labels, shard: String(index) }),
  );
}

function samplesOf(
  { by, bounds, scale = 1 }: Measure,
  first: number,
  shards: readonly Float64Array[],
  labels: Labels,
): Sample[] {
  const word = (offset: number): number => sumOf(shards, first + offset);
  if (bounds !== undefined) {
    const histogram: Histogram = {
      bounds: bounds.map((bound) => bound / scale),
      counts: [...bounds, Infinity].map((_, bucket) => word(bucket)),
      sum: word(bounds.length + 1) / scale,
    };
    return [{ labels, histogram }];
  }
  if (by === undefined) return [{ labels, value: word(0) / scale }];
  return by.values.map((value, offset) => ({
    labels: { ...labels, [by.label]: value },
    value: word(offset),
  }));
}

function sumOf(shards: readonly Float64Array[], index: number): number {
  return shards.reduce((sum, counters) => sum + f64At(counters, index), 0);
}
