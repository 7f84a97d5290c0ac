// [uploads], [[uploads.pattern]] and [[hook]]: what each mistake is told, what values mean together, and what they resolve to.

import { describe, expect, test } from "bun:test";

import { groupId, userId } from "#config/accounts.ts";
import { type Config, defaults } from "#config/config.ts";
import { explainSettings } from "#config/explain.ts";
import type { Files } from "#config/files.ts";
import { loadConfig } from "#config/load.ts";
import { applyOverrides } from "#config/overrides.ts";
import { type Problem, renderProblem } from "#config/problem.ts";
import type { HookSettings } from "#config/settings-hooks.ts";
import type { UploadSettings } from "#config/settings-uploads.ts";
import { resolveSettings } from "#config/settings.ts";
import { validateConfig } from "#config/validate.ts";

const machine = { cores: 2, memoryBytes: 1e9 };

/** A machine with two folders that may be written, one that may not, and one program. */
const files: Files = {
  exists: (path) => path !== "/nowhere",
  isDirectory: (path) => ["/srv/tftp", "/srv/up", "/srv/tftp/up", "/srv", "/mnt/ro"].includes(path),
  isReadable: () => true,
  isWritable: (path) => path !== "/mnt/ro",
  isProgram: (path) => path === "/bin/true",
  canAppend: () => true,
  read: () => ({ code: "ENOENT" }),
};

const ON = '[write_config]\nenabled = true\nallowed_patterns = ["backups/*"]\n';

function configOf(text: string): Config {
  const { config, problems } = loadConfig(`root_dir = "/srv/tftp"\n${text}`, "tftp.toml");
  expect(problems).toEqual([]);
  return config ?? defaults;
}

/** Everything that is said of a text as it is loaded. */
function said(text: string): string {
  const { problems, warnings } = loadConfig(text, "tftp.toml");
  return [...problems, ...warnings].map(renderProblem).join("\n");
}

function found(text: string): readonly Problem[] {
  return validateConfig(configOf(text), files, "tftp.toml");
}

function uploads(text: string): UploadSettings {
  return resolveSettings(configOf(text), machine).uploads;
}

/** What `check` says of uploads and hooks. */
function lines(text: string): readonly string[] {
  const all = explainSettings(configOf(text), machine);
  return all.filter((line) => /^(?:uploads|hook| )/u.test(line));
}

function hooks(text: string): readonly HookSettings[] {
  return resolveSettings(configOf(text), machine).hooks;
}

