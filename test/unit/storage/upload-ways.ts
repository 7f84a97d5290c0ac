// The ways in which an upload is published, what is there before, and the law that holds whenever one is cut off.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { BUFFER_BYTES } from "#storage/upload-buffers.ts";
import type { UploadPlan } from "#storage/upload-plan.ts";

import { pattern, textOf } from "./upload-rig.ts";

export interface Way {
  readonly way: string;
  readonly plan: Partial<UploadPlan>;
  /** Whether the file system knows files without a name. */
  readonly isUnnamed: boolean;
}

const kept: Partial<UploadPlan> = { mayOverwrite: true, versionsMax: 3 };
const plans: readonly (readonly [string, Partial<UploadPlan>])[] = [
  ["a new name", { isVerified: true, bytesFreeMin: 1 }],
  ["a new name in new folders", { path: "a/b/file", mayCreateFolders: true }],
  ["in place of another", { mayOverwrite: true, isHashed: true }],
  ["with versions", kept],
  ["with versions in a folder", { ...kept, versionsFolder: "old" }],
];

export const ways: readonly Way[] = plans.flatMap(([way, plan]) => [
  { way, plan, isUnnamed: true },
  { way: `${way}, from a hidden one`, plan, isUnnamed: false },
]);

/** What is uploaded. */
export const content: Uint8Array<ArrayBuffer> = pattern(3 * BUFFER_BYTES + 100, 9);
/** What has the name before, and its two versions. */
const before = ["present", "one before", "two before"] as const;

/** Puts the file and its versions there, if the plan may overwrite. */
export function prepareRoot(root: string, { plan }: Way): void {
  if (plan.mayOverwrite !== true) return;
  const versions = join(root, plan.versionsFolder ?? "");
  mkdirSync(versions, { recursive: true });
  writeFileSync(join(root, "file"), before[0]);
  writeFileSync(join(versions, "file.~1~"), before[1]);
  writeFileSync(join(versions, "file.~2~"), before[2]);
}

/**
 * What is wrong in `tree`, or "": every file is whole, the name holds the old bytes or the new ones, and where versions are
 * kept none is lost.
 */
export function mixtureIn(
  tree: Readonly<Record<string, string>>,
  plan: Partial<UploadPlan>,
): string {
  const files = Object.entries(tree).filter(([path]) => !path.endsWith("/"));
  const known: ReadonlySet<string> = new Set([...before, textOf(content)]);
  for (const [path, text] of files) if (!known.has(text)) return `a mixture in ${path}`;
  if (plan.mayOverwrite !== true) return "";
  const name = tree[plan.path ?? "file"];
  if (name !== before[0] && name !== textOf(content)) return "neither the old file nor the new one";
  if (plan.versionsMax === undefined) return "";
  const lost = before.find((text) => !files.some(([, other]) => other === text));
  return lost === undefined ? "" : `the version "${lost}" is lost`;
}
