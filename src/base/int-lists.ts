// Several lists of small integers (base layer), each integer in one of them at most: queues whose members can leave
// from the middle. Every step costs O(1), and nothing is allocated after construction.

import { assert } from "./assert.ts";
import { i32At } from "./bytes.ts";

/** The answer where there is no item, or no list. */
export const NONE = -1;

/** Lists 0 … lists − 1 of the integers 0 … items − 1. */
export class IntLists {
  readonly #heads: Int32Array;
  readonly #tails: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #listOf: Int32Array;

  constructor(lists: number, items: number) {
    this.#heads = new Int32Array(lists).fill(NONE);
    this.#tails = new Int32Array(lists).fill(NONE);
    this.#next = new Int32Array(items).fill(NONE);
    this.#previous = new Int32Array(items).fill(NONE);
    this.#listOf = new Int32Array(items).fill(NONE);
  }

  /** The list that `item` is in, or {@link NONE}. */
  listOf(item: number): number {
    return i32At(this.#listOf, item);
  }

  /** The first item of `list`, or {@link NONE}. */
  first(list: number): number {
    return i32At(this.#heads, list);
  }

  /** Puts `item`, which is in no list, behind the others of `list`. */
  append(list: number, item: number): void {
    const tail = i32At(this.#tails, list);
    this.#enter(list, item, tail, NONE);
    if (tail === NONE) this.#heads[list] = item;
    else this.#next[tail] = item;
    this.#tails[list] = item;
  }

  /** Puts `item`, which is in no list, before the others of `list`. */
  prepend(list: number, item: number): void {
    const head = i32At(this.#heads, list);
    this.#enter(list, item, NONE, head);
    if (head === NONE) this.#tails[list] = item;
    else this.#previous[head] = item;
    this.#heads[list] = item;
  }

  /** Takes `item` out of the list that it is in; nothing happens if it is in none. */
  remove(item: number): void {
    const list = i32At(this.#listOf, item);
    if (list === NONE) return;
    const next = i32At(this.#next, item);
    const previous = i32At(this.#previous, item);
    if (next === NONE) this.#tails[list] = previous;
    else this.#previous[next] = previous;
    if (previous === NONE) this.#heads[list] = next;
    else this.#next[previous] = next;
    this.#listOf[item] = NONE;
  }

  #enter(list: number, item: number, previous: number, next: number): void {
    assert(i32At(this.#listOf, item) === NONE, "an item is in one list at a time");
    this.#listOf[item] = list;
    this.#previous[item] = previous;
    this.#next[item] = next;
  }
}
