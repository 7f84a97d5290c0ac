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
  readonly key: KeyPath;
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
    values.set(path, valueAt(wanted, path));
    if (listText(inForce, path) !== listText(wanted, path)) changed.push(path);
  }
  return { config: makeConfig(values, sources), changed, kept };
}

function keepPlace(sources: Map<KeyPath, Place>, path: KeyPath, place: Place | undefined): void {
  if (place === undefined) sources.delete(path);
  else sources.set(path, place);
}

/** The entries of a list without their places: where they stand changes nothing. */
function listText(config: Config, path: ListPath): string {
  const entries = valueAt(config, path) as readonly (EntryPlaces & Record<string, unknown>)[];
  const names = Object.keys(lists[path]);
  return JSON.stringify(
    entries.map((entry) => names.map((name) => [entry[name], entry.sources.has(name)])),
  );
}
