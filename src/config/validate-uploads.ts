// What the values of [write_config] and [uploads] mean together and on this machine (config layer). Uploads that are off are
// judged by one rule alone: that nobody thinks they are on.

import { isAbsolute } from "node:path";

import { rootedPattern } from "#policy/upload.ts";

import { groupId, userId } from "./accounts.ts";
import { type Config, isSet } from "./config.ts";
import type { Files } from "./files.ts";
import { error, type Finding, shellQuoted, warning } from "./finding.ts";
import { keyPaths } from "./schema.ts";
import { pathBelow, uploadRoot } from "./settings-uploads.ts";
import { checkAccount } from "./validate-process.ts";

export function checkUploads(config: Config, files: Files): readonly Finding[] {
  const findings = config.write_config.enabled
    ? [
        checkPatterns(config),
        checkUploadRoot(config, files),
        checkAccount("uploads.owner", "user", userId, config.uploads.owner),
        checkAccount("uploads.group", "group", groupId, config.uploads.group),
        checkVersions(config),
      ]
    : [warnOff(config)];
  return findings.filter((finding) => finding !== undefined);
}

function checkPatterns(config: Config): Finding | undefined {
  const path = "write_config.allowed_patterns";
  const patterns = config.write_config.allowed_patterns;
  const remedy = 'say which names may be uploaded: allowed_patterns = ["backups/*.cfg"].';
  if (patterns.length === 0) {
    // The switch was written, for otherwise nobody would ask for patterns.
    const at = isSet(config, path) ? path : "write_config.enabled";
    return error(at, "no pattern allows any upload", remedy);
  }
  if (patterns.some((pattern) => pattern.trim() === "")) {
    return error(path, "a pattern is blank", remedy);
  }
  const everything = patterns.find((pattern) =>
    ["", "*", "**", "**/*"].includes(rootedPattern(pattern)),
  );
  if (everything !== undefined) {
    return error(path, `the pattern "${everything}" allows every name`, remedy);
  }
  return undefined;
}

function checkUploadRoot(config: Config, files: Files): Finding | undefined {
  const path = isSet(config, "uploads.root_dir") ? "uploads.root_dir" : "root_dir";
  const root = uploadRoot(config);
  // A served folder that does not exist has had its say already.
  if (path === "root_dir" && !files.isDirectory(root)) return undefined;
  if (!isAbsolute(root)) {
    const remedy = 'write it from the top, such as "/srv/uploads".';
    const message = `\`uploads.root_dir\` must be an absolute path, not ${JSON.stringify(root)}`;
    return error(path, message, remedy);
  }
  if (!files.isDirectory(root)) {
    const remedy = `create it: mkdir -p ${shellQuoted(root)}, or start with --create-root-dir, or write root_dir = "" for the served folder.`;
    return error(path, `the folder for uploads, ${root}, does not exist`, remedy);
  }
  if (config.root_dir !== root && pathBelow(root, config.root_dir) !== undefined) {
    const remedy = "name the served folder itself, a folder below it, or one elsewhere.";
    return error(path, `the folder for uploads, ${root}, holds the served folder`, remedy);
  }
  // Folders inside may be open all the same, so this stops nothing.
  if (path === "uploads.root_dir" && !files.isWritable(root)) {
    const remedy = `let the server's user write there: chown USER ${shellQuoted(root)}.`;
    return warning(path, `the folder for uploads, ${root}, cannot be written`, remedy);
  }
  return undefined;
}

function checkVersions(config: Config): Finding | undefined {
  const { keep_versions: kept, versions_folder: folder, pattern } = config.uploads;
  if (folder === "" || kept > 0 || pattern.some((entry) => entry.keep_versions > 0)) {
    return undefined;
  }
  const remedy = "write keep_versions = 5, or remove versions_folder.";
  return warning("uploads.versions_folder", "no versions are kept for this folder", remedy);
}

/** Whoever wrote about uploads expects them; what also serves reads is no sign of it. */
function warnOff(config: Config): Finding | undefined {
  const path = keyPaths.find(
    (path) => path.startsWith("uploads.") && path !== "uploads.disk_threads" && isSet(config, path),
  );
  const message = "uploads are off, so that [uploads] has no effect";
  const remedy = "write enabled = true in [write_config], or remove it.";
  const entry = config.uploads.pattern[0];
  if (path !== undefined) return warning(path, message, remedy);
  if (entry === undefined) return undefined;
  return warning(entry.place, message, remedy);
}
