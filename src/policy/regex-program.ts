// Compiling regular expressions (policy layer, pure): from a tree to a program for Thompson's machine. The size of a program
// is bounded, and with it the time that any name takes.

import { at } from "#base/bytes.ts";

import {
  type ByteSet,
  isNullable,
  type Node,
  type PatternFault,
  type Place,
} from "./regex-syntax.ts";

/** What an instruction does. The numbers are the machine's alone. */
export const Op = {
  /** Takes one byte of set `x`. */
  set: 0,
  /** Goes on at `x`, and if that fails at `y`. */
  split: 1,
  /** Goes on at `x`. */
  jump: 2,
  /** Writes the position into slot `x`. */
  save: 3,
  /** Goes on only at place `x` of {@link placeNames}. */
  place: 4,
  match: 5,
} as const;

/** The places by number. */
const placeNames: readonly Place[] = [
  "start",
  "end",
  "boundary",
  "no-boundary",
  "word-start",
  "word-end",
  "character",
];

export interface Program {
  readonly ops: Uint8Array;
  readonly x: Uint16Array;
  readonly y: Uint16Array;
  readonly sets: readonly ByteSet[];
}

/**
 * The longest program. A step is some 5 ns, and a name has at most 1,500 bytes: the worst pattern on the worst name takes
 * 1,500 × 1,024 steps, some milliseconds. The patterns that people write have 10 to 200 instructions.
 */
export const INSTRUCTIONS_MAX = 1024;

/** Compiles a tree. */
export function compileProgram(node: Node): Program | PatternFault {
  const assembler = new Assembler();
  if (!assembler.emit(node)) return tooLarge;
  return assembler.finish();
}

const tooLarge: PatternFault = {
  message: `is too large: it compiles to more than ${INSTRUCTIONS_MAX} steps`,
  remedy: "count less with {n,m}: each time is a copy of what it repeats.",
};

class Assembler {
  readonly #ops: number[] = [];
  readonly #x: number[] = [];
  readonly #y: number[] = [];
  readonly #sets: ByteSet[] = [];

  finish(): Program | PatternFault {
    this.#add(Op.match, 0);
    if (this.#ops.length > INSTRUCTIONS_MAX) return tooLarge;
    return {
      ops: new Uint8Array(this.#ops),
      x: new Uint16Array(this.#x),
      y: new Uint16Array(this.#y),
      sets: this.#sets,
    };
  }

  /** Emits the code of `node`. False if that is too much. */
  emit(node: Node): boolean {
    if (this.#ops.length > INSTRUCTIONS_MAX) return false;
    switch (node.kind) {
      case "set":
        this.#add(Op.set, this.#sets.push(node.set) - 1);
        return true;
      case "place":
        this.#add(Op.place, placeNames.indexOf(node.place));
        return true;
      case "sequence":
        return node.nodes.every((part) => this.emit(part));
      case "choice":
        return this.#emitChoice(node.nodes);
      case "repeat":
        return this.#emitRepeat(node.node, node.min, node.max, node.isLazy);
      case "capture": {
        this.#add(Op.save, 2 * node.index);
        const isDone = this.emit(node.node);
        this.#add(Op.save, 2 * node.index + 1);
        return isDone;
      }
    }
    return node satisfies never;
  }

  #emitChoice(nodes: readonly Node[]): boolean {
    const jumps: number[] = [];
    for (const [index, node] of nodes.entries()) {
      const isLast = index === nodes.length - 1;
      const split = isLast ? -1 : this.#add(Op.split, this.#ops.length + 1);
      if (!this.emit(node)) return false;
      if (isLast) break;
      jumps.push(this.#add(Op.jump, 0));
      this.#y[split] = this.#ops.length;
    }
    for (const jump of jumps) this.#x[jump] = this.#ops.length;
    return true;
  }

  #emitRepeat(node: Node, min: number, max: number, isLazy: boolean): boolean {
    if (max === Infinity) {
      for (let count = 1; count < min; count += 1) if (!this.emit(node)) return false;
      // a* is (a+)? where a may be empty: the loop alone would forget what an empty turn captured.
      if (min === 0) {
        return isNullable(node)
          ? this.#emitOptional(isLazy, () => this.#emitLoop(node, isLazy))
          : this.#emitStar(node, isLazy);
      }
      return this.#emitLoop(node, isLazy);
    }
    for (let count = 0; count < min; count += 1) if (!this.emit(node)) return false;
    return this.#emitOptions(node, max - min, isLazy);
  }

  /** Up to `count` times, each only after the one before it. */
  #emitOptions(node: Node, count: number, isLazy: boolean): boolean {
    const splits: number[] = [];
    for (let index = 0; index < count; index += 1) {
      splits.push(this.#addSplit());
      if (!this.emit(node)) return false;
    }
    for (const split of splits) this.#aim(split, split + 1, this.#ops.length, isLazy);
    return true;
  }

  #emitOptional(isLazy: boolean, emit: () => boolean): boolean {
    const split = this.#addSplit();
    const isDone = emit();
    this.#aim(split, split + 1, this.#ops.length, isLazy);
    return isDone;
  }

  #emitStar(node: Node, isLazy: boolean): boolean {
    return this.#emitOptional(isLazy, () => {
      const start = this.#ops.length - 1;
      const isDone = this.emit(node);
      this.#add(Op.jump, start);
      return isDone;
    });
  }

