// The command line as typed: what is understood, and what a mistake is answered with.

import { expect, test } from "bun:test";

import { flags, readCommandLine } from "#cli/flags.ts";
import { helpText } from "#cli/help.ts";

test("no command serves, with flags in any order and both ways of giving values", () => {
  expect(readCommandLine(["-c", "a.toml", "--bind=[::]:6969", "--create-root-dir"])).toEqual({
    command: "serve",
    operands: [],
    rawArgs: ["--config=a.toml", "--bind=[::]:6969", "--create-root-dir"],
  });
  expect(readCommandLine(["--config", "a.toml", "check"])).toEqual({
    command: "check",
    operands: [],
    rawArgs: ["--config=a.toml"],
  });
  expect(readCommandLine(["--init-config", "--config", "-"])).toEqual({
    command: "serve",
    operands: [],
    rawArgs: ["--init-config", "--config=-"],
  });
});

test("import takes a server and a file", () => {
  expect(
    readCommandLine(["import", "tftpd-hpa", "/etc/default/tftpd-hpa", "--map-file", "m"]),
  ).toEqual({
    command: "import",
    operands: ["tftpd-hpa", "/etc/default/tftpd-hpa"],
    rawArgs: ["--map-file=m"],
  });
});

test.each([
  [
    ["import", "dnsmasq", "a", "b"],
    "unexpected argument b",
    "flags begin with --; --help lists them",
  ],
  [["--cofig", "x"], "unknown flag --cofig", "did you mean --config?"],
  [["--rootdir=/srv"], "unknown flag --rootdir", "did you mean --root-dir?"],
  [["-x"], "unknown flag -x", "--help lists the flags"],
  [["--config"], "--config needs a value", "write --config FILE"],
  [["--config", "--bind"], "--config needs a value", "write --config FILE"],
  [["--help=yes"], "--help takes no value", "write --help alone"],
  [["-c", "a", "--config", "b"], "--config stands twice", "give each flag once"],
  [["chek"], "unknown command chek", "did you mean check?"],
  [["serve", "more"], "unexpected argument more", "flags begin with --; --help lists them"],
])("%p is answered with a remedy", (argv, fault, remedy) => {
  expect(readCommandLine(argv)).toEqual({ fault, remedy });
});

test("the help has every flag and every exit code", () => {
  const help = helpText("0.1.0");
  for (const name of Object.keys(flags)) expect(help).toContain(`--${name}`);
  expect(help.match(/^ {2}(?:0|1|2|70|71) /gm)).toHaveLength(5);
});
