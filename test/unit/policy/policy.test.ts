// What requests come to: rules in their order, roots and their variables, hosts, templates, and what each fault is told.

import { describe, expect, test } from "bun:test";

import * as fc from "fast-check";

import { parseAddress } from "#policy/address.ts";
import type { HostSpec } from "#policy/hosts.ts";
import { parseMac } from "#policy/hosts.ts";
import { compilePolicy, type Policy } from "#policy/policy.ts";
import type { Asking, RuleSpec } from "#policy/rule.ts";

import { asking, ere, glob, policyOf, policySpec, regex, ruleSpec } from "./rig.ts";

const rack: HostSpec = {
  name: "node7",
  mac: "B8-27-EB-01-02-03",
  ip: "10.0.0.7",
  serial: "0a1b2c3d",
  group: "rack1",
  variables: { kernel: "vmlinuz-6.1", console: "ttyS0" },
};

/** The candidates of a request, `folder:path`, or why there are none. */
function paths(policy: Policy, request: Asking): readonly string[] | string {
  const decision = policy.decide(request);
  if (!decision.isAllowed) return `${decision.cause} ${decision.ruling.code}`;
  return decision.candidates.map(({ folder, path }) => `${folder}:${path}`);
}

/** The path that one rule, or several, make of `name`. */
function rewritten(rules: readonly Partial<RuleSpec>[], name: string, given?: Partial<Asking>) {
  return paths(policyOf({ rules: rules.map(ruleSpec) }), asking(name, given));
}

describe("a policy without rules", () => {
  test.each([
    ["\\Boot\\BCD", ["0:Boot/BCD"]],
    ["/srv/tftp/a", ["0:a"]],
    ["pxelinux.0\u00ffx", ["0:pxelinux.0"]],
    ["../x", "traversal 2"],
    [".git/config", "hidden 2"],
    ["\u00ff", "empty 2"],
  ])("%j", (name, expected) => {
    expect(paths(policyOf({}), asking(name))).toEqual(expected);
  });

  test("may refuse what no rule allows", () => {
    const policy = policyOf({
      isAllowedByDefault: false,
      rules: [ruleSpec({ pattern: glob("pub/*"), action: "allow" })],
    });
    expect(paths(policy, asking("pub/a"))).toEqual(["0:pub/a"]);
    expect(paths(policy, asking("a"))).toBe("denied 2");
  });
});

describe("conditions", () => {
  const local = parseAddress("192.0.2.1");
  test.each<[Partial<RuleSpec>, Partial<Asking>, boolean]>([
    [{ listener: ["lab", "office"] }, { listener: "office" }, true],
    [{ listener: ["lab"] }, { listener: "office" }, false],
    [{ listener: ["lab"] }, {}, false],
    [{ client: ["10.0.0.0/8"] }, {}, true],
    [{ client: ["192.0.2.0/24", "10.0.0.7"] }, {}, true],
    [{ client: ["192.0.2.0/24"] }, {}, false],
    [{ client: ["0.0.0.0/0"] }, { client: parseAddress("2001:db8::1") ?? "" }, false],
    [{ client: ["::/0"] }, { client: parseAddress("2001:db8::1") ?? "" }, true],
    [{ client: ["10.0.0.0/8"] }, { client: parseAddress("::ffff:10.9.9.9") ?? "" }, true],
    [{ local: ["192.0.2.1"] }, { local }, true],
    [{ local: ["192.0.2.1"] }, {}, false],
    [{ interface: ["eth0", "eth1"] }, { interface: "eth1" }, true],
    [{ interface: ["eth0"] }, {}, false],
    [{ mac: ["b8:27:eb"] }, { mac: "b8:27:eb:01:02:03" }, true],
    [{ mac: ["B8-27-EB-01-02-03"] }, { mac: "b8:27:eb:01:02:03" }, true],
    [{ mac: ["b8:27:eb"] }, { mac: "b8:27:ec:01:02:03" }, false],
    [{ mac: ["b8:27:eb"] }, {}, false],
    [{ request: "write" }, { isWrite: true }, true],
    [{ request: "write" }, {}, false],
    [{ request: "read" }, {}, true],
    [{ mode: "netascii" }, { mode: "netascii" }, true],
    [{ mode: "netascii" }, {}, false],
    [{ pattern: glob("boot/*.efi") }, {}, true],
    [{ pattern: glob("*.cfg") }, {}, false],
    [{ pattern: glob("boot/*"), isNegated: true }, {}, false],
    [{ pattern: glob("*.cfg"), isNegated: true }, {}, true],
    [{ pattern: regex("^boot/") }, {}, true],
    [{ pattern: { kind: "glob", text: "BOOT/X.*", ignoreCase: true } }, {}, true],
    [{ pattern: glob("boot/**/x.efi"), client: ["10.0.0.0/8"], request: "read" }, {}, true],
    [{ pattern: glob("boot/**/x.efi"), client: ["11.0.0.0/8"], request: "read" }, {}, false],
  ])("%j against %j: %j", (spec, given, isMatch) => {
    const expected = isMatch ? "denied 1" : ["0:boot/x.efi"];
    expect(rewritten([{ ...spec, action: "deny", code: 1 }], "boot/x.efi", given)).toEqual(
      expected,
    );
  });
});

