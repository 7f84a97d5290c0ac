// One rule (policy layer, pure): conditions and what follows from them, checked and compiled from plain data. Whether a rule
// holds depends on the request and on the name as earlier rules left it, and on nothing else.

import type { Address } from "./address.ts";
import { compileNetworks, type Network, NetworkSet } from "./cidr.ts";
import { isPolicyFault, type PolicyFault } from "./fault.ts";
import { parseMac } from "./hosts.ts";
import type { ByteString } from "./names.ts";
import { compilePattern, type PatternSpec } from "./pattern.ts";
import type { Regex } from "./regex.ts";
import { compileChain, type RootChain, type RootSpec } from "./roots.ts";
import { isTextFault, NO_CAPTURES, parseText, type Text } from "./text.ts";

/** A rule as it is configured. Empty lists and texts ask nothing; plain data, for it crosses between threads. */
export interface RuleSpec {
  /** Its name, or its place in the file. */
  readonly label: string;
  readonly listener: readonly string[];
  readonly client: readonly string[];
  readonly local: readonly string[];
  readonly interface: readonly string[];
  readonly mac: readonly string[];
  readonly request: "any" | "read" | "write";
  readonly mode: "any" | "octet" | "netascii";
  readonly pattern: PatternSpec | undefined;
  /** Whether the rule holds for names that the pattern does not match. */
  readonly isNegated: boolean;
  readonly rewrite: string | undefined;
  /** Whether to rewrite until the pattern matches no more. */
  readonly isRepeated: boolean;
  readonly fallback: string | undefined;
  readonly roots: readonly RootSpec[];
  readonly refusedOptions: readonly string[];
  /** Undefined sets no limit. */
  readonly blockBytesMax: number | undefined;
  readonly windowBlocksMax: number | undefined;
  readonly burstBlocksMax: number | undefined;
  readonly rate: string;
  readonly action: "next" | "stop" | "allow" | "deny";
  /** The label of the rule to go on with. */
  readonly goTo: string;
  /** The code of the ERROR of a rule that denies (RFC 1350, appendix). */
  readonly code: number;
}

/** A request, as far as rules look at it. */
export interface Asking {
  /** As the client sent it. */
  readonly name: ByteString;
  readonly isWrite: boolean;
  readonly mode: "octet" | "netascii";
  /** The name of the listener that it came in by; empty where there is but one, which has none. */
  readonly listener: string;
  readonly client: Address;
  /** The address that was asked; undefined where it is not known. */
  readonly local: Address | undefined;
  /** The interface that it came in by; undefined where it is not known. */
  readonly interface: string | undefined;
  /** The client's hardware address as {@link parseMac} writes it; undefined beyond a router. */
  readonly mac: string | undefined;
}

/** A rule that can be asked. */
export interface Rule {
  readonly spec: RuleSpec;
  readonly networks: readonly Network[];
  readonly clients: NetworkSet | undefined;
  readonly locals: NetworkSet | undefined;
  readonly macs: readonly string[];
  readonly regex: Regex | undefined;
  readonly rewrite: Text | undefined;
  readonly fallback: Text | undefined;
  readonly roots: RootChain | undefined;
}

/** The first condition that does not hold; undefined if all do. */
export type Mismatch =
  "request" | "mode" | "listener" | "client" | "local" | "interface" | "mac" | "name";

