// The index against the plain way: with it and without it, every request comes to the same, by the same rules.

import { describe, expect, setDefaultTimeout, test } from "bun:test";

import * as fc from "fast-check";

import { parseAddress } from "#policy/address.ts";
import { LiteralFinder } from "#policy/literal-finder.ts";
import type { RuleSpec } from "#policy/rule.ts";

import { asking, ere, glob, policyOf, regex, ruleSpec } from "./rig.ts";

// Four seconds alone; the machine may be busy.
setDefaultTimeout(60_000);

describe("literals", () => {
  test("are found wherever they stand, however they overlap", () => {
    const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 4 });
    const literals = fc.uniqueArray(word, { maxLength: 12 });
    fc.assert(
      fc.property(
        literals,
        fc.string({ unit: fc.constantFrom("a", "b", "c", "d") }),
        (literals, name) => {
          const found = new Set<string | undefined>();
          new LiteralFinder(literals).find(name, (literal) => found.add(literals[literal]));
          expect(found).toEqual(new Set(literals.filter((each) => name.includes(each))));
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("an indexed list", () => {
  const text = fc.constantFrom(
    "a",
    "b",
    "ab",
    "boot",
    "boot/a",
    "x",
    "A",
    "0a1b2c3d4e5f6a7b8c9d-long-name",
  );
  const pattern = fc.oneof(
    fc.constant(undefined),
    text.map(glob),
    text.map((text) => glob(`*${text}`)),
    text.map((text) => glob(`${text}*`)),
    text.map((text) => regex(`(?i)^(${text}|b+)`)),
    text.map((text) => ere(`${text}$`, true)),
  );
  const address = fc.constantFrom("10.0.0.1", "10.0.0.2", "10.9.0.1", "2001:db8::1");
  const spec: fc.Arbitrary<Partial<RuleSpec>> = fc.record({
    client: fc.array(
      fc.constantFrom("10.0.0.0/8", "10.0.0.1", "10.0.0.0/24", "2001:db8::/32", "::/0"),
      { maxLength: 2 },
    ),
    mac: fc.array(fc.constantFrom("b8", "b8:27:eb", "b8:27:eb:00:00:01"), { maxLength: 1 }),
    pattern,
    rewrite: fc.option(fc.constantFrom("a", "b{name}", "boot/a", "X"), { nil: undefined, freq: 3 }),
    fallback: fc.option(fc.constantFrom("f", "g"), { nil: undefined, freq: 5 }),
    rate: fc.constantFrom("", "", "r1", "r2"),
    action: fc.constantFrom("next", "next", "next", "next", "stop", "allow", "deny"),
    goTo: fc.constantFrom("", "", "", "", "", "", "", "", "", "3", "7"),
  });

  test("decides as the list in which every rule is asked", () => {
    const mac = fc.constantFrom(
      undefined,
      "b8:27:eb:00:00:01",
      "b8:27:eb:00:00:02",
      "00:00:00:00:00:00",
    );
    fc.assert(
      fc.property(
        fc.array(spec, { maxLength: 12 }),
        fc.array(text, { minLength: 1, maxLength: 3 }),
        address,
        mac,
        (specs, names, client, mac) => {
          const rules = specs.map((given, index) => {
            // A jump is the end of a rule that does not go on.
            const goTo =
              given.action === "next" && Number(given.goTo) < specs.length ? given.goTo : "";
            return ruleSpec({ ...given, label: String(index), goTo: goTo ?? "" });
          });
          const policy = policyOf({ rules });
          const request = asking(names.join("/"), { client: parseAddress(client) ?? "", mac });
          const labels: string[] = [];
          const explained = policy.decide(request, {
            rule: (label, isMatch) => isMatch && labels.push(label),
            access: () => undefined,
          });
          expect(policy.decide(request)).toEqual(explained);
          // What was found by the index is kept apart from request to request.
          expect(policy.decide(request)).toEqual(explained);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("explains why each rule holds or does not", () => {
    const lines: string[] = [];
    const rules = [
      ruleSpec({ label: "lab", client: ["192.0.2.0/24"], action: "deny" }),
      ruleSpec({ label: "writers", request: "write" }),
      ruleSpec({ label: "text", mode: "netascii" }),
      ruleSpec({ label: "asked", local: ["192.0.2.1"] }),
      ruleSpec({ label: "port", interface: ["eth9"] }),
      ruleSpec({ label: "pi", mac: ["b8:27:eb"] }),
      ruleSpec({ label: "cfg", pattern: glob("*.cfg") }),
      ruleSpec({ label: "not boot", pattern: regex("^boot"), isNegated: true }),
      ruleSpec({ label: "old", pattern: regex("^boot/"), rewrite: "new/", rate: "slow" }),
      ruleSpec({ label: "unknown", rewrite: "{mac}" }),
      ruleSpec({
        label: "limits",
        refusedOptions: ["tsize"],
        blockBytesMax: 512,
        windowBlocksMax: 1,
      }),
      ruleSpec({ label: "spare", fallback: "x", roots: [{ folder: 0, path: "a" }] }),
      ruleSpec({ label: "idle" }),
      ruleSpec({ label: "jump", goTo: "last" }),
      ruleSpec({ label: "never" }),
      ruleSpec({ label: "last", action: "allow" }),
    ];
    policyOf({ rules }).decide(asking("boot/a"), {
      rule: (label, isMatch, text) => lines.push(`${isMatch ? "+" : "-"} ${label}: ${text}`),
      access: () => undefined,
    });
    expect(lines).toEqual([
      "- lab: the client is in none of 192.0.2.0/24",
      "- writers: is for write requests",
      "- text: is for mode netascii",
      "- asked: the address that was asked is in none of 192.0.2.1",
      "- port: the interface is not known and is none of eth9",
      "- pi: the client's hardware address is not known",
      '- cfg: "boot/a" does not match glob "*.cfg"',
      '- not boot: "boot/a" matches regex "^boot"',
      '+ old: rewrites to "new/a"; rate slow',
      "+ unknown: rewrites nothing, for a variable has no value",
      "+ limits: refuses tsize; blksize up to 512; windowsize up to 1",
      '+ spare: tries "x" if that is missing; chooses the roots',
      "+ idle: does nothing",
      "+ jump: goes on at last",
      "+ last: allows",
    ]);
  });
});
