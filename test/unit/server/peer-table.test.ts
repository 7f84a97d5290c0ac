// The table of peers against a Map: with collisions, removals and re-insertions in any order, a look-up finds what was
// inserted and nothing else.

import { expect, test } from "bun:test";

import * as fc from "fast-check";

import { Answers, createAnswers } from "#server/answers.ts";
import { hashOf, PeerTable } from "#server/peer-table.ts";
import { RecentPeers } from "#server/recent-peers.ts";
import { Sockets } from "#server/sockets.ts";
import { Transfers } from "#server/transfers.ts";

const CAPACITY = 8;

/** A sockaddr_in of 32 bytes with `port`, for telling peers apart. */
function nameOf(port: number): Uint8Array {
  const name = new Uint8Array(32);
  name[0] = 2;
  name[2] = port >>> 8;
  name[3] = port & 0xff;
  return name;
}

test("finds what a Map finds", () => {
  const step = fc.record({ socket: fc.nat(1), port: fc.nat(30), isRemove: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const table = new PeerTable(CAPACITY);
      const model = new Map<string, number>();
      const free = Array.from({ length: CAPACITY }, (_, slot) => slot);
      for (const { socket, port, isRemove } of steps) {
        const key = `${socket} ${port}`;
        const slot = model.get(key);
        if (isRemove && slot !== undefined) {
          table.remove(slot);
          model.delete(key);
          free.push(slot);
        } else if (!isRemove && slot === undefined && free.length > 0) {
          const fresh = free.shift() ?? 0;
          table.insert(fresh, socket, nameOf(port), 0);
          model.set(key, fresh);
        }
        for (let other = 0; other <= 30; other += 1) {
          for (const side of [0, 1]) {
            expect(table.find(side, nameOf(other), 0)).toBe(model.get(`${side} ${other}`) ?? -1);
          }
        }
      }
    }),
  );
});

test("finds each of several that have one key", () => {
  const table = new PeerTable(CAPACITY);
  for (const slot of [4, 1, 6]) table.insert(slot, 0, nameOf(9), 0);
  table.insert(2, 1, nameOf(9), 0);
  const found = (): readonly number[] =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter(
      (slot) => table.findWanted(0, nameOf(9), 0, (each) => each === slot) === slot,
    );
  expect(found()).toEqual([1, 4, 6]);
  table.remove(4);
  expect(found()).toEqual([1, 6]);
  expect(table.findWanted(0, nameOf(9), 0, () => false)).toBe(-1);
});

test("recent peers are remembered for as long as asked", () => {
  const recent = new RecentPeers();
  expect(recent.socketOf(7)).toBe(-1);
  recent.note(7, 3, 1000);
  expect(recent.isRecent(7, 1500, 1000)).toBe(true);
  expect(recent.isRecent(7, 2500, 1000)).toBe(false);
  expect(recent.isRecent(8, 1500, 1000)).toBe(false);
  expect(recent.socketOf(7)).toBe(3);
});

test("no stray is answered twice within a second, also where two peers share an entry", () => {
  const sockets = new Sockets([{ serviceFd: 3, transferFds: [], isWildcard: true }]);
  const transfers = new Transfers(CAPACITY, sockets, new Answers(createAnswers(CAPACITY), 0));
  const entries = new Map<number, number>();
  let pair: readonly number[] = [];
  for (let port = 1; pair.length === 0; port += 1) {
    const entry = hashOf(0, nameOf(port), 0) % 4096;
    const before = entries.get(entry);
    if (before !== undefined) pair = [before, port];
    entries.set(entry, port);
  }
  const answers = new Map(pair.map((port) => [port, 0]));
  for (let nowUs = 10_000_000; nowUs < 11_000_000; nowUs += 100_000) {
    for (const port of pair) {
      if (!transfers.mayAnswerStray(nameOf(port), 0, nowUs)) continue;
      answers.set(port, (answers.get(port) ?? 0) + 1);
    }
  }
  expect([...answers.values()]).toEqual([1, 0]);
});
