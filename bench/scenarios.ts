// What is measured (bench): transfers of the sizes that the targets speak of, each in the variants that are compared.
// Every row names its floor: the loop that only echoes, or also the one that only sends.

import type { ServerVariant } from "./server-run.ts";

export interface Scenario {
  readonly clients: number;
  readonly fileMib: number;
  readonly blockBytes: number;
  readonly windowBlocks: number;
  readonly variant: ServerVariant;
}

/** 200 µs is the default of batch_timeout_us. */
export const standard: ServerVariant = { gso: true, batching: true, spinUs: 200 };
const withoutGso: ServerVariant = { ...standard, gso: false };
const withoutSpin: ServerVariant = { ...standard, spinUs: 0 };
const withoutBatching: ServerVariant = { gso: false, batching: false, spinUs: 200 };

/** In the order of the table; variants of one load stand together, and are run one after another. */
export const scenarios: readonly Scenario[] = [
  row(1, 256, 1428, 1, standard),
  row(1, 256, 1428, 1, withoutSpin),
  row(1, 256, 1428, 16, standard),
  row(1, 256, 1428, 64, standard),
  row(1, 256, 1428, 64, withoutGso),
  row(64, 32, 1428, 1, standard),
  row(64, 32, 1428, 1, withoutBatching),
  row(64, 32, 1428, 16, standard),
  row(64, 32, 1428, 16, withoutGso),
  row(64, 32, 1428, 16, withoutBatching),
  row(64, 32, 1428, 64, standard),
  row(64, 32, 1428, 64, withoutGso),
  row(64, 32, 512, 16, standard),
  row(64, 32, 8192, 16, standard),
  row(1000, 1, 1428, 8, standard),
];

function row(
  clients: number,
  fileMib: number,
  blockBytes: number,
  windowBlocks: number,
  variant: ServerVariant,
): Scenario {
  return { clients, fileMib, blockBytes, windowBlocks, variant };
}

/** `64 × 32 MiB, blksize 1428, windowsize 16`. */
export function loadName(scenario: Scenario): string {
  const { clients, fileMib, blockBytes, windowBlocks } = scenario;
  return `${clients} × ${fileMib} MiB, blksize ${blockBytes}, windowsize ${windowBlocks}`;
}

/** What differs from the default configuration. */
export function variantName({ gso, batching, spinUs }: ServerVariant): string {
  if (!batching) return "no batching, no GSO";
  if (!gso) return "no GSO";
  return spinUs === 0 ? "no spin" : "default";
}
