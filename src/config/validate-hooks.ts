// What the values of each [[hook]] mean together and on this machine (config layer): that something calls it, and that what it does
// can be done.

import { isAbsolute } from "node:path";

import type { Config } from "./config.ts";
import type { Files } from "./files.ts";
import { error, type Finding, shellQuoted } from "./finding.ts";
import type { Entry } from "./schema.ts";

/** At most one finding for each hook, in the order of the file. */
export function checkHooks(config: Config, files: Files): readonly Finding[] {
  return config.hook
    .map((hook) => checkEvents(hook) ?? checkAction(hook, files))
    .filter((finding) => finding !== undefined);
}

function checkEvents(hook: Entry<"hook">): Finding | undefined {
  const { events, sources, place } = hook;
  if (sources.has("event")) {
    if (!sources.has("events")) return undefined;
    const remedy = "remove `event`, and name it in `events`.";
    return error(sources.get("event") ?? place, "a hook has either `event` or `events`", remedy);
  }
  if (events.length > 0) return undefined;
  const remedy = 'say what calls it: events = ["transfer_failed", "client_stuck"].';
  return error(sources.get("events") ?? place, "this [[hook]] has no `events`", remedy);
}

function checkAction(hook: Entry<"hook">, files: Files): Finding | undefined {
  const { command, url, secret_file: secret } = hook;
  const fault = (key: string, message: string, remedy: string): Finding =>
    error(hook.sources.get(key) ?? hook.place, message, remedy);
  const [program] = command;
  if (program === undefined && url === "") {
    return fault("url", "this [[hook]] does nothing", "write a command, or a url, below it.");
  }
  if (program !== undefined && url !== "") {
    return fault("url", "a hook has either a command or a url", "write two hooks for both.");
  }
  if (program === undefined) {
    if (secret === "" || files.exists(secret)) return undefined;
    const remedy = `create it: head -c 24 /dev/urandom | base64 > ${shellQuoted(secret)}, readable for the server's user alone.`;
    return fault("secret_file", `the secret's file ${secret} does not exist`, remedy);
  }
  if (!isAbsolute(program)) {
    const remedy = `write its path from the top, such as "/usr/local/bin/${program}".`;
    return fault("command", `the program "${program}" must be an absolute path`, remedy);
  }
  if (!files.isProgram(program)) {
    const remedy = `install it, or make it executable: chmod +x ${shellQuoted(program)}.`;
    return fault("command", `${program} is no program that can be run`, remedy);
  }
  if (secret !== "") {
    const remedy = "remove it, or write a url instead.";
    return fault("secret_file", "what a command is told is not signed", remedy);
  }
  if (hook.headers.length === 0) return undefined;
  return fault("headers", "a command has no headers", "remove them, or write a url instead.");
}