describe("rewriting", () => {
  test.each<[string, readonly Partial<RuleSpec>[], string, readonly string[]]>([
    [
      "replaces what a regex matches",
      [{ pattern: regex("o+"), rewrite: "u" }],
      "boot/foo",
      ["0:but/foo"],
    ],
    [
      "repeats",
      [{ pattern: regex("o+"), rewrite: "u", isRepeated: true }],
      "boot/foo",
      ["0:but/fu"],
    ],
    [
      "replaces all of a glob",
      [{ pattern: glob("boot/*.efi"), rewrite: "efi/{1}" }],
      "boot/a.efi",
      ["0:efi/a"],
    ],
    ["replaces all without a pattern", [{ rewrite: "x/{name}" }], "a/b", ["0:x/a/b"]],
    [
      "counts the wildcards of a glob",
      [{ pattern: glob("**/?[xy]*"), rewrite: "{1}|{2}|{3}|{4}" }],
      "a/b/cxd",
      ["0:a/b/|c|x|d"],
    ],
    [
      "takes a character for ?",
      [{ pattern: glob("?"), rewrite: "one" }],
      "\u00c3\u00a9",
      ["0:one"],
    ],
    [
      "changes case",
      [{ pattern: regex("^(.*)/(.*)$"), rewrite: "{1:upper}/{2:lower}" }],
      "ab/CD",
      ["0:AB/cd"],
    ],
    [
      "knows the client",
      [{ rewrite: "{ip}/{ip_hex}/{ip_hex:lower}" }],
      "a",
      ["0:10.0.0.7/0A000007/0a000007"],
    ],
    ["skips what has no value", [{ rewrite: "{mac}/a" }], "a", ["0:a"]],
    ["keeps a brace", [{ rewrite: "{{a}${b}{ c}" }], "a", ["0:{a}${b}{ c}"]],
    [
      "goes on with the new name",
      [
        { rewrite: "b" },
        { pattern: glob("a"), rewrite: "x" },
        { pattern: glob("b"), rewrite: "c" },
      ],
      "a",
      ["0:c"],
    ],
    ["stops", [{ rewrite: "b", action: "stop" }, { rewrite: "c" }], "a", ["0:b"]],
    [
      "jumps",
      [{ goTo: "end" }, { rewrite: "b" }, { label: "end", pattern: regex("$"), rewrite: "!" }],
      "a",
      ["0:a!"],
    ],
    [
      "tries another name",
      [{ pattern: glob("cfg/*"), fallback: "cfg/default" }],
      "cfg/01-aa",
      ["0:cfg/01-aa", "0:cfg/default"],
    ],
    ["drops a fallback that is no clean name", [{ fallback: "../x" }], "a", ["0:a"]],
  ])("%s", (_, rules, name, expected) => {
    expect(rewritten(rules, name)).toEqual(expected);
  });

  test("that never ends is cut short", () => {
    const circle = [
      { label: "a", goTo: "b" },
      { label: "b", goTo: "a" },
    ];
    expect(rewritten(circle, "x")).toBe("denied 2");
    const growth = [{ pattern: regex("^"), rewrite: "ab", isRepeated: true }];
    expect(rewritten(growth, "x")).toBe("denied 2");
  });

  test("cannot lead out of the root", () => {
    expect(rewritten([{ rewrite: "../../etc/passwd" }], "a")).toBe("traversal 2");
    expect(rewritten([{ rewrite: "/etc/passwd" }], "a")).toEqual(["0:etc/passwd"]);
    expect(rewritten([{ rewrite: ".ssh/id" }], "a")).toBe("hidden 2");
  });

  test("may see the name as it was sent", () => {
    const rules = [ruleSpec({ pattern: ere("^[^/]"), rewrite: "/tftpboot/{0}" })];
    expect(paths(policyOf({ rules }), asking("/a"))).toEqual(["0:tftpboot/a"]);
    expect(paths(policyOf({ rules, isTidiedFirst: false }), asking("/a"))).toEqual(["0:a"]);
  });
});

