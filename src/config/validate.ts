// What the values of a configuration mean together and on this machine (config layer), in Snow-Owl's order.
// Runs after the command line has had its say; every finding points to where the value was written.

import { dirname, isAbsolute } from "node:path";

import { ipVersion } from "./address.ts";
import { type Config, isSet } from "./config.ts";
import type { Files } from "./files.ts";
import { error, type Finding, shellQuoted, warning } from "./finding.ts";
import { nowhere, type Problem } from "./problem.ts";
import type { KeyPath } from "./schema.ts";
import { type ListenerSettings, resolveListeners } from "./settings-listeners.ts";
import { JOURNAL_SOCKET, logTarget } from "./settings.ts";
import { checkHooks } from "./validate-hooks.ts";
import { checkLimits } from "./validate-limits.ts";
import { checkListeners } from "./validate-listeners.ts";
import { checkPolicy } from "./validate-policy.ts";
import { checkProcess } from "./validate-process.ts";
import { checkStatus } from "./validate-status.ts";
import { checkUploads } from "./validate-uploads.ts";

type Rule = (config: Config, files: Files) => Finding | undefined;

/** In the order in which they are reported, before those of uploads. Each reports at most one finding. */
const rules: readonly Rule[] = [
  checkRoot,
  checkSymlinkTargets,
  checkPort,
  checkMulticastPort,
  checkLogFile,
  checkAuditFile,
  checkMulticastVersion,
  checkPortRange,
  noteWindowOfOne,
];

/**
 * Applies every rule. `file` is the configuration file's name, for keys that were never written. An
 * error means that the server cannot start.
 */
export function validateConfig(config: Config, files: Files, file: string): readonly Problem[] {
  const found = rules.map((rule) => rule(config, files)).filter((finding) => finding !== undefined);
  const more = [
    ...checkListeners(config),
    ...checkPolicy(config, files),
    ...checkLimits(config),
    ...checkUploads(config, files),
    ...checkHooks(config, files),
    ...checkProcess(config, files),
    ...checkStatus(config, files),
  ];
  return [...found, ...more].map((finding) => problemOf(finding, config, file));
}

function problemOf(finding: Finding, config: Config, file: string): Problem {
  const { at, severity, message, remedy } = finding;
  if (typeof at !== "string") return { ...at, severity, message, remedy };
  const place = config.sources.get(at);
  if (place !== undefined) return { ...place, severity, message, remedy };
  const unset = `${message} (the default; \`${at}\` is not set)`;
  return { ...nowhere(file), severity, message: unset, remedy };
}

function checkRoot(config: Config, files: Files): Finding | undefined {
  const path = "root_dir";
  const root = config.root_dir;
  if (!isAbsolute(root)) {
    const remedy = 'write it from the top, such as "/srv/tftp", so that no working folder matters.';
    return error(
      path,
      `\`root_dir\` must be an absolute path, not ${JSON.stringify(root)}`,
      remedy,
    );
  }
  if (!files.exists(root)) {
    const remedy = `create it: mkdir -p ${shellQuoted(root)}, or start with --create-root-dir, or name another with --root-dir.`;
    return error(path, `the folder ${root} does not exist`, remedy);
  }
  if (!files.isDirectory(root)) {
    return error(path, `${root} is not a folder`, "name the folder that holds the files.");
  }
  if (!files.isReadable(root)) {
    const remedy = `let the server's user in: chmod o+rx ${shellQuoted(root)}, or run as a user who may read it.`;
    return error(path, `the folder ${root} cannot be read`, remedy);
  }
  return undefined;
}

function checkSymlinkTargets(config: Config, files: Files): Finding | undefined {
  const path = "files.symlink_targets";
  const { symlinks, symlink_targets: targets } = config.files;
  if (symlinks !== "listed") {
    if (targets.length === 0) return undefined;
    const remedy = 'write symlinks = "listed" beside it, or remove it.';
    return warning(path, `\`symlink_targets\` has no effect with symlinks = "${symlinks}"`, remedy);
  }
  const missing = targets.find((target) => !files.isDirectory(target));
  if (missing === undefined) return undefined;
  const remedy = `create it: mkdir -p ${shellQuoted(missing)}, or remove it from the list.`;
  return error(path, `the folder ${missing} does not exist`, remedy);
}

