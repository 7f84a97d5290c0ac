// Files that exist elsewhere load unchanged: Snow-Owl's whole schema, a tuned file, tables from documents, and
// the examples of this project.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { Config } from "#config/config.ts";
import { loadConfig } from "#config/load.ts";
import { keyPaths, keys } from "#config/schema.ts";
import { resolveSettings } from "#config/settings.ts";

const EXAMPLES = join(import.meta.dir, "../../../examples");
const FIXTURES = join(import.meta.dir, "fixtures");
const MACHINE = { cores: 4, memoryBytes: 8 * 1024 ** 3 };

/** Loads a file that must have no errors; returns its warnings without the notes. */
function load(folder: string, name: string): { config: Config; warnings: string[] } {
  const { config, problems, warnings } = loadConfig(readFileSync(join(folder, name), "utf8"), name);
  expect(problems).toEqual([]);
  if (config === undefined) throw new Error(`${name} has no configuration`);
  const loud = warnings.filter(({ severity }) => severity === "warning");
  return { config, warnings: loud.map(({ message }) => message) };
}

describe("Snow-Owl's files", () => {
  test("the whole schema at its defaults: every key of it is known", () => {
    const { config, warnings } = load(FIXTURES, "snow-owl-defaults.toml");
    expect(warnings).toEqual([]);
    const theirs = keyPaths.filter((path) => keys[path].origin === "snow-owl");
    // logging.audit_file came with a successor and has no default to write down.
    const expected = theirs.filter((path) => path !== "logging.audit_file");
    expect([...config.sources.keys()].toSorted()).toEqual(expected.toSorted());
    expect(resolveSettings(config, MACHINE)).toMatchObject({
      fileBytesMax: 104_857_600,
      workers: 6,
      blockBytesMax: 8192,
      windowBlocksMax: 512,
      batchDatagrams: 32,
      spinUs: 100,
      log: { format: "json", file: "/var/log/snow-owl/tftp-audit.json" },
    });
  });

  test("a tuned file, in inline tables and dotted keys", () => {
    const { config, warnings } = load(FIXTURES, "snow-owl-phase2.toml");
    expect(warnings).toEqual([]);
    expect(resolveSettings(config, MACHINE)).toMatchObject({
      fileBytesMax: 524_288_000,
      workers: 4,
      workerAffinity: true,
      windowBlocksMax: 16,
      receiveBufferBytes: 4 * 1024 ** 2,
      adviseDontneedAfter: true,
      batchDatagrams: 64,
      uploads: {
        isEnabled: true,
        allowedPatterns: ["uploads/*.bin", "*.txt"],
        terms: { mayOverwrite: false, fileBytesMax: 524_288_000 },
      },
      log: { level: "info" },
    });
  });

  test("tables that only documents know", () => {
    expect(load(FIXTURES, "snow-owl-documents.toml").warnings).toEqual([]);
  });
});

describe("the examples", () => {
  const names = readdirSync(EXAMPLES).filter((name) => name.endsWith(".toml"));

  test("are the four that their page describes", () => {
    const page = readFileSync(join(EXAMPLES, "README.md"), "utf8");
    expect(names.toSorted()).toEqual([...new Set(page.match(/[\w-]+\.toml/gu))].toSorted());
    expect(names).toHaveLength(4);
  });

  test.each(names)("%s loads without problems and resolves", (name) => {
    const { config, warnings } = load(EXAMPLES, name);
    expect(warnings).toEqual([]);
    expect(resolveSettings(config, MACHINE).listen.address).toBe("::");
  });

  test("phase 1 changes nothing but the root, as it says", () => {
    const { root_dir: _, ...phase1 } = load(EXAMPLES, "phase1-optimized.toml").config;
    const { root_dir: __, ...minimal } = load(EXAMPLES, "minimal.toml").config;
    expect({ ...phase1, sources: undefined }).toEqual({ ...minimal, sources: undefined });
  });
});
