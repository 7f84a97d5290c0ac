// The lists of folders: which folder's count, which network of theirs, and what they leave of a request beside rules, roots,
// templates and the default.

import { describe, expect, test } from "bun:test";

import type { AccessSpec, Judgement } from "#policy/access.ts";
import { parseAddress } from "#policy/address.ts";
import { compilePolicy, type PolicySpec } from "#policy/policy.ts";
import type { Asking } from "#policy/rule.ts";

import { asking, glob, policyOf, policySpec, ruleSpec } from "./rig.ts";

/** The lists of `folder`. */
function lists(folder: string, allow: readonly string[], deny: readonly string[] = []): AccessSpec {
  return { folder, allow, deny };
}

/** What a request comes to: its candidates, `text` of a template, `written`, or why it is denied. */
function result(given: Partial<PolicySpec>, request: Asking): readonly string[] | string {
  const decision = policyOf(given).decide(request);
  if (!decision.isAllowed) return `${decision.cause} ${decision.folder ?? ""}`.trim();
  if (request.isWrite) return "written";
  if (decision.virtual !== undefined) return "text";
  return decision.candidates.map(({ folder, path }) => `${folder}:${path}`);
}

/** A request for `name` by the client at `address`. */
function from(address: string, name: string, isWrite = false): Asking {
  return asking(name, { client: parseAddress(address) ?? "", isWrite });
}

describe("the lists of one folder", () => {
  test.each<[AccessSpec, string, string]>([
    [lists("/srv/tftp", ["10.0.0.0/8"]), "10.1.2.3", "a"],
    [lists("/srv/tftp", ["10.0.0.0/8"]), "192.0.2.1", ""],
    [lists("/srv/tftp", [], ["10.0.0.0/8"]), "192.0.2.1", "a"],
    [lists("/srv/tftp", [], ["10.0.0.0/8"]), "10.1.2.3", ""],
    [lists("/srv/tftp", ["10.0.0.0/8"], ["10.1.0.0/16"]), "10.1.2.3", ""],
    [lists("/srv/tftp", ["10.1.0.0/16"], ["10.0.0.0/8"]), "10.1.2.3", "a"],
    [lists("/srv/tftp", ["10.1.0.0/16"], ["0.0.0.0/0"]), "10.2.2.3", ""],
    [lists("/srv/tftp", ["2001:db8::/32"], ["::/0"]), "2001:db8::7", "a"],
    [lists("/srv/tftp", ["2001:db8::/32"]), "10.1.2.3", ""],
    [lists("/srv/tftp", ["10.0.0.0/8"]), "::ffff:10.1.2.3", "a"],
    [lists("/srv//tftp/", ["10.0.0.0/8"]), "192.0.2.1", ""],
    [lists("/srv", ["10.0.0.0/8"]), "192.0.2.1", ""],
    [lists("/", ["10.0.0.0/8"]), "192.0.2.1", ""],
    [lists("/srv/tftpboot", ["10.0.0.0/8"]), "192.0.2.1", "a"],
    [lists("/srv/tftp/b", ["10.0.0.0/8"]), "192.0.2.1", "a"],
  ])("%j and %s: %j", (spec, client, expected) => {
    const outcome = expected === "" ? `folder ${spec.folder}` : [`0:${expected}`];
    expect(result({ access: [spec] }, from(client, "a"))).toEqual(outcome);
    expect(result({ access: [spec] }, from(client, "a", true))).toEqual(
      expected === "" ? outcome : "written",
    );
  });

  test("hold for the folder in another case where case does not tell names apart", () => {
    const access = [lists("/srv/tftp/Lab", ["10.0.0.0/8"])];
    expect(result({ access }, from("192.0.2.1", "LAB/x"))).toEqual(["0:LAB/x"]);
    expect(result({ access, foldsCase: true }, from("192.0.2.1", "LAB/x"))).toBe(
      "folder /srv/tftp/Lab",
    );
  });
});

test("of folders in one another the innermost counts", () => {
  const access = [
    lists("/srv/tftp", ["10.0.0.0/8"]),
    lists("/srv/tftp/public", ["0.0.0.0/0"]),
    lists("/srv/tftp/public/lab", [], ["10.9.0.0/16"]),
  ];
  expect(result({ access }, from("192.0.2.1", "public/x"))).toEqual(["0:public/x"]);
  expect(result({ access }, from("192.0.2.1", "x"))).toBe("folder /srv/tftp");
  expect(result({ access }, from("10.9.0.1", "public/lab/a/x"))).toBe(
    "folder /srv/tftp/public/lab",
  );
  // The lists of the inner folder do not name it, and those of the outer ones are not asked.
  expect(result({ access }, from("192.0.2.1", "public/lab/x"))).toEqual(["0:public/lab/x"]);
});

test("a folder that the client may not have is passed over", () => {
  const roots = [
    { folder: 0, path: "secret" },
    { folder: 1, path: "" },
    { folder: 0, path: "" },
  ];
  const access = [lists("/srv/tftp/secret", ["10.0.0.1"]), lists("/srv/lab", [], ["10.0.0.2"])];
  expect(result({ access, roots }, from("10.0.0.1", "x"))).toEqual(["0:secret/x", "1:x", "0:x"]);
  expect(result({ access, roots }, from("10.0.0.2", "x"))).toEqual(["0:x"]);
  expect(result({ access, roots }, from("10.0.0.3", "secret/x"))).toEqual(["1:secret/x"]);
});

