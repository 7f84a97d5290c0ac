// `bun run sim`: worlds from one seed on, until the minutes are over or a law is broken. Flags: --seed=N, --minutes=M (0: that seed
// alone), --transfers=N to end after so many instead, --transcript to print what one seed's world says although nothing is broken;
// --mutants to see that it finds ten bugs that are planted one after the other, each within a minute.

import { parseArgs } from "node:util";

import { firstSeed } from "../seed.ts";
import { NOBODY } from "./log.ts";
import { hunt, mutants } from "./mutants.ts";
import { type Report, transcriptOf, World } from "./world.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    minutes: { type: "string", default: "1" },
    transfers: { type: "string", default: "0" },
    transcript: { type: "boolean", default: false },
    mutants: { type: "boolean", default: false },
  },
});

const first = values.seed === undefined ? firstSeed() : Number(values.seed) >>> 0;

if (values.mutants) await huntAll();
else runWorlds();

function runWorlds(): void {
  const endsMs = performance.now() + Number(values.minutes) * 60_000;
  const transfersMax = Number(values.transfers) || Infinity;
  const total = { worlds: 0, transfers: 0, complete: 0, turns: 0 };
  const startMs = performance.now();

  do {
    const report = runWorld((first + total.worlds) >>> 0);
    total.worlds += 1;
    total.transfers += report.transfers;
    total.complete += report.complete;
    total.turns += report.turns;
  } while (performance.now() < endsMs && total.transfers < transfersMax);

  const seconds = (performance.now() - startMs) / 1000;
  console.log(
    `${total.worlds} worlds from seed ${first}: ${total.transfers} transfers, ${total.complete} complete, ` +
      `${total.turns} turns, ${seconds.toFixed(1)} s: no law is broken`,
  );
}

async function huntAll(): Promise<void> {
  for (const mutant of mutants) {
    const { found, seconds } = await hunt(mutant, first, 60);
    console.log(`${seconds.toFixed(1).padStart(5)} s  ${mutant.name}: ${found ?? "NOT FOUND"}`);
    if (found === undefined) process.exitCode = 1;
  }
}

function runWorld(seed: number): Report {
  const world = new World(seed);
  let report: Report | undefined;
  try {
    report = world.run();
    if (values.transcript) console.log(world.log.transcript(NOBODY));
  } catch (error) {
    console.error(transcriptOf(world, error));
    console.error(error instanceof Error ? error.stack : error);
    console.error(`\nagain: bun run sim --seed ${seed} --minutes 0`);
  }
  return report ?? process.exit(1);
}
