// What the tests of the rules share: rules and policies of which only what matters is written, and requests.

import { parseAddress } from "#policy/address.ts";
import type { PatternSpec } from "#policy/pattern.ts";
import { compilePolicy, Policy, type PolicySpec } from "#policy/policy.ts";
import type { Asking, RuleSpec } from "#policy/rule.ts";

/** A rule that asks nothing and does nothing, but for `given`. */
export function ruleSpec(given: Partial<RuleSpec>): RuleSpec {
  return {
    label: "rule",
    listener: [],
    client: [],
    local: [],
    interface: [],
    mac: [],
    request: "any",
    mode: "any",
    pattern: undefined,
    isNegated: false,
    rewrite: undefined,
    isRepeated: false,
    fallback: undefined,
    roots: [],
    refusedOptions: [],
    blockBytesMax: undefined,
    windowBlocksMax: undefined,
    burstBlocksMax: undefined,
    rate: "",
    action: "next",
    goTo: "",
    code: 2,
    ...given,
  };
}

/** Shorthands for patterns. */
export function glob(text: string): PatternSpec {
  return { kind: "glob", text, ignoreCase: false };
}

export function regex(text: string): PatternSpec {
  return { kind: "regex", text, ignoreCase: false };
}

export function ere(text: string, ignoreCase = false): PatternSpec {
  return { kind: "ere", text, ignoreCase };
}

/** A policy that serves everything from the root folder, but for `given`. */
export function policySpec(given: Partial<PolicySpec>): PolicySpec {
  return {
    rootDir: "/srv/tftp",
    uploadDir: "/srv/tftp",
    junk: "ff",
    isTidiedFirst: true,
    rules: [],
    isAllowedByDefault: true,
    access: [],
    foldsCase: false,
    folders: ["/srv/tftp", "/srv/lab"],
    roots: [{ folder: 0, path: "" }],
    listeners: [],
    hosts: [],
    templates: [],
    ...given,
  };
}

/** The compiled policy; its faults are the test's. */
export function policyOf(given: Partial<PolicySpec>): Policy {
  const policy = compilePolicy(policySpec(given));
  if (!(policy instanceof Policy)) {
    throw new Error(policy.map(({ key, message }) => `${key} ${message}`).join("\n"));
  }
  return policy;
}

/** A read request from 10.0.0.7, but for `given`. */
export function asking(name: string, given: Partial<Asking> = {}): Asking {
  return {
    name,
    isWrite: false,
    mode: "octet",
    listener: "",
    client: parseAddress("10.0.0.7") ?? "",
    local: undefined,
    interface: undefined,
    mac: undefined,
    ...given,
  };
}
