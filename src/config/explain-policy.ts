// Rules, roots, hosts and templates in words (config layer), as `check` prints them: where names are looked up, and who
// decides. A file that has none of them gets no row.

import type { PolicySettings } from "./settings-policy.ts";

type Row = readonly [name: string, value: string];

/** Rows on who gets what. */
export function explainPolicy(policy: PolicySettings): readonly Row[] {
  const rows: Row[] = [];
  if (
    policy.roots.length > 1 ||
    policy.roots.some(({ folder, path }) => folder > 0 || path !== "")
  ) {
    rows.push(["roots", describeRoots(policy.roots, policy)]);
  }
  for (const { name, roots } of policy.listeners) {
    if (roots.length > 0) rows.push(["roots", `${name}: ${describeRoots(roots, policy)}`]);
  }
  if (policy.rules.length > 0 || !policy.isAllowedByDefault) {
    const otherwise = policy.isAllowedByDefault ? "allowed" : "denied";
    const seen = policy.isTidiedFirst ? "" : ", of names as they are sent";
    rows.push(["rules", `${policy.rules.length}${seen}; what none decides is ${otherwise}`]);
  }
  for (const each of policy.access) rows.push(["access", describeAccess(each)]);
  if (policy.hosts.length > 0) rows.push(["hosts", String(policy.hosts.length)]);
  if (policy.templates.length > 0) rows.push(["templates", String(policy.templates.length)]);
  return rows;
}

function describeAccess({ folder, allow, deny }: PolicySettings["access"][number]): string {
  const admitted = allow.length === 0 ? [] : [`for ${allow.join(", ")} alone`];
  const refused = deny.length === 0 ? [] : [`not for ${deny.join(", ")}`];
  return `${folder} ${[...admitted, ...refused].join(", ")}`;
}

function describeRoots(roots: PolicySettings["roots"], { folders }: PolicySettings): string {
  return roots.map((root) => describeRoot(root, folders)).join(", then ");
}

function describeRoot(
  { folder, path }: PolicySettings["roots"][number],
  folders: readonly string[],
): string {
  if (folder === 0) return path === "" ? "root_dir itself" : path;
  return path === "" ? (folders[folder] ?? "") : `${folders[folder]}/${path}`;
}
