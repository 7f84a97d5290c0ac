// Which names may be uploaded and read back: patterns, terms, quarantine, versions and the drop box.

import { describe, expect, test } from "bun:test";

import { rootedPattern, type UploadPlace, UploadPolicy, type UploadRules } from "#policy/upload.ts";

const terms = { mayOverwrite: false, fileBytesMax: 1000, versionsKept: 0 };

const rules: UploadRules = {
  isEnabled: true,
  mayCreateFolders: false,
  allowedPatterns: ["backups/*.cfg", "a[", "/logs/*"],
  terms,
  patterns: [
    {
      pattern: "backups/core-*",
      mayOverwrite: true,
      fileBytesMax: 5000,
      versionsKept: 7,
    },
    { pattern: "backups/*", mayOverwrite: true, fileBytesMax: 0, versionsKept: 1 },
    { pattern: "secrets/*", ...terms },
    { pattern: "[", ...terms },
  ],
  quarantineFolder: "",
  versionsFolder: "",
  isWriteOnly: false,
  servedAs: "",
};

function decide(path: string, tsize?: number, given: Partial<UploadRules> = {}): unknown {
  return new UploadPolicy({ ...rules, ...given }).decide(path, tsize);
}

function mayRead(path: string, given: Partial<UploadRules>): boolean {
  return new UploadPolicy({ ...rules, ...given }).mayRead(path, {
    servedAs: "servedAs" in given ? given.servedAs : rules.servedAs,
    within: undefined,
  });
}

describe("an upload", () => {
  test("is refused while uploads are off, whatever the patterns say", () => {
    expect(decide("backups/a.cfg", undefined, { isEnabled: false })).toEqual({
      isAllowed: false,
      cause: "write-disabled",
      reply: "accessViolation",
      reason: "writes disabled in configuration",
    });
  });

  test.each(["a.cfg", "backups/a.txt", "a[", "secrets/x", "BACKUPS/a.cfg", "/logs/a"])(
    "to %s is refused: no pattern that is one allows it",
    (path) => {
      expect(decide(path)).toMatchObject({
        isAllowed: false,
        cause: "denied",
        reply: "accessViolation",
        reason: "file not in allowed_patterns",
      });
    },
  );

  test("gets the terms of the first entry that matches, or the general ones", () => {
    expect(decide("backups/core-1.cfg")).toEqual({
      isAllowed: true,
      target: "backups/core-1.cfg",
      mayCreateFolders: false,
      terms: expect.objectContaining({ mayOverwrite: true, fileBytesMax: 5000, versionsKept: 7 }),
    });
    expect(decide("backups/sw1.cfg")).toMatchObject({ terms: { versionsKept: 1 } });
    expect(decide("logs/sw1")).toMatchObject({ terms });
  });

  test.each([
    ["backups/core-1.cfg", 5000, true],
    ["backups/core-1.cfg", 5001, false],
    ["backups/sw1.cfg", 1e15, true],
    ["logs/x", 1000, true],
    ["logs/x", 1001, false],
    ["logs/x", undefined, true],
  ])("to %s that announces %p bytes: %p", (path, tsize, isAllowed) => {
    expect(decide(path, tsize)).toMatchObject({ isAllowed });
  });

  test("that is too large says by how much, to the log alone", () => {
    expect(decide("logs/x", 1001)).toEqual({
      isAllowed: false,
      cause: "too-large",
      reply: "diskFull",
      reason: "upload of 1001 bytes, limit 1000",
      fileBytes: 1001,
      fileBytesMax: 1000,
    });
  });

  test("lands in quarantine under its own name", () => {
    const decision = decide("logs/x", undefined, { quarantineFolder: "incoming" });
    expect(decision).toMatchObject({ target: "incoming/logs/x", mayCreateFolders: true, terms });
  });

  test("cannot rewrite a kept version", () => {
    const given = { versionsFolder: "old", allowedPatterns: ["logs/*", "old/*"] };
    for (const path of ["logs/x.~1~", "logs/x.~23~", "logs/old/x", "logs/old/x.~2~", "old/x"]) {
      expect(decide(path, undefined, given)).toMatchObject({
        isAllowed: false,
        cause: "denied",
        reason: "a name of the server's own, for kept versions",
      });
    }
    for (const path of ["logs/x~1~", "logs/x.~~", "logs/old", "logs/older/x", "logs/old/y/x"]) {
      expect(decide(path, undefined, given)).toMatchObject({ isAllowed: true });
    }
  });
});

test("a / before a pattern stands for the root", () => {
  expect(["/a/*", "//a", "a/", "/", ""].map(rootedPattern)).toEqual(["a/*", "a", "a/", "", ""]);
});

describe("a read", () => {
  test("is free where uploads lie elsewhere", () => {
    const given = { isWriteOnly: true, servedAs: undefined, quarantineFolder: "q" };
    expect(mayRead("backups/a.cfg", given)).toBe(true);
    expect(mayRead("q/a", given)).toBe(true);
  });

  test("never comes from quarantine", () => {
    const given = { quarantineFolder: "in/q" };
    expect(mayRead("in/q/logs/x", given)).toBe(false);
    expect(mayRead("in/qq/x", given)).toBe(true);
    expect(mayRead("in/q", given)).toBe(true);
    expect(mayRead("up/in/q/x", { ...given, servedAs: "up" })).toBe(false);
    expect(mayRead("in/q/x", { ...given, servedAs: "up" })).toBe(true);
    expect(mayRead("in/q/x", { ...given, isEnabled: false })).toBe(false);
  });

  test("of what may be uploaded is refused where uploads are write-only", () => {
    const given = { isWriteOnly: true, versionsFolder: "old" };
    const versions = ["backups/a.cfg.~3~", "backups/old/a.cfg.~3~", "backups/x/old/a.cfg.~1~"];
    for (const path of ["backups/a.cfg", "backups/old/a.cfg", "logs/x", ...versions]) {
      expect([path, mayRead(path, given)]).toEqual([path, false]);
      expect([path, mayRead(path, { ...given, isWriteOnly: false })]).toEqual([path, true]);
    }
    expect(mayRead("pxelinux.0", given)).toBe(true);
  });

  test("is judged the same by whatever folder it comes", () => {
    const policy = new UploadPolicy({ ...rules, servedAs: "up", quarantineFolder: "q" });
    const quarantine: UploadPlace = { servedAs: undefined, within: "q" };
    const inside: UploadPlace = { servedAs: undefined, within: "berlin" };
    const above: UploadPlace = { servedAs: "srv/up", within: undefined };
    const elsewhere: UploadPlace = { servedAs: undefined, within: undefined };
    expect(policy.mayRead("a.cfg", quarantine)).toBe(false);
    expect(policy.mayRead("a.cfg", inside)).toBe(true);
    expect(policy.mayRead("srv/up/q/a.cfg", above)).toBe(false);
    expect(policy.mayRead("q/a.cfg", elsewhere)).toBe(true);
  });

  test("of a folder that is for write-only uploads alone is refused whole", () => {
    const given = { isWriteOnly: true, servedAs: "up/load" };
    expect(mayRead("up/load/anything", given)).toBe(false);
    expect(mayRead("up/loaded", given)).toBe(true);
  });
});
