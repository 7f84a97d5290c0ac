// What the values of [process] mean together and on this machine (config layer). Whether the server may become another user is
// seen when it does so: who asks here need not be who starts it.

import { groupId, primaryGroupId, userId } from "./accounts.ts";
import type { Config } from "./config.ts";
import type { Files } from "./files.ts";
import { error, type Finding, shellQuoted, warning } from "./finding.ts";
import type { KeyPath } from "./schema.ts";
import { resolveProcess } from "./settings-process.ts";

/** Every finding on [process]. */
export function checkProcess(config: Config, files: Files): readonly Finding[] {
  const { user, group, supplementary_groups: groups } = config.process;
  const found = [
    checkAccount("process.user", "user", userId, user),
    checkAccount("process.group", "group", groupId, group),
    ...groups.map((each) => checkAccount("process.supplementary_groups", "group", groupId, each)),
    checkGroupOfUser(config),
    checkLoneGroup(config),
    checkOwner(config),
    checkFolders("process.read_folders", config.process.read_folders, files),
    checkFolders("process.write_folders", config.process.write_folders, files),
  ];
  return found.filter((finding) => finding !== undefined);
}

/** Whether an account exists, where one is named at all. */
export function checkAccount(
  path: KeyPath,
  kind: "user" | "group",
  idOf: (account: string) => number | undefined,
  account: string,
): Finding | undefined {
  if (account === "" || idOf(account) !== undefined) return undefined;
  const file = kind === "user" ? "/etc/passwd" : "/etc/group";
  const remedy = `create it, or write its number; only ${file} is searched for names.`;
  return error(path, `there is no ${kind} "${account}" on this machine`, remedy);
}

function checkGroupOfUser({ process }: Config): Finding | undefined {
  const { user, group } = process;
  if (group !== "" || userId(user) === undefined || primaryGroupId(user) !== undefined) {
    return undefined;
  }
  const remedy = 'write its group beside it, such as group = "nogroup".';
  return error("process.user", `/etc/passwd names no group of the user ${user}`, remedy);
}

function checkLoneGroup({ process }: Config): Finding | undefined {
  if (process.user !== "") return undefined;
  const path = process.group === "" ? "process.supplementary_groups" : "process.group";
  if (process.group === "" && process.supplementary_groups.length === 0) return undefined;
  return error(path, "a group without a user has no effect", "write the user beside it.");
}

/** Files are given away by root alone, and to groups that one belongs to. */
function checkOwner(config: Config): Finding | undefined {
  const { identity } = resolveProcess(config);
  const { owner, group } = config.uploads;
  if (identity === undefined || !config.write_config.enabled) return undefined;
  if (owner !== "" && userId(owner) !== identity.uid) {
    const remedy =
      "remove it: uploads belong to the server's user; or remove `user` from [process].";
    return error("uploads.owner", `${identity.name} cannot give files away`, remedy);
  }
  const gid = groupId(group);
  if (gid === undefined || [identity.gid, ...identity.supplementaryGids].includes(gid)) {
    return undefined;
  }
  const join = `name it in \`supplementary_groups\` of [process], or remove \`group\`.`;
  return error("uploads.group", `${identity.name} is not in the group ${group}`, join);
}

function checkFolders(
  path: KeyPath,
  folders: readonly string[],
  files: Files,
): Finding | undefined {
  const missing = folders.find((folder) => !files.isDirectory(folder));
  if (missing === undefined) return undefined;
  const remedy = `create it: mkdir -p ${shellQuoted(missing)}; what is made later lies outside.`;
  return warning(path, `the folder ${missing} does not exist`, remedy);
}
