// The command line of the load generator (cli layer): the table of the flags of bench, and what their values come to. What could
// hurt a network is refused unless it is asked for twice.

import { parseArgs, type ParsedArgs } from "citty";

import type { ArrivalKind } from "#client/arrivals.ts";
import { type DialectName, dialectNames } from "#client/dialects.ts";
import { formatAddress } from "#policy/address.ts";
import { parseNetwork } from "#policy/cidr.ts";
import { blockBytesMaxOnWire, blockBytesMin } from "#protocol/options.ts";
import { parseServer, type Server, tftpPort } from "#protocol/uri.ts";

import { wholeNumber } from "./client-flags.ts";
import { durationUs, quantity } from "./quantity.ts";
import { readFlags, type UsageFault } from "./words.ts";

export const benchCommands = {
  bench: "load a server with many clients, and measure it: bench URL|HOST:NAME… [flags]",
} as const;

/** Every flag. */
export const benchFlags = {
  server: {
    type: "string",
    alias: "s",
    valueHint: "HOST[:PORT]",
    description: "the server; the words are then only names",
  },
  port: {
    type: "string",
    valueHint: "N",
    description: "the server's port where none is named (default 69)",
  },
  ipv4: { type: "boolean", alias: "4", description: "use only the IPv4 addresses of a host" },
  ipv6: { type: "boolean", alias: "6", description: "use only the IPv6 addresses of a host" },
  clients: {
    type: "string",
    alias: "c",
    valueHint: "N",
    description: "transfers at a time (default 64)",
  },
  from: {
    type: "string",
    valueHint: "NETWORK",
    description:
      "clients have the addresses of this network in turn, which are this machine's: 127.0.1.0/24",
  },
  requests: {
    type: "string",
    alias: "n",
    valueHint: "N",
    description: "transfers in all (default: one for each client, or as --duration says)",
  },
  duration: {
    type: "string",
    alias: "d",
    valueHint: "TIME",
    description: "begin transfers for so long: 500ms, 30s, 2m, 1h; those under way then end",
  },
  arrivals: {
    type: "string",
    valueHint: "storm|constant|poisson",
    description:
      "storm: as soon as a client is free (default); poisson: as --rate says (its default)",
  },
  rate: {
    type: "string",
    alias: "r",
    valueHint: "N",
    description:
      "transfers that begin in a second; one that finds no client free waits, and the wait counts",
  },
  list: {
    type: "string",
    valueHint: "FILE",
    description: "more names, one on each line",
  },
  mix: {
    type: "string",
    valueHint: "NAME:WEIGHT,…",
    description:
      "how often each name is drawn; a label, as in small=a.bin, stands for all that have it",
  },
  put: { type: "boolean", description: "write the names instead of reading them" },
  size: {
    type: "string",
    valueHint: "BYTES",
    description: "put: the size of each file: 64k, 10M (default 1M)",
  },
  blksize: {
    type: "string",
    alias: "b",
    valueHint: "N",
    description: "bytes per block, 8-65464 (default 1468, what Ethernet carries)",
  },
  windowsize: {
    type: "string",
    alias: "w",
    valueHint: "N",
    description: "blocks per window, 1-65535 (default 16); 1 waits for each block",
  },
  dialect: {
    type: "string",
    valueHint: "NAME,…",
    description:
      "ask for what these clients ask for, in turn by chance: ipxe, edk2, grub, u-boot, pxelinux, raspberry-pi, atftp, tftp-hpa, curl, slof, windows",
  },
  timeout: {
    type: "string",
    alias: "t",
    valueHint: "SECONDS",
    description: "how long clients wait before they repeat themselves, 1-255 (default 1)",
  },
  retries: {
    type: "string",
    valueHint: "N",
    description: "how often a request is sent again (default 5)",
  },
  churn: {
    type: "string",
    valueHint: "PERCENT",
    description: "so many clients vanish in the middle of their transfer",
  },
  loss: {
    type: "string",
    valueHint: "PERCENT",
    description: "drop so many packets here, both of those that come and of those that go",
  },
  delay: {
    type: "string",
    valueHint: "MS",
    description: "hold packets back, so that the round trip is longer by this",
  },
  verify: {
    type: "string",
    valueHint: "SHA256|PATH",
    description: "get: compare what comes with a SHA-256, a file, or the files of a folder",
  },
  seed: {
    type: "string",
    valueHint: "N",
    description: "what chance depends on: names, losses, contents (default 1)",
  },
  "server-pid": {
    type: "string",
    valueHint: "PID",
    description: "also measure this process of this machine: CPU, memory, context switches",
  },
  syscalls: {
    type: "boolean",
    description: "with --server-pid: count its system calls, by perf",
  },
  json: { type: "boolean", description: "print the result as one JSON object" },
  report: {
    type: "string",
    valueHint: "FILE.html",
    description: "write a page with charts, which needs nothing else",
  },
  heavy: {
    type: "boolean",
    description: "allow loads that can hurt a network; only with the consent of who runs it",
  },
  quiet: { type: "boolean", alias: "q", description: "print no progress" },
  help: { type: "boolean", alias: "h", description: "print this text" },
} as const;

