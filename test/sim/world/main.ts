// `bun run sim`: worlds from one seed on, until the minutes are over or a law is broken. Flags: --seed=N, --minutes=M (0: that seed
// alone), --processor to count the processor's minutes instead of those of a clock, --mutants to see that it finds ten bugs that are planted one after the other, each within a minute.

import { parseArgs } from "node:util";

import { firstSeed } from "../seed.ts";
import { hunt, mutants } from "./mutants.ts";
import { runWorlds } from "./runs.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    minutes: { type: "string", default: "1" },
    processor: { type: "boolean", default: false },
    mutants: { type: "boolean", default: false },
  },
});

const first = values.seed === undefined ? firstSeed() : Number(values.seed) >>> 0;

try {
  if (values.mutants) await huntAll();
  else simulate(Number(values.minutes) * 60);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

function simulate(secondsMax: number): void {
  const startMs = performance.now();
  const seconds = (): number => (performance.now() - startMs) / 1000;
  const used = values.processor ? processorSeconds : seconds;
  const { worlds, transfers, complete, turns } = runWorlds(first, () => used() < secondsMax);
  console.log(
    `${worlds} worlds from seed ${first}: ${transfers} transfers, ${complete} complete, ` +
      `${turns} turns, ${seconds().toFixed(1)} s: no law is broken`,
  );
}

function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function huntAll(): Promise<void> {
  for (const mutant of mutants) {
    const { found, seconds } = await hunt(mutant, first, 60);
    console.log(`${seconds.toFixed(1).padStart(5)} s  ${mutant.name}: ${found ?? "NOT FOUND"}`);
    if (found === undefined) process.exitCode = 1;
  }
}
