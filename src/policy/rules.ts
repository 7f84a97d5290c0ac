// An ordered list of rules and its decision on a request (policy layer, pure). The same code decides for the server and
// explains to an administrator; the explanation asks every rule, the server only those that can hold.

import { at } from "#base/bytes.ts";

import type { ByteString } from "./names.ts";
import { capture, replaceMatch } from "./pattern.ts";
import type { Match } from "./regex.ts";
import type { RootChain } from "./roots.ts";
import { RuleIndex } from "./rule-index.ts";
import { type Asking, type Mismatch, mismatchOf, type Rule } from "./rule.ts";
import { renderText, type Text, type ValueOf } from "./text.ts";

/** What the rules make of a request. */
export interface Ruling {
  readonly verdict: "allow" | "deny" | "undecided";
  /** The code of the ERROR for a request that is denied. */
  readonly code: number;
  /** The label of the rule that decided; empty if none did. */
  readonly decidedBy: string;
  /** The name as the rules left it. */
  readonly name: ByteString;
  /** Names to try, in this order, where that one is missing. */
  readonly fallbacks: readonly ByteString[];
  /** Where to look, if a rule said so. */
  readonly roots: RootChain | undefined;
  readonly refusedOptions: readonly string[];
  /** Infinity sets no limit. */
  readonly blockBytesMax: number;
  readonly windowBlocksMax: number;
  readonly burstBlocksMax: number;
  /** The class of rate limits; empty for none. */
  readonly rate: string;
}

/** The ruling on a name where there are no rules. */
export function undisputed(name: ByteString): Ruling {
  return {
    verdict: "undecided",
    code: DENIED_CODE,
    decidedBy: "",
    name,
    fallbacks: [],
    roots: undefined,
    refusedOptions: [],
    blockBytesMax: Infinity,
    windowBlocksMax: Infinity,
    burstBlocksMax: Infinity,
    rate: "",
  };
}

/** Hears about each rule: whether it held, and why not or what it did. */
export type Trace = (label: string, isMatch: boolean, text: string) => void;

/**
 * How often rules may hold for one request, with repetitions. tftpd-hpa gives up after 1,024 steps as well; a list that
 * needs as many goes round in circles.
 */
const MATCHES_MAX = 1024;

/** A name grows no longer than this while it is rewritten: PATH_MAX, linux/limits.h. */
const NAME_BYTES_MAX = 4096;

/** Names to try beyond the first: a guess. */
const FALLBACKS_MAX = 8;