describe("what is written wrong", () => {
  test("a pattern that is none: ignored where Snow-Owl ignored it, with a caret", () => {
    expect(said('[write_config]\nallowed_patterns = ["*.cfg", "a/**b"]\n')).toBe(
      [
        'tftp.toml:2:33: warning: `write_config.allowed_patterns` holds "a/**b", which has `**` beside other characters of a name; it is ignored',
        '  2 | allowed_patterns = ["*.cfg", "a/**b"]',
        "    |                                 ^",
        "help: write * here: it crosses / too. ** stands alone between slashes.",
      ].join("\n"),
    );
  });

  test("a pattern that is none: an error in our own tables", () => {
    expect(said('[[uploads.pattern]]\npattern = "[ab"\n')).toBe(
      [
        "tftp.toml:2:12: error: `uploads.pattern.pattern` has a `[` that no `]` closes",
        '  2 | pattern = "[ab"',
        "    |            ^",
        "help: close the class, or write [[] for the character itself.",
      ].join("\n"),
    );
  });

  test("escapes make the caret stand under the whole string", () => {
    expect(said('hook = [{ event = "upload", pattern = "\\u0061[" }]')).toContain(
      '  1 | hook = [{ event = "upload", pattern = "\\u0061[" }]\n    |                                       ^^^^^^^^^',
    );
  });

  test("a key that a table needs", () => {
    expect(said("\n[[uploads.pattern]]\noverwrite = true\n")).toBe(
      [
        "tftp.toml:2:11: error: this [[uploads.pattern]] has no `pattern`",
        "  2 | [[uploads.pattern]]",
        "    |           ^^^^^^^",
        'help: write pattern = "backups/*", or another, below it.',
      ].join("\n"),
    );
  });

  test.each([
    ['uploads.file_mode = "640x"', 'cannot be "640x"', 'such as "0640"'],
    ['uploads.file_mode = "4755"', 'cannot be "4755"', "three octal digits"],
    ["uploads.file_mode = 0o640", "must be a string, not an integer", "in quotes"],
    ['uploads.folder_mode = "0800"', 'cannot be "0800"', "three octal digits"],
    ['uploads.owner = "a:b"', 'cannot be "a:b"', "keys of their own"],
    ['uploads.versions_folder = "/old"', "more than one name", '".versions"'],
    ['uploads.versions_folder = ".."', "no folder below another", '".versions"'],
    ['uploads.quarantine_folder = "a/../b"', "no folder below another", "without a /"],
    ['uploads.quarantine_folder = "q/"', "no folder below another", "at either end"],
    ['uploads.concurrent_writers = "last"', 'cannot be "last"', '"last-complete-wins"'],
    ["uploads.client_quota_secs = 1", "cannot be 1", "from 60 to 31536000 s"],
    ["hook = 3", "`hook` must be a list of tables, not an integer", "write [[hook]], in two"],
    ['[hook]\nevent = "upload"', "must be a list of tables, not a table", "write [[hook]], in two"],
    ['[[hook]]\nevent = "uplaod"', '`hook.event` cannot be "uplaod"', 'did you mean "upload"?'],
    ['[[hook]]\nevent = "upload"\nurl = "ftp://x/"', "is no web address", '"https://'],
    ['[[hook]]\nevent = "upload"\nurl = "x"', "is no web address", "write it whole"],
    ['[[hook]]\nevent = "upload"\nurl = "http://u:p@x/"', "name or password", "Authorization"],
    ['[[hook]]\nevent = "upload"\nheaders = ["X"]', "which is no header", '"Name: value"'],
    ['[[hook]]\nevent = "upload"\nheaders = ["A: b\\r\\nC: d"]', "is no header", "in one line"],
    ['[[hook]]\nevent = "upload"\npattern = " "', "`hook.pattern` is blank", "say which"],
  ])("%s", (text, message, remedy) => {
    const { problems } = loadConfig(text, "tftp.toml");
    expect(problems.filter(({ severity }) => severity === "error")).toHaveLength(1);
    expect(problems[0]?.message).toContain(message);
    expect(problems[0]?.remedy).toContain(remedy);
    expect(problems[0]?.message).not.toContain("C: d");
  });

  test.each([
    ["[[uploads.patern]]\na = 1", "unknown table `uploads.patern`", "`uploads.pattern`?"],
    ["[[hooks]]\na = 1", "unknown table `hooks`", "did you mean `hook`?"],
    ['[[hook]]\nevent = "upload"\ncomand = []', "unknown key `hook[0].comand`", "`command`?"],
    ["uploads.sha265 = true", "unknown key `uploads.sha265`", "did you mean `uploads.sha256`?"],
  ])("%s is unknown", (text, message, remedy) => {
    const { config, warnings } = loadConfig(text, "tftp.toml");
    expect(config).toBeDefined();
    expect(warnings.map((warning) => warning.message)).toEqual([expect.stringContaining(message)]);
    expect(warnings[0]?.remedy).toContain(remedy);
  });

  test("entries know their places; flags on the command line keep them", () => {
    const config = configOf(
      '[[uploads.pattern]]\npattern = "a"\n[[uploads.pattern]]\npattern = "b"',
    );
    const [, second] = applyOverrides(config, { root_dir: "/x" }).config?.uploads.pattern ?? [];
    expect(second).toMatchObject({ pattern: "b", place: { line: 4 } });
    expect(second?.sources.get("pattern")).toMatchObject({ line: 5, column: 11 });
    expect(second?.sources.has("overwrite")).toBe(false);
    expect(configOf("hook = []").hook).toEqual([]);
  });
});

