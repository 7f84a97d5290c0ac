// Block numbers (protocol layer, pure): between the 16 bits on the wire and the absolute count that the
// rest of the code uses. Absolute blocks begin at 1 and never wrap; 0 is "nothing yet", as in ACK 0.

import { mark } from "#base/mark.ts";

/** What follows block 65,535 on the wire. RFC 1350 does not say; 0 is the custom, tftp-hpa's `rollover` asks. */
export type RolloverTo = 0 | 1;

/** The largest block number on the wire. */
const wireBlockMax = 65_535;

/** The wire number, 0–65,535, of absolute block `block`. */
export function wireBlock(block: number, rolloverTo: RolloverTo): number {
  if (block <= wireBlockMax) return block;
  if (rolloverTo === 0) {
    mark("rollover-to-0");
    return block & wireBlockMax;
  }
  mark("rollover-to-1");
  return ((block - 1) % wireBlockMax) + 1;
}

/**
 * How many blocks beyond absolute block `acked` the wire number `wire` is: 0 for `acked` itself, up to
 * `inFlight`, or −1 when it is no block of that range. A number from before a wrap lies more than
 * `inFlight` away in the cycle, and is −1 for that reason.
 *
 * `inFlight` must be smaller than the cycle: at most 65,535 with rollover to 0 and 65,534 with rollover to 1.
 */
export function blocksBeyond(
  acked: number,
  wire: number,
  rolloverTo: RolloverTo,
  inFlight: number,
): number {
  const ackedWire = wireBlock(acked, rolloverTo);
  // With rollover to 1 the wire number 0 names block 0 alone, before the cycle 1–65,535 begins.
  if (rolloverTo === 1 && wire === 0) return acked === 0 ? 0 : -1;
  let distance = wire - ackedWire;
  if (distance < 0) distance += cycleBlocks(rolloverTo);
  return distance <= inFlight ? distance : -1;
}

/** The absolute block, of as many as a window has up to `accepted`, that `wire` names; 0 if none. */
export function repeatedBlock(
  accepted: number,
  wire: number,
  rolloverTo: RolloverTo,
  windowBlocks: number,
): number {
  const before = Math.max(0, accepted - windowBlocks);
  const blocks = blocksBeyond(before, wire, rolloverTo, accepted - before);
  return blocks <= 0 ? 0 : before + blocks;
}

/** How many blocks pass before a wire number returns, and so the largest window plus one. */
export function cycleBlocks(rolloverTo: RolloverTo): number {
  return rolloverTo === 0 ? wireBlockMax + 1 : wireBlockMax;
}
