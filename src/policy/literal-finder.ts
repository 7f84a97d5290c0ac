// Finding many literals at once (policy layer, pure): Aho and Corasick's automaton. One walk over a name tells which of ten
// thousand literals stand in it, whatever their number.
// Source: Aho and Corasick, "Efficient string matching" (1975).

import { at, i32At } from "#base/bytes.ts";

import type { ByteString } from "./names.ts";

const ROOT = 0;
const NONE = -1;

/** Finds which literals of a fixed set stand in a name. */
export class LiteralFinder {
  /** Node by node: its byte, its first child, its next sibling, where to go on when no child fits, its literal's number. */
  readonly #byte: number[] = [0];
  readonly #child: number[] = [NONE];
  readonly #sibling: number[] = [NONE];
  readonly #failure: number[] = [ROOT];
  readonly #literal: number[] = [NONE];
  /** The next node on the way of failures that ends a literal. */
  readonly #shorter: number[] = [NONE];
  /** The children of the root by byte: there may be 256 of them. */
  readonly #first: Int32Array = new Int32Array(256).fill(NONE);

  /** The literals are not empty and differ from each other; each is known by its place in the list. */
  constructor(literals: readonly ByteString[]) {
    for (const [number, literal] of literals.entries()) this.#insert(literal, number);
    this.#link();
  }

  /** Calls `found` with the number of each literal at each place where it stands in `name`. */
  find(name: ByteString, found: (literal: number) => void): void {
    let node = ROOT;
    for (let index = 0; index < name.length; index += 1) {
      node = this.#step(node, name.charCodeAt(index));
      for (let end = node; end !== NONE; end = at(this.#shorter, end)) {
        if (at(this.#literal, end) !== NONE) found(at(this.#literal, end));
      }
    }
  }

  #insert(literal: ByteString, number: number): void {
    let node = ROOT;
    for (let index = 0; index < literal.length; index += 1) {
      const byte = literal.charCodeAt(index);
      const next = this.#childOf(node, byte);
      node = next === NONE ? this.#addChild(node, byte) : next;
    }
    this.#literal[node] = number;
  }

  #addChild(parent: number, byte: number): number {
    const node = this.#byte.push(byte) - 1;
    this.#child.push(NONE);
    this.#sibling.push(at(this.#child, parent));
    this.#failure.push(ROOT);
    this.#literal.push(NONE);
    this.#shorter.push(NONE);
    this.#child[parent] = node;
    if (parent === ROOT) this.#first[byte] = node;
    return node;
  }

  /** Links each node to the longest other beginning of a literal that ends its own; parents come before children. */
  #link(): void {
    const queue = [ROOT];
    for (const parent of queue) {
      for (let node = at(this.#child, parent); node !== NONE; node = at(this.#sibling, node)) {
        queue.push(node);
        if (parent === ROOT) continue;
        const failure = this.#step(at(this.#failure, parent), at(this.#byte, node));
        this.#failure[node] = failure;
        const isEnd = at(this.#literal, failure) !== NONE;
        this.#shorter[node] = isEnd ? failure : at(this.#shorter, failure);
      }
    }
  }

  #step(from: number, byte: number): number {
    for (let node = from; ; node = at(this.#failure, node)) {
      const next = this.#childOf(node, byte);
      if (next !== NONE) return next;
      if (node === ROOT) return ROOT;
    }
  }

  #childOf(parent: number, byte: number): number {
    if (parent === ROOT) return i32At(this.#first, byte);
    let node = at(this.#child, parent);
    while (node !== NONE && at(this.#byte, node) !== byte) node = at(this.#sibling, node);
    return node;
  }
}
