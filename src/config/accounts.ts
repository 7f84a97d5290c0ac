// Users and groups by name (config layer), from /etc/passwd and /etc/group: what a name service adds to these is written as
// a number. Nothing is thrown: a file that cannot be read has no names.

import { readFileSync } from "node:fs";

/** The number of a user, given as a number or a name; undefined if there is none by that name, or the text is empty. */
export function userId(user: string): number | undefined {
  return idIn("/etc/passwd", user);
}

/** The number of a group, given as a number or a name; undefined if there is none by that name, or the text is empty. */
export function groupId(group: string): number | undefined {
  return idIn("/etc/group", group);
}

/** In both files a line is `name:password:number:…`. */
function idIn(file: string, account: string): number | undefined {
  if (account === "") return undefined;
  if (/^\d+$/u.test(account)) return Number(account);
  const line = linesOf(file).find((line) => line.startsWith(`${account}:`));
  const id = line?.split(":")[2] ?? "";
  return /^\d+$/u.test(id) ? Number(id) : undefined;
}

function linesOf(file: string): readonly string[] {
  try {
    return readFileSync(file, "utf8").split("\n");
  } catch {
    return [];
  }
}
