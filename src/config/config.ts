// A configuration in memory (config layer): every key has a value, and each key that was written
// down, in the file or on the command line, remembers where.

import type { Place } from "./problem.ts";
import { type KeyPath, keyPaths, keys, type Values } from "./schema.ts";

/** The value of every key, nested as in the file, and where each one that was set came from. */
export type Config = Values & { readonly sources: ReadonlyMap<KeyPath, Place> };

/** Whether the key was written down rather than left at its default. */
export function isSet(config: Config, path: KeyPath): boolean {
  return config.sources.has(path);
}

/** The value of one key. Its type is the one that the schema's row says. */
export function valueAt(values: Values, path: KeyPath): unknown {
  let value: unknown = values;
  for (const part of path.split(".")) {
    value = (value as Readonly<Record<string, unknown>>)[part];
  }
  return value;
}

/** Builds a configuration: `given` values, which must have their rows' types, over the defaults. */
export function makeConfig(
  given: ReadonlyMap<KeyPath, unknown>,
  sources: ReadonlyMap<KeyPath, Place>,
): Config {
  const root: Record<string, unknown> = { sources };
  for (const path of keyPaths) {
    const parts = path.split(".");
    const name = parts.pop() ?? path;
    let table = root;
    for (const part of parts) {
      table = (table[part] ??= {}) as Record<string, unknown>;
    }
    table[name] = given.has(path) ? given.get(path) : keys[path].default;
  }
  return root as Config;
}

/** The configuration of an empty file. */
export const defaults: Config = makeConfig(new Map(), new Map());