  /** Once or more. */
  #emitLoop(node: Node, isLazy: boolean): boolean {
    const start = this.#ops.length;
    const isDone = this.emit(node);
    const split = this.#addSplit();
    this.#aim(split, start, split + 1, isLazy);
    return isDone;
  }

  /** Points a split at the way on and at the way out, the preferred one first. */
  #aim(split: number, on: number, out: number, isLazy: boolean): void {
    this.#x[split] = isLazy ? out : on;
    this.#y[split] = isLazy ? on : out;
  }

  #addSplit(): number {
    return this.#add(Op.split, 0);
  }

  #add(op: number, x: number): number {
    this.#ops.push(op);
    this.#x.push(x);
    this.#y.push(0);
    return this.#ops.length - 1;
  }
}

/** Whether byte number `index` of `name` belongs to a word; what lies outside the name does not. */
function isWordAt(name: string, index: number): boolean {
  if (index < 0 || index >= name.length) return false;
  const byte = name.charCodeAt(index);
  return (
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x5f
  );
}

/** How many bytes a character of UTF-8 has that begins with `byte`; 1 for one that none of several bytes begins with. */
function characterBytes(byte: number): number {
  if (byte < 0xc2 || byte > 0xf4) return 1;
  if (byte < 0xe0) return 2;
  return byte < 0xf0 ? 3 : 4;
}

/** Whether byte number `index` of `name` is one that goes on with a character of UTF-8. */
function goesOnAt(name: string, index: number): boolean {
  return index < name.length && (name.charCodeAt(index) & 0xc0) === 0x80;
}

/** Whether a character of UTF-8, all of which is there, begins before byte number `index` of `name` and ends behind it. */
function isWithinCharacter(name: string, index: number): boolean {
  if (!goesOnAt(name, index)) return false;
  let start = index - 1;
  while (start > Math.max(0, index - 3) && goesOnAt(name, start)) start -= 1;
  const end = start < 0 ? index : start + characterBytes(name.charCodeAt(start));
  for (let next = index + 1; next < end; next += 1) if (!goesOnAt(name, next)) return false;
  return end > index;
}

/** Whether the place before byte number `index` of `name` is the one that number `place` stands for. */
export function isPlace(place: number, name: string, index: number): boolean {
  const kind = at(placeNames, place);
  if (kind === "start") return index === 0;
  if (kind === "end") return index === name.length;
  if (kind === "character") return !isWithinCharacter(name, index);
  const before = isWordAt(name, index - 1);
  const after = isWordAt(name, index);
  if (kind === "word-start") return !before && after;
  if (kind === "word-end") return before && !after;
  return (before !== after) === (kind === "boundary");
}
