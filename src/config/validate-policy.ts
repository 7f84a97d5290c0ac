// What the rules, roots, hosts and templates of a configuration mean together (config layer): every rule is compiled as the
// workers will compile it, so that a configuration that loads is one that runs.

import { isAbsolute } from "node:path";

import { parseAddress } from "#policy/address.ts";
import { parseMac } from "#policy/hosts.ts";
import { compilePolicy, type PlacedFault, Policy } from "#policy/policy.ts";
import { requestVariables } from "#policy/text.ts";

import type { Config } from "./config.ts";
import type { Files } from "./files.ts";
import { error, type Finding, shellQuoted, warning } from "./finding.ts";
import { type Place, placeInside } from "./problem.ts";
import type { Entry, EntryPlaces } from "./schema.ts";
import { patternKinds, type PolicySettings, resolvePolicy } from "./settings-policy.ts";
import { pathBelow } from "./settings-uploads.ts";
import { checkRuleListeners } from "./validate-listeners.ts";

/** Every finding on the policy, hosts first. */
export function checkPolicy(config: Config, files: Files): readonly Finding[] {
  const settings = resolvePolicy(config);
  const policy = compilePolicy(settings);
  const faults =
    policy instanceof Policy ? [] : policy.map((fault) => placedFinding(fault, config));
  return [
    ...config.host.flatMap(checkHost),
    ...[...config.rule, ...config.template].flatMap(checkPatternKeys),
    ...config.template.flatMap(checkHasPattern),
    ...config.rule.flatMap(checkCode),
    ...config.rule.flatMap((rule) => checkRuleListeners(rule, config)),
    ...(config.files.case_insensitive ? config.rule.flatMap(checkCase) : []),
    ...config.access.root.flatMap((entry, index) => checkAccess(entry, index, settings)),
    ...faults,
    ...checkFolders(settings.folders.slice(1), files),
  ];
}

/** A fault that the compiler found, where the file has its cause. */
function placedFinding(fault: PlacedFault, config: Config): Finding {
  const { table, index, key, element, at, message, remedy } = fault;
  if (table === "roots") return error("roots", `\`roots\` ${message}`, remedy);
  const entry = (table === "access.root" ? config.access.root : config[table])[index];
  const place =
    placeOf(entry, element === undefined ? key : `${key}[${element}]`) ?? placeOf(entry, key);
  const text = `\`${table}.${key}\` ${message}`;
  if (place === undefined) return error("roots", text, remedy);
  // Of an absolute root only the part behind its folder was compiled: offsets count from there.
  const isOffset = key === "roots" && element !== undefined && isAbsolute(rootAt(entry, element));
  const closest = at === undefined || isOffset ? place : placeInside(place, at.start, at.length);
  return error(closest, text, remedy);
}

function rootAt(entry: EntryPlaces | undefined, element: number): string {
  const { roots = [] } = (entry ?? {}) as { readonly roots?: readonly string[] };
  return roots[element] ?? "";
}

function placeOf(entry: EntryPlaces | undefined, key: string): Place | undefined {
  return entry?.sources.get(key);
}

function checkHost(host: Entry<"host">): readonly Finding[] {
  const findings: Finding[] = [];
  const { mac, ip, serial, vars, sources, place } = host;
  if (mac !== "" && parseMac(mac)?.length !== FULL_MAC_LENGTH) {
    const remedy = 'write all of it, such as "b8:27:eb:01:02:03".';
    const message = `\`host.mac\` is ${JSON.stringify(mac)}, which is no hardware address`;
    findings.push(error(sources.get("mac") ?? place, message, remedy));
  }
  if (ip !== "" && parseAddress(ip) === undefined) {
    const remedy = 'write a literal such as "192.0.2.7" or "2001:db8::7".';
    const message = `\`host.ip\` is ${JSON.stringify(ip)}, which is no IP address`;
    findings.push(error(sources.get("ip") ?? place, message, remedy));
  }
  if (mac === "" && ip === "" && serial === "") {
    const remedy = "write its mac, its ip or its serial.";
    findings.push(warning(place, "this host can never be found", remedy));
  }
  const texts = [host.name, host.group, serial, ...Object.values(vars)];
  if (texts.some((text) => text.includes("\0"))) {
    const remedy = "no file name can hold one; remove it.";
    findings.push(error(place, "a text of this host holds a NUL character", remedy));
  }
  for (const name of Object.keys(vars)) {
    const isTaken = (requestVariables as readonly string[]).includes(name);
    if (!isTaken && /^[A-Za-z_]\w*$/u.test(name)) continue;
    const fault = isTaken ? "has a value for every client" : "is no name of a variable";
    const remedy = "write a name of letters, digits and _, and none that requests have.";
    findings.push(
      error(sources.get("vars") ?? place, `\`host.vars\`: \`${name}\` ${fault}`, remedy),
    );
  }
  return findings;
}

