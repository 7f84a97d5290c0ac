// How names are looked up in each served folder (server layer): the settings and the descriptors that were opened for them, joined
// for storage. Guarantees that every listed folder has its descriptor, and that no served folder has rules of its own.

import { at } from "#base/bytes.ts";
import type { Settings } from "#config/settings.ts";
import type { LookupRules } from "#storage/lookup.ts";

/** The rules of each of `policy.folders`. `linkTargetFds` belong to `lookup.symlinkTargets`. */
export function lookupRules(
  { lookup, policy }: Pick<Settings, "lookup" | "policy">,
  linkTargetFds: readonly number[],
): readonly LookupRules[] {
  const { symlinks: links, symlinkTargets, isCaseInsensitive: foldsCase } = lookup;
  const linkTargets = symlinkTargets.map((path, index) => ({ path, fd: at(linkTargetFds, index) }));
  return policy.folders.map((rootDir) => ({ links, linkTargets, rootDir, foldsCase }));
}
