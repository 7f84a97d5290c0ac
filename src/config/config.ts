// A configuration in memory (config layer): every key has a value, and each key that was written
// down, in the file or on the command line, remembers where.

import type { Place } from "./problem.ts";
import {
  isListPath,
  type KeyPath,
  keyPaths,
  keys,
  type ListPath,
  listPaths,
  type Values,
} from "./schema.ts";

/** The value of every key, nested as in the file, and where each one that was set came from. */
export type Config = Values & { readonly sources: ReadonlyMap<KeyPath, Place> };

/** Whether the key was written down rather than left at its default. */
export function isSet(config: Config, path: KeyPath): boolean {
  return config.sources.has(path);
}

/** The value of one key, of the type that the schema's row says; or the entries of one list. */
export function valueAt(values: Values, path: KeyPath | ListPath): unknown {
  let value: unknown = values;
  for (const part of path.split(".")) {
    value = (value as Readonly<Record<string, unknown>>)[part];
  }
  return value;
}

/** Builds a configuration: `given` values and entries, which must have their rows' types, over the defaults. */
export function makeConfig(
  given: ReadonlyMap<KeyPath | ListPath, unknown>,
  sources: ReadonlyMap<KeyPath, Place>,
): Config {
  const root: Record<string, unknown> = { sources };
  for (const path of [...keyPaths, ...listPaths]) {
    const parts = path.split(".");
    const name = parts.pop() ?? path;
    let table = root;
    for (const part of parts) {
      table = (table[part] ??= {}) as Record<string, unknown>;
    }
    const unset = isListPath(path) ? [] : keys[path].default;
    table[name] = given.has(path) ? given.get(path) : unset;
  }
  return root as Config;
}

/** The configuration of an empty file. */
export const defaults: Config = makeConfig(new Map(), new Map());
