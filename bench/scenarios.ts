// What is measured beside itself with something less (bench): loads, and the variants of each that are compared. The first of a load is what everybody has;
// a floor that only sends stands beside windows, of which sending is nearly all.

import type { ServerVariant } from "./server-run.ts";

export interface Load {
  readonly clients: number;
  readonly fileMib: number;
  readonly blockBytes: number;
  readonly windowBlocks: number;
}

/** A server, or the floor that sends without listening. */
export type Variant =
  | { readonly name: string; readonly server: ServerVariant }
  | { readonly name: string; readonly isFramed: boolean };

export interface Scenario {
  readonly load: Load;
  readonly variants: readonly Variant[];
}

/** 200 µs is the default of batch_timeout_us. */
export const standard: ServerVariant = { gso: true, batching: true, spinUs: 200 };

export const AS_IT_IS = "as it is";
export const WITHOUT_GSO = "without GSO";
export const WITHOUT_BATCHING = "without batching and GSO";
export const WITHOUT_SPINNING = "without spinning";
export const SENDING_ONLY = "a loop that only sends";

const asItIs: Variant = { name: AS_IT_IS, server: standard };
const withoutGso: Variant = { name: WITHOUT_GSO, server: { ...standard, gso: false } };
const withoutSpin: Variant = { name: WITHOUT_SPINNING, server: { ...standard, spinUs: 0 } };
const withoutBatching: Variant = {
  name: WITHOUT_BATCHING,
  server: { ...standard, gso: false, batching: false },
};
const sendingOnly: Variant = { name: SENDING_ONLY, isFramed: true };
const gathering: Variant = { name: "such a loop that gathers headers and blocks", isFramed: false };

/** In the order of the table. */
export const scenarios: readonly Scenario[] = [
  { load: one(1), variants: [asItIs, withoutSpin] },
  { load: one(64), variants: [asItIs, withoutGso] },
  { load: many(1), variants: [asItIs, withoutBatching] },
  {
    load: many(16),
    variants: [asItIs, withoutGso, withoutBatching, sendingOnly, gathering],
  },
  { load: many(64), variants: [asItIs, withoutGso, sendingOnly, gathering] },
];

function one(windowBlocks: number): Load {
  return { clients: 1, fileMib: 128, blockBytes: 1428, windowBlocks };
}

function many(windowBlocks: number): Load {
  return { clients: 64, fileMib: 16, blockBytes: 1428, windowBlocks };
}

/** `64 × 32 MiB, blksize 1428, windowsize 16`. */
export function loadName({ clients, fileMib, blockBytes, windowBlocks }: Load): string {
  return `${clients} × ${fileMib} MiB, blksize ${blockBytes}, windowsize ${windowBlocks}`;
}
