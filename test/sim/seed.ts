// The seeds of random tests: where they come from, and the one command that runs a failing one again.

/** The first seed: `SEED`, or else the commit, so that every commit tries others and a rerun tries the same. */
export function firstSeed(): number {
  const given = process.env["SEED"];
  if (given !== undefined) return Number(given) >>> 0;
  const commit = Bun.spawnSync(["git", "rev-parse", "--short=8", "HEAD"], { stderr: "ignore" });
  const seed = Number.parseInt(commit.stdout.toString(), 16);
  return Number.isNaN(seed) ? 1 : seed;
}

/** How many seeds to run: `RUNS`, or else `usual`. */
function seedCount(usual: number): number {
  return Number(process.env["RUNS"] ?? usual);
}

/** Runs `body` for each seed. When one fails, says which, and how to run it alone. */
export function forEachSeed(file: string, usual: number, body: (seed: number) => void): void {
  const first = firstSeed();
  for (let index = 0; index < seedCount(usual); index++) {
    const seed = (first + index) >>> 0;
    try {
      body(seed);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const again = `SEED=${seed} RUNS=1 bun test ${file}`;
      throw new Error(`seed ${seed} fails: ${why}\n\nagain: ${again}`, { cause });
    }
  }
}
