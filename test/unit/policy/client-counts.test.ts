// Counts per client and per network: several shards on one memory, against a plain count; buckets of tokens over time; what a
// dead shard leaves; and real threads at once.

import { describe, expect, test } from "bun:test";
import { Worker } from "node:worker_threads";

import * as fc from "fast-check";

import { ClientCounts, type ClientLimits } from "#policy/client-counts.ts";

const crowd = { shards: 3, transfersPerShard: 64 };
const NOW_US = 1e9;

const unlimited: ClientLimits = {
  transfersMax: 0,
  clientTransfersMax: 0,
  networkTransfersMax: 0,
  halfOpenMax: 0,
  requestsPerSecond: 0,
  requestBurst: 1,
  networkBits4: 24,
  networkBits6: 64,
};

function shardsOn(memory: SharedArrayBuffer): readonly ClientCounts[] {
  return Array.from({ length: crowd.shards }, (_, shard) => new ClientCounts(memory, shard, crowd));
}

function ip(...bytes: number[]): Uint8Array {
  return Uint8Array.from(bytes);
}

/** 2001:db8:0:`network`::`host`. */
function ip6(network: number, host: number): Uint8Array {
  return ip(0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, network, 0, 0, 0, 0, 0, 0, 0, host);
}

describe("transfers", () => {
  test("are counted in all", () => {
    const [a, b] = shardsOn(ClientCounts.createMemory(crowd, 9));
    const limits = { ...unlimited, transfersMax: 2 };
    a?.enter(0, ip(10, 0, 0, 1), limits, NOW_US);
    expect(b?.limitReached(ip(10, 0, 0, 3), limits, NOW_US)).toBeUndefined();
    b?.enter(0, ip(10, 9, 0, 2), limits, NOW_US);
    expect(a?.limitReached(ip(10, 0, 0, 3), limits, NOW_US)).toBe("transfers");
    b?.leave(0);
    b?.leave(0);
    expect(a?.limitReached(ip(10, 0, 0, 3), limits, NOW_US)).toBeUndefined();
  });

  test("are counted per address over all shards", () => {
    const [a, b] = shardsOn(ClientCounts.createMemory(crowd, 1));
    const limits = { ...unlimited, clientTransfersMax: 2 };
    const client = ip(192, 0, 2, 7);
    expect(a?.limitReached(client, limits, NOW_US)).toBeUndefined();
    a?.enter(0, client, limits, NOW_US);
    b?.enter(0, client, limits, NOW_US);
    expect(a?.limitReached(client, limits, NOW_US)).toBe("client-transfers");
    expect(b?.limitReached(client, limits, NOW_US)).toBe("client-transfers");
    expect(a?.limitReached(ip(192, 0, 2, 8), limits, NOW_US)).toBeUndefined();
    expect([a?.clientOf(0), a?.transfersOf(a.clientOf(0))]).toEqual([b?.clientOf(0), 2]);
    b?.leave(0);
    expect(a?.limitReached(client, limits, NOW_US)).toBeUndefined();
  });

  test.each([
    ["IPv4", ip(10, 1, 2, 3), ip(10, 1, 2, 250), ip(10, 1, 3, 3)],
    ["IPv6", ip6(1, 3), ip6(1, 250), ip6(2, 3)],
  ])("are counted per network of %s", (_family, one, neighbour, stranger) => {
    const [a] = shardsOn(ClientCounts.createMemory(crowd, 2));
    const limits = { ...unlimited, networkTransfersMax: 1 };
    a?.enter(0, one, limits, NOW_US);
    expect(a?.limitReached(neighbour, limits, NOW_US)).toBe("network-transfers");
    expect(a?.limitReached(stranger, limits, NOW_US)).toBeUndefined();
  });

  test("a network may be any number of bits", () => {
    const [a] = shardsOn(ClientCounts.createMemory(crowd, 3));
    const limits = { ...unlimited, networkTransfersMax: 1, networkBits4: 29 };
    a?.enter(0, ip(10, 0, 0, 8), limits, NOW_US);
    expect(a?.limitReached(ip(10, 0, 0, 15), limits, NOW_US)).toBe("network-transfers");
    expect(a?.limitReached(ip(10, 0, 0, 16), limits, NOW_US)).toBeUndefined();
  });

  test("are half-open until the client is heard from, or they end", () => {
    const [a, b] = shardsOn(ClientCounts.createMemory(crowd, 4));
    const limits = { ...unlimited, halfOpenMax: 2 };
    a?.enter(0, ip(10, 0, 0, 1), limits, NOW_US);
    b?.enter(0, ip(10, 0, 0, 2), limits, NOW_US);
    expect(a?.limitReached(ip(10, 0, 0, 3), limits, NOW_US)).toBe("half-open");
    a?.welcome(0);
    a?.welcome(0);
    expect(a?.limitReached(ip(10, 0, 0, 3), limits, NOW_US)).toBeUndefined();
    a?.enter(1, ip(10, 0, 0, 3), limits, NOW_US);
    expect(b?.limitReached(ip(10, 0, 0, 4), limits, NOW_US)).toBe("half-open");
    b?.leave(0);
    expect(b?.limitReached(ip(10, 0, 0, 4), limits, NOW_US)).toBeUndefined();
  });

  test("of a shard that died are given back by its successor", () => {
    const memory = ClientCounts.createMemory(crowd, 5);
    const [a, b] = shardsOn(memory);
    const limits = { ...unlimited, clientTransfersMax: 2, halfOpenMax: 2 };
    const client = ip(10, 0, 0, 1);
    a?.enter(0, client, limits, NOW_US);
    b?.enter(0, client, limits, NOW_US);
    const successor = new ClientCounts(memory, 0, crowd);
    expect(successor.limitReached(client, limits, NOW_US)).toBe("client-transfers");
    successor.adopt();
    expect(successor.limitReached(client, limits, NOW_US)).toBeUndefined();
    expect(successor.transfersOf(b?.clientOf(0) ?? -1)).toBe(1);
  });

  test("are counted right in any order, of few clients and of many", () => {
    const step = fc.record({
      shard: fc.nat(crowd.shards - 1),
      slot: fc.nat(crowd.transfersPerShard - 1),
      client: fc.nat(40),
      isHeard: fc.boolean(),
    });
    const limits = { ...unlimited, clientTransfersMax: 1 };
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.nat(), (steps, seed) => {
        const shards = shardsOn(ClientCounts.createMemory(crowd, seed));
        const held = new Map<string, number>();
        for (const { shard, slot, client, isHeard } of steps) {
          const place = `${shard} ${slot}`;
          const counts = shards[shard];
          if (held.delete(place)) counts?.leave(slot);
          else {
            counts?.enter(slot, ip(10, 0, client, 1), limits, NOW_US);
            held.set(place, client);
            if (isHeard) counts?.welcome(slot);
            const running = [...held.values()].filter((each) => each === client).length;
            expect(counts?.transfersOf(counts.clientOf(slot))).toBe(running);
          }
        }
        for (let client = 0; client <= 40; client += 1) {
          const isRunning = [...held.values()].includes(client);
          const reached = shards[0]?.limitReached(ip(10, 0, client, 1), limits, NOW_US);
          expect(reached).toBe(isRunning ? "client-transfers" : undefined);
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe("requests", () => {
  const limits = { ...unlimited, requestsPerSecond: 10, requestBurst: 5 };

  test("of a network come in a burst, and then at the rate", () => {
    const [a, b] = shardsOn(ClientCounts.createMemory(crowd, 6));
    const ask = (nowUs: number, host: number): boolean | undefined =>
      (host % 2 === 0 ? a : b)?.mayAsk(ip(10, 0, 0, host), limits, nowUs);
    const burst = Array.from({ length: 8 }, (_, host) => ask(NOW_US, host));
    expect(burst.filter(Boolean)).toHaveLength(5);
    expect(a?.mayAsk(ip(10, 0, 1, 1), limits, NOW_US)).toBe(true);
    let granted = 0;
    for (let ms = 0; ms < 10_000; ms += 7) granted += ask(NOW_US + ms * 1000, ms % 250) ? 1 : 0;
    expect(granted).toBeWithin(98, 102);
  });

  test("are forgotten of those who have asked least lately, where there is no room for all", () => {
    const [a] = shardsOn(ClientCounts.createMemory(crowd, 7));
    const busy = ip(10, 200, 200, 1);
    let nowUs = NOW_US;
    let granted = 0;
    for (let index = 0; index < 100_000; index += 1) {
      nowUs += 10;
      a?.mayAsk(ip(11 + (index >>> 16), (index >>> 8) & 255, index & 255, 1), limits, nowUs);
      if (index % 100 === 0 && a?.mayAsk(busy, limits, nowUs) === true) granted += 1;
    }
    // A second's worth, and the burst.
    expect(granted).toBeWithin(14, 17);
  });
});

test("threads that count at once, for more clients than there are places, lose nothing", async () => {
  const memory = ClientCounts.createMemory(crowd, 8);
  const clients = neighboursInTable(memory, 24);
  const source = `
    const { workerData, parentPort } = require("node:worker_threads");
    const { ClientCounts } = require(${JSON.stringify(new URL("../../../src/policy/client-counts.ts", import.meta.url).pathname)});
    const { memory, shard, crowd, limits, clients } = workerData;
    const counts = new ClientCounts(memory, shard, crowd);
    for (let round = 0; round < 300_000; round += 1) {
      const client = clients[(round * 7 + shard) % clients.length];
      counts.enter(0, client, limits, 0);
      const isCounted = counts.limitReached(client, { ...limits, clientTransfersMax: 1 }, 0);
      if (!isCounted && counts.clientOf(0) >= 0) throw new Error("counted for another");
      counts.leave(0);
    }
    parentPort.postMessage("done");`;
  const ends = Array.from({ length: crowd.shards }, (_, shard) => {
    const workerData = { memory, shard, crowd, limits: unlimited, clients };
    const worker = new Worker(source, { eval: true, workerData });
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    worker.on("message", resolve);
    worker.on("error", reject);
    return promise;
  });
  await Promise.all(ends);
  const counts = new ClientCounts(memory, 0, crowd);
  for (let entry = 0; entry < counts.entries; entry += 1) expect(counts.transfersOf(entry)).toBe(0);
}, 60_000);

/** Addresses that all have to do with the same eight entries of the table. */
function neighboursInTable(memory: SharedArrayBuffer, count: number): readonly Uint8Array[] {
  const counts = new ClientCounts(memory, 0, crowd);
  const found: Uint8Array[] = [];
  for (let client = 0; found.length < count; client += 1) {
    const address = ip(10, client >> 16, (client >> 8) & 255, client & 255);
    counts.enter(0, address, unlimited, 0);
    if (counts.clientOf(0) >> 3 === 0) found.push(address);
    counts.leave(0);
  }
  return found;
}
