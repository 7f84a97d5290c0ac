// Flags over a file: they win, they are checked by the same rules, and messages name them.

import { describe, expect, test } from "bun:test";

import { defaults, isSet } from "#config/config.ts";
import { loadConfig } from "#config/load.ts";
import { applyOverrides, type Overrides } from "#config/overrides.ts";
import { renderProblem } from "#config/problem.ts";

/** The group's address after laying flags over a file. */
function group(overrides: Overrides, text = ""): string | undefined {
  const base = loadConfig(text, "tftp.toml").config ?? defaults;
  return applyOverrides(base, overrides).config?.multicast.multicast_addr;
}

describe("applyOverrides", () => {
  test("without flags changes nothing", () => {
    const { config, problems, warnings } = applyOverrides(defaults, { root_dir: undefined });
    expect(config).toEqual(defaults);
    expect([problems, warnings]).toEqual([[], []]);
  });

  test("lays flags over the file and leaves the file's configuration alone", () => {
    const loaded = loadConfig('root_dir = "/a"\n[logging]\nlevel = "debug"\n', "tftp.toml");
    const base = loaded.config ?? defaults;
    const { config } = applyOverrides(base, { root_dir: "/b", bind_addr: "0.0.0.0:6969" });
    expect(config?.root_dir).toBe("/b");
    expect(config?.bind_addr).toBe("0.0.0.0:6969");
    expect(config?.logging.level).toBe("debug");
    expect(config?.sources.get("root_dir")?.file).toBe("command line");
    expect(config?.sources.get("logging.level")?.line).toBe(3);
    expect(base.root_dir).toBe("/a");
    expect(isSet(base, "bind_addr")).toBe(false);
  });

  test("sets every flag's key", () => {
    const { config } = applyOverrides(defaults, {
      multicast: "true",
      multicast_addr: "ff12::1",
      multicast_ip_version: "v6",
      multicast_port: "2000",
      max_clients: "3",
      master_timeout_secs: "4",
      retransmit_timeout_secs: "5",
    });
    expect(config?.multicast).toEqual({
      enabled: true,
      multicast_addr: "ff12::1",
      multicast_ip_version: "v6",
      multicast_port: 2000,
      max_clients: 3,
      master_timeout_secs: 4,
      retransmit_timeout_secs: 5,
    });
  });

  test("v4 implies the v4 group unless a group was chosen", () => {
    const v4: Overrides = { multicast_ip_version: "v4" };
    expect(group(v4)).toBe("224.0.1.1");
    expect(group({ ...v4, multicast_addr: "224.0.0.9" })).toBe("224.0.0.9");
    expect(group(v4, 'multicast.multicast_addr = "224.0.0.8"')).toBe("224.0.0.8");
    expect(group({ multicast_ip_version: "v6" })).toBe("ff12::8000:1");
  });

  test("shows the flag with a caret under its text", () => {
    const { config, problems } = applyOverrides(defaults, { bind_addr: "localhost:69" });
    expect(config).toBeUndefined();
    expect(problems.map(renderProblem).join("\n")).toBe(
      [
        "command line: error: --bind is not an IP address and a port",
        "   | --bind localhost:69",
        "   |        ^^^^^^^^^^^^",
        'help: write a literal such as "[::]:69" or "192.0.2.1:69"; host names are not looked up.',
      ].join("\n"),
    );
  });

  test.each<[Overrides, string]>([
    [{ multicast: "yes" }, '--multicast cannot be "yes"'],
    [{ multicast_port: "70000" }, "--multicast-port is 70000, beyond its bounds; 65535 is used"],
    [{ multicast_port: "-1" }, '--multicast-port cannot be "-1"'],
    [{ max_clients: "1e3" }, '--max-clients cannot be "1e3"'],
    [{ multicast_ip_version: "v5" }, '--multicast-ip-version cannot be "v5"'],
    [{ multicast_addr: "group" }, "--multicast-addr is not an IP address"],
    [{ root_dir: "\0" }, "--root-dir holds a NUL character"],
  ])("checks %p", (overrides, message) => {
    const { problems, warnings } = applyOverrides(defaults, overrides);
    expect([...problems, ...warnings].map((problem) => problem.message)).toContain(message);
  });

  test("warns of multicast that is asked for", () => {
    const { warnings } = applyOverrides(defaults, { multicast: "true" });
    expect(warnings.map(({ severity, file }) => [severity, file])).toEqual([
      ["warning", "command line"],
    ]);
  });
});
