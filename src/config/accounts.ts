// Users and groups by name (config layer), from /etc/passwd and /etc/group: what a name service adds to these is written as
// a number. Nothing is thrown: a file that could never be read has no names.

import { readFileSync } from "node:fs";

/** The number of a user, given as a number or a name; undefined if there is none by that name, or the text is empty. */
export function userId(user: string): number | undefined {
  return idIn("/etc/passwd", user);
}

/** The number of a group, given as a number or a name; undefined if there is none by that name, or the text is empty. */
export function groupId(group: string): number | undefined {
  return idIn("/etc/group", group);
}

/** The number of the group that /etc/passwd names beside a user; undefined if it does not know the user. */
export function primaryGroupId(user: string): number | undefined {
  const id = userId(user);
  if (id === undefined) return undefined;
  const fields = linesOf("/etc/passwd").map((line) => line.split(":"));
  const group =
    fields.find(([name, , number]) => name === user || number === String(id))?.[3] ?? "";
  return /^\d+$/u.test(group) ? Number(group) : undefined;
}

/** In both files a line is `name:password:number:…`. */
function idIn(file: string, account: string): number | undefined {
  if (account === "") return undefined;
  if (/^\d+$/u.test(account)) return Number(account);
  const line = linesOf(file).find((line) => line.startsWith(`${account}:`));
  const id = line?.split(":")[2] ?? "";
  return /^\d+$/u.test(id) ? Number(id) : undefined;
}

/**
 * A server that is confined to the files that were there when it started cannot open one that took the place of another: then
 * what was read last still counts.
 */
function linesOf(file: string): readonly string[] {
  try {
    const lines = readFileSync(file, "utf8").split("\n");
    lastRead.set(file, lines);
    return lines;
  } catch {
    return lastRead.get(file) ?? [];
  }
}

const lastRead = new Map<string, readonly string[]>();
