// Tests of what a load draws: when requests come, which file is next, and who vanishes.

import { describe, expect, test } from "bun:test";

import { Random } from "#base/random.ts";
import { type ArrivalKind, Arrivals } from "#client/arrivals.ts";
import { vanishingShare } from "#client/churn.ts";
import { Mix } from "#client/mix.ts";

const COUNT = 20_000;

/** The gaps between arrivals at 100 a second. */
function gapsOf(kind: ArrivalKind, seed: number): readonly number[] {
  const arrivals = new Arrivals(kind, 100, 5000, new Random(seed));
  return Array.from({ length: COUNT }, () => {
    const beforeUs = arrivals.nextUs;
    arrivals.advance();
    return arrivals.nextUs - beforeUs;
  });
}

function meanOf(list: readonly number[]): number {
  return list.reduce((sum, value) => sum + value, 0) / list.length;
}

describe("arrivals", () => {
  test("of a storm are always due", () => {
    const arrivals = new Arrivals("storm", 1, 0, new Random(1));
    arrivals.advance();
    expect(arrivals.nextUs).toBe(-Infinity);
  });

  test("that are constant come evenly, and begin at once", () => {
    expect(new Arrivals("constant", 100, 5000, new Random(1)).nextUs).toBe(5000);
    expect(new Set(gapsOf("constant", 1))).toEqual(new Set([10_000]));
  });

  test("of a Poisson process have exponential gaps of the right mean", () => {
    const gaps = gapsOf("poisson", 7);
    const meanUs = meanOf(gaps);
    expect(meanUs / 10_000).toBeWithin(0.97, 1.03);
    // The deviation of an exponential distribution is its mean; e⁻¹ of it lies beyond the mean.
    const deviationUs = Math.sqrt(meanOf(gaps.map((gap) => (gap - meanUs) ** 2)));
    expect(deviationUs / meanUs).toBeWithin(0.95, 1.05);
    expect(gaps.filter((gap) => gap > meanUs).length / COUNT).toBeWithin(0.355, 0.38);
  });

  test("are the same for the same seed", () => {
    expect(gapsOf("poisson", 3)).toEqual(gapsOf("poisson", 3));
    expect(gapsOf("poisson", 3)).not.toEqual(gapsOf("poisson", 4));
  });
});

describe("a mix", () => {
  test("draws each by its weight, and nothing that weighs nothing", () => {
    const mix = new Mix([80, 0, 20, 0]);
    const random = new Random(1);
    const drawn = [0, 0, 0, 0];
    for (let draw = 0; draw < COUNT; draw += 1) {
      const place = mix.draw(random);
      drawn[place] = (drawn[place] ?? 0) + 1;
    }
    expect((drawn[0] ?? 0) / COUNT).toBeWithin(0.79, 0.81);
    expect([drawn[1], drawn[3]]).toEqual([0, 0]);
  });

  test("draws nothing that weighs nothing at the very edge", () => {
    class Lowest extends Random {
      override fraction(): number {
        return 0;
      }
    }
    expect(new Mix([0, 1]).draw(new Lowest(1))).toBe(1);
  });

  test("of one is that one", () => {
    expect(new Mix([5]).draw(new Random(9))).toBe(0);
  });
});

test("as many clients vanish as are told to, anywhere in their file", () => {
  const random = new Random(1);
  const shares = Array.from({ length: COUNT }, () => vanishingShare(0.2, undefined, random));
  const vanishing = shares.filter((share) => share !== undefined);
  expect(vanishing.length / COUNT).toBeWithin(0.19, 0.21);
  expect(meanOf(vanishing)).toBeWithin(0.48, 0.52);
  expect(vanishingShare(0, undefined, random)).toBeUndefined();
  expect(vanishingShare(1, 0.5, random)).toBe(0.5);
});
