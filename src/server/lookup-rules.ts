// How names are looked up in each served folder (server layer): the settings and the descriptors that were opened for them, joined
// for storage. Guarantees that every listed folder has its descriptor, that no served folder has rules of its own, and that uploads
// follow the links that downloads do.

import { at } from "#base/bytes.ts";
import type { Settings } from "#config/settings.ts";
import type { LookupRules } from "#storage/lookup.ts";

/** The rules of each of `policy.folders`. `linkTargetFds` belong to `lookup.symlinkTargets`. */
export function lookupRules(
  { lookup, policy }: Pick<Settings, "lookup" | "policy">,
  linkTargetFds: readonly number[],
): readonly LookupRules[] {
  const { isCaseInsensitive: foldsCase } = lookup;
  const links = linkRules(lookup, linkTargetFds);
  return policy.folders.map((rootDir) => ({ ...links, rootDir, foldsCase }));
}

/** The rules of the folder for uploads, which are called exactly what their client calls them. */
export function uploadLookupRules(
  { lookup, uploads }: Pick<Settings, "lookup" | "uploads">,
  linkTargetFds: readonly number[],
): LookupRules {
  return { ...linkRules(lookup, linkTargetFds), rootDir: uploads.rootDir, foldsCase: false };
}

function linkRules(
  { symlinks, symlinkTargets }: Settings["lookup"],
  linkTargetFds: readonly number[],
): Pick<LookupRules, "links" | "linkTargets"> {
  const linkTargets = symlinkTargets.map((path, index) => ({ path, fd: at(linkTargetFds, index) }));
  return { links: symlinks, linkTargets };
}
