// What a confined server may reach, and what of later settings it may not: real folders, told apart by what they are.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { defaults } from "#config/config.ts";
import { resolveSettings, type Settings } from "#config/settings.ts";
import { grant, reachFault, reachOf } from "#supervisor/reach.ts";

const folder = mkdtempSync(join(tmpdir(), "snow-owl-reach-"));
afterAll(() => rmSync(folder, { recursive: true }));
for (const name of ["etc", "served/below", "other", "logs"])
  mkdirSync(join(folder, name), { recursive: true });

const program = {
  path: process.execPath,
  sources: undefined,
  configuration: join(folder, "etc/tftp.toml"),
};
const base = resolveSettings(defaults, { cores: 1, memoryBytes: 1e9 });

function serving(root: string, changes: Partial<Settings> = {}): Settings {
  return { ...base, rootDir: join(folder, root), ...changes };
}

function logging(file: string): Partial<Settings> {
  return { log: { ...base.log, target: { kind: "file", path: join(folder, file) } } };
}

const hook: Settings["hooks"][number] = {
  events: ["upload"],
  pattern: "*",
  action: { kind: "command", argv: ["/bin/true"] },
  timeoutMs: 1000,
  retries: 0,
};

/** What is wrong with going over from one to the other. */
function fault(from: Settings, to: Settings): string | undefined {
  return reachFault(grant(reachOf(from, program), from), to)?.fault;
}

describe("later settings", () => {
  test("may name what was named, and what lies below it", () => {
    expect(fault(serving("served"), serving("served"))).toBeUndefined();
    expect(fault(serving("served"), serving("served/below"))).toBeUndefined();
    expect(fault(serving("served"), serving("etc"))).toBeUndefined();
    expect(
      fault(serving("served", logging("logs/a")), serving("served", logging("logs/b"))),
    ).toBeUndefined();
  });

  test("may not name what lies elsewhere or above, nor write what was read", () => {
    expect(fault(serving("served"), serving("other"))).toContain(`${folder}/other cannot be read`);
    expect(fault(serving("served/below"), serving("served"))).toContain("cannot be read");
    expect(fault(serving("served"), serving("served", logging("served/log")))).toContain(
      `${folder}/served cannot be written`,
    );
  });

  test("may name what the start has allowed besides", () => {
    const process = { ...base.process, readFolders: [folder] };
    expect(fault(serving("served", { process }), serving("other"))).toBeUndefined();
  });

  test("go by what a name leads to: a link, or a folder that took another's place", () => {
    symlinkSync(join(folder, "other"), join(folder, "served/link"));
    expect(fault(serving("served"), serving("served/link"))).toContain("cannot be read");
    const granted = grant(reachOf(serving("other"), program), serving("other"));
    renameSync(join(folder, "other"), join(folder, "older"));
    mkdirSync(join(folder, "other"));
    expect(reachFault(granted, serving("other"))?.fault).toContain("cannot be read");
    expect(reachFault(granted, serving("older"))).toBeUndefined();
  });

  test("may have another secret where the one before lay", () => {
    const asking = (tokenFile: string): Settings =>
      serving("served", { status: { ...base.status, tokenFile: join(folder, tokenFile) } });
    expect(fault(asking("logs/token"), asking("logs/newer"))).toBeUndefined();
    expect(fault(serving("served"), asking("logs/token"))).toContain(
      `${folder}/logs cannot be read`,
    );
  });

  test("may log to the journal, for which nothing has to be opened", () => {
    const log = { ...base.log, target: { kind: "journal" } as const };
    expect(fault(serving("served"), serving("served", { log }))).toBeUndefined();
  });

  test("may have a command only if there was one", () => {
    expect(fault(serving("served"), serving("served", { hooks: [hook] }))).toContain(
      "gave up starting programs",
    );
    expect(
      fault(serving("served", { hooks: [hook] }), serving("served", { hooks: [hook, hook] })),
    ).toBeUndefined();
  });

  test("may name anything where paths are not confined", () => {
    expect(reachFault(grant(undefined, serving("served")), serving("other"))).toBeUndefined();
  });
});
