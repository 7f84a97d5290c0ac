// Regular expressions in linear time (policy layer, pure): Thompson's machine in Pike's form, which walks all ways through
// a pattern at once, a byte at a time. No name makes it slow: steps ≤ bytes × instructions, each with its captures.

import { at, i32At, u8, u16At, u32At } from "#base/bytes.ts";

import type { ByteString } from "./names.ts";
import { type Dialect, parsePattern } from "./regex-parser.ts";
import { compileProgram, INSTRUCTIONS_MAX, isPlace, Op, type Program } from "./regex-program.ts";
import {
  type ByteSet,
  CAPTURES_MAX,
  collectFirst,
  isAnchored,
  type Node,
  type PatternFault,
  requiredLiterals,
} from "./regex-syntax.ts";

/** Where a match stands: pairs of start and end; the whole match, then each capture; −1 for one that took no part. */
export type Match = Int32Array;

/** A start and an end for the whole match and for each capture. */
const SLOTS_MAX = 2 * (CAPTURES_MAX + 1);

/** Compiles the text of a pattern. */
export function compileRegex(
  pattern: string,
  dialect: Dialect,
  ignoreCase = false,
): Regex | PatternFault {
  const parsed = parsePattern(pattern, dialect, ignoreCase);
  if ("message" in parsed) return parsed;
  return compileNode(parsed.node, parsed.captures, dialect === "posix");
}

/** Compiles a tree with `captures` captures. `isLongest`: POSIX's longest match instead of Perl's first one. */
export function compileNode(
  node: Node,
  captures: number,
  isLongest: boolean,
): Regex | PatternFault {
  const program = compileProgram(node);
  return "message" in program ? program : new Regex(node, program, captures, isLongest);
}

/** A compiled pattern. Matching allocates nothing but the match itself: all patterns share one working memory. */
export class Regex {
  /** Instructions carried out since the pattern was compiled. */
  steps = 0;
  readonly captures: number;
  /** Stretches in lower case that every match has; see {@link requiredLiterals}. */
  readonly literals: readonly string[];
  readonly #program: Program;
  readonly #isLongest: boolean;
  readonly #isAnchored: boolean;
  /** The bytes that a match can begin with; undefined if it can be empty. */
  readonly #first: ByteSet | undefined;
  /** The slots of the way that is being followed. */
  readonly #slots: Int32Array;

  constructor(node: Node, program: Program, captures: number, isLongest: boolean) {
    this.captures = captures;
    this.literals = requiredLiterals(node);
    this.#program = program;
    this.#isLongest = isLongest;
    this.#isAnchored = isAnchored(node);
    const first = new Uint8Array(256);
    this.#first = collectFirst(node, first) ? undefined : first;
    this.#slots = new Int32Array(2 * (captures + 1));
  }

  /** Whether the pattern matches somewhere in `name`. */
  test(name: ByteString): boolean {
    return this.#run(name, undefined);
  }