describe("limits", () => {
  test("add up: the smallest of each, all refusals, the last class", () => {
    const policy = policyOf({
      rules: [
        ruleSpec({ blockBytesMax: 1428, refusedOptions: ["tsize"], rate: "slow" }),
        ruleSpec({ blockBytesMax: 8192, windowBlocksMax: 4, refusedOptions: ["tsize", "blksize"] }),
        ruleSpec({ burstBlocksMax: 30 }),
        ruleSpec({ burstBlocksMax: 40 }),
        ruleSpec({ pattern: glob("x"), rate: "fast" }),
      ],
    });
    expect(policy.decide(asking("a")).ruling).toMatchObject({
      verdict: "undecided",
      blockBytesMax: 1428,
      windowBlocksMax: 4,
      burstBlocksMax: 30,
      refusedOptions: ["tsize", "blksize"],
      rate: "slow",
    });
  });
});

describe("roots", () => {
  const roots = ["clients/{mac_dash}", "clients/{ip}", "groups/{group}", ""].map((path) => ({
    folder: 0,
    path,
  }));

  test("are tried in turn, those that apply", () => {
    expect(paths(policyOf({ roots }), asking("a"))).toEqual(["0:clients/10.0.0.7/a", "0:a"]);
    const policy = policyOf({ roots, hosts: [rack] });
    expect(paths(policy, asking("a", { mac: "b8:27:eb:01:02:03" }))).toEqual([
      "0:clients/b8-27-eb-01-02-03/a",
      "0:clients/10.0.0.7/a",
      "0:groups/rack1/a",
      "0:a",
    ]);
  });

  test("are those of a rule that names some", () => {
    const rules = [ruleSpec({ client: ["10.0.0.0/8"], roots: [{ folder: 1, path: "lab" }] })];
    expect(paths(policyOf({ roots, rules }), asking("a"))).toEqual(["1:lab/a"]);
  });

  test("take every name in turn, fallbacks last", () => {
    const rules = [ruleSpec({ fallback: "b" })];
    const two = [
      { folder: 0, path: "x" },
      { folder: 0, path: "" },
    ];
    expect(paths(policyOf({ roots: two, rules }), asking("a"))).toEqual([
      "0:x/a",
      "0:a",
      "0:x/b",
      "0:b",
    ]);
  });

  test("cannot be climbed out of by a variable", () => {
    const hosts = [{ ...rack, group: "../../etc" }];
    expect(
      paths(policyOf({ roots: [{ folder: 0, path: "{group}" }], hosts }), asking("a")),
    ).toEqual([]);
  });
});

describe("hosts", () => {
  test.each<[string, Partial<Asking>, string, string]>([
    [
      "by hardware address",
      { mac: "b8:27:eb:01:02:03", client: "\u0001\u0001\u0001\u0001" },
      "a",
      "node7",
    ],
    ["by IP address", {}, "a", "node7"],
    ["by serial number", { client: "\u0001\u0001\u0001\u0001" }, "0A1B2C3D/start4.elf", "node7"],
    ["not at all", { client: "\u0001\u0001\u0001\u0001" }, "a", ""],
  ])("are found %s", (_, given, name, expected) => {
    const rules = [ruleSpec({ rewrite: "{host}" })];
    const found = paths(policyOf({ rules, hosts: [rack] }), asking(name, given));
    expect(found).toEqual([`0:${expected === "" ? name : expected}`]);
  });

  test("have a serial number, unless the name says it", () => {
    const rules = [ruleSpec({ rewrite: "{serial}" })];
    const policy = policyOf({ rules, hosts: [rack] });
    expect(paths(policy, asking("a"))).toEqual(["0:0a1b2c3d"]);
    expect(paths(policy, asking("ffffffff/a"))).toEqual(["0:ffffffff"]);
  });

  test.each([
    ["B8-27-EB-01-02-03", "b8:27:eb:01:02:03"],
    ["b827.eb01.0203", "b8:27:eb:01:02:03"],
    ["b8:27:eb", "b8:27:eb"],
    ["b8", "b8"],
    ["b8:27-eb", undefined],
    ["b827eb010203", undefined],
    ["b8:27:eb:01:02:03:04", undefined],
  ])("hardware address %s", (text, expected) => {
    expect(parseMac(text)).toBe(expected as string);
  });
});

describe("templates", () => {
  const pattern = regex("^pxelinux\\.cfg/01-([0-9a-f-]+)$");
  const text = "default {kernel}\nappend console={console} ip={ip} mac={1} ${keep}\n";
  const policy = policyOf({ hosts: [rack], templates: [{ pattern, text }] });

  function virtual(name: string, given?: Partial<Asking>): string | undefined {
    const decision = policy.decide(asking(name, given));
    const bytes = decision.isAllowed ? decision.virtual : undefined;
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  }

  test("are filled in", () => {
    expect(virtual("pxelinux.cfg/01-b8-27")).toBe(
      "default vmlinuz-6.1\nappend console=ttyS0 ip=10.0.0.7 mac=b8-27 ${keep}\n",
    );
  });

  test("are passed over for other names, for writers and where a variable has no value", () => {
    expect(virtual("pxelinux.cfg/default")).toBeUndefined();
    expect(virtual("pxelinux.cfg/01-b8-27", { isWrite: true })).toBeUndefined();
    expect(
      virtual("pxelinux.cfg/01-b8-27", { client: "\u0001\u0001\u0001\u0001" }),
    ).toBeUndefined();
  });
});