/** Checks and compiles a rule; `known` are the variables that its texts may name. */
export function compileRule(spec: RuleSpec, known: ReadonlySet<string>): Rule | PolicyFault {
  const clients = compileNetworks("client", spec.client);
  if (isPolicyFault(clients)) return clients;
  const locals = compileNetworks("local", spec.local);
  if (isPolicyFault(locals)) return locals;
  const macs: string[] = [];
  for (const [element, text] of spec.mac.entries()) {
    const mac = parseMac(text);
    if (mac === undefined) return { ...badMac(text), key: "mac", element };
    macs.push(mac);
  }
  const regex = spec.pattern === undefined ? undefined : compilePattern(spec.pattern);
  if (regex !== undefined && "message" in regex) {
    return { ...regex, key: spec.pattern?.kind ?? "regex" };
  }
  const captures = regex === undefined || spec.isNegated ? NO_CAPTURES : regex.captures;
  const fault = contradictionIn(spec);
  if (fault !== undefined) return fault;
  const rewrite = compileText("rewrite", spec.rewrite, known, captures);
  if (rewrite !== undefined && isPolicyFault(rewrite)) return rewrite;
  const fallback = compileText("fallback", spec.fallback, known, captures);
  if (fallback !== undefined && isPolicyFault(fallback)) return fallback;
  const roots = spec.roots.length === 0 ? undefined : compileChain(spec.roots, known);
  if (roots !== undefined && isPolicyFault(roots)) return roots;
  return {
    spec,
    networks: clients,
    clients: clients.length === 0 ? undefined : new NetworkSet(clients),
    locals: locals.length === 0 ? undefined : new NetworkSet(locals),
    macs,
    regex,
    rewrite,
    fallback,
    roots,
  };
}

/** Whether the conditions of `rule` hold for a request whose name is `name` by now. The pattern is asked last: it costs most. */
export function mismatchOf(rule: Rule, asking: Asking, name: ByteString): Mismatch | undefined {
  const { spec } = rule;
  if (spec.request !== "any" && (spec.request === "write") !== asking.isWrite) return "request";
  if (spec.mode !== "any" && spec.mode !== asking.mode) return "mode";
  if (spec.listener.length > 0 && !spec.listener.includes(asking.listener)) return "listener";
  if (rule.clients !== undefined && !rule.clients.has(asking.client)) return "client";
  if (rule.locals !== undefined && (asking.local === undefined || !rule.locals.has(asking.local))) {
    return "local";
  }
  if (
    spec.interface.length > 0 &&
    (asking.interface === undefined || !spec.interface.includes(asking.interface))
  ) {
    return "interface";
  }
  if (rule.macs.length > 0 && !isMacAmong(asking.mac, rule.macs)) return "mac";
  const matches = rule.regex === undefined || rule.regex.test(name) !== spec.isNegated;
  return matches ? undefined : "name";
}

/** Whether `mac` is one of `macs`, or begins as one of them that is shorter. */
function isMacAmong(mac: string | undefined, macs: readonly string[]): boolean {
  return mac !== undefined && macs.some((each) => mac.startsWith(each));
}

function badMac(text: string): Pick<PolicyFault, "message" | "remedy"> {
  return {
    message: `has ${JSON.stringify(text)}, which is no hardware address`,
    remedy: 'write "b8:27:eb:01:02:03", or its first bytes, such as "b8:27:eb".',
  };
}

function compileText(
  key: string,
  text: string | undefined,
  known: ReadonlySet<string>,
  captures: number,
): Text | undefined | PolicyFault {
  if (text === undefined) return undefined;
  if (text.includes("\0")) {
    return {
      key,
      message: "holds a NUL character",
      remedy: "no file name can hold one; remove it.",
    };
  }
  const parsed = parseText(text, known, captures);
  if (!isTextFault(parsed)) return parsed;
  return { key, message: parsed.message, remedy: parsed.remedy, at: parsed };
}

/** What a rule asks for that cannot be had together. */
function contradictionIn(spec: RuleSpec): PolicyFault | undefined {
  const isRewriting = spec.rewrite !== undefined;
  if (isRewriting && spec.isNegated) {
    return {
      key: "not",
      message: "cannot stand with `rewrite`: where nothing matches nothing can be replaced",
      remedy: "remove `not`, or rewrite with a pattern that matches.",
    };
  }
  if (spec.isNegated && spec.pattern === undefined) {
    return { key: "not", message: "needs a pattern", remedy: "add `glob`, `regex` or `ere`." };
  }
  if (spec.isRepeated && (!isRewriting || spec.pattern === undefined)) {
    return {
      key: "repeat",
      message: "needs `rewrite` and a pattern",
      remedy: "remove it, or say what to rewrite.",
    };
  }
  if (spec.goTo !== "" && spec.action !== "next") {
    return {
      key: "go_to",
      message: `cannot stand with \`action = "${spec.action}"\``,
      remedy: "remove one of the two.",
    };
  }
  return undefined;
}
