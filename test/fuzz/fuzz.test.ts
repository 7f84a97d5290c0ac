// The fuzzer as CI runs it: the corpus, and some thousand inputs for each target that the commit chooses. And the fuzzer itself: it must
// find a law that is broken, and say how to break it again.

import { expect, test } from "bun:test";

import { firstSeed } from "../sim/seed.ts";
import { fuzz, inputsOf, judge, judgeCorpus } from "./fuzz.ts";
import { bytesOf, demand, piecesOf, type Target, textOf } from "./target.ts";
import { targets } from "./targets.ts";

/** On a machine with a load of 15; on a quiet one each target takes a second at most. */
const PATIENCE_MS = 120_000;

test.each(targets)(
  "$name: no law is broken",
  (target) => {
    expect(target.corpus.length).toBeGreaterThan(4);
    judgeCorpus(target);
    fuzz(target, firstSeed(), (inputs) => inputs < target.inputs);
  },
  PATIENCE_MS,
);

/** A target with a bug: two digits behind a colon, of which the second is a nine. */
const planted: Target = {
  name: "planted",
  corpus: ["port:69", "port:6969", "a"].map(bytesOf),
  shape: piecesOf(["port", ":", "0"]),
  tokens: [bytesOf(":")],
  separator: 0x0a,
  inputs: 0,
  judge: (input) => {
    demand(!/:[0-8]9[^0-9]/.test(textOf(input)), "no port ends in a nine");
  },
};

test("a planted bug is found, made small, and comes with the command that shows it again", () => {
  expect(() => judgeCorpus(planted)).not.toThrow();
  expect(() => fuzz(planted, firstSeed(), (inputs) => inputs < 1_000_000)).toThrow(
    /^planted: no port ends in a nine\n\n4 bytes: ":[0-8]9.+"\n\nagain: bun run fuzz --target planted --input 3a3[0-8]39[0-9a-f]{2}$/,
  );
});

test("what the source throws is a fault as well, and what it does to its input does not matter", () => {
  const thrower: Target = {
    ...planted,
    judge: (input) => {
      const first = input.at(0);
      input.fill(0);
      if (first === 0x61) throw new RangeError("out of range");
    },
  };
  expect(() => judge(thrower, bytesOf("abc"))).toThrow(
    /RangeError: out of range[^]*\n1 bytes: "a"\n/,
  );
});

test("the same seed makes the same inputs, and another one others", () => {
  expect(plantedInputs(7)).toEqual(plantedInputs(7));
  expect(plantedInputs(8)).not.toEqual(plantedInputs(7));
});

function plantedInputs(seed: number): readonly string[] {
  return Array.from(inputsOf(planted, seed), (input) => input.toHex());
}
