// What the values of [limits] and [[rate_class]] mean together (config layer): every class can be named, is named once, and
// limits something.

import { CLASSES_MAX } from "#policy/shaper.ts";

import { type Config, isSet } from "./config.ts";
import { error, type Finding, warning } from "./finding.ts";
import type { Entry, KeyPath } from "./schema.ts";

/** Every finding on limits and classes, and on the rules that name one. */
export function checkLimits(config: Config): readonly Finding[] {
  const { rate_class: classes, rule: rules } = config;
  const names = new Set(classes.map(({ name }) => name));
  const tooMany = classes[CLASSES_MAX - 1];
  return [
    ...checkRequests(config),
    ...checkMemory(config),
    ...classes.flatMap((entry, index) => checkClass(entry, classes.slice(0, index), config)),
    ...(tooMany === undefined ? [] : [tooManyClasses(tooMany)]),
    ...rules.flatMap((rule) => checkRule(rule, names)),
  ];
}

/** A burst or the size of a network alone limits nothing. */
function checkRequests(config: Config): readonly Finding[] {
  const { requests_per_second: rate } = config.limits;
  const path: KeyPath = "limits.request_burst";
  if (rate > 0 || !isSet(config, path)) return [];
  const remedy = "write requests_per_second beside it, or remove it.";
  return [warning(path, "`request_burst` has no effect without `requests_per_second`", remedy)];
}

/** What has a size of its own fits, and something is left for the rest. */
function checkMemory({ limits, cache, uploads, write_config: write }: Config): readonly Finding[] {
  const asked = cache.size_mb + (write.enabled ? uploads.memory_mb : 0);
  const isAllAsked = cache.size_mb > 0 && (!write.enabled || uploads.memory_mb > 0);
  const isEnough = isAllAsked ? asked <= limits.memory_mb : asked < limits.memory_mb;
  if (limits.memory_mb === 0 || isEnough) return [];
  const message = `\`memory_mb\` is ${limits.memory_mb} MiB, but \`cache.size_mb\` and \`uploads.memory_mb\` ask for ${asked} MiB`;
  return [error("limits.memory_mb", message, "write more, or less there.")];
}

function checkClass(
  entry: Entry<"rate_class">,
  before: readonly Entry<"rate_class">[],
  { limits }: Config,
): readonly Finding[] {
  const { name, sources, place } = entry;
  const at = sources.get("name") ?? place;
  if (name === "") return [error(at, "a class needs a name", 'write name = "bulk".')];
  if (before.some((other) => other.name === name)) {
    return [error(at, `there is a class "${name}" already`, "write each class once.")];
  }
  const isOwn = sources.has("client_mbit_per_second");
  const client = isOwn ? entry.client_mbit_per_second : limits.client_mbit_per_second;
  if (entry.mbit_per_second > 0 || client > 0 || isOwn) return [];
  const remedy = "write mbit_per_second, client_mbit_per_second, or both.";
  return [warning(place, `the class "${name}" limits nothing`, remedy)];
}

function tooManyClasses({ place }: Entry<"rate_class">): Finding {
  return error(place, `there are more than ${CLASSES_MAX - 1} classes`, "let some be one.");
}

function checkRule(
  { rate_class: name, sources, place }: Entry<"rule">,
  names: ReadonlySet<string>,
): readonly Finding[] {
  if (name === "" || names.has(name)) return [];
  const remedy = "write the `name` of a [[rate_class]].";
  const message = `\`rule.rate_class\` names "${name}", which is no class`;
  return [error(sources.get("rate_class") ?? place, message, remedy)];
}
