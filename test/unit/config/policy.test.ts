// `roots`, [names], [access], [[rule]], [[host]] and [[template]]: what they resolve to, and where each mistake is pointed at.

import { describe, expect, test } from "bun:test";

import { type Config, defaults } from "#config/config.ts";
import { explainSettings } from "#config/explain.ts";
import type { Files } from "#config/files.ts";
import { loadConfig } from "#config/load.ts";
import { renderProblem } from "#config/problem.ts";
import { resolvePolicy } from "#config/settings-policy.ts";
import { validateConfig } from "#config/validate.ts";
import { parseAddress } from "#policy/address.ts";
import { compilePolicy, Policy } from "#policy/policy.ts";

const FILE = "tftp.toml";
const ROOTS = new Set(["/srv/tftp", "/srv/lab"]);
const files: Files = {
  exists: (path) => ROOTS.has(path),
  isDirectory: (path) => ROOTS.has(path),
  isReadable: (path) => ROOTS.has(path),
  isWritable: (path) => ROOTS.has(path),
  canAppend: () => true,
  read: () => ({ code: "ENOENT" }),
  isProgram: () => true,
};

function load(text: string): Config {
  const { config, problems } = loadConfig(`root_dir = "/srv/tftp"\n${text}`, FILE);
  expect(problems).toEqual([]);
  return config ?? defaults;
}

/** What validation says of a file, one rendered text per problem. */
function said(text: string): readonly string[] {
  return validateConfig(load(text), files, FILE).map(renderProblem);
}

const EXAMPLE = `
roots = ["clients/{mac_dash}", "/srv/lab/{group}", "/srv/lab", ""]

[names]
junk = "unprintable"

[access]
default = "deny"

[[access.root]]
folder = "lab/"
allow = ["10.0.0.0/8", "192.0.2.1"]
deny = ["10.9.0.0/16"]

[[access.root]]
folder = "/srv"
deny = ["198.51.100.0/24"]

[[rule]]
name = "windows"
client = ["10.0.0.0/8"]
regex = '(?i)^boot/(.*)$'
rewrite = "Boot/{1}"

[[rule]]
glob = "*"
request = "read"
max_block_size = 1428
roots = ["/srv/lab/./x/"]
action = "allow"

[[host]]
name = "node7"
mac = "b8:27:eb:01:02:03"
group = "rack1"
vars = { kernel = "vmlinuz" }

[[host]]
name = "node8"
ip = "10.0.0.8"
[host.vars]
kernel = "other"

[[template]]
glob = "pxelinux.cfg/01-*"
text = """
kernel {kernel}
"""
`;

