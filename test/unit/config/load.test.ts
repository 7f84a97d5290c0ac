// From text to configuration: every kind of mistake has its place, its sentence and its remedy.

import { describe, expect, test } from "bun:test";

import * as fc from "fast-check";

import { defaults, isSet } from "#config/config.ts";
import { loadConfig } from "#config/load.ts";
import { renderProblem } from "#config/problem.ts";

/** Everything that is said about a file, notes included, as it is printed. */
function said(text: string): string {
  const { problems, warnings } = loadConfig(text, "tftp.toml");
  return [...problems, ...warnings].map(renderProblem).join("\n");
}

describe("a file without mistakes", () => {
  test("may be empty: every key has its default and none is set", () => {
    const { config, problems, warnings } = loadConfig("", "tftp.toml");
    expect(config).toEqual(defaults);
    expect(config?.root_dir).toBe("/var/lib/snow-owl/tftp");
    expect(config?.performance.platform.batch.max_batch_size).toBe(64);
    expect([problems, warnings]).toEqual([[], []]);
    expect(defaults.sources.size).toBe(0);
  });

  test("sets its keys, and remembers which and where", () => {
    const text =
      '[performance.platform.batch]\r\n  max_batch_size = 64\r\n[logging]\nformat = "json"\n';
    const { config } = loadConfig(text, "tftp.toml");
    expect(config?.logging.format).toBe("json");
    expect(config !== undefined && isSet(config, "logging.format")).toBe(true);
    expect(config !== undefined && isSet(config, "logging.level")).toBe(false);
    // Set to its default is set all the same.
    expect(config?.sources.get("performance.platform.batch.max_batch_size")).toEqual({
      file: "tftp.toml",
      line: 2,
      column: 20,
      length: 2,
      sourceLine: "  max_batch_size = 64",
    });
  });

  test("may begin with a byte order mark, and columns do not count it", () => {
    expect(said("\u{FEFF}root_dir = 1\n")).toContain("tftp.toml:1:12: error");
  });

  test("may write integers in any notation, and an integer for the number with a fraction", () => {
    const text =
      "max_file_size_bytes = 0x10\n[performance]\naudit_sampling_rate = 0\n[transfer]\nmax_transfers = 1_000\n";
    const { config } = loadConfig(text, "tftp.toml");
    expect(config?.max_file_size_bytes).toBe(16);
    expect(config?.performance.audit_sampling_rate).toBe(0);
    expect(config?.transfer.max_transfers).toBe(1000);
  });
});

describe("mistakes that stop the start", () => {
  test("a wrong type", () => {
    expect(said('[transfer]\n\tpatience_secs = "30" # half a minute\n')).toBe(
      [
        "tftp.toml:2:18: error: `transfer.patience_secs` must be an integer, not a string",
        '  2 | \tpatience_secs = "30" # half a minute',
        "    | \t                ^^^^",
        "help: write 30 without quotes.",
      ].join("\n"),
    );
  });

  test.each([
    ["root_dir = true", "must be a string, not a boolean", "put the value in quotes."],
    ["root_dir = 1979-05-27", "must be a string, not a date", "put the value in quotes."],
    ["max_file_size_bytes = 4096.0", "must be an integer, not a float", "write an integer."],
    ["cache.size_mb = [1]", "must be an integer, not an array", "write an integer."],
    ["transfer.single_port = 1", "must be true or false, not an integer", "write true or false."],
    ['transfer.single_port = "true"', "not a string", "write true without quotes."],
    ["performance.audit_sampling_rate = true", "must be a number", "write a number."],
    ["logging.format = {}", "must be a string, not a table", "put the value in quotes."],
    ['transfer.refuse_options = "tsize"', "an array of strings", 'in brackets: ["tsize"].'],
    ['transfer.refuse_options = ["tsize", 1]', "strings alone, not an integer", "in quotes."],
    ['transfer.refuse_options = ["tzise"]', 'cannot be "tzise"', 'did you mean "tsize"?'],
    ['logging.format = "JSON"', 'cannot be "JSON"', 'did you mean "json"?'],
    ['logging.format = "xml"', 'cannot be "xml"', 'write one of "text", "json".'],
    ['logging.level = "wran"', 'cannot be "wran"', 'did you mean "warn"?'],
    ['root_dir = "a\\u0000b"', "holds a NUL character", "no file name can hold one"],
    ['bind_addr = "localhost:69"', "is not an IP address and a port", "write a literal"],
    ['multicast.multicast_addr = "224.0.1"', "is not an IP address", "write a literal"],
    ["max_file_size_bytes = -1", "cannot be -1", "write a number from 0 bytes up."],
    ["transfer.max_transfers = 0", "cannot be 0", "write a number from 1 to 65536 transfers."],
    ["transfer.max_block_size = 65465", "cannot be 65465", "from 8 to 65464 bytes."],
    ['transfer.port_range = "9-8"', "ends before it begins", '"40000-40099"'],
    ["logging = 3", "`logging` must be a table, not an integer", "write [logging] on a line"],
    ["[[logging]]\nlevel = 3", "`logging` must be a table, not an array", "write [logging]"],
  ])("%s", (text, message, remedy) => {
    const { config, problems } = loadConfig(text, "tftp.toml");
    expect(config).toBeUndefined();
    expect(problems).toHaveLength(1);
    expect(problems[0]?.message).toContain(message);
    expect(problems[0]?.remedy).toContain(remedy);
    expect(problems[0]?.line).toBe(1);
  });

  test("the caret stands under the element that is wrong", () => {
    const lines = said('[transfer]\nrefuse_options = [\n  "tsize",\n  "blcksize", # oops\n]\n');
    expect(lines).toContain('  4 |   "blcksize", # oops\n    |   ^^^^^^^^^^\n');
  });

  test("all are reported at once, in the order of the file", () => {
    const { problems } = loadConfig(
      "logging.file = 1\nroot_dir = 2\nlogging.level = 3\n",
      "f.toml",
    );
    expect(problems.map(({ line }) => line)).toEqual([1, 2, 3]);
  });

  test.each([
    ["root_dir = /srv", "1:12: error: this is not TOML", 'strings stand in quotes: "/srv".'],
    ["a = 1\na = 2", "2:1: error", "each key and each table may stand in the file once"],
    ["[a\nb = 1", "1:3: error", "write `key = value` or `[table]`"],
    ['a = "x\nb = 1', "1:7: error", "strings stand in quotes."],
    ["x = [[[[[[[[[[1]]]]]]]]]]", "excessively nested", "write `key = value`"],
    ["__proto__.polluted = true", "1:1: error: `__proto__` and", "remove the key."],
    ['[logging]\n"__proto__" = 1', "2:1: error: `__proto__` and", "remove the key."],
    ["x = { constructor = 1 }", "`constructor` cannot be keys", "remove the key."],
  ])("%p is no document", (text, message, remedy) => {
    const { config, problems } = loadConfig(text, "tftp.toml");
    expect(config).toBeUndefined();
    expect(problems.map(renderProblem).join("\n")).toContain(message);
    expect(problems[0]?.remedy).toContain(remedy);
  });

  test("no text throws, and none pollutes the prototype of objects", () => {
    const soup = fc.string({
      unit: fc.constantFrom(...Array.from("ab.=[]{},\"'\\# \n\t1")),
      maxLength: 40,
    });
    fc.assert(
      fc.property(soup, (text) => {
        const { config, problems } = loadConfig(text, "tftp.toml");
        expect(config === undefined).toBe(problems.length > 0);
        for (const problem of problems) expect(problem.remedy).not.toBe("");
      }),
      { numRuns: 2000 },
    );
    expect("polluted" in {}).toBe(false);
  });
});

