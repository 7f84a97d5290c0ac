// What values mean together: one test for each rule, with a file system made of three lists.

import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { defaults } from "#config/config.ts";
import { type Files, hostFiles } from "#config/files.ts";
import { loadConfig } from "#config/load.ts";
import { applyOverrides } from "#config/overrides.ts";
import { type Problem, renderProblem } from "#config/problem.ts";
import { validateConfig } from "#config/validate.ts";

/** A machine where `/srv/tftp` and `/var/log` are folders, and `/etc/motd` and `/root` are closed. */
const files: Files = {
  exists: (path) => ["/srv/tftp", "/var/log", "/root", "/etc/motd"].includes(path),
  isDirectory: (path) => ["/srv/tftp", "/var/log", "/root"].includes(path),
  isReadable: (path) => path !== "/root",
  isWritable: (path) => path === "/srv/tftp",
  isProgram: (path) => path === "/bin/true",
  canAppend: (path) => path.startsWith("/var/log/"),
  read: () => ({ code: "ENOENT" }),
};

/** What is found in a file whose root is fine, unless it names another. */
function found(text: string): readonly Problem[] {
  const whole = text.includes("root_dir") ? text : `root_dir = "/srv/tftp"\n${text}`;
  const { config, problems } = loadConfig(whole, "tftp.toml");
  expect(problems).toEqual([]);
  return validateConfig(config ?? defaults, files, "tftp.toml");
}

test("a sound configuration has no findings", () => {
  expect(found('[logging]\nfile = "/var/log/tftp.json"\n')).toEqual([]);
  expect(found('[logging]\nfile = "-"\n')).toEqual([]);
  expect(found('[logging]\naudit_enabled = false\naudit_file = "/none/a"\n')).toEqual([]);
});

test.each([
  ['root_dir = "tftp"', "must be an absolute path", "write it from the top"],
  ['root_dir = "/srv/none"', "the folder /srv/none does not exist", "mkdir -p /srv/none, or"],
  ['root_dir = "/srv/it\'s"', "does not exist", "mkdir -p '/srv/it'\\''s', or start with"],
  ['root_dir = "/etc/motd"', "/etc/motd is not a folder", "name the folder"],
  ['root_dir = "/root"', "the folder /root cannot be read", "chmod o+rx /root"],
  ['bind_addr = "[::]:0"', "cannot have port 0", "69 unless they are told another"],
  ["multicast.multicast_port = 80", "cannot be 80", "from 1024 to 65535"],
  ['logging.file = "/none/a.log"', "the folder of the log file, /none,", "mkdir -p /none"],
  ['logging.file = "/srv/tftp/a"', "cannot be written", 'file = "" for standard output'],
  ['logging.audit_file = "/none/a.jsonl"', "the audit file, /none,", 'audit_file = "" for none'],
  ['logging.audit_file = "/srv/tftp/a"', "cannot be written", 'audit_file = "" for none'],
  ['multicast.multicast_ip_version = "v4"', "is ff12::8000:1, but", '"224.0.1.1"'],
  ['multicast.multicast_addr = "224.0.1.1"', "is 224.0.1.1, but", '"ff12::8000:1"'],
  ['files = { symlinks = "listed", symlink_targets = ["/srv/no"] }', "folder /srv/no", "mkdir -p"],
  ['transfer.port_range = "60-80"', "the range holds port 69", "single_port = true"],
])("%s stops the start", (text, message, remedy) => {
  const errors = found(text).filter(({ severity }) => severity === "error");
  expect(errors).toHaveLength(1);
  expect(errors[0]?.message).toContain(message);
  expect(errors[0]?.remedy).toContain(remedy);
});

test("a port range beside single_port is a warning", () => {
  const findings = found('[transfer]\nsingle_port = true\nport_range = "40000-40099"');
  expect(findings.map(({ severity }) => severity)).toEqual(["warning"]);
});

test("folders that links may lead into are listed for nothing unless links are", () => {
  const [finding, ...others] = found('files.symlink_targets = ["/var/log"]');
  expect(others).toEqual([]);
  expect(finding?.severity).toBe("warning");
  expect(finding?.message).toContain('has no effect with symlinks = "inside"');
  expect(found('files = { symlinks = "listed", symlink_targets = ["/var/log"] }')).toEqual([]);
});

test("default_windowsize = 1 is explained in a note, and only where it was written", () => {
  const [finding, ...others] = found("performance.default_windowsize = 1");
  expect(others).toEqual([]);
  expect(finding?.severity).toBe("note");
  expect(finding?.message).toContain("`max_windowsize = 1` in [transfer]");
  expect(found("performance.default_windowsize = 2")).toEqual([]);
});

test("errors are reported in Snow-Owl's order, each where it was written", () => {
  const text = 'root_dir = "x"\nbind_addr = "[::]:0"\nmulticast.multicast_port = 1\n';
  expect(found(text).map(({ line, column }) => [line, column])).toEqual([
    [1, 12],
    [2, 13],
    [3, 28],
  ]);
});

test("a default that does not hold here says that it is one", () => {
  const [finding] = validateConfig(defaults, files, "tftp.toml");
  expect(finding === undefined ? "" : renderProblem(finding)).toBe(
    [
      "tftp.toml: error: the folder /var/lib/snow-owl/tftp does not exist (the default; `root_dir` is not set)",
      "help: create it: mkdir -p /var/lib/snow-owl/tftp, or start with --create-root-dir, or name another with --root-dir.",
    ].join("\n"),
  );
});

test("a flag's value is blamed on the flag, and heals the file's", () => {
  const base = loadConfig('root_dir = "x"\n', "tftp.toml").config ?? defaults;
  const healed = applyOverrides(base, { root_dir: "/srv/tftp" }).config ?? base;
  expect(validateConfig(healed, files, "tftp.toml")).toEqual([]);
  const broken = applyOverrides(healed, { root_dir: "/none" }).config ?? base;
  expect(validateConfig(broken, files, "tftp.toml")[0]).toMatchObject({
    file: "command line",
    sourceLine: "--root-dir /none",
    column: 12,
  });
});

describe("hostFiles", () => {
  test("answers for real files, and creates none", () => {
    const folder = mkdtempSync(join(tmpdir(), "config-files-"));
    try {
      const file = join(folder, "a");
      const missing = join(folder, "b");
      writeFileSync(file, "");
      chmodSync(file, 0o600);
      expect([hostFiles.exists(folder), hostFiles.exists(missing)]).toEqual([true, false]);
      expect([hostFiles.isDirectory(folder), hostFiles.isDirectory(file)]).toEqual([true, false]);
      expect([hostFiles.isWritable(folder), hostFiles.isWritable(missing)]).toEqual([true, false]);
      expect(hostFiles.isProgram("/bin/sh")).toBe(true);
      expect([hostFiles.isProgram(file), hostFiles.isProgram(folder)]).toEqual([false, false]);
      expect([hostFiles.isReadable(folder), hostFiles.isReadable(missing)]).toEqual([true, false]);
      expect(hostFiles.canAppend(file)).toBe(true);
      expect(hostFiles.canAppend(missing)).toBe(true);
      expect(hostFiles.canAppend(folder)).toBe(false);
      expect(hostFiles.canAppend(join(missing, "c"))).toBe(false);
      expect(hostFiles.isDirectory(join(file, "below"))).toBe(false);
      expect(existsSync(missing)).toBe(false);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
