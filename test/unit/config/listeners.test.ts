// [[listener]]: what the tables resolve to, what they may not say together, and what of them a reload can change.

import { describe, expect, test } from "bun:test";

import { type Config, defaults } from "#config/config.ts";
import { explainSettings } from "#config/explain.ts";
import type { Files } from "#config/files.ts";
import { loadConfig } from "#config/load.ts";
import { applyOverrides } from "#config/overrides.ts";
import { reconcile } from "#config/reconcile.ts";
import { resolveSettings } from "#config/settings.ts";
import { validateConfig } from "#config/validate.ts";

const machine = { cores: 4, memoryBytes: 1e9 };

const two = `
root_dir = "/srv/tftp"
[[listener]]
name = "main"
bind_addr = "[::]:69"
port_range = "40000-40009"
[[listener]]
bind_addr = "192.0.2.1:6969"
interface = "eth1"
single_port = true
roots = ["lab", "/srv/other/{mac}"]
`;

describe("resolved", () => {
  test("each has what it says, and the rest from [transfer]", () => {
    const { listeners, policy } = resolveSettings(configOf(two), machine);
    expect(listeners).toEqual([
      {
        name: "main",
        listen: { address: "::", port: 69 },
        interface: undefined,
        singlePort: false,
        portRange: { first: 40_000, last: 40_009 },
        transferSockets: 2,
      },
      {
        name: "listener 2",
        listen: { address: "192.0.2.1", port: 6969 },
        interface: "eth1",
        singlePort: true,
        portRange: undefined,
        transferSockets: 0,
      },
    ]);
    expect(policy.folders).toEqual(["/srv/tftp", "/srv/other"]);
    expect(policy.listeners).toEqual([
      { name: "main", roots: [] },
      {
        name: "listener 2",
        roots: [
          { folder: 0, path: "lab" },
          { folder: 1, path: "{mac}" },
        ],
      },
    ]);
  });

  test("a range that several inherit is shared evenly between them and the workers", () => {
    const text = `${listener("127.0.0.1:69")}${listener("127.0.0.2:69")}${listener("127.0.0.3:69", "single_port = true")}`;
    const share = (range: string): unknown[] => {
      const config = configOf(`transfer.port_range = "${range}"\n${text}`);
      const { workers, listeners } = resolveSettings(config, machine);
      return [workers, ...listeners.map(({ transferSockets }) => transferSockets)];
    };
    expect(share("40000-40015")).toEqual([4, 2, 2, 0]);
    expect(share("40000-40005")).toEqual([3, 1, 1, 0]);
    expect(share("40000-40001")).toEqual([1, 1, 1, 0]);
  });

  test("check tells each with its ports and its folders", () => {
    const lines = explainSettings(configOf(two), machine).map((line) => line.replace(/ +/, " "));
    expect(lines.filter((line) => /^(?:listen|ports|roots) /.test(line))).toEqual([
      "listen main: [::]:69 (IPv6 and IPv4)",
      "listen listener 2: 192.0.2.1:6969 by eth1 alone",
      "roots listener 2: lab, then /srv/other/{mac}",
      "ports main: 2 per worker (an equal share of port_range), from 40000-40009",
      "ports listener 2: the service port alone (single_port)",
    ]);
  });
});