  /** The leftmost match in `name`. */
  exec(name: ByteString): Match | undefined {
    const match: Match = new Int32Array(this.#slots.length);
    return this.#run(name, match) ? match : undefined;
  }

  /** Runs over `name`, and copies the match to `match`. Without `match`, any match ends it. */
  #run(name: ByteString, match: Match | undefined): boolean {
    let [current, next] = workspace;
    let isFound = false;
    current.clear();
    for (let index = 0; ; index += 1) {
      // A new way begins at each byte, behind those that began earlier, until something is found.
      const mayBegin = !isFound && (index === 0 || !this.#isAnchored);
      if (mayBegin && this.#canBegin(name, index)) this.#begin(current, name, index);
      else if (current.count === 0) {
        if (isFound || this.#isAnchored) return isFound;
        // Nothing is under way: go on to where something can begin.
        if (index >= name.length) return false;
        current.clear();
        continue;
      }
      next.clear();
      const byte = index < name.length ? name.charCodeAt(index) : -1;
      for (let thread = 0; thread < current.count; thread += 1) {
        const counter = u16At(current.counters, thread);
        this.steps += 1;
        if (u8(this.#program.ops, counter) === Op.match) {
          if (match === undefined) return true;
          if (isFound && !this.#isBetter(current, thread, match)) continue;
          isFound = true;
          current.copySlots(thread, match);
          match[1] = index;
          // What stands behind it began later or is preferred less.
          if (!this.#isLongest) break;
        } else if (
          byte >= 0 &&
          u8(at(this.#program.sets, u16At(this.#program.x, counter)), byte) === 1
        ) {
          if (isFound && match !== undefined && current.start(thread) > i32At(match, 0)) continue;
          current.copySlots(thread, this.#slots);
          this.#follow(next, counter + 1, name, index + 1);
        }
      }
      if (byte < 0) return isFound;
      [current, next] = [next, current];
    }
  }

  #canBegin(name: ByteString, index: number): boolean {
    if (this.#first === undefined) return true;
    return index < name.length && u8(this.#first, name.charCodeAt(index)) === 1;
  }

  #begin(threads: Threads, name: ByteString, index: number): void {
    this.#slots.fill(-1);
    this.#slots[0] = index;
    this.#follow(threads, 0, name, index);
  }

  /** In POSIX's sense: further left, or as far left and longer. A later end is a longer one. */
  #isBetter(threads: Threads, thread: number, match: Match): boolean {
    // Without that sense a later match is that of a way that was preferred all along.
    return !this.#isLongest || threads.start(thread) <= i32At(match, 0);
  }

  /** Adds the instructions that take a byte, or end the match, and that are reached from `counter` without a byte. */
  #follow(threads: Threads, counter: number, name: ByteString, index: number): void {
    if (threads.has(counter)) return;
    threads.visit(counter);
    this.steps += 1;
    const { ops, x, y } = this.#program;
    switch (u8(ops, counter)) {
      case Op.split:
        this.#follow(threads, u16At(x, counter), name, index);
        this.#follow(threads, u16At(y, counter), name, index);
        return;
      case Op.jump:
        this.#follow(threads, u16At(x, counter), name, index);
        return;
      case Op.save: {
        const slot = u16At(x, counter);
        const before = i32At(this.#slots, slot);
        this.#slots[slot] = index;
        this.#follow(threads, counter + 1, name, index);
        this.#slots[slot] = before;
        return;
      }
      case Op.place:
        if (isPlace(u16At(x, counter), name, index))
          this.#follow(threads, counter + 1, name, index);
        return;
      default:
        threads.push(counter, this.#slots);
    }
  }
}

/** The ways that are followed at one byte, the preferred first, each with its slots; no instruction stands in it twice. */
class Threads {
  count = 0;
  readonly counters: Uint16Array = new Uint16Array(INSTRUCTIONS_MAX);
  readonly #slots: Int32Array = new Int32Array(INSTRUCTIONS_MAX * SLOTS_MAX);
  /** The generation in which each instruction was visited last. */
  readonly #visited: Uint32Array = new Uint32Array(INSTRUCTIONS_MAX);
  #generation = 0;

  clear(): void {
    this.count = 0;
    this.#generation = (this.#generation + 1) >>> 0;
    if (this.#generation !== 0) return;
    // The count of generations has gone round: old marks must not look like new ones.
    this.#visited.fill(0);
    this.#generation = 1;
  }

  has(counter: number): boolean {
    return u32At(this.#visited, counter) === this.#generation;
  }

  visit(counter: number): void {
    this.#visited[counter] = this.#generation;
  }

  push(counter: number, slots: Int32Array): void {
    this.counters[this.count] = counter;
    const base = this.count * SLOTS_MAX;
    for (let slot = 0; slot < slots.length; slot += 1)
      this.#slots[base + slot] = i32At(slots, slot);
    this.count += 1;
  }

  /** Where the way began. */
  start(thread: number): number {
    return i32At(this.#slots, thread * SLOTS_MAX);
  }

  copySlots(thread: number, into: Int32Array): void {
    const base = thread * SLOTS_MAX;
    for (let slot = 0; slot < into.length; slot += 1) into[slot] = i32At(this.#slots, base + slot);
  }
}

/** For this byte and the next. */
const workspace: readonly [Threads, Threads] = [new Threads(), new Threads()];
