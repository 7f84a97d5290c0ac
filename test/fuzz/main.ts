// `bun run fuzz`: all targets in turn, until the minutes are over or a law is broken. Flags: --minutes=M, --seed=N, --target=NAME for that one
// alone, and --input=HEX to judge one input, as a failure says it.

import { parseArgs } from "node:util";

import { firstSeed } from "../sim/seed.ts";
import { fuzz, judge, judgeCorpus } from "./fuzz.ts";
import { INPUT_BYTES_MAX } from "./mutate.ts";
import type { Target } from "./target.ts";
import { targets } from "./targets.ts";
import { Watch } from "./watch.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string" },
    target: { type: "string" },
    input: { type: "string" },
  },
});

const first = values.seed === undefined ? firstSeed() : Number(values.seed) >>> 0;
const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target);

const watch = new Watch(INPUT_BYTES_MAX);
try {
  if (chosen.length === 0) {
    throw new Error(
      `there is no ${values.target}; there are ${targets.map(({ name }) => name).join(", ")}`,
    );
  }
  if (values.input === undefined) fuzzFor(Number(values.minutes) * 60);
  else judgeOne(Uint8Array.fromHex(values.input));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  watch.end();
}

function about(target: Target, input: Uint8Array): void {
  watch.note(target, input);
}

function judgeOne(input: Uint8Array): void {
  for (const target of chosen) {
    about(target, input);
    judge(target, input);
  }
  console.log("no law is broken");
}

/** One round of each target, then the next seed. */
function fuzzFor(secondsMax: number): void {
  const startMs = performance.now();
  const seconds = (): number => (performance.now() - startMs) / 1000;
  const counts = new Map<Target, number>();
  for (const target of chosen) judgeCorpus(target, about);
  let seed = first;
  do {
    for (const target of chosen) {
      const inputs = fuzz(target, seed, () => false, about);
      counts.set(target, (counts.get(target) ?? 0) + inputs);
    }
    seed = (seed + 1) >>> 0;
  } while (seconds() < secondsMax);
  for (const [{ name }, inputs] of counts) console.log(`${String(inputs).padStart(9)} ${name}`);
  console.log(`from seed ${first}, ${seconds().toFixed(1)} s: no law is broken`);
}