describe("beside a list", () => {
  const access = [lists("/srv/tftp/lab", ["10.0.0.0/8"])];

  test("a rule that allows opens nothing, and one that denies closes", () => {
    const allow = [ruleSpec({ action: "allow" })];
    expect(result({ access, rules: allow }, from("192.0.2.1", "lab/x"))).toBe(
      "folder /srv/tftp/lab",
    );
    const deny = [ruleSpec({ pattern: glob("lab/*"), action: "deny" })];
    expect(result({ access, rules: deny }, from("10.0.0.1", "lab/x"))).toBe("denied");
  });

  test("the default is for what no list and no rule says anything of", () => {
    const closed = { access, isAllowedByDefault: false };
    expect(result(closed, from("10.0.0.1", "lab/x"))).toEqual(["0:lab/x"]);
    expect(result(closed, from("10.0.0.1", "x"))).toBe("denied");
    expect(result(closed, from("192.0.2.1", "lab/x"))).toBe("folder /srv/tftp/lab");
    const rules = [ruleSpec({ pattern: glob("x"), action: "allow" })];
    expect(result({ ...closed, rules }, from("192.0.2.1", "x"))).toEqual(["0:x"]);
  });

  test("a template answers whoever may have its name from a folder", () => {
    const templates = [{ pattern: glob("*"), text: "hello" }];
    expect(result({ access, templates }, from("10.0.0.1", "lab/x"))).toBe("text");
    expect(result({ access, templates }, from("192.0.2.1", "lab/x"))).toBe("folder /srv/tftp/lab");
    expect(result({ templates, isAllowedByDefault: false }, from("10.0.0.1", "x"))).toBe("denied");
  });

  test("an upload counts by the folder that it goes to", () => {
    const uploads = { access: [lists("/srv/up", ["10.0.0.0/8"])], uploadDir: "/srv/up" };
    expect(result(uploads, from("10.0.0.1", "a", true))).toBe("written");
    expect(result(uploads, from("192.0.2.1", "a", true))).toBe("folder /srv/up");
    expect(result(uploads, from("192.0.2.1", "a"))).toEqual(["0:a"]);
  });

  test("the name counts as the rules left it, and so does every fallback", () => {
    const rules = [ruleSpec({ pattern: glob("old/*"), rewrite: "lab/{1}", fallback: "new/{1}" })];
    expect(result({ access, rules }, from("192.0.2.1", "old/x"))).toEqual(["0:new/x"]);
    expect(result({ access, rules }, from("192.0.2.1", "lab/x"))).toBe("folder /srv/tftp/lab");
  });
});

test("what lists say is told", () => {
  const told: [string, Judgement["verdict"], string][] = [];
  const access = [
    lists("/srv/tftp/lab", ["10.0.0.0/8", "192.0.2.1"]),
    lists("/srv/lab", [], ["10.0.0.7"]),
  ];
  const roots = [
    { folder: 0, path: "lab" },
    { folder: 1, path: "" },
    { folder: 0, path: "" },
  ];
  const trace = {
    rule: () => undefined,
    access: (folder: string, path: string, { verdict, reason }: Judgement): void => {
      told.push([`${folder} ${path}`, verdict, reason]);
    },
  };
  policyOf({ access, roots }).decide(from("10.0.0.7", "x"), trace);
  policyOf({ access, roots }).decide(from("192.0.2.9", "x"), trace);
  expect(told).toEqual([
    ["/srv/tftp lab/x", "allow", "10.0.0.0/8 is allowed"],
    ["/srv/lab x", "deny", "10.0.0.7 is denied"],
    ["/srv/tftp lab/x", "deny", "only 10.0.0.0/8, 192.0.2.1 is allowed"],
    ["/srv/lab x", "unlisted", "nothing is said of this client"],
  ]);
});

test.each<[readonly AccessSpec[], string, string]>([
  [[lists("/a", ["10.0.0.0/99"])], "0 allow[0]", "which is no address and no network"],
  [[lists("/a", [], ["10.0.0.1", "x"])], "0 deny[1]", 'has "x"'],
  [[lists("/a", ["10.0.0.9/8"], ["10.0.0.0/8"])], "0 deny[0]", "which `allow` has too"],
  [[lists("/a", ["10.0.0.1"]), lists("/a/", ["10.0.0.2"])], "1 folder", "another table names"],
  [[lists("/a", [])], "0 folder", "has neither `allow` nor `deny`"],
])("%j is a fault at %s", (access, at, message) => {
  const faults = compilePolicy(policySpec({ access }));
  expect(faults).toBeArrayOfSize(1);
  const [fault] = Array.isArray(faults) ? faults : [];
  const element = fault?.element === undefined ? "" : `[${fault.element}]`;
  expect(`${fault?.index} ${fault?.key}${element}`).toBe(at);
  expect(fault?.table).toBe("access.root");
  expect(fault?.message).toContain(message);
});
