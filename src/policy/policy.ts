// Who gets what (policy layer, pure): the whole way from a request to the files that may answer it, and to the limits that
// hold for them. Decided once, at the request; nothing here looks at a file or a clock.

import { at } from "#base/bytes.ts";

import { Access, type AccessSpec, compileAccess, type Judgement } from "./access.ts";
import { type Address, formatAddress, hexAddress } from "./address.ts";
import { isPolicyFault, type PolicyFault } from "./fault.ts";
import { type Host, type HostSpec, HostTable, serialIn } from "./hosts.ts";
import { bytesOf, type ByteString, byteStringOf, cutJunk, type JunkRule } from "./names.ts";
import { cleanName, type RefusedName, tidyName } from "./path.ts";
import { capture } from "./pattern.ts";
import {
  type Candidate,
  candidatesOf,
  compileChain,
  type RootChain,
  type RootSpec,
} from "./roots.ts";
import { type Asking, compileRule, type Rule, type RuleSpec } from "./rule.ts";
import { RuleList, type Ruling, type Trace, undisputed } from "./rules.ts";
import { compileTemplate, type Template, type TemplateSpec } from "./template.ts";
import { renderText, requestVariables, type ValueOf } from "./text.ts";

/** A policy as it is configured: plain data, for it crosses between threads. */
export interface PolicySpec {
  /** Absolute path of the root folder: a name may spell it out. */
  readonly rootDir: string;
  /** Absolute path of the folder that uploads go to: theirs may spell out that. */
  readonly uploadDir: string;
  readonly junk: JunkRule;
  /** Whether the rules see a name without drive letter, backslashes and the like, or as the client sent it. */
  readonly isTidiedFirst: boolean;
  readonly rules: readonly RuleSpec[];
  /** What becomes of a request that no rule allows or denies. */
  readonly isAllowedByDefault: boolean;
  /** Who may have what lies in a folder, whatever the rules say. */
  readonly access: readonly AccessSpec[];
  /** Whether the case of letters does not tell folders apart in {@link access}. */
  readonly foldsCase: boolean;
  /** The absolute paths of the folders that roots count from; the first is {@link rootDir}. */
  readonly folders: readonly string[];
  /** Where names are looked up unless a rule says otherwise; not empty. */
  readonly roots: readonly RootSpec[];
  /** The listeners, of which some look in folders of their own. */
  readonly listeners: readonly ListenerSpec[];
  readonly hosts: readonly HostSpec[];
  readonly templates: readonly TemplateSpec[];
}

/** Where requests come in, as far as it matters to who gets what. */
interface ListenerSpec {
  readonly name: string;
  /** Where names are looked up for its requests, in place of {@link PolicySpec.roots}; empty for those. */
  readonly roots: readonly RootSpec[];
}

/** A request that may be answered. */
export interface Permit {
  readonly isAllowed: true;
  readonly ruling: Ruling;
  /** The name, clean: a write goes there, below the upload root. */
  readonly path: ByteString;
  /** The text that answers instead of a file, if a template applies. */
  readonly virtual: Uint8Array<ArrayBuffer> | undefined;
  /** The files to look for, in this order; none for a write. */
  readonly candidates: readonly Candidate[];
}

/**
 * A request that may not. `denied`: by a rule or by default; `folder`: by the lists of a folder; the others are what is wrong with
 * the name.
 */
export interface Denial {
  readonly isAllowed: false;
  readonly ruling: Ruling;
  readonly cause: RefusedName["cause"] | "denied" | "folder";
  /** The folder whose lists say so, if that is the cause. */
  readonly folder?: string;
}

/** Hears how a decision is made. */
export interface PolicyTrace {
  readonly rule: Trace;
  /** What the lists of folders say of a file that may be looked for, or written. */
  readonly access: (folder: string, path: ByteString, judgement: Judgement) => void;
}

/** A fault of a policy, and in which table and entry it is; `roots` is the list at the top of the file. */
export interface PlacedFault extends PolicyFault {
  readonly table: "roots" | "listener" | "rule" | "template" | "access.root";
  readonly index: number;
}

/** Whether a policy looks at nothing but the name: no rules, templates or roots besides the root folder. */
function isTrivialPolicy(spec: PolicySpec): boolean {
  const { rules, templates, access, roots, listeners, isAllowedByDefault } = spec;
  const [first] = roots;
  const isOne = roots.length === 1 && listeners.every((each) => each.roots.length === 0);
  const isPlain = isOne && first?.folder === 0 && first.path === "";
  const isEmpty = rules.length === 0 && templates.length === 0 && access.length === 0;
  return isEmpty && isAllowedByDefault && isPlain;
}

