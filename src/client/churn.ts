// Clients that vanish on the way (client layer): who does, and with which block. A machine that is switched off says nothing.
// Pure; what chance decides comes from a seed.

import type { Random } from "#base/random.ts";

/** The run of blocks that somebody vanishes within, where nobody knows how long the file is. A guess. */
const UNKNOWN_BLOCKS = 16;

/** The last block of a file is shorter than the others, and may be empty. */
export function blocksOf(fileBytes: number, blockBytes: number): number {
  return Math.floor(fileBytes / blockBytes) + 1;
}

/** The block with which a client vanishes, the last one at the latest; 0: as soon as it is answered. */
export function vanishBlockOf(
  share: number | undefined,
  fileBytes: number | undefined,
  blockBytes: number,
): number {
  if (share === undefined) return Infinity;
  const blocks = fileBytes === undefined ? UNKNOWN_BLOCKS : blocksOf(fileBytes, blockBytes);
  return Math.floor(share * blocks);
}

/** Where in a file somebody vanishes: `at` that share of it, or anywhere. */
export function vanishingShare(
  churn: number,
  at: number | undefined,
  random: Random,
): number | undefined {
  const isDoomed = random.chance(churn);
  const share = random.fraction();
  return isDoomed ? (at ?? share) : undefined;
}
