// Other servers' configurations: how their lines are read, and what each becomes, every output a configuration that loads.

import { describe, expect, test } from "bun:test";

import * as fc from "fast-check";

import { importAtftpd } from "#cli/import-atftpd.ts";
import { importDnsmasq } from "#cli/import-dnsmasq.ts";
import { importTftpdHpa } from "#cli/import-tftpd-hpa.ts";
import { readAssignments, readOptions, splitWords } from "#cli/import-words.ts";
import type { Config } from "#config/config.ts";
import { loadConfig } from "#config/load.ts";
import { resolvePolicy } from "#config/settings-policy.ts";
import { compilePolicy, Policy } from "#policy/policy.ts";
import { escapeText, isTextFault, parseText, renderText } from "#policy/text.ts";

/** The configuration that a translation loads as, without a word, and whose rules compile. */
function loaded(toml: string): Config {
  const { config, problems, warnings } = loadConfig(toml, "imported.toml");
  expect(problems).toEqual([]);
  // Keys that do nothing yet may be noted.
  expect(warnings.filter(({ severity }) => severity === "warning")).toEqual([]);
  if (config === undefined) throw new Error(toml);
  expect(compilePolicy(resolvePolicy(config))).toBeInstanceOf(Policy);
  return config;
}

/** What is set, without comments. */
function settings(toml: string): readonly string[] {
  return toml.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

/** The comments that say that something is impossible. */
function impossible(toml: string): string {
  return toml
    .split("\n")
    .filter((line) => line.startsWith("# impossible: "))
    .join("\n");
}

describe("shell words", () => {
  test("lose their quotes and comments", () => {
    expect(splitWords(`a "b c" 'd "e' f\\ g h"i"'j' # k`)).toEqual([
      "a",
      "b c",
      'd "e',
      "f g",
      "hij",
    ]);
    expect(splitWords('--map "" x#y')).toEqual(["--map", "", "x#y"]);
  });

  test("are assigned, the last time counts", () => {
    const text = "# A=0\nA=1 # one\nexport B='two words'\n A=\"3 # x\"\nC=a\\\nb\n";
    expect([...readAssignments(text)]).toEqual([
      ["A", "3 # x"],
      ["B", "two words"],
      ["C", "ab"],
    ]);
  });

  test("are options as getopt takes them", () => {
    const table = [
      { name: "secure", letter: "s", value: "none" },
      { name: "blocksize", letter: "B", value: "required" },
      { name: "verbose", letter: "v", value: "optional" },
    ] as const;
    const words = [
      "-svB1468",
      "--block",
      "512",
      "--secure",
      "-B",
      "8",
      "--verbose=7",
      "-x",
      "dir",
      "--",
      "-s",
    ];
    const { options, operands } = readOptions(words, table);
    expect(options.map(({ name, value }) => `${name} ${value}`)).toEqual([
      "secure ",
      "verbose B1468",
      "blocksize 512",
      "secure ",
      "blocksize 8",
      "verbose 7",
      "undefined ",
    ]);
    expect(operands).toEqual(["dir", "-s"]);
  });

  test("are texts that stand for themselves", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("$", "{", "}", "a", "1", "ip") }),
        (literal) => {
          const text = parseText(escapeText(literal), new Set(["ip"]), 9);
          if (isTextFault(text)) throw new Error(text.message);
          expect(renderText(text, () => "VALUE")).toBe(literal);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("tftpd-hpa", () => {
  const defaults = `TFTP_USERNAME="tftp"
TFTP_DIRECTORY="/srv/tftp"
TFTP_ADDRESS="192.0.2.1:1069"
TFTP_OPTIONS="--secure --create -v -B1468 -r blksize2 --refuse=tsize -T 500000 -R 4000:4100 -m /etc/map --pidfile /run/x --wrong"`;

  test("with all its options", () => {
    const toml = importTftpdHpa(defaults, "/etc/default/tftpd-hpa", undefined, () => "rg \\\\ /");
    loaded(toml);
    expect(settings(toml)).toEqual([
      'bind_addr = "192.0.2.1:1069"',
      'root_dir = "/srv/tftp"',
      "[transfer]",
      "max_block_size = 1468",
      'refuse_options = ["blksize2", "tsize"]',
      "retransmit_timeout_ms = 500",
      'port_range = "4000-4100"',
      "[process]",
      'pid_file = "/run/x"',
      "[names]",
      "as_sent = true",
      'junk = "keep"',
      "[write_config]",
      "enabled = false",
      "[[rule]]",
      "ere = '\\\\'",
      'rewrite = "/"',
      "repeat = true",
    ]);
    expect(toml).toContain("--wrong: in.tftpd has no such option");
    expect(toml).toContain("TFTP_USERNAME");
    expect(toml).toContain("--create: clients may upload");
  });

  test("as Debian installs it", () => {
    const toml = importTftpdHpa(
      'TFTP_DIRECTORY="/srv/tftp"\nTFTP_ADDRESS=":69"\nTFTP_OPTIONS="--secure"',
      "f",
      undefined,
      () => undefined,
    );
    loaded(toml);
    expect(settings(toml)).toEqual([
      'bind_addr = "[::]:69"',
      'root_dir = "/srv/tftp"',
      "[write_config]",
      "enabled = false",
    ]);
  });

  test.each([
    ["-4", "", 'bind_addr = "0.0.0.0:69"'],
    ["", "[::1]:70", 'bind_addr = "[::1]:70"'],
    ["-a :tftp", "", 'bind_addr = "[::]:69"'],
    ["", "server.example:69", 'bind_addr = "[::]:69"'],
  ])("address %s %s", (options, address, expected) => {
    const toml = importTftpdHpa(
      `TFTP_ADDRESS="${address}"\nTFTP_OPTIONS="-s ${options}"`,
      "f",
      undefined,
      () => "",
    );
    loaded(toml);
    expect(settings(toml)).toContain(expected);
  });

  test("without --secure, of several directories", () => {
    const toml = importTftpdHpa(
      'TFTP_DIRECTORY="/a.b /c"\nTFTP_OPTIONS="-m m"',
      "f",
      undefined,
      () => "e ^/x",
    );
    loaded(toml);
    expect(settings(toml).slice(-12)).toEqual(
      [
        "[[rule]]",
        'ere = "^/x"',
        'go_to = "directories"',
        "[[rule]]",
        'name = "directories"',
        'ere = "^/c/"',
        'rewrite = ""',
        'roots = ["/c"]',
        'action = "stop"',
        "[[rule]]",
        "ere = '^/a\\.b/'",
        "not = true",
        'action = "deny"',
      ].slice(-12),
    );
  });

  test.each<[string, readonly string[]]>([
    ["ri ^[a-z]:", ['ere = "^[a-z]:"', "ignore_case = true", 'rewrite = ""']],
    ["a \\.pvt$ No such luck", ["ere = '\\.pvt$'", 'action = "deny"']],
    [
      "r4G a \\U\\1x\\i\\E\\x{\\$\\9",
      [
        'client = ["0.0.0.0/0"]',
        'request = "read"',
        'ere = "a"',
        'rewrite = "X{ip:upper}{ip_hex}{{$"',
      ],
    ],
    ["r (a) $\\1", ['ere = "(a)"', 'rewrite = "$${1}"']],
    ["s a", ['ere = "a"', 'action = "stop"']],
    [
      "~6eP b # c",
      ['client = ["::/0"]', 'request = "write"', 'ere = "b"', "not = true", 'action = "stop"'],
    ],
  ])("map line %s", (map, expected) => {
    const toml = importTftpdHpa('TFTP_OPTIONS="-s -m m"', "f", undefined, () => map);
    loaded(toml);
    const lines = settings(toml);
    expect(lines.slice(lines.indexOf("[[rule]]") + 1)).toEqual([...expected]);
  });

  test("s goes on with the second rule", () => {
    const toml = importTftpdHpa(
      'TFTP_OPTIONS="-s -m m"',
      "f",
      undefined,
      () => "r a b\nr c d\nrs e f",
    );
    expect(settings(toml).slice(-8)).toEqual([
      "[[rule]]",
      'name = "start over"',
      'ere = "c"',
      'rewrite = "d"',
      "[[rule]]",
      'ere = "e"',
      'rewrite = "f"',
      'go_to = "start over"',
    ]);
  });

  test.each([
    ["r (a)\\1 b", "refers back to a group"],
    ["rE a b", "whether a file exists"],
    ["rz a b", "there is no operation z"],
    ["r~ a b", "refuses r with ~"],
    ["GP a", "it never applies"],
    ["r", "no regular expression"],
    ["r \u{FFFD}.* ", "bytes that are no UTF-8"],
  ])("map line %s is impossible", (map, reason) => {
    const toml = importTftpdHpa('TFTP_OPTIONS="-s -m m"', "f", undefined, () => map);
    loaded(toml);
    expect(impossible(toml)).toContain(reason);
    expect(settings(toml)).not.toContain("[[rule]]");
  });
});

describe("dnsmasq", () => {
  test("with every line on TFTP", () => {
    const toml = importDnsmasq(
      `# a comment
domain-needed
enable-tftp
tftp-root=/srv/tftp  # behind a space
tftp-root=/srv/lab,eth1
tftp-unique-root=mac
tftp-lowercase
tftp-mtu=1500
tftp-max=200
tftp-no-blocksize
tftp-port-range=4000,4100
tftp-single-port
tftp-no-fail
tftp-secure
quiet-tftp
interface=eth0
except-interface=eth2
listen-address=192.0.2.1
dhcp-host=11:22:33:44:55:66,set:lab,node7,192.168.0.60,45m
dhcp-host=node8,192.168.0.61
dhcp-range=192.168.0.50,192.168.0.150
conf-dir=/etc/dnsmasq.d`,
      "/etc/dnsmasq.conf",
    );
    loaded(toml);
    expect(settings(toml)).toEqual([
      'root_dir = "/srv/tftp"',
      'roots = ["{mac_dash}", ""]',
      'bind_addr = "192.0.2.1:69"',
      "[limits]",
      "transfers = 200",
      'at_limit = "drop"',
      "[transfer]",
      'refuse_options = ["blksize"]',
      'port_range = "4000-4100"',
      "single_port = true",
      "[access]",
      'default = "deny"',
      "[[rule]]",
      'rewrite = "{name:lower}"',
      "[[rule]]",
      'client = ["0.0.0.0/0"]',
      "max_block_size = 1468",
      "[[rule]]",
      'client = ["::/0"]',
      "max_block_size = 1448",
      "[[rule]]",
      'interface = ["eth1"]',
      'roots = ["/srv/lab/{mac_dash}", "/srv/lab"]',
      "[[rule]]",
      'interface = ["eth2"]',
      'action = "deny"',
      "[[rule]]",
      'interface = ["eth0", "lo"]',
      'action = "allow"',
      "[[host]]",
      'name = "node7"',
      'mac = "11:22:33:44:55:66"',
      'ip = "192.168.0.60"',
      'group = "lab"',
      "[[host]]",
      'name = "node8"',
      'ip = "192.168.0.61"',
    ]);
    for (const key of ["tftp-no-fail", "tftp-secure", "quiet-tftp", "conf-dir"])
      expect(toml).toContain(key);
    expect(toml).toContain("2 lines on DNS, DHCP");
  });

  test("that serves no TFTP says so", () => {
    const toml = importDnsmasq("listen-address=::1,192.0.2.1", "f");
    loaded(toml);
    expect(toml).toContain("there is no enable-tftp");
    expect(settings(toml)).toContain('local = ["::1", "192.0.2.1"]');
  });
});

describe("atftpd", () => {
  test("with all its options", () => {
    const toml = importAtftpd(
      `USE_INETD=false
# OPTIONS="--daemon"
OPTIONS="--tftpd-timeout 300 --retry-timeout 5 --mcast-port 1758 --maxthread 100 --verbose=7 --no-tsize --no-blksize --port 1069 --bind-address 192.0.2.1 --logfile /var/log/atftpd.log --prevent-sas --pcre /etc/pcre --trace /srv/tftp"`,
      "/etc/default/atftpd",
      undefined,
      () => "^(\\w*)\\.conf$  master.$1\n\nno-replacement\nx(?=y) z\nrepl(ace) m${1}$$\n",
    );
    loaded(toml);
    expect(settings(toml)).toEqual([
      'root_dir = "/srv/tftp"',
      'bind_addr = "192.0.2.1:1069"',
      "[transfer]",
      "retransmit_timeout_ms = 5000",
      'refuse_options = ["tsize", "blksize"]',
      "[limits]",
      "transfers = 100",
      'at_limit = "drop"',
      "[logging]",
      'level = "debug"',
      'file = "/var/log/atftpd.log"',
      "[names]",
      "as_sent = true",
      "[write_config]",
      "enabled = false",
      "[[rule]]",
      'request = "read"',
      "regex = '^(\\w*)\\.conf$'",
      'fallback = "master.{1}"',
      'action = "stop"',
      "[[rule]]",
      'request = "read"',
      'regex = "repl(ace)"',
      'fallback = "m{1}$"',
      'action = "stop"',
    ]);
    expect(toml).toContain("looks ahead or behind");
    expect(toml).toContain("no-replacement: a line is");
    expect(toml).toContain("--mcast-port 1758: multicast");
    expect(toml).toContain("--prevent-sas: a repeated");
  });

  test("without options", () => {
    const toml = importAtftpd("", "f", undefined, () => undefined);
    loaded(toml);
    expect(settings(toml)).toContain('root_dir = "/tftpboot"');
  });
});
