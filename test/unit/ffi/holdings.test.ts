// What threads hold and leave behind: noted by whoever opens it, forgotten when it is closed, and given back by a successor alone.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { fstatSync, readFileSync } from "node:fs";

import { Arena } from "#ffi/arena.ts";
import { createEventfd } from "#ffi/eventfd.ts";
import { closeFd, openRoot } from "#ffi/file.ts";
import {
  createHoldings,
  giveBackLeft,
  holdAs,
  holderOf,
  isLeft,
  NO_HOLDER,
} from "#ffi/holdings.ts";

const LINE = 3;
let holdings: SharedArrayBuffer;

beforeEach(() => {
  holdings = createHoldings();
  // What modules have mapped already is nobody's to give back.
  holdAs(holdings, NO_HOLDER);
});

afterEach(() => holdAs(holdings, NO_HOLDER));

test("what a thread has left is closed and unmapped by the next of its line", () => {
  holdAs(holdings, holderOf(LINE, 0));
  const fds = [openRoot("/"), createEventfd()];
  const arena = new Arena(2 ** 30);
  expect(isMapped(arena)).toBe(true);
  holdAs(holdings, holderOf(LINE, 7));
  expect(fds.every((fd) => isLeft(fd))).toBe(true);
  expect(giveBackLeft()).toEqual({ fds: 2, mappings: 1 });
  expect(fds.some(isOpen)).toBe(false);
  expect(isMapped(arena)).toBe(false);
  expect(giveBackLeft()).toEqual({ fds: 0, mappings: 0 });
});

test("what it has closed and unmapped itself is not touched again", () => {
  holdAs(holdings, holderOf(LINE, 0));
  const fd = createEventfd();
  closeFd(fd);
  new Arena(4096).unmap();
  holdAs(holdings, NO_HOLDER);
  // The lowest number that is free: the same one, and somebody else's now.
  const other = createEventfd();
  expect(other).toBe(fd);
  holdAs(holdings, holderOf(LINE, 1));
  expect(giveBackLeft()).toEqual({ fds: 0, mappings: 0 });
  expect(isOpen(other)).toBe(true);
  closeFd(other);
});

test("what another thread closes for it is not given back", () => {
  holdAs(holdings, holderOf(LINE, 0));
  const fd = createEventfd();
  holdAs(holdings, NO_HOLDER);
  closeFd(fd);
  holdAs(holdings, holderOf(LINE, 1));
  expect(giveBackLeft().fds).toBe(0);
});

test("what other lines and the supervisor hold is theirs", () => {
  holdAs(holdings, holderOf(LINE + 1, 0));
  const other = createEventfd();
  holdAs(holdings, NO_HOLDER);
  const nobodys = createEventfd();
  const arena = new Arena(4096);
  holdAs(holdings, holderOf(LINE, 1));
  const own = createEventfd();
  expect([other, nobodys, own].map((fd) => isLeft(fd))).toEqual([false, false, false]);
  expect(giveBackLeft()).toEqual({ fds: 0, mappings: 0 });
  expect([other, nobodys, own].every(isOpen)).toBe(true);
  for (const fd of [other, nobodys, own]) closeFd(fd);
  arena.unmap();
});

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}

/** Whether the kernel lists a mapping that holds the arena. */
function isMapped({ address, bytes }: Arena): boolean {
  return readFileSync("/proc/self/maps", "latin1")
    .split("\n")
    .map((line) => /^(?<start>[0-9a-f]+)-(?<end>[0-9a-f]+) /.exec(line)?.groups)
    .some((range) => {
      const [start, end] = [range?.["start"], range?.["end"]].map((text) =>
        parseInt(text ?? "", 16),
      );
      return start !== undefined && end !== undefined && start <= address && end >= address + bytes;
    });
}