describe("faults", () => {
  test.each<[Partial<RuleSpec>, string, string]>([
    [{ client: ["10.0.0.0/8", "x"] }, "client[1]", 'has "x", which is no address'],
    [{ local: ["10.0.0.0/99"] }, "local[0]", "which is no address and no network"],
    [{ mac: ["zz"] }, "mac[0]", "which is no hardware address"],
    [{ pattern: regex("(") }, "regex", "a group without its )"],
    [{ pattern: ere("a{") }, "ere", "a `{` that is no repetition"],
    [{ pattern: glob("[a") }, "glob", "has a `[` that no `]` closes"],
    [{ pattern: glob("[é]") }, "glob", "not ASCII"],
    [{ rewrite: "{nam}" }, "rewrite", "names the unknown variable {nam}"],
    [{ rewrite: "{1}" }, "rewrite", "names the capture {1}"],
    [{ pattern: regex("(a)"), rewrite: "{2}" }, "rewrite", "names the capture {2}"],
    [{ rewrite: "{ip:title}" }, "rewrite", "has the modifier `:title`"],
    [{ rewrite: "a\u0000" }, "rewrite", "holds a NUL character"],
    [
      { pattern: regex("a"), isNegated: true, fallback: "{0}" },
      "fallback",
      "names the capture {0}",
    ],
    [{ pattern: regex("a"), isNegated: true, rewrite: "b" }, "not", "cannot stand with `rewrite`"],
    [{ isNegated: true }, "not", "needs a pattern"],
    [{ isRepeated: true, rewrite: "a" }, "repeat", "needs `rewrite` and a pattern"],
    [{ goTo: "nowhere" }, "go_to", 'names "nowhere", which is no rule'],
    [{ goTo: "rule", action: "stop" }, "go_to", 'cannot stand with `action = "stop"`'],
    [{ roots: [{ folder: 0, path: "{x}" }] }, "roots[0]", "names the unknown variable {x}"],
  ])("%j", (spec, at, message) => {
    const faults = compilePolicy(policySpec({ rules: [ruleSpec({}), ruleSpec(spec)] }));
    expect(faults).toBeArrayOfSize(1);
    const fault = Array.isArray(faults) ? faults[0] : undefined;
    const element = fault?.element === undefined ? "" : `[${fault.element}]`;
    expect([`${fault?.key}${element}`, fault?.table, fault?.index]).toEqual([at, "rule", 1]);
    expect(fault?.message).toContain(message);
    expect(fault?.remedy).toEndWith(".");
  });

  test("of templates and roots say where they are", () => {
    const faults = compilePolicy(
      policySpec({
        templates: [{ pattern: glob("*"), text: "boot {kernel}" }],
        roots: [{ folder: 0, path: "{grup}" }],
      }),
    );
    expect(faults).toMatchObject([
      { table: "template", index: 0, key: "text", at: { start: 5, length: 8 } },
      { table: "roots", key: "roots", element: 0 },
    ]);
  });
});

test("without rules the short way comes to the same as the long one", () => {
  // A rule that holds for nobody makes the policy look at everything.
  const idle = ruleSpec({ client: ["192.0.2.1"], action: "deny" });
  const short = policyOf({});
  const long = policyOf({ rules: [idle] });
  const start = fc.constantFrom("", "/", "C:\\", "/srv/tftp/");
  const piece = fc.constantFrom("/", "\\", "a", "..", ".", ".h", "srv", "tftp", "\u00ff", "b");
  const pieces = fc.array(piece, { minLength: 1, maxLength: 8 });
  const names = fc.tuple(start, pieces).map(([first, rest]) => first + rest.join(""));
  fc.assert(
    fc.property(names, fc.boolean(), (name, isWrite) => {
      const one = short.decide(asking(name, { isWrite }));
      const other = long.decide(asking(name, { isWrite }));
      expect({ ...one, ruling: undefined }).toEqual({ ...other, ruling: undefined });
    }),
    { numRuns: 2000 },
  );
});

test("a write goes below the upload root, which its name may spell out, and looks in no folder", () => {
  const policy = policyOf({
    uploadDir: "/srv/uploads",
    rules: [ruleSpec({ client: ["192.0.2.1"] })],
    roots: [{ folder: 0, path: "clients/{ip}" }],
  });
  const decision = policy.decide(asking("/srv/uploads/a.cfg", { isWrite: true }));
  expect(decision).toMatchObject({ isAllowed: true, path: "a.cfg", candidates: [] });
});