describe("validation", () => {
  const errors: readonly (readonly [string, string])[] = [
    [listener("[::]:0"), "cannot have port 0"],
    [listener("127.0.0.1:69", 'interface = "eth0/1"'), "is no name of an interface"],
    [listener("127.0.0.1:69", 'interface = "a-name-too-long-for-it"'), "is no name of an"],
    [listener("[::1]:69") + listener("[0::1]:69"), '"listener 1" listens there already'],
    [
      listener("[::1]:69", 'name = "a"') + listener("[::1]:70", 'name = "a"'),
      'another listener is called "a"',
    ],
    [
      listener("[::1]:69", 'port_range = "7000-7009"') + listener("[::1]:7003", 'name = "b"'),
      'the range holds port 7003, on which "b" listens',
    ],
    [
      `${listener("[::1]:69")}[[rule]]\nlistener = ["lab"]\n`,
      '`rule.listener` has "lab", which is no listener',
    ],
    ['[[rule]]\nlistener = ["lab"]\n', '`rule.listener` has "lab", which is no listener'],
    [listener("[::1]:69", 'roots = ["{nothing}"]'), "`listener.roots`"],
    [
      Array.from({ length: 65 }, (_, index) => listener(`127.0.0.1:${7000 + index}`)).join(""),
      "there are 65 listeners, and at most 64 are possible",
    ],
  ];
  test.each(errors.map(([text, message]) => ({ text, message })))("an error: $message", (row) => {
    const { text, message } = row;
    const found = validate(configOf(text));
    expect(found).toHaveLength(1);
    expect(found[0]).toStartWith("error: ");
    expect(found[0]).toContain(message);
  });

  const warnings: readonly (readonly [string, string])[] = [
    [listener("[::1]:69", 'single_port = true\nport_range = "7000"'), "`port_range` has no effect"],
    [`bind_addr = "[::]:69"\n${listener("[::1]:69")}`, "`bind_addr` has no effect beside"],
  ];
  test.each(warnings.map(([text, message]) => ({ text, message })))(
    "a warning: $message",
    (row) => {
      const { text, message } = row;
      const found = validate(configOf(text));
      expect(found).toHaveLength(1);
      expect(found[0]).toStartWith("warning: ");
      expect(found[0]).toContain(message);
    },
  );

  test("one address and port on different interfaces, and one within another, are good", () => {
    const text = [
      listener("0.0.0.0:69", 'interface = "eth0"'),
      listener("0.0.0.0:69", 'interface = "eth1"'),
      listener("0.0.0.0:69"),
      listener("[::]:69"),
      listener("192.0.2.1:69"),
    ];
    expect(validate(configOf(text.join("")))).toEqual([]);
  });

  test("--bind beside listeners is refused", () => {
    const { config = defaults } = applyOverrides(configOf(listener("[::1]:69")), {
      bind_addr: "127.0.0.1:69",
    });
    expect(validate(config)).toEqual(["error: `bind_addr` has no effect beside [[listener]]"]);
  });
});

describe("a reload", () => {
  test("changes the folders of a listener, and says key by key what waits", () => {
    const wanted = two
      .replace('["lab", ', '["office", ')
      .replace("192.0.2.1:6969", "192.0.2.1:69")
      .replace("single_port = true", 'single_port = false\nport_range = "7000"');
    const { config, changed, kept } = reconcile(configOf(two), configOf(wanted));
    expect(changed).toEqual(["listener"]);
    expect(kept).toEqual([
      { key: "listener[2].bind_addr", inForce: '"192.0.2.1:6969"', wanted: '"192.0.2.1:69"' },
      { key: "listener[2].single_port", inForce: "true", wanted: "false" },
      { key: "listener[2].port_range", inForce: "none", wanted: '"7000"' },
    ]);
    const both = configOf(two.replace('["lab", ', '["office", '));
    expect(resolveSettings(config, machine)).toEqual(resolveSettings(both, machine));
  });

  test("neither adds nor removes one; they are known by their names", () => {
    const inForce = configOf(listener("[::1]:69", 'name = "a"') + listener("[::1]:70"));
    const wanted = configOf(
      listener("[::1]:71", 'name = "new"') + listener("[::1]:69", 'name = "a"\nroots = ["x"]'),
    );
    const { config, changed, kept } = reconcile(inForce, wanted);
    expect(changed).toEqual(["listener"]);
    expect(kept).toEqual([
      { key: "listener[new]", inForce: "none", wanted: '{ name = "new", bind_addr = "[::1]:71" }' },
      { key: "listener[2]", inForce: '{ bind_addr = "[::1]:70" }', wanted: "none" },
    ]);
    const { listeners, policy } = resolveSettings(config, machine);
    expect(listeners.map(({ name }) => name)).toEqual(["a", "listener 2"]);
    expect(policy.listeners.map(({ roots }) => roots.length)).toEqual([1, 0]);
  });

  test("keeps to bind_addr where there were none", () => {
    const { config, changed, kept } = reconcile(configOf(""), configOf(listener("[::1]:69")));
    expect([config.listener, changed]).toEqual([[], []]);
    expect(kept.map(({ key }) => key)).toEqual(["listener[1]"]);
  });

  test("says nothing where nothing changed", () => {
    const { changed, kept } = reconcile(configOf(two), configOf(`# moved\n${two}`));
    expect([changed, kept]).toEqual([[], []]);
  });
});

function listener(address: string, ...lines: readonly string[]): string {
  return `${["[[listener]]", `bind_addr = "${address}"`, ...lines].join("\n")}\n`;
}

function configOf(text: string): Config {
  const { config, problems } = loadConfig(text, "tftp.toml");
  if (config === undefined) throw new Error(JSON.stringify(problems));
  return config;
}

/** Findings on a machine that has every folder. */
function validate(config: Config): readonly string[] {
  const files: Files = {
    exists: () => true,
    isDirectory: () => true,
    isReadable: () => true,
    isWritable: () => true,
    isProgram: () => true,
    canAppend: () => true,
    read: () => ({ code: "ENOENT" }),
  };
  return validateConfig(config, files, "tftp.toml").map(
    ({ severity, message }) => `${severity}: ${message}`,
  );
}
