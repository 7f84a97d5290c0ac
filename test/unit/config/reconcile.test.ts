// What a running server takes over from a configuration that has changed, and what has to wait.

import { expect, test } from "bun:test";

import type { Config } from "#config/config.ts";
import { loadConfig } from "#config/load.ts";
import { reconcile } from "#config/reconcile.ts";
import { keyPaths, keys } from "#config/schema.ts";
import { resolveSettings } from "#config/settings.ts";

const machine = { cores: 2, memoryBytes: 1e9 };

test("nothing has changed where only places and defaults that are written out differ", () => {
  const inForce = parse(
    'root_dir = "/srv"\n[[hook]]\nevent = "upload"\npattern = "*"\nurl = "http://a/"',
  );
  const wanted = parse(
    '# moved down\nroot_dir = "/srv"\nbind_addr = "[::]:69"\n\n[[hook]]\nevent = "upload"\npattern = "*"\nurl = "http://a/"',
  );
  const { changed, kept, config } = reconcile(inForce, wanted);
  expect({ changed, kept }).toEqual({ changed: [], kept: [] });
  expect(resolveSettings(config, machine)).toEqual(resolveSettings(inForce, machine));
});

test("keys and lists that have changed are named, and are in force", () => {
  const inForce = parse('root_dir = "/srv"\n[[uploads.pattern]]\npattern = "*.cfg"');
  const wanted = parse(
    'root_dir = "/other"\n[transfer]\npatience_secs = 5\n[[uploads.pattern]]\npattern = "*.cfg"\noverwrite = false',
  );
  const { changed, kept, config } = reconcile(inForce, wanted);
  expect(changed).toEqual(["root_dir", "transfer.patience_secs", "uploads.pattern"]);
  expect(kept).toEqual([]);
  expect(resolveSettings(config, machine)).toEqual(resolveSettings(wanted, machine));
});

test("what only a start can honour keeps its value, and is told with both", () => {
  const inForce = parse('bind_addr = "[::1]:69"\n[transfer]\nport_range = "4000-4009"');
  const wanted = parse(
    'root_dir = "/other"\nbind_addr = "[::1]:6969"\n[cache]\nsize_mb = 5\n[transfer]\nsingle_port = true',
  );
  const { changed, kept, config } = reconcile(inForce, wanted);
  expect(changed).toEqual(["root_dir"]);
  expect(kept).toEqual([
    { key: "bind_addr", inForce: '"[::1]:69"', wanted: '"[::1]:6969"' },
    { key: "transfer.single_port", inForce: "false", wanted: "true" },
    { key: "transfer.port_range", inForce: '"4000-4009"', wanted: '""' },
    { key: "cache.size_mb", inForce: "0", wanted: "5" },
  ]);
  const both = parse(
    'root_dir = "/other"\nbind_addr = "[::1]:69"\n[transfer]\nport_range = "4000-4009"',
  );
  expect(resolveSettings(config, machine)).toEqual(resolveSettings(both, machine));
});

test("a key that does nothing is not worth a word", () => {
  const { changed, kept } = reconcile(
    parse(""),
    parse("[performance.platform.zero_copy]\nuse_sendfile = false"),
  );
  expect([...changed, ...kept]).toEqual([]);
});

test("every key of sockets, workers and batches waits for a restart", () => {
  const live = keyPaths.filter((path) => keys[path].note === undefined);
  const platform = live.filter((path) => path.startsWith("performance.platform."));
  expect(platform.length).toBeGreaterThan(10);
  expect(platform.filter((path) => keys[path].needsRestart !== true)).toEqual([]);
});

function parse(text: string): Config {
  const { config, problems } = loadConfig(text, "test.toml");
  if (config === undefined) throw new Error(JSON.stringify(problems));
  return config;
}