type BenchGiven = ParsedArgs<typeof benchFlags>;

/** A command line of the load generator, checked as far as it can be without looking at files and hosts. */
export interface BenchInvocation {
  readonly operands: readonly string[];
  readonly given: BenchGiven;
  readonly server: Server | undefined;
  readonly port: number;
  readonly clients: number;
  readonly sources: readonly string[];
  readonly requests: number;
  readonly durationUs: number;
  readonly arrivals: ArrivalKind;
  readonly ratePerS: number;
  readonly putBytes: number;
  readonly blockBytes: number | undefined;
  readonly windowBlocks: number | undefined;
  readonly dialects: readonly DialectName[];
  readonly timeoutS: number;
  readonly retries: number;
  readonly churn: number;
  readonly loss: number;
  readonly delayUs: number;
  readonly seed: number;
  readonly serverPid: number | undefined;
}

/** A value with the most that is granted to everybody, and to whoever says --heavy. */
interface Bound {
  readonly usual: number;
  readonly most: number;
}

// Usual: what a rack of machines may do on its own. Most: ports of one address (28,232 are ephemeral, and two may be kept for each
// client), and what somebody can wait for.
const bounds = {
  clients: { usual: 1000, most: 14_000 },
  requests: { usual: 100_000, most: 1_000_000_000 },
  durationUs: { usual: 600e6, most: 86_400e6 },
  ratePerS: { usual: 1000, most: 1_000_000 },
  putBytes: { usual: 64 * 2 ** 20, most: 2 ** 30 },
} as const satisfies Readonly<Record<string, Bound>>;

const CLIENTS_DEFAULT = 64;
/** Gentle enough for a server that is in use. */
const RATE_DEFAULT = 10;
const DURATION_US_DEFAULT = 10e6;
const PUT_BYTES_DEFAULT = 2 ** 20;

/** Reads the words behind `bench`. */
export function readBenchLine(argv: readonly string[]): BenchInvocation | UsageFault {
  const operands: string[] = [];
  const rawArgs = readFlags(argv, benchFlags, (word) => {
    operands.push(word);
    return undefined;
  });
  if ("fault" in rawArgs) return rawArgs;
  return checked(operands, parseArgs<typeof benchFlags>(rawArgs, benchFlags));
}

function checked(operands: readonly string[], given: BenchGiven): BenchInvocation | UsageFault {
  const numbers = {
    port: wholeNumber(given.port, 1, 65_535),
    clients: wholeNumber(given.clients, 1, bounds.clients.most),
    requests: wholeNumber(given.requests, 1, bounds.requests.most),
    duration: durationUs(given.duration, bounds.durationUs.most),
    rate: quantity(given.rate, 0.001, bounds.ratePerS.most),
    size: quantity(given.size, 0, bounds.putBytes.most),
    blksize: wholeNumber(given.blksize, blockBytesMin, blockBytesMaxOnWire),
    windowsize: wholeNumber(given.windowsize, 1, 65_535),
    timeout: wholeNumber(given.timeout, 1, 255),
    retries: wholeNumber(given.retries, 0, 100),
    churn: quantity(given.churn, 0, 100),
    loss: quantity(given.loss, 0, 90),
    delay: quantity(given.delay, 0, 10_000),
    seed: wholeNumber(given.seed, 0, 2 ** 32 - 1),
    "server-pid": wholeNumber(given["server-pid"], 1, 2 ** 22),
  };
  for (const [name, value] of Object.entries(numbers)) {
    if (typeof value === "string") {
      return { fault: `--${name}: ${value}`, remedy: "--help says what it means" };
    }
  }
  const number = (name: keyof typeof numbers): number | undefined => {
    const value = numbers[name];
    return typeof value === "number" ? value : undefined;
  };
  const dialects = dialectsOf(given.dialect);
  if ("fault" in dialects) return dialects;
  const sources = given.from === undefined ? [] : addressesIn(given.from);
  if ("fault" in sources) return sources;
  const server = given.server === undefined ? undefined : parseServer(given.server);
  if (server !== undefined && "fault" in server) return server;
  const arrivals = given.arrivals ?? (given.rate === undefined ? "storm" : "poisson");
  const isTimed = number("duration") !== undefined;
  const clients = number("clients") ?? CLIENTS_DEFAULT;
  const isRated = arrivals !== "storm";
  const isBounded = isTimed || number("requests") !== undefined;
  const requestsDefault = isTimed || isRated ? Infinity : clients;
  const invocation = {
    operands,
    given,
    server,
    port: number("port") ?? tftpPort,
    clients,
    sources,
    requests: number("requests") ?? requestsDefault,
    durationUs: number("duration") ?? (isBounded || !isRated ? Infinity : DURATION_US_DEFAULT),
    arrivals: arrivals as ArrivalKind,
    ratePerS: number("rate") ?? RATE_DEFAULT,
    putBytes: Math.round(number("size") ?? PUT_BYTES_DEFAULT),
    blockBytes: number("blksize"),
    windowBlocks: number("windowsize"),
    dialects,
    timeoutS: number("timeout") ?? 1,
    retries: number("retries") ?? 5,
    churn: (number("churn") ?? 0) / 100,
    loss: (number("loss") ?? 0) / 100,
    delayUs: (number("delay") ?? 0) * 1000,
    seed: number("seed") ?? 1,
    serverPid: number("server-pid"),
  };
  return conflictOf(invocation) ?? excessOf(invocation) ?? invocation;
}

