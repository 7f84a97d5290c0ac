// What a configuration that is read while the server runs may change (config layer): keys that only a start can honour keep the
// values that are in force. Pure: two configurations in, one and the differences out.

import { type Config, makeConfig, valueAt } from "./config.ts";
import { toml } from "./initial.ts";
import type { Key } from "./key.ts";
import type { Place } from "./problem.ts";
import {
  type EntryPlaces,
  type KeyPath,
  keyPaths,
  keys,
  type ListPath,
  listPaths,
  lists,
} from "./schema.ts";

/** A key that waits for a restart, with both values as TOML. */
export interface KeptKey {
  /** Its path; in a table that repeats `listener[lab].bind_addr`, and `listener[lab]` for a whole one that came or went. */
  readonly key: string;
  readonly inForce: string;
  readonly wanted: string;
}

export interface Reconciled {
  /** What was wanted, as far as a running server can have it. */
  readonly config: Config;
  /** The keys and lists that are other than before, in the order of the schema. */
  readonly changed: readonly (KeyPath | ListPath)[];
  readonly kept: readonly KeptKey[];
}

/** Brings `wanted` into agreement with what is `inForce`. */
export function reconcile(inForce: Config, wanted: Config): Reconciled {
  const values = new Map<KeyPath | ListPath, unknown>();
  const sources = new Map(wanted.sources);
  const changed: (KeyPath | ListPath)[] = [];
  const kept: KeptKey[] = [];
  for (const path of keyPaths) {
    const [old, next] = [valueAt(inForce, path), valueAt(wanted, path)];
    const { needsRestart = false, note }: Key = keys[path];
    values.set(path, needsRestart ? old : next);
    if (needsRestart) keepPlace(sources, path, inForce.sources.get(path));
    if (note !== undefined || toml(old) === toml(next)) continue;
    if (needsRestart) kept.push({ key: path, inForce: toml(old), wanted: toml(next) });
    else changed.push(path);
  }
  for (const path of listPaths) {
    const entries = hasStanding(path)
      ? standingEntries(path, entriesOf(inForce, path), entriesOf(wanted, path), kept)
      : entriesOf(wanted, path);
    values.set(path, entries);
    if (listText(path, entriesOf(inForce, path)) !== listText(path, entries)) changed.push(path);
  }
  return { config: makeConfig(values, sources), changed, kept };
}

/** An entry of any list, its values by their keys. */
type AnyEntry = EntryPlaces & Readonly<Record<string, unknown>>;

function entriesOf(config: Config, path: ListPath): readonly AnyEntry[] {
  return valueAt(config, path) as readonly AnyEntry[];
}

/** Whether the entries of a list stand as long as the server runs, for something is made of each at the start. */
function hasStanding(path: ListPath): boolean {
  return Object.values<Key>(lists[path]).some(({ needsRestart }) => needsRestart === true);
}

/** The entries in force, with what `wanted` has for the keys that can change. They are known by their names. */
function standingEntries(
  path: ListPath,
  inForce: readonly AnyEntry[],
  wanted: readonly AnyEntry[],
  kept: KeptKey[],
): readonly AnyEntry[] {
  const news = new Map(wanted.map((entry, index) => [entryName(entry, index), entry]));
  const olds = new Set(inForce.map(entryName));
  for (const [name, next] of news) {
    if (olds.has(name)) continue;
    kept.push({ key: `${path}[${name}]`, inForce: NO_ENTRY, wanted: entryText(path, next) });
  }
  return inForce.map((old, index) => {
    const key = `${path}[${entryName(old, index)}]`;
    const next = news.get(entryName(old, index));
    if (next !== undefined) return standingEntry(path, old, next, key, kept);
    kept.push({ key, inForce: entryText(path, old), wanted: NO_ENTRY });
    return old;
  });
}

function standingEntry(
  path: ListPath,
  old: AnyEntry,
  next: AnyEntry,
  key: string,
  kept: KeptKey[],
): AnyEntry {
  const values: Record<string, unknown> = {};
  const sources = new Map<string, Place>();
  for (const [name, row] of Object.entries<Key>(lists[path])) {
    const entry = row.needsRestart === true ? old : next;
    values[name] = entry[name];
    for (const [written, place] of entry.sources) {
      if (written === name || written.startsWith(`${name}[`)) sources.set(written, place);
    }
    const [before, after] = [keyText(old, name), keyText(next, name)];
    if (entry === next || before === after) continue;
    kept.push({ key: `${key}.${name}`, inForce: before, wanted: after });
  }
  return { ...values, place: next.place, sources };
}

function entryName({ name }: AnyEntry, index: number): string {
  return typeof name === "string" && name !== "" ? name : String(index + 1);
}

/** A value as TOML; of a key that was left out, and may count by another's value, that it was. */
function keyText(entry: AnyEntry, name: string): string {
  return entry.sources.has(name) ? toml(entry[name]) : NO_ENTRY;
}

function entryText(path: ListPath, entry: AnyEntry): string {
  const written = Object.keys(lists[path]).filter((name) => entry.sources.has(name));
  return `{ ${written.map((name) => `${name} = ${toml(entry[name])}`).join(", ")} }`;
}

const NO_ENTRY = "none";

function keepPlace(sources: Map<KeyPath, Place>, path: KeyPath, place: Place | undefined): void {
  if (place === undefined) sources.delete(path);
  else sources.set(path, place);
}

/** The entries of a list without their places: where they stand changes nothing. */
function listText(path: ListPath, entries: readonly AnyEntry[]): string {
  const names = Object.keys(lists[path]);
  return JSON.stringify(
    entries.map((entry) => names.map((name) => [entry[name], entry.sources.has(name)])),
  );
}
