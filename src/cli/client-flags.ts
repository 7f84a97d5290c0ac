// The command line of the client (cli layer): the table of the flags of get and put, and what their values come to. The client
// of Snow-Owl had flags and no words; they are understood as well.

import { parseArgs, type ParsedArgs } from "citty";

import type { Terms } from "#client/contract.ts";
import { blockBytesMaxOnWire, blockBytesMin } from "#protocol/options.ts";
import { type Mode, parseServer, type Server, tftpPort } from "#protocol/uri.ts";

import { readFlags, type UsageFault } from "./words.ts";

/** The client's commands by name, as --help introduces them. */
export const clientCommands = {
  get: "fetch files: get URL|HOST:NAME… [-o PATH]",
  put: "send files: put FILE… URL|HOST:[NAME]",
} as const;

export type ClientCommandName = keyof typeof clientCommands;

/** Every flag. */
export const clientFlags = {
  output: {
    type: "string",
    alias: "o",
    valueHint: "PATH",
    description: "get: write to this file, or into this folder; - is standard output",
  },
  server: {
    type: "string",
    alias: "s",
    valueHint: "HOST[:PORT]",
    description: "the server; the words are then only names (get) or files (put)",
  },
  port: {
    type: "string",
    valueHint: "N",
    description: "the server's port where none is named (default 69)",
  },
  ipv4: { type: "boolean", alias: "4", description: "use only the IPv4 addresses of a host" },
  ipv6: { type: "boolean", alias: "6", description: "use only the IPv6 addresses of a host" },
  mode: {
    type: "string",
    alias: "m",
    valueHint: "octet|netascii",
    description: "netascii converts line ends; a URL's ;mode= overrides it (default octet)",
  },
  blksize: {
    type: "string",
    alias: "b",
    valueHint: "N|auto",
    description:
      "bytes per block, 8-65464; auto: as many as the path carries in one packet (default)",
  },
  windowsize: {
    type: "string",
    alias: "w",
    valueHint: "N",
    description: "blocks per window, 1-65535 (default 16); 1 waits for each block",
  },
  plain: {
    type: "boolean",
    description: "ask for no options at all, as RFC 1350: for servers that stumble",
  },
  timeout: {
    type: "string",
    alias: "t",
    valueHint: "SECONDS",
    description:
      "wait so long for an answer, 1-255, and ask the server to do so, too (default: 1, measured)",
  },
  retries: {
    type: "string",
    valueHint: "N",
    description: "ask again so often, each time after twice the wait, 5 s at most (default 5)",
  },
  parallel: {
    type: "string",
    alias: "j",
    valueHint: "N",
    description: "files at a time, 1-64 (default 4)",
  },
  multicast: {
    type: "boolean",
    description:
      "get: have files come by multicast (RFC 2090) where the server offers it; else as they always do",
  },
  "resume-list": {
    type: "string",
    valueHint: "FILE",
    description:
      "note in FILE what is complete, and skip what it says if size and SHA-256 still agree",
  },
  sha256: { type: "boolean", description: "print the SHA-256 of each file as sha256sum does" },
  "expect-sha256": {
    type: "string",
    valueHint: "HEX",
    description: "get: keep the one file only if this is its SHA-256",
  },
  json: { type: "boolean", description: "print a JSON object per file on standard output" },
  trace: { type: "boolean", description: "print each packet, with times" },
  verbose: {
    type: "boolean",
    alias: "v",
    description: "print what was agreed on, and what was lost",
  },
  quiet: { type: "boolean", alias: "q", description: "print nothing but errors" },
  get: {
    type: "string",
    alias: "g",
    valueHint: "NAME",
    description: "Snow-Owl's: the name to get, with --server",
  },
  put: {
    type: "string",
    alias: "p",
    valueHint: "NAME",
    description: "Snow-Owl's: the name to put, with --server and --file",
  },
  file: {
    type: "string",
    alias: "f",
    valueHint: "PATH",
    description: "Snow-Owl's: the local file of --get or --put",
  },
  "block-size": {
    type: "string",
    valueHint: "N",
    description: "Snow-Owl's: the same as --blksize",
  },
  help: { type: "boolean", alias: "h", description: "print this text" },
} as const;

type Given = ParsedArgs<typeof clientFlags>;