describe("what only deserves a warning", () => {
  test.each([
    ["rot_dir = 1", "unknown key `rot_dir` is ignored", "did you mean `root_dir`?"],
    [
      "[performance]\nmax_batch_size = 4",
      "unknown key `performance.max_batch_size` is ignored",
      "did you mean `performance.platform.batch.max_batch_size`?",
    ],
    ["[loging]\nlevel = 1", "unknown table `loging` is ignored", "did you mean `logging`?"],
    ["[batch]\nx = 1", "unknown table `batch`", "did you mean `performance.platform.batch`?"],
    ['"bind addr" = 1', 'unknown key `"bind addr"`', "did you mean `bind_addr`?"],
    ["toString = 1", "unknown key `toString`", "remove it, or look for its name"],
    ['tftp_root = "/srv"', "here the folder is `root_dir`", "remove it"],
    [
      "[multicast]\nenabled = true",
      "multicast is not served yet",
      "write enabled = false in [multicast].",
    ],
    [
      "performance.platform.batch.max_batch_size = 5000",
      "is 5000, beyond its bounds; 1024 is used",
      "write a number from 1 to 1024 messages.",
    ],
  ])("%s", (text, message, remedy) => {
    const { config, warnings } = loadConfig(text, "tftp.toml");
    expect(config).toBeDefined();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]?.severity).toBe("warning");
    expect(warnings[0]?.message).toContain(message);
    expect(warnings[0]?.remedy).toContain(remedy);
    expect(warnings[0]?.length).toBeGreaterThan(1);
  });

  test("a number that Snow-Owl never checked is brought within its bounds", () => {
    const text =
      "max_file_size_bytes = 9223372036854775807\n[performance]\ndefault_block_size = 100\naudit_sampling_rate = 7.5\n";
    const { config } = loadConfig(text, "tftp.toml");
    expect(config?.max_file_size_bytes).toBe(Number.MAX_SAFE_INTEGER);
    expect(config?.performance.default_block_size).toBe(512);
    expect(config?.performance.audit_sampling_rate).toBe(1);
  });
});

describe("notes", () => {
  test("a key that does nothing says why in one line", () => {
    expect(said("[performance.platform.zero_copy]\nuse_sendfile = true\n")).toMatch(
      /^tftp\.toml:2:1: note: `performance\.platform\.zero_copy\.use_sendfile` has no effect: sendfile cannot put a TFTP header before each block; .* serve instead\.$/u,
    );
  });

  test("multicast that is off is a note alone", () => {
    const { warnings } = loadConfig("[multicast]\nenabled = false\n", "tftp.toml");
    expect(warnings.map(({ severity }) => severity)).toEqual(["note"]);
  });
});