/** `b8:27:eb:01:02:03`. */
const FULL_MAC_LENGTH = 17;

/** One pattern at most, and none that is empty. */
function checkPatternKeys(entry: Entry<"rule"> | Entry<"template">): readonly Finding[] {
  const written = patternKinds.filter((kind) => entry.sources.has(kind));
  const [first, second] = written;
  if (first === undefined) return [];
  const place = entry.sources.get(second ?? first) ?? entry.place;
  if (second !== undefined) {
    return [
      error(place, `\`${first}\` and \`${second}\` stand in one table`, "write one of the two."),
    ];
  }
  if (entry[first] !== "") return [];
  return [error(place, `\`${first}\` is empty`, "leave it out, or say which names.")];
}

function checkHasPattern(template: Entry<"template">): readonly Finding[] {
  if (patternKinds.some((kind) => template.sources.has(kind))) return [];
  const remedy = 'say which names it answers: glob = "pxelinux.cfg/01-*".';
  return [error(template.place, "this template has no pattern", remedy)];
}

function checkCode({ sources, action }: Entry<"rule">): readonly Finding[] {
  const place = sources.get("code");
  if (place === undefined || action === "deny") return [];
  const remedy = 'remove it, or write action = "deny".';
  return [warning(place, '`rule.code` has no effect without `action = "deny"`', remedy)];
}

/** A rule that keeps names back keeps them back in one case alone, while files are found in any. */
function checkCase(rule: Entry<"rule">): readonly Finding[] {
  const kind = patternKinds.find((each) => rule.sources.has(each));
  if (kind === undefined || rule.action !== "deny" || rule.not || rule.ignore_case) return [];
  const pattern = rule[kind];
  const isAnyCase = kind === "regex" && pattern.startsWith("(?i)");
  if (isAnyCase || !/[A-Za-z]/.test(pattern)) return [];
  const place = rule.sources.get(kind) ?? rule.place;
  const message = `this rule denies ${JSON.stringify(pattern)}, and \`files.case_insensitive\` finds such files in another case`;
  return [warning(place, message, "write ignore_case = true beside it.")];
}

/** Whether the lists of a folder can mean anything. */
function checkAccess(
  { folder, sources, place }: Entry<"access.root">,
  index: number,
  { access, folders, uploadDir }: PolicySettings,
): readonly Finding[] {
  const at = sources.get("folder") ?? place;
  const variable = /\{\w+/u.exec(folder);
  if (variable !== null) {
    const closest = placeInside(at, variable.index, folder.length - variable.index);
    const remedy = "name the folder before it: its lists hold for everything below.";
    return [error(closest, "`access.root.folder` has a variable", remedy)];
  }
  const path = access[index]?.folder ?? "";
  const isRelated = [...folders, uploadDir].some(
    (each) => pathBelow(each, path) !== undefined || pathBelow(path, each) !== undefined,
  );
  if (isRelated) return [];
  const remedy = "spell the folder as `root_dir`, `roots` or `uploads.root_dir` do.";
  return [warning(at, `nothing is looked up in ${path}: its lists have no effect`, remedy)];
}

/** The folders besides the root folder, which has been looked at. */
function checkFolders(folders: readonly string[], files: Files): readonly Finding[] {
  return folders.flatMap((folder) => {
    if (!files.isDirectory(folder)) {
      const remedy = `create it: mkdir -p ${shellQuoted(folder)}, or name another.`;
      return [error("roots", `the folder ${folder} of the roots does not exist`, remedy)];
    }
    if (files.isReadable(folder)) return [];
    const remedy = `let the server's user in: chmod o+rx ${shellQuoted(folder)}.`;
    return [error("roots", `the folder ${folder} of the roots cannot be read`, remedy)];
  });
}