describe("a policy", () => {
  test("resolves to plain data", () => {
    const settings = resolvePolicy(load(EXAMPLE));
    expect(structuredClone(settings)).toEqual(settings);
    expect(settings).toMatchObject({
      folders: ["/srv/tftp", "/srv/lab", "/srv/lab/x"],
      junk: "unprintable",
      isTidiedFirst: true,
      isAllowedByDefault: false,
      access: [
        { folder: "/srv/tftp/lab", allow: ["10.0.0.0/8", "192.0.2.1"], deny: ["10.9.0.0/16"] },
        { folder: "/srv", allow: [], deny: ["198.51.100.0/24"] },
      ],
      roots: [
        { folder: 0, path: "clients/{mac_dash}" },
        { folder: 1, path: "{group}" },
        { folder: 1, path: "" },
        { folder: 0, path: "" },
      ],
      rules: [
        {
          label: "windows",
          client: ["10.0.0.0/8"],
          pattern: { kind: "regex", text: "(?i)^boot/(.*)$", ignoreCase: false },
          rewrite: "Boot/{1}",
          fallback: undefined,
          blockBytesMax: undefined,
          action: "next",
        },
        {
          label: "rule 2",
          request: "read",
          rewrite: undefined,
          blockBytesMax: 1428,
          roots: [{ folder: 2, path: "" }],
          action: "allow",
        },
      ],
      hosts: [
        { name: "node7", variables: { kernel: "vmlinuz" } },
        { name: "node8", ip: "10.0.0.8", variables: { kernel: "other" } },
      ],
      templates: [{ pattern: { kind: "glob" }, text: "kernel {kernel}\n" }],
    });
  });

  test("decides as it says", () => {
    const policy = compilePolicy(resolvePolicy(load(EXAMPLE)));
    if (!(policy instanceof Policy)) throw new Error("it compiles");
    const decision = policy.decide({
      name: "\\BOOT\\BCD",
      isWrite: false,
      mode: "octet",
      listener: "",
      client: parseAddress("10.0.0.8") ?? "",
      local: undefined,
      interface: undefined,
      mac: undefined,
    });
    expect(decision).toMatchObject({
      isAllowed: true,
      ruling: { decidedBy: "rule 2", blockBytesMax: 1428 },
      candidates: [{ folder: 2, path: "Boot/BCD" }],
    });
  });

  test("is told by check", () => {
    const machine = { cores: 1, memoryBytes: 2 ** 32 };
    const lines = explainSettings(load(EXAMPLE), machine).filter((line) =>
      /^(?:root|rule|access|host|temp)/.test(line),
    );
    expect(lines).toEqual([
      "root        /srv/tftp",
      "roots       clients/{mac_dash}, then /srv/lab/{group}, then /srv/lab, then root_dir itself",
      "rules       2; what none decides is denied",
      "access      /srv/tftp/lab for 10.0.0.0/8, 192.0.2.1 alone, not for 10.9.0.0/16",
      "access      /srv not for 198.51.100.0/24",
      "hosts       2",
      "templates   1",
    ]);
  });
});

