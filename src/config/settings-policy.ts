// Who gets what, resolved (config layer): from `roots`, [names], [access], [[rule]], [[host]] and [[template]] to the plain
// data that src/policy compiles, and the list of folders that must be open for it.

import { normalize, resolve } from "node:path";

import type { PatternSpec } from "#policy/pattern.ts";
import type { PolicySpec } from "#policy/policy.ts";
import type { RootSpec } from "#policy/roots.ts";
import type { RuleSpec } from "#policy/rule.ts";
import type { UploadPlace } from "#policy/upload.ts";

import type { Config } from "./config.ts";
import type { Entry } from "./schema.ts";
import { listenerName } from "./settings-listeners.ts";
import { pathBelow, uploadRoot } from "./settings-uploads.ts";

/** A policy, and what else depends on its folders. */
export interface PolicySettings extends PolicySpec {
  /** Where each of them stands to the upload root. */
  readonly uploadPlaces: readonly UploadPlace[];
}

/** Resolves a configuration that loaded; what its rules mean together may still be wrong. */
export function resolvePolicy(config: Config): PolicySettings {
  const folders = new Folders(config.root_dir);
  const roots = config.roots.length === 0 ? [rootFolder] : folders.specs(config.roots);
  const listeners = config.listener.map((entry, index) => {
    return { name: listenerName(entry, index), roots: folders.specs(entry.roots) };
  });
  const rules = config.rule.map((rule, index) => ruleSpec(rule, index, folders));
  const uploadDir = uploadRoot(config);
  return {
    rootDir: config.root_dir,
    uploadDir,
    junk: config.names.junk,
    isTidiedFirst: !config.names.as_sent,
    rules,
    isAllowedByDefault: config.access.default === "allow",
    access: config.access.root.map(({ folder, allow, deny }) => {
      return { folder: resolve(config.root_dir, folder), allow, deny };
    }),
    foldsCase: config.files.case_insensitive,
    roots,
    listeners,
    hosts: config.host.map(({ name, mac, ip, serial, group, vars }) => {
      return { name, mac, ip, serial, group, variables: vars };
    }),
    templates: config.template.map((template) => ({
      pattern: patternSpec(template) ?? noPattern,
      text: template.text,
    })),
    folders: folders.paths,
    uploadPlaces: folders.paths.map((folder) => ({
      servedAs: pathBelow(folder, uploadDir),
      within: pathBelow(uploadDir, folder),
    })),
  };
}

/** The pattern of a rule or a template; undefined if there is none. */
function patternSpec(entry: Entry<"rule"> | Entry<"template">): PatternSpec | undefined {
  const kind = patternKinds.find((each) => entry.sources.has(each));
  return kind && { kind, text: entry[kind], ignoreCase: entry.ignore_case };
}

/** The ways in which a pattern may be written, each a key. */
export const patternKinds = ["glob", "regex", "ere"] as const;

/** Matches nothing but the empty name, which no request has. */
const noPattern: PatternSpec = { kind: "glob", text: "", ignoreCase: false };

const rootFolder: RootSpec = { folder: 0, path: "" };

function ruleSpec(rule: Entry<"rule">, index: number, folders: Folders): RuleSpec {
  const { sources } = rule;
  return {
    label: rule.name === "" ? `rule ${index + 1}` : rule.name,
    listener: rule.listener,
    client: rule.client,
    local: rule.local,
    interface: rule.interface,
    mac: rule.mac,
    request: rule.request,
    mode: rule.mode,
    pattern: patternSpec(rule),
    isNegated: rule.not,
    rewrite: sources.has("rewrite") ? rule.rewrite : undefined,
    isRepeated: rule.repeat,
    fallback: sources.has("fallback") ? rule.fallback : undefined,
    roots: folders.specs(rule.roots),
    refusedOptions: rule.refuse_options,
    blockBytesMax: sources.has("max_block_size") ? rule.max_block_size : undefined,
    windowBlocksMax: sources.has("max_windowsize") ? rule.max_windowsize : undefined,
    burstBlocksMax: sources.has("burst_blocks") ? rule.burst_blocks : undefined,
    rate: rule.rate_class,
    action: rule.action,
    goTo: rule.go_to,
    code: rule.code,
  };
}

/** The folders that roots count from, each once. */
class Folders {
  readonly paths: string[];

  constructor(rootDir: string) {
    this.paths = [rootDir];
  }

  specs(texts: readonly string[]): readonly RootSpec[] {
    return texts.map((text) => this.#spec(text));
  }

  /** `/srv/{group}/boot` is the path `{group}/boot` in the folder `/srv`: what has no variable can be opened at the start. */
  #spec(text: string): RootSpec {
    if (!text.startsWith("/")) return { folder: 0, path: text };
    const brace = text.indexOf("{");
    const end = brace < 0 ? text.length : text.lastIndexOf("/", brace) + 1;
    const path = normalize(text.slice(0, end)).replace(/(?<=.)\/$/u, "");
    const known = this.paths.indexOf(path);
    return { folder: known < 0 ? this.paths.push(path) - 1 : known, path: text.slice(end) };
  }
}
