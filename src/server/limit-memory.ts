// What all shards count together (server layer): the memory is made once for the process, and each shard opens its view of it.
// It outlives any of them.

import { ClientCounts, type Crowd } from "#policy/client-counts.ts";
import { RateClocks } from "#policy/rate-clocks.ts";
import { clocksFor, Shaper } from "#policy/shaper.ts";

export interface LimitMemory {
  readonly crowd: Crowd;
  readonly counts: SharedArrayBuffer;
  readonly clocks: SharedArrayBuffer;
}

/** Memory for all shards. `seed` is a number that clients cannot know. */
export function createLimitMemory(crowd: Crowd, seed: number): LimitMemory {
  const counts = ClientCounts.createMemory(crowd, seed);
  const { entries } = new ClientCounts(counts, 0, crowd);
  return { crowd, counts, clocks: RateClocks.createMemory(clocksFor(entries)) };
}

/** The view of the shard with the number `shard`. */
export function openLimitMemory(
  { crowd, counts: memory, clocks }: LimitMemory,
  shard: number,
): { readonly counts: ClientCounts; readonly shaper: Shaper } {
  const counts = new ClientCounts(memory, shard, crowd);
  const transfersOf = (client: number): number => counts.transfersOf(client);
  return {
    counts,
    shaper: new Shaper(crowd.transfersPerShard, new RateClocks(clocks), transfersOf),
  };
}