describe("mistakes", () => {
  test("a caret stands under the element that is wrong", () => {
    expect(said('[[rule]]\nclient = ["10.0.0.0/8", "10.0.0/8"]')).toEqual([
      [
        'tftp.toml:3:25: error: `rule.client` has "10.0.0/8", which is no address and no network',
        '  3 | client = ["10.0.0.0/8", "10.0.0/8"]',
        "    |                         ^^^^^^^^^^",
        'help: write "192.0.2.7", "10.0.0.0/8" or "2001:db8::/32".',
      ].join("\n"),
    ]);
  });

  test("a caret stands under the variable that is unknown", () => {
    const [text = ""] = said("[[rule]]\nrewrite = 'a/{kernl}/b'");
    expect(text.split("\n").slice(0, 3)).toEqual([
      "tftp.toml:3:14: error: `rule.rewrite` names the unknown variable {kernl}",
      "  3 | rewrite = 'a/{kernl}/b'",
      "    |              ^^^^^^^",
    ]);
  });

  test.each([
    ["roots = ['{x}']", "2:9", "`roots` names the unknown variable {x}"],
    ["roots = ['/srv/other']", "2:9", "the folder /srv/other of the roots does not exist"],
    [
      "[[access.root]]\nfolder = ''\nallow = ['::/0', '10']",
      "4:18",
      '`access.root.allow` has "10", which is no address and no network',
    ],
    ["[[access.root]]\nfolder = ''", "3:10", "`access.root.folder` has neither `allow` nor `deny`"],
    [
      "[[access.root]]\nfolder = 'a/{ip}'\nallow = ['::/0']",
      "3:13",
      "`access.root.folder` has a variable",
    ],
    [
      "[[access.root]]\nfolder = '../other'\ndeny = ['::/0']",
      "3:10",
      "nothing is looked up in /srv/other: its lists have no effect",
    ],
    ["[[rule]]\nregex = '('", "3:9", "`rule.regex` has a group without its )"],
    ["[[rule]]\nglob = 'a'\n[[rule]]\nere = 'a{'", "5:7", "`rule.ere` has a `{`"],
    ["[[rule]]\nglob = 'a'\nregex = 'b'", "4:9", "`glob` and `regex` stand in one table"],
    ["[[rule]]\nglob = ''", "3:8", "`glob` is empty"],
    ["[[rule]]\nnot = true", "3:7", "`rule.not` needs a pattern"],
    ["[[rule]]\ngo_to = 'x'", "3:9", '`rule.go_to` names "x", which is no rule'],
    ["[[rule]]\ncode = 1", "3:8", '`rule.code` has no effect without `action = "deny"`'],
    ["[[rule]]\nmac = ['b8:27:zz']", "3:8", '`rule.mac` has "b8:27:zz"'],
    ["[[rule]]\nroots = ['/srv/lab', '/srv/lab/{x}']", "3:22", "`rule.roots` names the unknown"],
    ["[[rule]]\nroots = ['a', '{x}']", "3:16", "`rule.roots` names the unknown variable {x}"],
    ["[[host]]\nname = 'a'", "2:3", "this host can never be found"],
    ["[[host]]\nname = 'a'\nmac = 'b8:27:eb'", "4:7", '`host.mac` is "b8:27:eb"'],
    ["[[host]]\nname = 'a'\nip = '10.0.0'", "4:6", '`host.ip` is "10.0.0"'],
    [
      "[[host]]\nname = 'a'\nserial = 's'\nvars = { ip = 'x' }",
      "5:8",
      "`ip` has a value for every",
    ],
    ["[[host]]\nname = 'a'\nserial = 's'\nvars = { 'a b' = 'x' }", "5:8", "`a b` is no name"],
    [
      '[[host]]\nname = "a"\nserial = "s"\nvars = { x = "\\u0000" }',
      "2:3",
      "holds a NUL character",
    ],
    ["[[template]]\ntext = 'a'", "2:3", "this template has no pattern"],
    ["[[template]]\nglob = 'a'\ntext = 'a {kernel}'", "4:11", "`template.text` names the unknown"],
    ["[[template]]\nglob = 'a'\ntext = '''\na\n{1}'''", "4:8", "`template.text` names the capture"],
  ])("%j", (text, place, message) => {
    const [problem = "", ...more] = said(text);
    expect(more).toEqual([]);
    expect(problem).toStartWith(`tftp.toml:${place}: `);
    expect(problem).toContain(message);
    expect(problem).toContain("\nhelp: ");
  });

  test("a rule that denies names in one case alone, while files are found in any", () => {
    const anyCase = "[files]\ncase_insensitive = true\n";
    const rule = (...lines: readonly string[]): string =>
      `${anyCase}[[rule]]\naction = "deny"\n${lines.join("\n")}`;
    expect(said(rule("glob = '*.pvt'"))).toEqual([
      [
        'tftp.toml:6:8: warning: this rule denies "*.pvt", and `files.case_insensitive` finds such files in another case',
        "  6 | glob = '*.pvt'",
        "    |        ^^^^^^^",
        "help: write ignore_case = true beside it.",
      ].join("\n"),
    ]);
    for (const each of [
      rule("glob = '*.pvt'", "ignore_case = true"),
      rule("glob = '*.pub'", "not = true"),
      rule("regex = '(?i)secret'"),
      rule("ere = '^[0-9]+$'"),
      rule("client = ['10.0.0.0/8']"),
      rule("glob = '*.pvt'").replace("true", "false"),
      rule("glob = '*.pvt'").replace("deny", "allow"),
    ]) {
      expect(said(each)).toEqual([]);
    }
  });

  test("variables that are no strings", () => {
    const text = "[[host]]\nname = 'a'\nvars = { kernel = 6 }";
    const { problems } = loadConfig(text, FILE);
    expect(problems.map(({ message }) => message)).toEqual([
      "`host.vars` must hold strings alone, but `kernel` is an integer",
    ]);
  });
});