/** Checks and compiles. Where there are faults there is no policy. */
export function compilePolicy(spec: PolicySpec): Policy | readonly PlacedFault[] {
  const known = knownVariables(spec.hosts);
  const faults: PlacedFault[] = [];
  const rules: Rule[] = [];
  for (const [index, each] of spec.rules.entries()) {
    const rule = compileRule(each, known);
    if (isPolicyFault(rule)) faults.push({ ...rule, table: "rule", index });
    else rules.push(rule);
  }
  for (const [index, { goTo }] of spec.rules.entries()) {
    if (goTo !== "" && !spec.rules.some(({ label }) => label === goTo)) {
      faults.push({ ...unknownLabel(goTo), table: "rule", index });
    }
  }
  const templates: Template[] = [];
  for (const [index, each] of spec.templates.entries()) {
    const template = compileTemplate(each, known);
    if (isPolicyFault(template)) faults.push({ ...template, table: "template", index });
    else templates.push(template);
  }
  const access = compileAccess(spec.access, spec.foldsCase);
  if (!(access instanceof Access)) {
    faults.push(...access.map((fault) => ({ ...fault, table: "access.root" as const })));
  }
  const byListener = new Map<string, RootChain>();
  for (const [index, each] of spec.listeners.entries()) {
    if (each.roots.length === 0) continue;
    const chain = compileChain(each.roots, known);
    if (isPolicyFault(chain)) faults.push({ ...chain, table: "listener", index });
    else byListener.set(each.name, chain);
  }
  const others = compileChain(spec.roots, known);
  if (isPolicyFault(others)) return [...faults, { ...others, table: "roots", index: 0 }];
  if (faults.length > 0 || !(access instanceof Access)) return faults;
  return new Policy(spec, rules, access, { byListener, others }, templates);
}

/** Where names are looked up, unless a rule says otherwise. */
interface Chains {
  /** By the names of listeners that have folders of their own. */
  readonly byListener: ReadonlyMap<string, RootChain>;
  readonly others: RootChain;
}

/** Decides on requests. One at a time. */
export class Policy {
  readonly #spec: PolicySpec;
  readonly #isTrivial: boolean;
  readonly #rootDir: ByteString;
  readonly #uploadDir: ByteString;
  readonly #rules: RuleList;
  readonly #access: Access;
  readonly #chains: Chains;
  readonly #hosts: HostTable;
  readonly #templates: readonly Template[];

  constructor(
    spec: PolicySpec,
    rules: readonly Rule[],
    access: Access,
    chains: Chains,
    templates: readonly Template[],
  ) {
    this.#spec = spec;
    this.#isTrivial = isTrivialPolicy(spec);
    this.#rootDir = byteStringOf(spec.rootDir);
    this.#uploadDir = byteStringOf(spec.uploadDir);
    this.#rules = new RuleList(rules);
    this.#access = access;
    this.#chains = chains;
    this.#hosts = new HostTable(spec.hosts);
    this.#templates = templates;
  }

