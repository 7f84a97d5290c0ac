// The command line (cli layer): the table of flags that citty parses, that --help prints, and that unknown flags are compared
// with. Snow-Owl's flags keep their names and meanings.

import { nearest } from "#config/nearest.ts";

import { adminCommands } from "./admin-flags.ts";
import { benchCommands } from "./bench-flags.ts";
import { clientCommands } from "./client-flags.ts";
import { readFlags, type UsageFault } from "./words.ts";

/** The commands by name, as --help introduces them. */
export const commands = {
  serve: "serve files until SIGTERM or SIGINT; what happens without a command",
  check: "load the configuration, print what it resolves to and why, and exit",
  probe: "print which features this kernel grants, why not, and what to do",
  import: "translate another server's configuration: import tftpd-hpa|dnsmasq|atftpd FILE",
  help: "print this text",
} as const;

/** How many words may follow a command. */
const operandsMax: Readonly<Partial<Record<CommandName, number>>> = { check: 1, import: 2 };

export type CommandName = keyof typeof commands;

/** Every flag. `valueHint` stands for its value in --help. */
export const flags = {
  config: {
    type: "string",
    alias: "c",
    valueHint: "FILE",
    description: "the configuration file (default /etc/snow-owl/tftp.toml, which need not exist)",
  },
  "root-dir": {
    type: "string",
    valueHint: "FOLDER",
    description: "the folder to serve; a relative one counts from the working folder",
  },
  bind: {
    type: "string",
    valueHint: "ADDRESS:PORT",
    description: "where to listen: [::]:69 (IPv6 and IPv4), 0.0.0.0:69, [fe80::1%eth0]:69",
  },
  "create-root-dir": {
    type: "boolean",
    description: "create the root folders (served, uploads) if they are missing",
  },
  "check-config": { type: "boolean", description: "the same as the command check" },
  "init-config": {
    type: "boolean",
    description: "write a commented file of all defaults to --config FILE (- prints it), and exit",
  },
  multicast: { type: "string", valueHint: "true|false", description: "multicast.enabled" },
  "multicast-addr": { type: "string", valueHint: "IP", description: "multicast.multicast_addr" },
  "multicast-ip-version": {
    type: "string",
    valueHint: "v4|v6",
    description: "multicast.multicast_ip_version",
  },
  "multicast-port": { type: "string", valueHint: "PORT", description: "multicast.multicast_port" },
  "max-clients": { type: "string", valueHint: "N", description: "multicast.max_clients" },
  "master-timeout-secs": {
    type: "string",
    valueHint: "N",
    description: "multicast.master_timeout_secs",
  },
  "retransmit-timeout-secs": {
    type: "string",
    valueHint: "N",
    description: "multicast.retransmit_timeout_secs",
  },
  explain: {
    type: "boolean",
    description: "check: tell what the rules make of the request for NAME, a read unless --write",
  },
  client: { type: "string", valueHint: "IP", description: "check --explain: the client's address" },
  mac: { type: "string", valueHint: "MAC", description: "check --explain: its hardware address" },
  write: { type: "boolean", description: "check --explain: an upload" },
  listener: {
    type: "string",
    valueHint: "NAME",
    description:
      "check --explain: the [[listener]] that the request comes in by (default the first)",
  },
  interface: {
    type: "string",
    valueHint: "NAME",
    description: "check --explain: the interface that the request comes in by",
  },
  local: {
    type: "string",
    valueHint: "IP",
    description: "check --explain: the address of the server that is asked",
  },
  mode: {
    type: "string",
    valueHint: "octet|netascii",
    description: "check --explain: the mode of the transfer (default octet)",
  },
  options: {
    type: "string",
    valueHint: '"NAME=VALUE …"',
    description: 'check --explain: the options that are asked for, such as "blksize=1468 tsize=0"',
  },
  "map-file": {
    type: "string",
    valueHint: "FILE",
    description: "import tftpd-hpa: the map file, where it is another than the options name",
  },
  pcre: {
    type: "string",
    valueHint: "FILE",
    description:
      "import atftpd: the file of expressions, where it is another than the options name",
  },
  help: { type: "boolean", alias: "h", description: "print this text" },
  version: { type: "boolean", alias: "V", description: "print version, commit and runtime" },
} as const;

/** A command line that is well formed: a command, and the arguments that citty parses. */
export interface Invocation {
  readonly command: CommandName;
  /** The words behind the command. */
  readonly operands: readonly string[];
  readonly rawArgs: string[];
}

/** Splits a command line into command and flags, and refuses what citty would let pass: unknown, valueless and repeated ones. */
export function readCommandLine(argv: readonly string[]): Invocation | UsageFault {
  const operands: string[] = [];
  let command: CommandName | undefined;
  const rawArgs = readFlags(argv, flags, (word) => {
    if (command === undefined) {
      const fault = commandFault(word);
      if (fault === undefined) command = word as CommandName;
      return fault;
    }
    if (operands.length >= (operandsMax[command] ?? 0)) return extraFault(word);
    operands.push(word);
    return undefined;
  });
  return "fault" in rawArgs ? rawArgs : { command: command ?? "serve", operands, rawArgs };
}

function commandFault(word: string): UsageFault | undefined {
  if (Object.hasOwn(commands, word)) return undefined;
  if ([clientCommands, adminCommands, benchCommands].some((table) => Object.hasOwn(table, word))) {
    const remedy = `write snow-owl-tftp ${word} and then its flags; ${word} --help lists them`;
    return { fault: `${word} stands behind flags`, remedy };
  }
  const name = nearest(word, [
    ...Object.keys(commands),
    ...Object.keys(clientCommands),
    ...Object.keys(adminCommands),
    ...Object.keys(benchCommands),
  ]);
  const remedy =
    name === undefined
      ? `commands are ${Object.keys(commands).join(", ")}, get, put, bench; a configuration file is given with -c ${word}`
      : `did you mean ${name}?`;
  return { fault: `unknown command ${word}`, remedy };
}

function extraFault(word: string): UsageFault {
  return { fault: `unexpected argument ${word}`, remedy: "flags begin with --; --help lists them" };
}
