// The simulation as CI runs it: twenty thousand transfers in worlds that the commit chooses, and one planted bug that it must find.

import { expect, test } from "bun:test";

import { firstSeed } from "../seed.ts";
import { hunt, isPlantable, mutants } from "./mutants.ts";
import { runWorlds } from "./runs.ts";

const TRANSFERS = 20_000;
/** On a machine with a load of 15; on a quiet one it is half a minute for the transfers, and some seconds for the bug. */
const PATIENCE_MS = 600_000;

test(
  `no law is broken in ${TRANSFERS} transfers`,
  () => {
    const total = runWorlds(firstSeed(), ({ transfers }) => transfers < TRANSFERS);
    // Half of them meet something that they cannot survive, or leave; the others prove something.
    expect(total.complete).toBeGreaterThan(total.transfers / 3);
  },
  PATIENCE_MS,
);

test.each(mutants)(
  "the source has the place where it can be planted that a server $name",
  (mutant) => {
    expect(isPlantable(mutant)).toBe(true);
  },
);

test(
  "a planted bug is found: another one with each commit, all of them by `bun run sim --mutants`",
  async () => {
    const mutant = mutants[firstSeed() % mutants.length];
    if (mutant === undefined) throw new Error("there are no mutants");
    const { found } = await hunt(mutant, firstSeed(), 60);
    if (found === undefined) throw new Error(`not found: ${mutant.name}`);
  },
  PATIENCE_MS,
);
