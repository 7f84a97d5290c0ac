// Which rules can hold (policy layer, pure): of ten thousand rules a request meets the few whose rarest condition it meets.
// The index only leaves out rules that cannot hold; the order of the rest is theirs in the file.

import { at } from "#base/bytes.ts";

import { NetworkMap } from "./cidr.ts";
import { LiteralFinder } from "./literal-finder.ts";
import { type ByteString, lowerCase } from "./names.ts";
import type { Asking, Rule } from "./rule.ts";

/** Numbers of rules, in ascending order. */
type RuleList = number[];

/** Longer literals are looked for by a part of them: it tells ten thousand rules apart and keeps the finder small. */
const LITERAL_BYTES_MAX = 16;

/** Rules with more networks or hardware addresses than this are not found by them: a guess. */
const ADDRESSES_MAX = 64;

/** Finds the rules that can hold. One request at a time. */
export class RuleIndex {
  readonly #always: RuleList = [];
  readonly #networks: NetworkMap<RuleList> = new NetworkMap();
  readonly #macs: Map<string, RuleList> = new Map();
  readonly #finder: LiteralFinder;
  /** By number of literal. */
  readonly #byLiteral: readonly RuleList[];
  /** The lists that this request meets, whatever its name, and then those that its name meets. */
  readonly #lists: RuleList[] = [];
  #fixedLists = 0;

  constructor(rules: readonly Rule[]) {
    const sharing = new Sharing(rules);
    const literals = new Map<ByteString, RuleList>();
    for (const [number, rule] of rules.entries()) {
      const { literal, isByNetwork, isByMac } = sharing.best(rule);
      if (literal !== undefined) append(literals, literal, number);
      else if (isByMac) for (const mac of new Set(rule.macs)) append(this.#macs, mac, number);
      else if (isByNetwork) this.#addNetworks(rule, number);
      else this.#always.push(number);
    }
    this.#finder = new LiteralFinder([...literals.keys()]);
    this.#byLiteral = [...literals.values()];
  }

  /** Begins with a request. {@link setName} must follow. */
  begin(asking: Asking): void {
    const lists = this.#lists;
    lists.length = 0;
    if (this.#always.length > 0) lists.push(this.#always);
    this.#networks.forEachAround(asking.client, (list) => lists.push(list));
    // Asking for it may cost a look-up in the kernel.
    const mac = this.#macs.size === 0 ? "" : (asking.mac ?? "");
    // By its whole and by its first bytes: `b8`, `b8:27`, `b8:27:eb` and so on.
    for (let length = 2; length <= mac.length; length += 3) {
      const list = this.#macs.get(mac.slice(0, length));
      if (list !== undefined) lists.push(list);
    }
    this.#fixedLists = lists.length;
  }

  /** The name is now this one. */
  setName(name: ByteString): void {
    this.#lists.length = this.#fixedLists;
    this.#finder.find(lowerCase(name), (literal) => {
      const list = at(this.#byLiteral, literal);
      if (!this.#lists.includes(list)) this.#lists.push(list);
    });
  }

  /** The first rule that can hold, number `from` or later; Infinity if there is none. */
  next(from: number): number {
    let first = Infinity;
    for (const list of this.#lists) {
      const number = firstFrom(list, from);
      if (number < first) first = number;
    }
    return first;
  }

  #addNetworks(rule: Rule, number: number): void {
    for (const network of rule.networks) {
      const list = this.#networks.get(network);
      if (list === undefined) this.#networks.set(network, [number]);
      else if (list.at(-1) !== number) list.push(number);
    }
  }
}

/** The one condition by which a rule is found. */
interface Handle {
  readonly literal: ByteString | undefined;
  readonly isByNetwork: boolean;
  readonly isByMac: boolean;
}

/** How many rules share each condition. The fewer share it, the better a rule is found by it. */
class Sharing {
  readonly #literals: Map<ByteString, number> = new Map();
  readonly #networks: NetworkMap<number> = new NetworkMap();
  readonly #macs: Map<string, number> = new Map();

  constructor(rules: readonly Rule[]) {
    for (const rule of rules) {
      for (const literal of literalsOf(rule)) count(this.#literals, literal);
      for (const mac of rule.macs) count(this.#macs, mac);
      for (const network of rule.networks) {
        this.#networks.set(network, (this.#networks.get(network) ?? 0) + 1);
      }
    }
  }

  best(rule: Rule): Handle {
    let literal: ByteString | undefined;
    let least = Infinity;
    for (const each of literalsOf(rule)) {
      const sharers = this.#literals.get(each) ?? 0;
      const isLonger = sharers === least && each.length > (literal?.length ?? 0);
      if (sharers > least || (sharers === least && !isLonger)) continue;
      literal = each;
      least = sharers;
    }
    const macSharers = mostOf(rule.macs, (mac) => this.#macs.get(mac) ?? 0);
    const networkSharers = mostOf(rule.networks, (network) => this.#networks.get(network) ?? 0);
    if (macSharers < least && macSharers <= networkSharers) {
      return { literal: undefined, isByMac: true, isByNetwork: false };
    }
    if (networkSharers < least) return { literal: undefined, isByMac: false, isByNetwork: true };
    return { literal, isByMac: false, isByNetwork: false };
  }
}

/** The most sharers of the addresses of a rule; Infinity if it has none or too many. */
function mostOf<Item>(items: readonly Item[], sharers: (item: Item) => number): number {
  if (items.length === 0 || items.length > ADDRESSES_MAX) return Infinity;
  return Math.max(...items.map(sharers));
}

/** The literals by which a rule can be found. A rule that holds where its pattern does not match has none. */
function literalsOf(rule: Rule): readonly ByteString[] {
  if (rule.regex === undefined || rule.spec.isNegated) return [];
  return rule.regex.literals.flatMap((literal) =>
    literal.length <= LITERAL_BYTES_MAX
      ? [literal]
      : [literal.slice(0, LITERAL_BYTES_MAX), literal.slice(-LITERAL_BYTES_MAX)],
  );
}

function append<Key>(lists: Map<Key, RuleList>, key: Key, number: number): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [number]);
  else list.push(number);
}

function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** The first number of an ascending list that is at least `from`; Infinity if there is none. */
function firstFrom(list: RuleList, from: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at(list, middle) < from) low = middle + 1;
    else high = middle;
  }
  return low < list.length ? at(list, low) : Infinity;
}
