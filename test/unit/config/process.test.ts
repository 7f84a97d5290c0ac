// [process]: what each mistake is told, what values mean together, and what they resolve to.

import { describe, expect, test } from "bun:test";

import { groupId, primaryGroupId, userId } from "#config/accounts.ts";
import { type Config, defaults } from "#config/config.ts";
import { explainProcess } from "#config/explain-process.ts";
import type { Files } from "#config/files.ts";
import { loadConfig } from "#config/load.ts";
import { renderProblem } from "#config/problem.ts";
import { type ProcessSettings, resolveProcess } from "#config/settings-process.ts";
import { resolveSettings } from "#config/settings.ts";
import { validateConfig } from "#config/validate.ts";

const files: Files = {
  exists: () => true,
  isDirectory: (path) => path !== "/missing",
  isReadable: () => true,
  isWritable: () => true,
  isProgram: () => true,
  canAppend: () => true,
  read: () => ({ code: "ENOENT" }),
};

function configOf(text: string): Config {
  const { config, problems } = loadConfig(`root_dir = "/srv/tftp"\n${text}`, "tftp.toml");
  expect(problems).toEqual([]);
  return config ?? defaults;
}

function resolved(text: string): ProcessSettings {
  return resolveProcess(configOf(`[process]\n${text}`));
}

/** Everything that is said of a text that loads. */
function said(text: string): string {
  return validateConfig(configOf(text), files, "tftp.toml").map(renderProblem).join("\n");
}

describe("a user", () => {
  test("has the group of /etc/passwd and no others, unless they are written", () => {
    const uid = userId("nobody") ?? -1;
    const gid = primaryGroupId("nobody") ?? -1;
    expect(resolved('user = "nobody"').identity).toEqual({
      name: "nobody",
      uid,
      gid,
      supplementaryGids: [],
    });
    expect(
      resolved('user = "nobody"\ngroup = "daemon"\nsupplementary_groups = ["bin", "7"]').identity,
    ).toEqual({
      name: "nobody",
      uid,
      gid: groupId("daemon") ?? -1,
      supplementaryGids: [groupId("bin") ?? -1, 7],
    });
    expect(resolved("").identity).toBeUndefined();
  });

  test("by number is the same one", () => {
    expect(resolved(`user = "${userId("nobody")}"`).identity).toMatchObject({
      uid: userId("nobody"),
      gid: primaryGroupId("nobody"),
    });
  });

  test.each([
    ['[process]\nuser = "nosuchuser"', 'there is no user "nosuchuser" on this machine'],
    ['[process]\nuser = "nobody"\ngroup = "nosuch"', 'there is no group "nosuch" on this machine'],
    ['[process]\nuser = "nobody"\nsupplementary_groups = ["nosuch"]', 'there is no group "nosuch"'],
    ['[process]\nuser = "4000000000"', "/etc/passwd names no group of the user 4000000000"],
    ['[process]\ngroup = "daemon"', "a group without a user has no effect"],
  ])("%s is an error with its place", (text, message) => {
    expect(said(text)).toMatch(/^tftp\.toml:\d+:\d+: error: /);
    expect(said(text)).toContain(message);
  });

  test("cannot give uploads away, but to its own groups", () => {
    const write = '[write_config]\nenabled = true\nallowed_patterns = ["*.cfg"]\n';
    const user = '[process]\nuser = "nobody"\n';
    expect(said(`${write}${user}[uploads]\nowner = "root"`)).toContain(
      "nobody cannot give files away",
    );
    expect(said(`${write}${user}[uploads]\ngroup = "daemon"`)).toContain(
      "nobody is not in the group daemon",
    );
    const member = `${user}supplementary_groups = ["daemon"]\n`;
    expect(said(`${write}${member}[uploads]\nowner = "nobody"\ngroup = "daemon"`)).toBe("");
  });
});

test("folders besides are absolute, and better exist", () => {
  expect(resolved('read_folders = ["/srv"]\nwrite_folders = ["/tmp"]')).toMatchObject({
    readFolders: ["/srv"],
    writeFolders: ["/tmp"],
  });
  expect(said('[process]\nread_folders = ["/missing"]')).toContain(
    "warning: the folder /missing does not exist",
  );
  const { problems } = loadConfig('[process]\nwrite_folders = ["tmp"]', "tftp.toml");
  expect(problems.map(({ message }) => message)).toEqual([
    '`process.write_folders` holds "tmp", which is no absolute path',
  ]);
});

test("the umask and the number of files are numbers", () => {
  expect(resolved('umask = "0077"\nopen_files = 5000')).toMatchObject({
    umask: 0o077,
    openFiles: 5000,
  });
});

test("`check` says who it will be, and what is given up", () => {
  const text =
    'user = "nobody"\nseccomp = false\nread_folders = ["/srv"]\nwrite_folders = ["/tmp"]';
  expect(explainProcess(resolved(text))).toEqual([
    [
      "user",
      `nobody (user ${userId("nobody")}, groups ${primaryGroupId("nobody")}), if root starts it`,
    ],
    ["confined", "Landlock, no new privileges; reads /srv; writes /tmp"],
    ["hand-over", "by SIGUSR2, to what is ready within 30 s"],
  ]);
});

test("`check` says who could come after it, and where its number stands", () => {
  expect(explainProcess(resolved('handover_secs = 0\npid_file = "/run/tftp.pid"')).at(-1)).toEqual([
    "hand-over",
    "none; the PID file is /run/tftp.pid",
  ]);
});

test("there are as many workers as sockets that were handed over, or as were asked for", () => {
  const machine = { cores: 8, memoryBytes: 1e9 };
  expect(resolveSettings(defaults, { ...machine, socketsGiven: 2 }).workers).toBe(2);
  expect(resolveSettings(defaults, { ...machine, socketsGiven: 20 }).workers).toBe(20);
});
