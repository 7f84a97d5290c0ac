// The fuzzer: rounds of inputs, from fast-check and by changing them and the corpus, until someone has enough or a law is broken. Then it
// makes the input as small as it can, and says the one command that judges it again.

import * as fc from "fast-check";

import { at } from "#base/bytes.ts";
import { Random } from "#base/random.ts";

import { mutate, spliced } from "./mutate.ts";
import { type Target, Unlawful } from "./target.ts";

/** Inputs of a round that fast-check makes, and those that are changed. */
const SHAPED = 32;
const CHANGED = 224;

/** How often an input may be judged to make it smaller. */
const SHRINKING_MAX = 1000;

/** Hears of each input before it is judged. */
type About = (target: Target, input: Uint8Array) => void;

/** Judges the corpus. */
export function judgeCorpus(target: Target, about?: About): void {
  for (const input of target.corpus) {
    about?.(target, input);
    judge(target, input);
  }
}

/** Judges rounds of inputs from `seed` on, at least one, as long as `goesOn`; returns how many inputs. */
export function fuzz(
  target: Target,
  seed: number,
  goesOn: (inputs: number) => boolean,
  about?: About,
): number {
  let inputs = 0;
  for (let round = 0; round === 0 || goesOn(inputs); round++) {
    for (const input of inputsOf(target, (seed + round) >>> 0)) {
      about?.(target, input);
      judge(target, input);
      inputs += 1;
    }
  }
  return inputs;
}

/** The inputs of one round: the same for the same seed. */
export function* inputsOf(target: Target, seed: number): Generator<Uint8Array> {
  const shaped = fc.sample(target.shape, { seed: seed | 0, numRuns: SHAPED });
  yield* shaped;
  const random = new Random(seed);
  const bases = [...target.corpus, ...shaped];
  for (let count = 0; count < CHANGED; count++) {
    yield mutate(random, at(bases, random.below(bases.length)), target, bases);
  }
}

/** Judges one input. What is thrown says the input, as small as it could be made, and how to judge it again. */
export function judge(target: Target, input: Uint8Array): void {
  if (faultOf(target, input) === undefined) return;
  const least = shrunk(target, input);
  const fault = faultOf(target, least);
  const shown = JSON.stringify(new TextDecoder("latin1").decode(least));
  const again = `again: bun run fuzz --target ${target.name} --input ${least.toHex() || '""'}`;
  const why = fault instanceof Unlawful ? fault.message : Bun.inspect(fault);
  throw new Error(`${target.name}: ${why}\n\n${least.length} bytes: ${shown}\n\n${again}`, {
    cause: fault,
  });
}

function faultOf(target: Target, input: Uint8Array): unknown {
  try {
    target.judge(input.slice());
    return undefined;
  } catch (fault) {
    return fault ?? "nothing was thrown, but it was";
  }
}

/** The input without whatever can be left out, in ever smaller stretches, while it still breaks a law. */
function shrunk(target: Target, input: Uint8Array): Uint8Array {
  let least = input;
  let tries = 0;
  for (let length = input.length; length >= 1; length = Math.floor(length / 2)) {
    for (let start = 0; start < least.length && tries < SHRINKING_MAX; tries++) {
      const less = spliced(least, start, length, new Uint8Array(0));
      if (faultOf(target, less) === undefined) start += length;
      else least = less;
    }
  }
  return least;
}
