// Command-line flags over a configuration (config layer). A flag's text is checked by the same rules as the
// key that it stands for, and messages name the flag.

import { type Config, isSet, makeConfig, valueAt } from "./config.ts";
import type { Loaded } from "./load.ts";
import type { Place, Problem } from "./problem.ts";
import { remarkOn } from "./remark.ts";
import { type KeyPath, keyPaths, keys, type ListPath, listPaths } from "./schema.ts";
import { readFlag } from "./value.ts";

/** Flag (without its dashes, with underscores) → the key that it sets. */
const flagKeys = {
  root_dir: "root_dir",
  bind_addr: "bind_addr",
  multicast: "multicast.enabled",
  multicast_addr: "multicast.multicast_addr",
  multicast_ip_version: "multicast.multicast_ip_version",
  multicast_port: "multicast.multicast_port",
  max_clients: "multicast.max_clients",
  master_timeout_secs: "multicast.master_timeout_secs",
  retransmit_timeout_secs: "multicast.retransmit_timeout_secs",
} as const;

/** The texts of the flags that were given, as the command line has them. */
export type Overrides = { readonly [Flag in keyof typeof flagKeys]?: string | undefined };

/** The group that `--multicast-ip-version v4` implies, as in Snow-Owl. */
const GROUP_V4 = "224.0.1.1";

/** Lays flags over a configuration, which stays as it is. */
export function applyOverrides(config: Config, overrides: Overrides): Loaded {
  const paths = [...keyPaths, ...listPaths];
  const values = new Map<KeyPath | ListPath, unknown>(
    paths.map((path) => [path, valueAt(config, path)]),
  );
  const sources = new Map(config.sources);
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  for (const flag of Object.keys(flagKeys) as (keyof Overrides)[]) {
    const text = overrides[flag];
    if (text === undefined) continue;
    const path = flagKeys[flag];
    const place = flagPlace(flag, text);
    const reading = readFlag(keys[path], text);
    if ("fault" in reading) {
      const { message, remedy } = reading.fault;
      problems.push({
        ...place,
        severity: "error",
        message: `${flagName(flag)} ${message}`,
        remedy,
      });
      continue;
    }
    values.set(path, reading.value);
    sources.set(path, place);
    for (const { fault } of reading.warnings ?? []) {
      const named = `${flagName(flag)} ${fault.message}`;
      warnings.push({ ...place, severity: "warning", message: named, remedy: fault.remedy });
    }
    const remark = remarkOn(path, reading.value);
    if (remark !== undefined) warnings.push({ ...place, ...remark });
  }
  const isGroupChosen =
    overrides.multicast_addr !== undefined || isSet(config, "multicast.multicast_addr");
  if (overrides.multicast_ip_version === "v4" && !isGroupChosen) {
    values.set("multicast.multicast_addr", GROUP_V4);
  }
  return {
    config: problems.length === 0 ? makeConfig(values, sources) : undefined,
    problems,
    warnings,
  };
}

/** The flag as it is typed. `bind_addr` is `--bind`, as in Snow-Owl. */
function flagName(flag: keyof Overrides): string {
  return flag === "bind_addr" ? "--bind" : `--${flag.replaceAll("_", "-")}`;
}

function flagPlace(flag: keyof Overrides, text: string): Place {
  const name = flagName(flag);
  return {
    file: "command line",
    line: 0,
    column: name.length + 2,
    length: Math.max(1, text.length),
    sourceLine: `${name} ${text}`,
  };
}
