// Uploads in words (config layer), as `check` prints them: whether and which names, where to, how much, and how they are kept.
// Pure.

import { formatBytes, formatSpan } from "./format.ts";
import type { UploadSettings } from "./settings-uploads.ts";

type Row = readonly [name: string, value: string];

/** Rows on uploads; a single one while they are off. */
export function explainUploads(uploads: UploadSettings): readonly Row[] {
  if (!uploads.isEnabled) return [["uploads", "off (write_config.enabled)"]];
  return [
    ["uploads", `${uploads.allowedPatterns.join(", ")} into ${describeTarget(uploads)}`],
    ["  terms", describeTerms(uploads)],
    ...uploads.patterns.map((terms): Row => [
      "  pattern",
      `${terms.pattern}: ${describeTerms({ terms })}`,
    ]),
    ["  space", describeSpace(uploads)],
    ["  files", describeFiles(uploads)],
    ["  care", describeCare(uploads)],
  ];
}

function describeTarget(uploads: UploadSettings): string {
  const parts = [uploads.rootDir];
  if (uploads.servedAs === undefined) parts.push("which is not served");
  else if (uploads.isWriteOnly) parts.push("write-only");
  else parts.push("served again");
  if (uploads.quarantineFolder !== "") {
    parts.push(`waiting in ${uploads.quarantineFolder} until moved`);
  }
  return parts.join(", ");
}

function describeTerms({ terms }: Pick<UploadSettings, "terms">): string {
  const { mayOverwrite, fileBytesMax, versionsKept } = terms;
  const replaced = mayOverwrite ? "files that exist are replaced" : "new names alone";
  const kept = versionsKept === 0 ? "" : `, ${versionsKept} versions kept`;
  return `${replaced}${kept}, each ${limit(fileBytesMax)}`;
}

function describeSpace(uploads: UploadSettings): string {
  const { rootBytesMax, clientBytesMax, clientWindowMs, freeBytesMin } = uploads;
  const client =
    clientBytesMax === 0
      ? "a client unlimited"
      : `a client up to ${formatBytes(clientBytesMax)} in ${formatSpan(clientWindowMs)}`;
  return `in all ${limit(rootBytesMax)}, ${client}, ${formatBytes(freeBytesMin)} stay free`;
}

function describeFiles(uploads: UploadSettings): string {
  const { ownerId, groupId } = uploads;
  const owner =
    ownerId === undefined && groupId === undefined
      ? "of the server's user"
      : `of ${ownerId ?? "the server's user"}:${groupId ?? "its group"}`;
  const isQuarantined = uploads.quarantineFolder !== "";
  const where = isQuarantined && !uploads.mayCreateFolders ? " in quarantine alone" : "";
  const folders =
    isQuarantined || uploads.mayCreateFolders
      ? `folders are created with ${octal(uploads.folderMode)}${where}`
      : "no folder is created";
  const versions =
    uploads.versionsFolder === "" ? "" : `, versions go to ${uploads.versionsFolder}`;
  return `mode ${octal(uploads.fileMode)} ${owner}, ${folders}${versions}`;
}

function describeCare(uploads: UploadSettings): string {
  const check = uploads.isVerified
    ? "read back and compared"
    : uploads.isHashed
      ? "SHA-256 in the log"
      : "not read back";
  const sync = uploads.isSynced ? "" : "not synced to the disk, ";
  const second =
    uploads.concurrentWriters === "refuse"
      ? "a second writer is refused"
      : "of two writers the last to complete wins";
  return `${sync}${check}, ${second}, given up after ${formatSpan(uploads.patienceMs)} of silence, ${uploads.diskThreads} disk threads per worker`;
}

function limit(bytes: number): string {
  return bytes === 0 ? "unlimited" : `up to ${formatBytes(bytes)}`;
}

/** `0640`. */
function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
