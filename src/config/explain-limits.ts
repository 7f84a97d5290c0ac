// Limits in words (config layer), as `check` and its explanation print them: how many transfers and requests, and how fast.
// What is unlimited gets no word, and without limits there is no row.

import type { LimitSettings } from "./settings-limits.ts";

type Row = readonly [name: string, value: string];

/** Rows on limits. */
export function explainLimits(limits: LimitSettings): readonly Row[] {
  const rows: Row[] = [["limits", describeCounts(limits)]];
  const { rates, classNames } = limits;
  if (rates.bytesPerSecond > 0) rows.push(["bandwidth", `${mbit(rates.bytesPerSecond)} for all`]);
  for (const [index, name] of classNames.entries()) {
    const text = describeClass(limits, index);
    if (text !== "") rows.push([index === 0 ? "  no class" : `  class ${name}`, text]);
  }
  return rows;
}

/** `10 Mbit/s for all of it, 2 Mbit/s for each client`; empty where the class `index` has no limits. */
function describeClass({ rates }: LimitSettings, index: number): string {
  const { bytesPerSecond = 0, clientBytesPerSecond = 0 } = rates.classes[index] ?? {};
  const parts: string[] = [];
  if (bytesPerSecond > 0) parts.push(`${mbit(bytesPerSecond)} for all of it`);
  if (clientBytesPerSecond > 0) parts.push(`${mbit(clientBytesPerSecond)} for each client`);
  return parts.join(", ");
}

/** What holds for a transfer that rules put into the class `name`, or into none; empty where it may take what there is. */
export function describeBandwidth(limits: LimitSettings, name: string): string {
  const ofClass = describeClass(limits, Math.max(limits.classNames.indexOf(name), 0));
  const parts = ofClass === "" ? [] : [name === "" ? ofClass : `class ${name}: ${ofClass}`];
  const { bytesPerSecond } = limits.rates;
  if (bytesPerSecond > 0) parts.push(`${mbit(bytesPerSecond)} for all`);
  return parts.join("; ");
}

function describeCounts({ clients, isDropped, unansweredBytesMax }: LimitSettings): string {
  const { requestsPerSecond, requestBurst, networkBits4, networkBits6 } = clients;
  const transfers: readonly (readonly [number, string])[] = [
    [clients.transfersMax, "in all"],
    [clients.clientTransfersMax, "per client"],
    [clients.networkTransfersMax, "per network"],
    [clients.halfOpenMax, "half-open per network"],
  ];
  const counts = transfers.flatMap(([max, what]) => (max > 0 ? [`${max} ${what}`] : []));
  const parts = counts.length > 0 ? [`transfers: ${counts.join(", ")}`] : [];
  if (requestsPerSecond > 0) {
    parts.push(`requests: ${requestsPerSecond}/s per network, ${requestBurst} at once`);
  }
  if (parts.length > 0) {
    parts.push(`networks: /${networkBits4} and /${networkBits6}`);
    parts.push(`beyond: ${isDropped ? "silence" : "ERROR 0"}`);
  }
  return [...parts, `unanswered: ${unansweredBytesMax} bytes`].join("; ");
}

function mbit(bytesPerSecond: number): string {
  return `${bytesPerSecond / 125_000} Mbit/s`;
}