function checkPort(config: Config): Finding | undefined {
  if (listenerOf(config)?.listen.port !== 0) return undefined;
  const remedy = "write the port that clients ask: 69 unless they are told another.";
  return error("bind_addr", "`bind_addr` cannot have port 0", remedy);
}

/** The only listener where there are no tables of them; their own checks are in validate-listeners.ts. */
function listenerOf(config: Config): ListenerSettings | undefined {
  return config.listener.length > 0 ? undefined : resolveListeners(config, 1)[0];
}

function checkMulticastPort(config: Config): Finding | undefined {
  const port = config.multicast.multicast_port;
  if (port >= 1024) return undefined;
  const remedy = "write a port from 1024 to 65535.";
  return error(
    "multicast.multicast_port",
    `\`multicast.multicast_port\` cannot be ${port}`,
    remedy,
  );
}

function checkLogFile(config: Config, files: Files): Finding | undefined {
  const { file } = config.logging;
  const without = 'file = "" for standard output';
  return checkTarget("logging.file", "log", without, file, files);
}

function checkAuditFile(config: Config, files: Files): Finding | undefined {
  const { audit_enabled: isOn, audit_file: file } = config.logging;
  if (!isOn || file === "") return undefined;
  return checkTarget("logging.audit_file", "audit", 'audit_file = "" for none', file, files);
}

/** Where lines go; `without` is what to write to do without it. */
function checkTarget(
  path: KeyPath,
  what: string,
  without: string,
  file: string,
  files: Files,
): Finding | undefined {
  const target = logTarget(file);
  if (target.kind === "output") return undefined;
  if (target.kind === "journal") {
    if (files.exists(JOURNAL_SOCKET)) return undefined;
    const remedy = `start it, or write ${without}; a file of that name needs its whole path.`;
    return error(path, `the journal of systemd is not there (${JOURNAL_SOCKET})`, remedy);
  }
  const folder = dirname(file);
  if (!files.isDirectory(folder)) {
    const remedy = `create it: mkdir -p ${shellQuoted(folder)}, or write ${without}.`;
    return error(path, `the folder of the ${what} file, ${folder}, does not exist`, remedy);
  }
  if (!files.canAppend(file)) {
    const remedy = `let the server's user write it, or write ${without}.`;
    return error(path, `the ${what} file ${file} cannot be written`, remedy);
  }
  return undefined;
}

function checkMulticastVersion(config: Config): Finding | undefined {
  const { multicast_addr: group, multicast_ip_version: version } = config.multicast;
  if (`v${ipVersion(group)}` === version) return undefined;
  // Point at the one of the two that was written; at the address if both were.
  const path: KeyPath = isSet(config, "multicast.multicast_addr")
    ? "multicast.multicast_addr"
    : "multicast.multicast_ip_version";
  const example = version === "v4" ? "224.0.1.1" : "ff12::8000:1";
  const remedy = `write multicast_addr = "${example}", or the other version.`;
  const message = `\`multicast_addr\` is ${group}, but \`multicast_ip_version\` is ${version}`;
  return error(path, message, remedy);
}

function checkPortRange(config: Config): Finding | undefined {
  const { listen, portRange: range, singlePort = false } = listenerOf(config) ?? {};
  if (listen === undefined || range === undefined) return undefined;
  const path = "transfer.port_range";
  if (singlePort) {
    const remedy = "remove one of the two.";
    return warning(path, "`port_range` has no effect while `single_port` is on", remedy);
  }
  const { port } = listen;
  if (port < range.first || port > range.last) return undefined;
  const remedy = "move the range, or write single_port = true to use that port alone.";
  return error(path, `the range holds port ${port}, on which the server listens`, remedy);
}

/** Snow-Owl writes 1 into every file and granted windows all the same. */
function noteWindowOfOne(config: Config): Finding | undefined {
  const path = "performance.default_windowsize";
  if (!isSet(config, path) || config.performance.default_windowsize !== 1) return undefined;
  const message =
    "`default_windowsize = 1` means not set, as in Snow-Owl; to refuse windows write `max_windowsize = 1` in [transfer].";
  return { severity: "note", at: path, message, remedy: "" };
}