describe("what does not fit together", () => {
  test.each([
    ["write_config.enabled = true", "no pattern allows any upload", '["backups/*.cfg"]'],
    ['[write_config]\nenabled = true\nallowed_patterns = [" "]', "a pattern is blank", "say which"],
    [
      '[write_config]\nenabled = true\nallowed_patterns = ["a", "**/*"]',
      "allows every name",
      "say",
    ],
    ['[write_config]\nenabled = true\nallowed_patterns = ["/*"]', '"/*" allows every name', "say"],
    [`${ON}[uploads]\nroot_dir = "up"`, "must be an absolute path", '"/srv/uploads"'],
    [`${ON}[uploads]\nroot_dir = "/none"`, "/none, does not exist", "mkdir -p /none"],
    [`${ON}[uploads]\nroot_dir = "/srv"`, "holds the served folder", "one elsewhere"],
    [`${ON}[uploads]\nowner = "nobody-here"`, 'no user "nobody-here"', "/etc/passwd"],
    [`${ON}[uploads]\ngroup = "nobody-here"`, 'no group "nobody-here"', "/etc/group"],
    ['[[hook]]\nevent = "upload"', "does nothing", "write a command, or a url"],
    ['[[hook]]\nurl = "http://x/"', "this [[hook]] has no `events`", '["transfer_failed", '],
    ['[[hook]]\nurl = "http://x/"\nevents = []', "this [[hook]] has no `events`", "what calls it"],
    [
      '[[hook]]\nevent = "upload"\nevents = ["upload"]\nurl = "http://x/"',
      "either `event` or `events`",
      "remove `event`",
    ],
    [
      '[[hook]]\nevent = "upload"\nurl = "http://x/"\nsecret_file = "/nowhere"',
      "the secret's file /nowhere does not exist",
      "head -c 24 /dev/urandom",
    ],
    [
      '[[hook]]\nevent = "upload"\ncommand = ["/bin/true"]\nsecret_file = "/etc/passwd"',
      "what a command is told is not signed",
      "write a url instead",
    ],
    [
      '[[hook]]\nevent = "upload"\nurl = "http://x/"\ncommand = ["/bin/true"]',
      "either a command or a url",
      "two hooks",
    ],
    ['[[hook]]\nevent = "upload"\ncommand = ["git"]', "absolute path", '"/usr/local/bin/git"'],
    ['[[hook]]\nevent = "upload"\ncommand = ["/bin/nix"]', "no program", "chmod +x /bin/nix"],
    [
      '[[hook]]\nevent = "upload"\ncommand = ["/bin/true"]\nheaders = ["A: b"]',
      "a command has no headers",
      "remove them",
    ],
  ])("%s stops the start", (text, message, remedy) => {
    const findings = found(text);
    expect(findings.map(({ severity }) => severity)).toEqual(["error"]);
    expect(findings[0]?.message).toContain(message);
    expect(findings[0]?.remedy).toContain(remedy);
    expect(findings[0]?.line).toBeGreaterThan(1);
  });

  test.each([
    ["[uploads]\nsha256 = true", "uploads are off", "write enabled = true in [write_config]"],
    ['[[uploads.pattern]]\npattern = "a"', "uploads are off", "or remove it"],
    [`${ON}[uploads]\nversions_folder = "old"`, "no versions are kept", "keep_versions = 5"],
    [`${ON}[uploads]\nroot_dir = "/mnt/ro"`, "cannot be written", "chown USER /mnt/ro"],
  ])("%s is a warning", (text, message, remedy) => {
    const findings = found(text);
    expect(findings.map(({ severity }) => severity)).toEqual(["warning"]);
    expect(findings[0]?.message).toContain(message);
    expect(findings[0]?.remedy).toContain(remedy);
    expect(findings[0]?.line).toBeGreaterThan(1);
  });

  test.each([
    ON,
    'write_config.allowed_patterns = ["*"]',
    `${ON}[uploads]\nroot_dir = "/srv/up"\nowner = "root"\ngroup = "0"`,
    `${ON}[uploads]\nroot_dir = "/srv/tftp"`,
    `${ON}[uploads]\nroot_dir = "/srv/tftp/up"\nversions_folder = "old"\nkeep_versions = 1`,
    `${ON}[uploads]\nversions_folder = "old"\n[[uploads.pattern]]\npattern = "a"\nkeep_versions = 1`,
    "[uploads]\ndisk_threads = 4",
    '[[hook]]\nevent = "upload"\ncommand = ["/bin/true", "-x"]',
  ])("%s is fine", (text) => {
    expect(found(text)).toEqual([]);
  });
});

