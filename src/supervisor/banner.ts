// What the server says when it is up (supervisor layer): where, what, how fast, and a command that proves it.
// The text is pure; finding an example file reads one folder and gives up quietly.

import { opendirSync } from "node:fs";

import { printable } from "#base/printable.ts";
import type { Measure } from "#io/confinement.ts";
import type { BoundListener } from "#io/sockets.ts";
import type { FastPaths } from "#server/contract.ts";

/** What the banner tells. */
export interface BannerFacts {
  readonly version: string;
  readonly rootDir: string;
  /** Where it listens, at least one place. */
  readonly listeners: readonly BoundListener[];
  readonly workers: number;
  readonly fastPaths: FastPaths;
  /** What the process has given up. */
  readonly measures: readonly Measure[];
  /** Which names may be uploaded, and the folder that they go to; undefined where none may. */
  readonly uploads:
    { readonly allowedPatterns: readonly string[]; readonly rootDir: string } | undefined;
  /** The name of a file in the root, for the example. */
  readonly exampleFile: string | undefined;
}

/** The banner, a few lines without the last newline. */
export function bannerText(facts: BannerFacts): string {
  const workers = facts.workers === 1 ? "1 worker" : `${facts.workers} workers`;
  const lines = [
    `snow-owl-tftp ${facts.version} serving ${facts.rootDir} on ${placesText(facts)} (UDP)`,
    `${workers}; ${fastPathText(facts.fastPaths)}`,
    ...confinementLines(facts.measures),
  ];
  if (facts.uploads !== undefined) {
    const { allowedPatterns, rootDir } = facts.uploads;
    lines.push(`uploads of ${printable(allowedPatterns.join(", "))} go to ${rootDir}`);
  }
  if (facts.exampleFile !== undefined) {
    const name = facts.exampleFile;
    lines.push(`try:  curl -o ${shellWord(name)} ${shellWord(exampleUrl(facts, name))}`);
  }
  return lines.join("\n");
}

/** The first regular file of `rootDir` by name that is not hidden, of those that a short look finds. */
export function exampleFileOf(rootDir: string): string | undefined {
  let first: string | undefined;
  try {
    const folder = opendirSync(rootDir);
    try {
      for (let seen = 0; seen < ENTRIES_SEEN_MAX; seen++) {
        const entry = folder.readSync();
        if (entry === null) break;
        if (!entry.isFile() || entry.name.startsWith(".")) continue;
        if (first === undefined || entry.name < first) first = entry.name;
      }
    } finally {
      folder.closeSync();
    }
  } catch {
    // A root that may be opened but not listed still serves; only the example is missing.
    return undefined;
  }
  return first;
}

/** A guess: enough for any tidy root, quick in one with a million files. */
const ENTRIES_SEEN_MAX = 1000;

function placesText({ listeners }: BannerFacts): string {
  const places = listeners.map(({ address, interface: device }) =>
    device === undefined ? address : `${address} by ${device}`,
  );
  return places.join(", ");
}

function fastPathText(paths: FastPaths): string {
  const entries = Object.entries(paths);
  const on = entries.filter(([, path]) => path.isOn).map(([name]) => name);
  const off = entries
    .filter(([, path]) => !path.isOn)
    .map(([name, path]) => `${name} off${path.because === "" ? "" : ` (${path.because})`}`);
  const parts = on.length === 0 ? [] : [`fast paths on: ${on.join(", ")}`];
  return [...parts, ...off].join("; ");
}

function confinementLines(measures: readonly Measure[]): readonly string[] {
  const [on, off] = [true, false].map((isOn) =>
    measures.filter((measure) => measure.isOn === isOn).map(measureText),
  );
  const lines = [];
  if (on !== undefined && on.length > 0) lines.push(`confined: ${on.join(", ")}`);
  if (off !== undefined && off.length > 0) lines.push(`not confined: ${off.join(", ")}`);
  return lines;
}

function measureText({ name, because }: Measure): string {
  return because === "" ? name : `${name} (${because})`;
}

/** Of the first listener that a client on this machine reaches: one that is tied to an interface may not hear it. */
function exampleUrl({ listeners }: BannerFacts, name: string): string {
  const reachable = listeners.find((each) => each.interface === undefined) ?? listeners[0];
  const { address, isWildcard } = reachable ?? { address: "", isWildcard: true };
  const colon = address.lastIndexOf(":");
  const port = address.slice(colon);
  const host = isWildcard ? "127.0.0.1" : address.slice(0, colon);
  // A scope's percent sign is written %25 in a URL (RFC 6874 §2).
  return `tftp://${host.replace("%", "%25")}${port}/${encodeURIComponent(name)}`;
}

/** A word that a shell takes literally. */
function shellWord(word: string): string {
  return /^[A-Za-z0-9_.,:/%+@-]+$/.test(word)
    ? word
    : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
