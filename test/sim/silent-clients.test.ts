// Clients that say nothing after a loss and wait (GRUB, EDK2): the server's timer sets their speed, so it has to follow the
// path. Seeded, in virtual time; prints what docs/reliability.md says.

import { expect, test } from "bun:test";

import { runPair } from "./pair.ts";
import { type Scenario, scenarioOf } from "./scenario.ts";

/** A kernel and its initial RAM disk as GRUB asks for them: blocks of 1,024 bytes, each waited for. */
const boot: Scenario = {
  ...scenarioOf(1),
  fileBytes: 20_000_000,
  mode: "octet",
  asks: { blksize: "1024", tsize: "0" },
  dialect: "grub",
  refusal: 0,
};

test.each([
  [250, 1.6],
  [1_000, 1.3],
  [10_000, 1.1],
])("GRUB over a way of %d µs: 0.1 %% of lost packets costs a factor below %d", (delayUs, most) => {
  const [clean, lossy] = [0, 0.001].map((loss) => {
    const faults = { loss, duplicate: 0, late: 0, lateUs: 0, delayUs };
    const result = runPair({ ...boot, faults });
    expect(result.outcome).toBe("complete");
    return result;
  });
  const factor = (lossy?.endUs ?? 0) / (clean?.endUs ?? 1);
  const lost = lossy?.wire.lost ?? 0;
  // Each loss would cost a fixed timer of 1 s as much.
  const fixed = 1 + (lost * 1_000_000) / (clean?.endUs ?? 1);
  const times = `${factor.toFixed(2)} times as long, with a fixed timer of 1 s ${fixed.toFixed(1)}`;
  process.stdout.write(`GRUB, ${delayUs} µs each way, ${lost} packets lost: ${times}\n`);
  expect(lost).toBeGreaterThan(20);
  expect(factor).toBeLessThan(most);
});
