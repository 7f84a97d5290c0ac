// Several lists in one, against plain arrays: whatever the order of calls, each item is in one list at most, in order.

import { expect, test } from "bun:test";

import * as fc from "fast-check";

import { IntLists, NONE } from "#base/int-lists.ts";

const LISTS = 3;
const ITEMS = 6;

const step = fc.record({
  kind: fc.constantFrom("append", "prepend", "remove"),
  list: fc.nat(LISTS - 1),
  item: fc.nat(ITEMS - 1),
});

test("items enter at either end and leave from anywhere", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const lists = new IntLists(LISTS, ITEMS);
      const model: number[][] = Array.from({ length: LISTS }, () => []);
      for (const { kind, list, item } of steps) {
        const own = model.findIndex((items) => items.includes(item));
        if (kind === "remove") {
          lists.remove(item);
          model.forEach((items, index) => (model[index] = items.filter((each) => each !== item)));
        } else if (own === -1) {
          lists[kind](list, item);
          if (kind === "append") model[list]?.push(item);
          else model[list]?.unshift(item);
        }
        expect(Array.from({ length: LISTS }, (_, each) => drained(lists, each))).toEqual(model);
      }
    }),
  );
});

test("an item that is in a list cannot enter another", () => {
  const lists = new IntLists(2, 1);
  lists.append(0, 0);
  expect(lists.listOf(0)).toBe(0);
  expect(() => lists.append(1, 0)).toThrow("one list");
});

/** The items of a list, which has them again afterwards. */
function drained(lists: IntLists, list: number): number[] {
  const items: number[] = [];
  for (let item = lists.first(list); item !== NONE; item = lists.first(list)) {
    items.push(item);
    lists.remove(item);
  }
  for (const item of items) lists.append(list, item);
  return items;
}