describe("settings", () => {
  test("Snow-Owl's keys alone mean what they meant", () => {
    const text = `max_file_size_bytes = 1000\n${ON}allow_overwrite = true`;
    expect(uploads(text)).toMatchObject({
      isEnabled: true,
      allowedPatterns: ["backups/*"],
      terms: { mayOverwrite: true, fileBytesMax: 1000, versionsKept: 0 },
      rootDir: "/srv/tftp",
      servedAs: "",
    });
  });

  test("every key reaches its setting, in bytes and milliseconds", () => {
    const text = `${ON}[uploads]
      root_dir = "/srv/up"
      create_folders = true
      overwrite = true
      max_file_size_bytes = 10
      root_quota_mb = 2
      client_quota_mb = 1
      client_quota_secs = 60
      min_free_space_mb = 0
      file_mode = "640"
      folder_mode = "0750"
      owner = "root"
      group = "7"
      keep_versions = 3
      versions_folder = ".old"
      quarantine_folder = "in/q"
      write_only = true
      fsync = false
      verify = true
      concurrent_writers = "last-complete-wins"
      patience_secs = 5
      disk_threads = 3`;
    expect(uploads(text)).toEqual({
      isEnabled: true,
      allowedPatterns: ["backups/*"],
      terms: { mayOverwrite: true, fileBytesMax: 10, versionsKept: 3 },
      patterns: [],
      quarantineFolder: "in/q",
      versionsFolder: ".old",
      isWriteOnly: true,
      servedAs: undefined,
      rootDir: "/srv/up",
      mayCreateFolders: true,
      rootBytesMax: 2 * 1024 ** 2,
      clientBytesMax: 1024 ** 2,
      clientWindowMs: 60_000,
      freeBytesMin: 0,
      fileMode: 0o640,
      folderMode: 0o750,
      ownerId: 0,
      groupId: 7,
      isSynced: false,
      isVerified: true,
      isHashed: true,
      concurrentWriters: "last-complete-wins",
      patienceMs: 5000,
      diskThreads: 3,
    });
    expect(structuredClone(uploads(text))).toEqual(uploads(text));
  });

  test("uploads.overwrite wins over allow_overwrite once it is written", () => {
    expect(uploads(`${ON}allow_overwrite = true`).terms.mayOverwrite).toBe(true);
    const text = `${ON}allow_overwrite = true\n[uploads]\noverwrite = false`;
    expect(uploads(text).terms.mayOverwrite).toBe(false);
  });

  test("a pattern's terms are the general ones where it is silent", () => {
    const text = `max_file_size_bytes = 500\n${ON}allow_overwrite = true
      [uploads]\nmax_file_size_bytes = 100\nkeep_versions = 2
      [[uploads.pattern]]\npattern = "a"
      [[uploads.pattern]]\npattern = "b"\noverwrite = false\nmax_file_size_bytes = 0\nkeep_versions = 0
      [[uploads.pattern]]\npattern = "c"\nmax_file_size_bytes = 300`;
    expect(uploads(text).patterns).toEqual([
      { pattern: "a", mayOverwrite: true, fileBytesMax: 100, versionsKept: 2 },
      { pattern: "b", mayOverwrite: false, fileBytesMax: 500, versionsKept: 0 },
      { pattern: "c", mayOverwrite: true, fileBytesMax: 300, versionsKept: 2 },
    ]);
  });

  test.each([
    ["/srv/tftp", ""],
    ["/srv/tftp/", ""],
    ["/srv/tftp/up/x", "up/x"],
    ["/srv/tftp2", undefined],
    ["/srv/tftp/..up", "..up"],
    ["/srv", undefined],
  ])("uploads in %s are served as %p", (rootDir, servedAs) => {
    expect(uploads(`uploads.root_dir = "${rootDir}"`).servedAs).toBe(servedAs);
  });

  test("hooks", () => {
    const text = `[[hook]]\nevent = "upload"\ncommand = ["/bin/true", "a b"]\npattern = "*.cfg"
      [[hook]]\nevent = "upload"\nurl = "https://x/y"\nheaders = ["A: b ", "C:d:e"]\ntimeout_secs = 2\nretries = 0`;
    expect(hooks(text)).toEqual([
      {
        events: ["upload"],
        pattern: "*.cfg",
        action: { kind: "command", argv: ["/bin/true", "a b"] },
        timeoutMs: 30_000,
        retries: 3,
      },
      {
        events: ["upload"],
        pattern: "*",
        action: {
          kind: "post",
          url: "https://x/y",
          headers: [
            { name: "A", value: "b" },
            { name: "C", value: "d:e" },
          ],
          secretFile: undefined,
        },
        timeoutMs: 2000,
        retries: 0,
      },
    ]);
  });

  test("a hook has each of its events once, and a secret where one is named", () => {
    const text = `[[hook]]\nevents = ["client_stuck", "upload", "client_stuck"]
      url = "http://x/"\nsecret_file = "/etc/secret"`;
    expect(hooks(text)).toMatchObject([
      { events: ["client_stuck", "upload"], action: { secretFile: "/etc/secret" } },
    ]);
  });

  test("accounts are numbers or names of this machine", () => {
    expect([userId("root"), userId("12"), userId(""), userId("nobody-here")]).toEqual([
      0,
      12,
      undefined,
      undefined,
    ]);
    expect([groupId("root"), groupId("nobody-here")]).toEqual([0, undefined]);
  });
});

