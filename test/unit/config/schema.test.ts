// The schema's own rules, and what is made from it: the written-out file and the reference page.

import { describe, expect, test } from "bun:test";

import { defaults, valueAt } from "#config/config.ts";
import { initialConfig, toml } from "#config/initial.ts";
import type { Key } from "#config/key.ts";
import { loadConfig } from "#config/load.ts";
import {
  isKeyPath,
  keyPaths,
  keys,
  listPaths,
  lists,
  sections,
  tableOf,
  tolerated,
} from "#config/schema.ts";

import { pages, stalePages } from "../../../docs/generate.ts";

describe("the schema", () => {
  test.each([...keyPaths])("%s has a sound row", (path) => {
    const key = keys[path];
    expect(sections.map((section) => section.path)).toContain(tableOf(path));
    for (const sentence of key.about) expect(sentence).toMatch(/^[\w\d`].*[.]$/u);
    if (key.because !== undefined) expect(key.because).toEndWith(".");
    if (key.note !== undefined) expect(key.note).toEndWith(".");
    if (key.inherits !== undefined) expect(isKeyPath(key.inherits)).toBe(true);
    if (key.theirs !== undefined) expect(key.theirs).not.toBe(toml(key.default));
    expect(valueAt(defaults, path)).toEqual(key.default);
  });

  test.each([...keyPaths])("%s: its default loads, without a word unless it is inert", (path) => {
    const text = `${path} = ${toml(keys[path].default)}\n`;
    const { config, problems, warnings } = loadConfig(text, "tftp.toml");
    expect(problems).toEqual([]);
    expect(warnings).toHaveLength(keys[path].note === undefined ? 0 : 1);
    expect(config === undefined ? undefined : valueAt(config, path)).toEqual(keys[path].default);
  });

  const rows = listPaths.flatMap((list) =>
    Object.entries<Key>(lists[list]).map(([name, key]) => ({ list, name, key })),
  );

  test.each(rows)(
    "[[$list]] $name has a sound row, and its default loads",
    ({ list, name, key }) => {
      expect(sections.map((section) => section.path)).toContain(list);
      for (const sentence of key.about) expect(sentence).toMatch(/^[\w\d`].*[.]$/u);
      if (key.because !== undefined) expect(key.because).toEndWith(".");
      if (key.inherits !== undefined && !Object.hasOwn(lists[list], key.inherits)) {
        expect(isKeyPath(key.inherits)).toBe(true);
      }
      const required = rows.filter((row) => row.list === list && row.key.isRequired);
      const named = new Map(required.map((row) => [row.name, row.key.default]));
      const keyed = [...named.set(name, key.default)].map(
        ([name, value]) => `${name} = ${toml(value)}`,
      );
      const loaded = loadConfig(`[[${list}]]\n${keyed.join("\n")}\n`, "tftp.toml");
      expect([loaded.problems, loaded.warnings]).toEqual([[], []]);
    },
  );

  test("what is tolerated is no part of it", () => {
    for (const { path } of tolerated) {
      expect(keyPaths.filter((key) => key === path || key.startsWith(`${path}.`))).toEqual([]);
    }
  });
});

describe("the written-out file", () => {
  test("loads to the defaults with nothing set, without a word", () => {
    const loaded = loadConfig(initialConfig(), "tftp.toml");
    expect(loaded).toEqual({ config: defaults, problems: [], warnings: [] });
  });

  test("loads to the defaults with every key uncommented", () => {
    const uncommented = initialConfig().replaceAll(/^#(?=\w+ = )/gmu, "");
    const { config, problems, warnings } = loadConfig(uncommented, "tftp.toml");
    expect([problems, warnings]).toEqual([[], []]);
    const live = keyPaths.filter((path) => keys[path].note === undefined);
    expect([...(config?.sources.keys() ?? [])].toSorted()).toEqual(live.toSorted());
    for (const path of live) {
      expect(config === undefined ? undefined : valueAt(config, path)).toEqual(keys[path].default);
    }
  });

  test("has no line over 100 columns", () => {
    for (const line of initialConfig().split("\n")) expect(line.length).toBeLessThanOrEqual(100);
  });
});

describe("the reference page", () => {
  test("names every key once with its default or its note", () => {
    const page = pages["configuration.md"]?.() ?? "";
    for (const path of keyPaths) {
      const name = path.slice(path.lastIndexOf(".") + 1);
      const item = keys[path].note === undefined ? `- **\`${name}\`** (` : `- \`${path}\`: `;
      expect(page).toContain(item);
    }
  });

  test("is what docs/generate.ts writes", async () => {
    // If this fails: bun docs/generate.ts
    expect(await stalePages()).toEqual([]);
  });
});
