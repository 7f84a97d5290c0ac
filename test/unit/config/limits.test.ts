// [limits] and [[rate_class]]: what they resolve to, what `check` says of them, and where each mistake is pointed at.

import { describe, expect, test } from "bun:test";

import { type Config, defaults } from "#config/config.ts";
import { explainSettings } from "#config/explain.ts";
import type { Files } from "#config/files.ts";
import { loadConfig } from "#config/load.ts";
import { renderProblem } from "#config/problem.ts";
import { resolveLimits } from "#config/settings-limits.ts";
import { resolvePolicy } from "#config/settings-policy.ts";
import { resolveSettings } from "#config/settings.ts";
import { validateConfig } from "#config/validate.ts";

const files: Files = {
  exists: () => true,
  isDirectory: () => true,
  isReadable: () => true,
  isWritable: () => true,
  canAppend: () => true,
  read: () => ({ code: "ENOENT" }),
  isProgram: () => true,
};

function load(text: string): Config {
  const { config, problems } = loadConfig(`root_dir = "/srv/tftp"\n${text}`, "tftp.toml");
  expect(problems).toEqual([]);
  return config ?? defaults;
}

function said(text: string): string {
  return validateConfig(load(text), files, "tftp.toml").map(renderProblem).join("\n");
}

const EXAMPLE = `
[limits]
transfers = 400
transfers_per_client = 8
transfers_per_network = 200
half_open_per_network = 0
requests_per_second = 2.5
network_bits_v4 = 22
at_limit = "drop"
mbit_per_second = 800
client_mbit_per_second = 100

[[rate_class]]
name = "branch"
mbit_per_second = 20

[[rate_class]]
name = "lab"
client_mbit_per_second = 0

[[rule]]
client = ["10.9.0.0/16"]
rate_class = "branch"
`;

test("bits become bytes, and a class has the clients' limit unless it has one of its own", () => {
  const { clients, isDropped, rates, classNames } = resolveLimits(load(EXAMPLE));
  expect(clients).toEqual({
    transfersMax: 400,
    clientTransfersMax: 8,
    networkTransfersMax: 200,
    halfOpenMax: 0,
    requestsPerSecond: 2.5,
    requestBurst: 100,
    networkBits4: 22,
    networkBits6: 64,
  });
  expect([isDropped, classNames]).toEqual([true, ["", "branch", "lab"]]);
  expect(rates).toEqual({
    bytesPerSecond: 100_000_000,
    classes: [
      { bytesPerSecond: 0, clientBytesPerSecond: 12_500_000 },
      { bytesPerSecond: 2_500_000, clientBytesPerSecond: 12_500_000 },
      { bytesPerSecond: 0, clientBytesPerSecond: 0 },
    ],
  });
  expect(resolvePolicy(load(EXAMPLE)).rules[0]?.rate).toBe("branch");
});

test("`check` says what is limited", () => {
  const lines = explainSettings(load(EXAMPLE), { cores: 1, memoryBytes: 1e9 });
  expect(lines.filter((line) => /^(?:limits|bandwidth| )/u.test(line))).toEqual([
    "limits          transfers: 400 in all, 8 per client, 200 per network; requests: 2.5/s per network, 100 at once; networks: /22 and /64; beyond: silence; unanswered: 1600 bytes",
    "bandwidth       800 Mbit/s for all",
    "  no class      100 Mbit/s for each client",
    "  class branch  20 Mbit/s for all of it, 100 Mbit/s for each client",
  ]);
});

describe("memory", () => {
  const MIB = 1024 ** 2;
  const writable = '[write_config]\nenabled = true\nallowed_patterns = ["a*"]\n';
  const machine = { cores: 4, memoryBytes: 64 * 1024 * MIB };

  /** What the cache and uploads may take, in MiB. */
  function shares(text: string): readonly [cache: number, uploads: number] {
    const { cacheBytesMax, uploadBytesMax } = resolveSettings(load(text), machine);
    return [cacheBytesMax / MIB, uploadBytesMax / MIB];
  }

  test.each([
    ["", [1024, 0]],
    [writable, [1024, 256]],
    [`${writable}[uploads]\nmemory_mb = 100\n`, [1024, 100]],
    [`${writable}[limits]\nmemory_mb = 2000\n`, [1024, 256]],
    [`${writable}[limits]\nmemory_mb = 600\n`, [344, 256]],
    [`${writable}[limits]\nmemory_mb = 300\n`, [150, 150]],
    [`${writable}[limits]\nmemory_mb = 300\n[cache]\nsize_mb = 200\n`, [200, 50]],
    [`${writable}[limits]\nmemory_mb = 300\n[uploads]\nmemory_mb = 10\n`, [290, 10]],
    ["[limits]\nmemory_mb = 300\n", [300, 0]],
  ])("%j", (text, expected) => {
    expect(shares(text)).toEqual(expected as [number, number]);
    expect(said(text)).toBe("");
  });

  test.each([
    "[limits]\nmemory_mb = 300\n[cache]\nsize_mb = 301\n",
    `${writable}[limits]\nmemory_mb = 300\n[cache]\nsize_mb = 300\n`,
    `${writable}[limits]\nmemory_mb = 300\n[cache]\nsize_mb = 200\n[uploads]\nmemory_mb = 101\n`,
  ])("%j is more than there is", (text) => {
    expect(said(text)).toContain("`memory_mb` is 300 MiB, but");
  });
});

describe("mistakes", () => {
  test("a file with limits that make sense has none", () => {
    expect(said(EXAMPLE)).toBe("");
  });

  test.each([
    ['[[rule]]\nrate_class = "bulk"\n', 'error: `rule.rate_class` names "bulk", which is no class'],
    ['[[rate_class]]\nname = ""\nmbit_per_second = 1\n', "error: a class needs a name"],
    ['[[rate_class]]\nname = "a"\n', 'warning: the class "a" limits nothing'],
    ["[limits]\nrequest_burst = 5\n", "`request_burst` has no effect without"],
    [
      '[[rate_class]]\nname = "a"\nmbit_per_second = 1\n'.repeat(2),
      'error: there is a class "a" already',
    ],
    [
      Array.from(
        { length: 64 },
        (_, n) => `[[rate_class]]\nname = "${n}"\nmbit_per_second = 1\n`,
      ).join(""),
      "error: there are more than 63 classes",
    ],
  ])("%j", (text, expected) => {
    expect(said(text)).toContain(expected);
  });
});