function dialectsOf(text: string | undefined): readonly DialectName[] | UsageFault {
  if (text === undefined) return [];
  const names = text.split(",");
  const unknown = names.find((name) => !dialectNames.includes(name as DialectName));
  if (unknown === undefined) return names as readonly DialectName[];
  return {
    fault: `--dialect ${unknown} is not there`,
    remedy: `dialects are ${dialectNames.join(", ")}`,
  };
}

/** The addresses of a network, or as many as there are clients at the most; not those that name an IPv4 network and all of it. */
function addressesIn(text: string): readonly string[] | UsageFault {
  const network = parseNetwork(text);
  if (network === undefined) {
    return { fault: `--from ${text} is no network`, remedy: "write 127.0.1.0/24 or 192.0.2.7" };
  }
  const { prefix, bits } = network;
  const all = 2 ** (prefix.length * 8 - bits);
  const hasNames = prefix.length === 4 && all > 2;
  const count = Math.min(hasNames ? all - 2 : all, bounds.clients.most);
  return Array.from({ length: count }, (_, index) =>
    formatAddress(addressBehind(prefix, index + Number(hasNames))),
  );
}

/** The address that lies `offset` (less than 2¹⁶) behind `first`. */
function addressBehind(first: string, offset: number): string {
  const low = first.length - 2;
  const sum = first.charCodeAt(low) * 256 + first.charCodeAt(low + 1) + offset;
  return first.slice(0, low) + String.fromCharCode((sum >>> 8) & 0xff, sum & 0xff);
}

/** Flags that each make sense, but not together. */
function conflictOf({ given, arrivals }: BenchInvocation): UsageFault | undefined {
  if (!["storm", "constant", "poisson"].includes(arrivals)) {
    return {
      fault: `--arrivals ${arrivals} is not there`,
      remedy: "write storm, constant or poisson",
    };
  }
  if (arrivals === "storm" && given.rate !== undefined) {
    return { fault: "--rate and --arrivals storm", remedy: "a storm has no rate: leave one out" };
  }
  if (given.put && given.verify !== undefined) {
    return { fault: "--put and --verify", remedy: "--verify is for what is read" };
  }
  if (!given.put && given.size !== undefined) {
    return { fault: "--size without --put", remedy: "what is read has the size that it has" };
  }
  if (given.syscalls && given["server-pid"] === undefined) {
    return { fault: "--syscalls without --server-pid", remedy: "say whose with --server-pid PID" };
  }
  return undefined;
}

/** What is more than everybody may have. */
function excessOf(invocation: BenchInvocation): UsageFault | undefined {
  if (invocation.given.heavy) return undefined;
  const { clients, requests, durationUs: lastsUs, ratePerS, putBytes } = invocation;
  const excesses = [
    [clients, bounds.clients, "clients"],
    [requests, bounds.requests, "requests", Infinity],
    [lastsUs / 1e6, { usual: bounds.durationUs.usual / 1e6 }, "seconds", Infinity],
    [ratePerS, bounds.ratePerS, "requests in a second"],
    [putBytes, bounds.putBytes, "bytes for each file"],
  ] as const;
  for (const [value, { usual }, what, unbounded] of excesses) {
    if (value <= usual || value === unbounded) continue;
    return {
      fault: `${value} ${what} are more than ${usual}`,
      remedy: "add --heavy if who runs the server and the network agrees",
    };
  }
  return undefined;
}
