// What this kernel grants, as a report (io layer): the records of the feature probe laid out
// as a table for people. Makes a few sockets and descriptors, and closes them.

import { type Capability, probeKernel } from "#ffi/probe.ts";

/** Tries every kernel feature and returns the lines of a report, with a remedy below each that is missing. */
export function kernelReport(): readonly string[] {
  return reportLines(probeKernel());
}

function reportLines(capabilities: readonly Capability[]): readonly string[] {
  const width = Math.max(...capabilities.map(({ name }) => name.length));
  const lines: string[] = [];
  for (const { name, isGranted, because, remedy, usedFor } of capabilities) {
    const indent = " ".repeat(width + 7);
    lines.push(`${name.padEnd(width)}  ${isGranted ? "yes" : "no "}  ${usedFor}`);
    lines.push(`${indent}${because}`);
    if (!isGranted && remedy !== "") lines.push(`${indent}help: ${remedy}`);
  }
  return lines;
}

/** Tries the features called `names` and returns, by name, why those that are missing are. */
export function tryKernel(names: readonly string[]): ReadonlyMap<string, string> {
  const refused = probeKernel(names).filter(({ isGranted }) => !isGranted);
  return new Map(refused.map(({ name, because }) => [name, because]));
}