/** A command line of the client, checked as far as it can be without looking at files and hosts. */
export interface ClientInvocation {
  readonly command: ClientCommandName;
  readonly operands: readonly string[];
  readonly given: Given;
  readonly terms: Terms;
  readonly mode: Mode;
  readonly server: Server | undefined;
  readonly port: number;
  readonly parallel: number;
}

/** Snow-Owl's. A window of 16 reaches nearly all of the speed that windows give on a local network (docs/performance.md). */
const WINDOW_BLOCKS_DEFAULT = 16;
const RETRIES_DEFAULT = 5;
const PARALLEL_DEFAULT = 4;

/** Whether `argv` is the client's: its command comes first, or Snow-Owl's flags take its place. */
export function clientCommandOf(argv: readonly string[]): ClientCommandName | undefined {
  const [first = ""] = argv;
  if (first === "get" || first === "put") return first;
  if (!first.startsWith("-")) return undefined;
  const has = (pattern: RegExp): boolean => argv.some((word) => pattern.test(word));
  if (has(/^(?:-g|--get(?:=.*)?)$/)) return "get";
  return has(/^(?:-p|--put(?:=.*)?)$/) ? "put" : undefined;
}

/** Reads the words behind the command, if it stands there. */
export function readClientLine(
  command: ClientCommandName,
  argv: readonly string[],
): ClientInvocation | UsageFault {
  const operands: string[] = [];
  const words = argv[0] === command ? argv.slice(1) : argv;
  const rawArgs = readFlags(words, clientFlags, (word) => {
    operands.push(word);
    return undefined;
  });
  if ("fault" in rawArgs) return rawArgs;
  const given = parseArgs<typeof clientFlags>(rawArgs, clientFlags);
  return checked(command, operands, given);
}

function checked(
  command: ClientCommandName,
  operands: readonly string[],
  given: Given,
): ClientInvocation | UsageFault {
  const mode = given.mode ?? "octet";
  if (mode !== "octet" && mode !== "netascii") {
    return { fault: `--mode ${mode} is not there`, remedy: "write octet or netascii" };
  }
  const blksize = given.blksize ?? given["block-size"] ?? "auto";
  const numbers = {
    blksize:
      blksize === "auto" ? undefined : wholeNumber(blksize, blockBytesMin, blockBytesMaxOnWire),
    windowsize: wholeNumber(given.windowsize, 1, 65_535),
    timeout: wholeNumber(given.timeout, 1, 255),
    retries: wholeNumber(given.retries, 0, 100),
    parallel: wholeNumber(given.parallel, 1, 64),
    port: wholeNumber(given.port, 1, 65_535),
  };
  for (const [name, value] of Object.entries(numbers)) {
    if (typeof value === "string") return { fault: `--${name} ${value}`, remedy: remedyFor(name) };
  }
  const hex = given["expect-sha256"];
  if (hex !== undefined && !/^[0-9a-fA-F]{64}$/.test(hex)) {
    return {
      fault: `--expect-sha256 ${hex} is no SHA-256`,
      remedy: "write its 64 hexadecimal digits",
    };
  }
  const server = given.server === undefined ? undefined : parseServer(given.server);
  if (server !== undefined && "fault" in server) return server;
  const number = (name: keyof typeof numbers): number | undefined => {
    const value = numbers[name];
    return typeof value === "number" ? value : undefined;
  };
  return {
    command,
    operands,
    given,
    mode,
    server,
    port: number("port") ?? tftpPort,
    parallel: number("parallel") ?? PARALLEL_DEFAULT,
    terms: {
      blockBytes: number("blksize"),
      windowBlocks: number("windowsize") ?? WINDOW_BLOCKS_DEFAULT,
      timeoutS: number("timeout"),
      retries: number("retries") ?? RETRIES_DEFAULT,
      isPlain: given.plain ?? false,
      isMulticast: given.multicast ?? false,
    },
  };
}

/** The number that `text` is, or why it is none. */
export function wholeNumber(
  text: string | undefined,
  least: number,
  most: number,
): number | string | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^[0-9]+$/.test(text)) return `${text} is no whole number`;
  return value >= least && value <= most ? value : `${text} is not between ${least} and ${most}`;
}

function remedyFor(name: string): string {
  return name === "blksize"
    ? "write a number or auto"
    : "give another number; --help says what it means";
}