describe("explainSettings", () => {
  test("says what Snow-Owl's keys alone come to", () => {
    expect(lines(ON)).toEqual([
      "uploads     backups/* into /srv/tftp, served again",
      "  terms     new names alone, each unlimited",
      "  space     in all unlimited, a client unlimited, 64 MiB stay free",
      "  files     mode 0644 of the server's user, no folder is created",
      "  care      not read back, a second writer is refused, given up after 60 s of silence, 2 disk threads per worker",
      "  memory    128 MiB (64 MiB for each worker)",
    ]);
  });

  test("says what was chosen, and keeps a URL's query to itself", () => {
    const text = `${ON}allow_overwrite = true
      [uploads]\nroot_dir = "/srv/up"\ncreate_folders = true\nroot_quota_mb = 1024\nclient_quota_mb = 10
      max_file_size_bytes = 1048576\nowner = "7"\nfile_mode = "0600"\nkeep_versions = 30\nversions_folder = ".old"
      quarantine_folder = ".q"\nsha256 = true\nconcurrent_writers = "last-complete-wins"
      [[uploads.pattern]]\npattern = "logs/*"\noverwrite = false\nkeep_versions = 0
      [[hook]]\nevent = "upload"\nurl = "https://x/y?token=secret"
      [[hook]]\nevents = ["upload", "client_stuck"]\nurl = "https://x/z"\nsecret_file = "/etc/hidden"
      [[hook]]\nevent = "upload"\ncommand = ["/bin/true", "secret"]`;
    expect(lines(text)).toEqual([
      "uploads     backups/* into /srv/up, which is not served, waiting in .q until moved",
      "  terms     files that exist are replaced, 30 versions kept, each up to 1 MiB",
      "  pattern   logs/*: new names alone, each up to 1 MiB",
      "  space     in all up to 1 GiB, a client up to 10 MiB in 24 h, 64 MiB stay free",
      "  files     mode 0600 of 7:its group, folders are created with 0755, versions go to .old",
      "  care      SHA-256 in the log, of two writers the last to complete wins, given up after 60 s of silence, 2 disk threads per worker",
      "  memory    128 MiB (64 MiB for each worker)",
      "hook        upload of *: POST to https://x/y, 30 s, 3 retries",
      "hook        upload, client_stuck of *: POST to https://x/z, signed, 30 s, 3 retries",
      "hook        upload of *: run /bin/true, 30 s, 3 retries",
    ]);
  });

  test("says that quarantine makes folders of its own", () => {
    expect(lines(`${ON}[uploads]\nquarantine_folder = ".q"`)[3]).toBe(
      "  files     mode 0644 of the server's user, folders are created with 0755 in quarantine alone",
    );
  });

  test("says that a drop box is write-only, and verified uploads are", () => {
    const text = `${ON}[uploads]\nwrite_only = true\nverify = true`;
    expect(lines(text)[0]).toBe("uploads     backups/* into /srv/tftp, write-only");
    expect(lines(text)[4]).toStartWith("  care      read back and compared, ");
  });
});