/** A compiled list. It keeps its working memory: one decision at a time. */
export class RuleList {
  readonly #rules: readonly Rule[];
  readonly #index: RuleIndex;
  readonly #byLabel: ReadonlyMap<string, number>;

  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
    this.#index = new RuleIndex(rules);
    // Of several rules with one label a jump goes to the first.
    this.#byLabel = new Map(
      rules.map(({ spec }, number) => [spec.label, number] as const).toReversed(),
    );
  }

  /** Decides on `asking`, whose name is `name` to begin with; `valueOf` knows the client's variables. */
  decide(asking: Asking, name: ByteString, valueOf: ValueOf, trace?: Trace): Ruling {
    const course = new Course(name, valueOf, trace);
    this.#index.begin(asking);
    this.#index.setName(name);
    let number = trace === undefined ? this.#index.next(0) : 0;
    while (number < this.#rules.length) {
      const rule = at(this.#rules, number);
      const mismatch = mismatchOf(rule, asking, course.name);
      if (mismatch !== undefined) {
        trace?.(rule.spec.label, false, explainMismatch(mismatch, rule, asking, course.name));
        number = trace === undefined ? this.#index.next(number + 1) : number + 1;
        continue;
      }
      const before = course.name;
      course.apply(rule);
      if (course.isEndless) return course.ruling("deny", rule.spec.label, ENDLESS_CODE);
      const { action, label, code, goTo } = rule.spec;
      if (action === "allow" || action === "deny") return course.ruling(action, label, code);
      if (action === "stop") break;
      if (course.name !== before) this.#index.setName(course.name);
      const from = goTo === "" ? number + 1 : (this.#byLabel.get(goTo) ?? number + 1);
      number = trace === undefined ? this.#index.next(from) : from;
    }
    return course.ruling("undecided", "", DENIED_CODE);
  }
}

/** RFC 1350: 2 is "Access violation"; a list that goes round in circles serves nothing either. */
const DENIED_CODE = 2;
const ENDLESS_CODE = 2;

/** A request on its way through the rules. */
class Course {
  name: ByteString;
  /** Whether the rules go round in circles. */
  isEndless = false;
  readonly #valueOf: ValueOf;
  readonly #trace: Trace | undefined;
  #matches = 0;
  readonly #fallbacks: ByteString[] = [];
  #roots: RootChain | undefined;
  readonly #refusedOptions: string[] = [];
  #blockBytesMax = Infinity;
  #windowBlocksMax = Infinity;
  #burstBlocksMax = Infinity;
  #rate = "";

  constructor(name: ByteString, valueOf: ValueOf, trace: Trace | undefined) {
    this.name = name;
    this.#valueOf = valueOf;
    this.#trace = trace;
  }

  /** Does what a rule that holds says, all but to go on elsewhere. */
  apply(rule: Rule): void {
    const done: string[] = [];
    const { spec } = rule;
    this.#count();
    if (rule.fallback !== undefined) this.#addFallback(rule, rule.fallback, done);
    if (rule.rewrite !== undefined) this.#rewrite(rule, rule.rewrite, done);
    if (rule.roots !== undefined) {
      this.#roots = rule.roots;
      done.push("chooses the roots");
    }
    for (const option of spec.refusedOptions) {
      if (!this.#refusedOptions.includes(option)) this.#refusedOptions.push(option);
      done.push(`refuses ${option}`);
    }
    if (spec.blockBytesMax !== undefined) {
      this.#blockBytesMax = Math.min(this.#blockBytesMax, spec.blockBytesMax);
      done.push(`blksize up to ${spec.blockBytesMax}`);
    }
    if (spec.windowBlocksMax !== undefined) {
      this.#windowBlocksMax = Math.min(this.#windowBlocksMax, spec.windowBlocksMax);
      done.push(`windowsize up to ${spec.windowBlocksMax}`);
    }
    if (spec.burstBlocksMax !== undefined) {
      this.#burstBlocksMax = Math.min(this.#burstBlocksMax, spec.burstBlocksMax);
      done.push(`bursts of up to ${spec.burstBlocksMax}`);
    }
    if (spec.rate !== "") {
      this.#rate = spec.rate;
      done.push(`rate ${spec.rate}`);
    }
    if (this.isEndless) done.push("goes round in circles");
    else if (spec.goTo !== "") done.push(`goes on at ${spec.goTo}`);
    else if (spec.action !== "next") done.push(actionTexts[spec.action]);
    this.#trace?.(spec.label, true, done.length === 0 ? "does nothing" : done.join("; "));
  }

  ruling(verdict: Ruling["verdict"], decidedBy: string, code: number): Ruling {
    return {
      verdict,
      code,
      decidedBy,
      name: this.name,
      fallbacks: this.#fallbacks,
      roots: this.#roots,
      refusedOptions: this.#refusedOptions,
      blockBytesMax: this.#blockBytesMax,
      windowBlocksMax: this.#windowBlocksMax,
      burstBlocksMax: this.#burstBlocksMax,
      rate: this.#rate,
    };
  }

  #rewrite(rule: Rule, text: Text, done: string[]): void {
    do {
      const rewritten = this.#replaced(rule, text);
      if (rewritten === undefined) {
        done.push("rewrites nothing, for a variable has no value");
        return;
      }
      this.name = rewritten;
      done.push(`rewrites to ${JSON.stringify(rewritten)}`);
      if (!rule.spec.isRepeated || this.isEndless) return;
      if (rule.regex?.test(this.name) !== true) return;
      this.#count();
    } while (!this.isEndless);
  }

  #addFallback(rule: Rule, text: Text, done: string[]): void {
    const fallback = this.#replaced(rule, text);
    if (fallback === undefined || this.#fallbacks.length >= FALLBACKS_MAX) return;
    this.#fallbacks.push(fallback);
    done.push(`tries ${JSON.stringify(fallback)} if that is missing`);
  }

  /** The name with what the pattern matched, or all of it without a pattern, replaced by `text`. */
  #replaced(rule: Rule, text: Text): ByteString | undefined {
    const { name } = this;
    const match: Match | undefined = rule.spec.isNegated ? undefined : rule.regex?.exec(name);
    const replacement = renderText(text, (variable) => {
      if (/^\d$/.test(variable)) {
        return match === undefined ? undefined : capture(name, match, Number(variable));
      }
      return variable === "name" ? name : this.#valueOf(variable);
    });
    if (replacement === undefined) return undefined;
    return match === undefined ? replacement : replaceMatch(name, match, replacement);
  }

  #count(): void {
    this.#matches += 1;
    if (this.#matches > MATCHES_MAX || this.name.length > NAME_BYTES_MAX) this.isEndless = true;
  }
}

const actionTexts = { stop: "ends the rules", allow: "allows", deny: "denies" } as const;

/** Why a rule does not hold, for people. */
function explainMismatch(mismatch: Mismatch, rule: Rule, asking: Asking, name: ByteString): string {
  const { spec } = rule;
  switch (mismatch) {
    case "request":
      return `is for ${spec.request} requests`;
    case "mode":
      return `is for mode ${spec.mode}`;
    case "listener":
      return `it came in by ${asking.listener === "" ? "no listener that has a name" : asking.listener}, and this is for ${spec.listener.join(", ")}`;
    case "client":
      return `the client is in none of ${spec.client.join(", ")}`;
    case "local":
      return `the address that was asked is in none of ${spec.local.join(", ")}`;
    case "interface":
      return `the interface ${asking.interface ?? "is not known and"} is none of ${spec.interface.join(", ")}`;
    case "mac":
      return asking.mac === undefined
        ? "the client's hardware address is not known"
        : `${asking.mac} is none of ${rule.macs.join(", ")}`;
    case "name": {
      const { kind = "glob", text = "" } = spec.pattern ?? {};
      const verb = spec.isNegated ? "matches" : "does not match";
      return `${JSON.stringify(name)} ${verb} ${kind} ${JSON.stringify(text)}`;
    }
  }
  return mismatch satisfies never;
}
