// Files that exist elsewhere load unchanged: Snow-Owl's whole schema, a tuned file, tables from documents, and
// the examples of this project.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { Config } from "#config/config.ts";
import type { Files } from "#config/files.ts";
import { loadConfig } from "#config/load.ts";
import { keyPaths, keys } from "#config/schema.ts";
import { resolveSettings } from "#config/settings.ts";
import { validateConfig } from "#config/validate.ts";
import { UploadPolicy } from "#policy/upload.ts";

const EXAMPLES = join(import.meta.dir, "../../../examples");
const FIXTURES = join(import.meta.dir, "fixtures");
const MACHINE = { cores: 4, memoryBytes: 8 * 1024 ** 3 };

/** A machine that has every folder and program that an example names. */
const provided: Files = {
  exists: () => true,
  isDirectory: () => true,
  isReadable: () => true,
  isWritable: () => true,
  isProgram: () => true,
  canAppend: () => true,
  read: () => ({ code: "ENOENT" }),
};

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
      log: {
        format: "json",
        target: { kind: "file", path: "/var/log/snow-owl/tftp-audit.json" },
      },
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

  test("are those that their page describes", () => {
    const page = readFileSync(join(EXAMPLES, "README.md"), "utf8");
    expect(names.toSorted()).toEqual([...new Set(page.match(/[\w-]+\.toml/gu))].toSorted());
  });

  test.each(names)("%s loads without problems, fits together and resolves", (name) => {
    const { config, warnings } = load(EXAMPLES, name);
    expect(warnings).toEqual([]);
    const findings = validateConfig(config, provided, name);
    expect(findings.filter(({ severity }) => severity !== "note")).toEqual([]);
    expect(resolveSettings(config, MACHINE).listeners[0]?.listen.address).toBe("::");
  });

  test.each(["uploads.toml", "dropbox.toml"])("%s: what is commented out is right, too", (name) => {
    const text = readFileSync(join(EXAMPLES, name), "utf8").replaceAll(/^#(?=[[a-z])/gmu, "");
    const { config, problems, warnings } = loadConfig(text, name);
    expect([problems, warnings]).toEqual([[], []]);
    // Only the group is nobody's business but the administrator's.
    const findings = config === undefined ? [] : validateConfig(config, provided, name);
    for (const { message } of findings)
      expect(message).toStartWith('there is no group "netadmins"');
  });

  test("uploads.toml keeps what is uploaded from readers, and versions of it", () => {
    const { uploads } = resolveSettings(load(EXAMPLES, "uploads.toml").config, MACHINE);
    const policy = new UploadPolicy(uploads);
    expect(uploads.servedAs).toBeUndefined();
    expect(policy.decide("berlin/sw1.cfg", 20_000)).toMatchObject({
      isAllowed: true,
      target: "berlin/sw1.cfg",
      mayCreateFolders: true,
      terms: { mayOverwrite: true, versionsKept: 30 },
    });
    expect(policy.decide("crash/sw1.core", 1e9)).toMatchObject({ terms: { mayOverwrite: false } });
    expect(policy.decide("berlin/sw1.cfg", 1e9)).toMatchObject({ cause: "too-large" });
    expect(policy.decide("vmlinuz", undefined)).toMatchObject({ cause: "denied" });
  });

  test("dropbox.toml gives nothing back", () => {
    const { uploads } = resolveSettings(load(EXAMPLES, "dropbox.toml").config, MACHINE);
    const policy = new UploadPolicy(uploads);
    expect(policy.decide("in/a.log", undefined)).toMatchObject({
      isAllowed: true,
      target: ".quarantine/in/a.log",
      terms: { mayOverwrite: false },
    });
    expect(policy.mayRead("in/a.log", { servedAs: "", within: undefined })).toBe(false);
    expect(policy.mayRead(".quarantine/in/a.log", { servedAs: "", within: undefined })).toBe(false);
  });

  test("phase 1 changes nothing but the root, as it says", () => {
    const { root_dir: _, ...phase1 } = load(EXAMPLES, "phase1-optimized.toml").config;
    const { root_dir: __, ...minimal } = load(EXAMPLES, "minimal.toml").config;
    expect({ ...phase1, sources: undefined }).toEqual({ ...minimal, sources: undefined });
  });
});