  /** Decides. `trace` hears about every rule, and about folders that have lists. */
  decide(asking: Asking, trace?: PolicyTrace): Permit | Denial {
    const { name, isWrite } = asking;
    const sent = cutJunk(name, this.#spec.junk);
    const rootDir = isWrite ? this.#uploadDir : this.#rootDir;
    // Nothing of the client but its name is looked at, or looked up.
    if (this.#isTrivial) return decideByName(sent, rootDir, isWrite);
    const tidy = tidyName(sent, rootDir);
    const variables = new RequestVariables(asking, tidy, this.#hosts);
    const { valueOf } = variables;
    const ruling = this.#rules.decide(
      asking,
      this.#spec.isTidiedFirst ? tidy : sent,
      valueOf,
      trace?.rule,
    );
    const isOpen =
      ruling.verdict === "undecided" ? this.#spec.isAllowedByDefault : ruling.verdict === "allow";
    // Where no rule says anything, the lists of a folder may.
    if (!isOpen && (ruling.verdict === "deny" || this.#access.isEmpty)) {
      return { isAllowed: false, ruling, cause: "denied" };
    }
    const clean = cleanName(ruling.name, rootDir);
    if (!clean.isClean) return { isAllowed: false, ruling, cause: clean.cause };
    const { path } = clean;
    const door = new Door(this.#access, asking.client, isOpen, trace);
    if (isWrite) {
      return door.admits(this.#spec.uploadDir, path)
        ? { isAllowed: true, ruling, path, virtual: undefined, candidates: [] }
        : door.denial(ruling);
    }
    const names = [path];
    for (const fallback of ruling.fallbacks) {
      const other = cleanName(fallback, rootDir);
      if (other.isClean && !names.includes(other.path)) names.push(other.path);
    }
    const { byListener, others } = this.#chains;
    const roots = ruling.roots ?? byListener.get(asking.listener) ?? others;
    const all = candidatesOf(names, roots, valueOf);
    const candidates = all.filter(({ folder, path: each }) =>
      door.admits(at(this.#spec.folders, folder), each),
    );
    // A template answers whoever may have the name from one of the folders.
    if (candidates.length === 0 && (all.length > 0 || !isOpen)) return door.denial(ruling);
    return { isAllowed: true, ruling, path, virtual: this.#render(path, valueOf), candidates };
  }

  /** What the first template makes of this name; a template whose variables lack a value for the client is passed over. */
  #render(name: ByteString, valueOf: ValueOf): Uint8Array<ArrayBuffer> | undefined {
    for (const { regex, text } of this.#templates) {
      const match = regex.exec(name);
      if (match === undefined) continue;
      const rendered = renderText(text, (variable) => {
        if (/^\d$/.test(variable)) return capture(name, match, Number(variable));
        return variable === "name" ? name : valueOf(variable);
      });
      if (rendered !== undefined) return bytesOf(rendered);
    }
    return undefined;
  }
}

/** What the lists of folders leave of one request. */
class Door {
  readonly #access: Access;
  readonly #client: Address;
  readonly #isOpen: boolean;
  readonly #trace: PolicyTrace | undefined;
  #closedBy = "";

  /** `isOpen`: whether the client may have what no list says anything of. */
  constructor(access: Access, client: Address, isOpen: boolean, trace: PolicyTrace | undefined) {
    this.#access = access;
    this.#client = client;
    this.#isOpen = isOpen;
    this.#trace = trace;
  }

  /** Whether the client may have the clean path `path` below `folder`. */
  admits(folder: string, path: ByteString): boolean {
    if (this.#access.isEmpty) return this.#isOpen;
    const judgement = this.#access.judge(folder, path, this.#client);
    if (judgement.folder !== "") this.#trace?.access(folder, path, judgement);
    if (judgement.verdict === "unlisted") return this.#isOpen;
    if (judgement.verdict === "deny") this.#closedBy = judgement.folder;
    return judgement.verdict === "allow";
  }

  /** The denial of a request of which nothing was admitted. */
  denial(ruling: Ruling): Denial {
    return this.#closedBy === ""
      ? { isAllowed: false, ruling, cause: "denied" }
      : { isAllowed: false, ruling, cause: "folder", folder: this.#closedBy };
  }
}

/** The decision where the name alone counts. */
function decideByName(name: ByteString, rootDir: ByteString, isWrite: boolean): Permit | Denial {
  const clean = cleanName(name, rootDir);
  const ruling = undisputed(name);
  if (!clean.isClean) return { isAllowed: false, ruling, cause: clean.cause };
  const { path } = clean;
  const candidates = isWrite ? [] : [{ folder: 0, path }];
  return { isAllowed: true, ruling, path, virtual: undefined, candidates };
}

/** The names that texts may mention: what every request may have, and what some host has. */
function knownVariables(hosts: readonly HostSpec[]): ReadonlySet<string> {
  return new Set([
    ...requestVariables,
    ...hosts.flatMap(({ variables }) => Object.keys(variables)),
  ]);
}

function unknownLabel(goTo: string): PolicyFault {
  return {
    key: "go_to",
    message: `names ${JSON.stringify(goTo)}, which is no rule`,
    remedy: "write the `name` of a rule.",
  };
}

/** The values of a request's variables, worked out when they are asked for. */
class RequestVariables {
  readonly valueOf: ValueOf;
  readonly #asking: Asking;
  /** The name as it came, tidied: rules that change it do not change who asks. */
  readonly #tidy: ByteString;
  readonly #hosts: HostTable;
  #host: Host | undefined;
  #isHostKnown = false;

  constructor(asking: Asking, tidy: ByteString, hosts: HostTable) {
    this.#asking = asking;
    this.#tidy = tidy;
    this.#hosts = hosts;
    // An empty value is none: in a path it would make one folder of two.
    this.valueOf = (variable) => this.#find(variable) || undefined;
  }

  #find(variable: string): ByteString | undefined {
    const { client, mac, local } = this.#asking;
    switch (variable) {
      case "ip":
        return formatAddress(client);
      case "ip_hex":
        return hexAddress(client);
      case "mac":
        return mac;
      case "mac_dash":
        return mac?.replaceAll(":", "-");
      case "serial":
        return serialIn(this.#tidy) ?? this.#findHost()?.serial;
      case "name":
        return this.#tidy;
      case "host":
        return this.#findHost()?.name;
      case "group":
        return this.#findHost()?.group;
      case "local":
        return local === undefined ? undefined : formatAddress(local);
      case "interface":
        return this.#asking.interface;
      default:
        return this.#findHost()?.variables.get(variable);
    }
  }

  #findHost(): Host | undefined {
    if (!this.#isHostKnown) {
      this.#host = this.#hosts.find(this.#asking.client, this.#asking.mac, serialIn(this.#tidy));
      this.#isHostKnown = true;
    }
    return this.#host;
  }
}
