// Runs the ends of a simulated transfer in virtual time, and keeps the last of what they said.

import { printPacket } from "#protocol/print.ts";

import type { Wire } from "./wire.ts";

/** An end as far as time is concerned. */
export interface Timed {
  readonly deadlineUs: number;
  handleTimeout(nowUs: number): void;
}

/** More happens at one time only if an end sends without end; a window of 64 blocks is some hundred events. */
const eventsAtOneTimeMax = 5_000;

/** Whatever happens next, happens, until nothing is left that could, or `isOver`. */
export function run(
  wire: Wire,
  ends: readonly Timed[],
  isOver: (nowUs: number) => boolean = () => false,
): number {
  let nowUs = 0;
  let eventsNow = 0;
  for (;;) {
    const nextUs = Math.min(wire.nextUs, ...ends.map(({ deadlineUs }) => deadlineUs));
    if (nextUs === Infinity || isOver(nowUs)) return nowUs;
    eventsNow = nextUs > nowUs ? 0 : eventsNow + 1;
    if (eventsNow > eventsAtOneTimeMax) throw new Error(`time stands still at ${nowUs} µs`);
    nowUs = Math.max(nowUs, nextUs);
    if (wire.nextUs === nextUs) wire.deliver();
    else ends.find(({ deadlineUs }) => deadlineUs === nextUs)?.handleTimeout(nowUs);
  }
}

/** Keeps the end of a long exchange: that is where it fails. */
export function note(lines: string[], arrow: string, datagram: Uint8Array, nowUs: number): void {
  lines.push(`${(nowUs / 1e6).toFixed(6)} ${arrow} ${printPacket(datagram)}`);
  if (lines.length > 10_000) lines.splice(0, 9_000);
}
