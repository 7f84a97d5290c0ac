// One transfer between the real Sender and the reference receiver, drawn from a seed: the file, what the
// client asks, how it behaves and how bad the wire is. Runs in virtual time, and says all that happened.

import { Random } from "#base/random.ts";
import { type Outcome } from "#protocol/outcome.ts";
import { printPacket } from "#protocol/print.ts";
import { type SenderStatistics } from "#protocol/sender.ts";

import { type Dialect, dialects, Receiver } from "./receiver.ts";
import { ServerEnd } from "./server-end.ts";
import { Wire, type WireFaults } from "./wire.ts";

/** What the seed decides; a test may fix any of it. */
export interface Scenario {
  readonly seed: number;
  readonly fileBytes: number;
  readonly mode: "octet" | "netascii";
  readonly asks: Readonly<Record<string, string>>;
  readonly dialect: Dialect;
  readonly faults: WireFaults;
  /** How often the kernel refuses a datagram of the server. */
  readonly refusal: number;
}

export interface PairResult {
  readonly outcome: Outcome;
  readonly received: "running" | "complete" | "failed";
  /** What should come, encoded as on the wire; and what came. */
  readonly expected: Uint8Array;
  readonly bytes: Uint8Array;
  readonly blockBytes: number;
  readonly windowBlocks: number;
  readonly statistics: SenderStatistics;
  readonly wire: Wire["counts"];
  readonly endUs: number;
  /** Requests that arrived after the first, repeated by the client or by the wire. */
  readonly requests: number;
  /** The last lines of what was sent, for a failure to show. */
  readonly transcript: string;
}

const blockSizes = [8, 32, 512, 1428];
const windows = [1, 1, 2, 3, 4, 8, 16, 64];

/** Draws a scenario. Seeds take turns at five kinds of wire, from faultless to hardly usable. */
export function scenarioOf(seed: number): Scenario {
  const random = new Random(seed);
  const blockBytes = random.chance(0.25) ? undefined : pick(random, blockSizes);
  const windowBlocks = pick(random, windows);
  const asks: Record<string, string> = {};
  if (random.chance(0.5)) asks["tsize"] = "0";
  if (blockBytes !== undefined) asks["blksize"] = String(blockBytes);
  if (windowBlocks > 1) asks["windowsize"] = String(windowBlocks);
  if (random.chance(0.2)) asks["rollover"] = String(random.below(2));
  if (random.chance(0.1)) asks["timeout"] = "2";
  return {
    seed,
    fileBytes: fileBytesOf(random, blockBytes ?? 512, windowBlocks),
    mode: random.chance(0.15) ? "netascii" : "octet",
    asks,
    dialect: pick(random, dialects),
    faults: faultsOf(random, seed % 5),
    refusal: random.chance(0.2) ? 0.1 : 0,
  };
}

/** Sizes about the edges of blocks and windows, where mistakes live, and any up to some windows. */
function fileBytesOf(random: Random, blockBytes: number, windowBlocks: number): number {
  const windowBytes = blockBytes * windowBlocks;
  const edges = [0, 1, blockBytes - 1, blockBytes, windowBytes, windowBytes + 1, 3 * windowBytes];
  return random.chance(0.4) ? pick(random, edges) : random.below(blockBytes * 200);
}

function faultsOf(random: Random, kind: number): WireFaults {
  const delayUs = 10 ** (1 + random.below(4)) * (1 + random.below(5));
  const lateUs = 2 * delayUs * (1 + random.below(5));
  const none = { loss: 0, duplicate: 0, late: 0, lateUs, delayUs };
  const scale = random.below(1000) / 1000;
  if (kind === 1) return { ...none, duplicate: 0.5 * scale };
  if (kind === 2) return { ...none, late: 0.3 * scale };
  if (kind === 3) return { ...none, loss: 0.02 * scale, duplicate: 0.02, late: 0.02 };
  if (kind === 4) return { ...none, loss: 0.3 * scale, duplicate: 0.2 * scale, late: 0.2 * scale };
  return none;
}

/** Runs the transfer to its end. */
export function runPair(scenario: Scenario): PairResult {
  const { seed, mode, asks, dialect, faults, refusal } = scenario;
  const random = new Random(seed ^ 0x5eed);
  const file = fileOf(random, scenario.fileBytes, mode);
  const wire = new Wire(random, faults);
  const lines: string[] = [];
  let requests = -1;

  const server: ServerEnd = new ServerEnd({
    file,
    kernelTakes: () => !random.chance(refusal),
    send: (datagram, nowUs) => {
      note(lines, "→", datagram, nowUs);
      wire.send(datagram, nowUs, (arrived, atUs) => receiver.handleDatagram(arrived, atUs));
    },
  });
  const receiver: Receiver = new Receiver({
    dialect,
    mode,
    asks,
    send: (datagram, nowUs) => {
      note(lines, "←", datagram, nowUs);
      wire.send(datagram, nowUs, (arrived, atUs) => {
        if (arrived[1] === 1) requests++;
        server.handleDatagram(arrived, atUs);
      });
    },
  });

  receiver.request(0);
  const endUs = run(wire, server, receiver);
  const { outcome, statistics } = server.sender;
  return {
    outcome,
    received: receiver.outcome,
    expected: mode === "octet" ? file : netasciiOf(file),
    bytes: receiver.bytes,
    blockBytes: receiver.blockBytes,
    windowBlocks: receiver.windowBlocks,
    statistics,
    wire: wire.counts,
    endUs,
    requests,
    transcript: lines.slice(-60).join("\n"),
  };
}

/** More happens at one time only if an end sends without end; a window of 64 blocks is some hundred events. */
const eventsAtOneTimeMax = 5_000;

/** Whatever happens next, happens, until nothing is left that could. */
function run(wire: Wire, server: ServerEnd, receiver: Receiver): number {
  let nowUs = 0;
  let eventsNow = 0;
  for (;;) {
    const nextUs = Math.min(wire.nextUs, server.deadlineUs, receiver.deadlineUs);
    if (nextUs === Infinity) return nowUs;
    eventsNow = nextUs > nowUs ? 0 : eventsNow + 1;
    if (eventsNow > eventsAtOneTimeMax) throw new Error(`time stands still at ${nowUs} µs`);
    nowUs = Math.max(nowUs, nextUs);
    if (wire.nextUs === nextUs) wire.deliver();
    else if (server.deadlineUs === nextUs) server.handleTimeout(nowUs);
    else receiver.handleTimeout(nowUs);
  }
}

/** Bytes that repeat nowhere near a block's length; in netascii with many ends of lines. */
function fileOf(random: Random, length: number, mode: "octet" | "netascii"): Uint8Array {
  const file = new Uint8Array(length);
  for (let index = 0; index < length; index++) {
    file[index] =
      mode === "netascii" && random.chance(0.2) ? pick(random, [10, 13]) : random.uint32();
  }
  return file;
}

function netasciiOf(file: Uint8Array): Uint8Array {
  const text = Buffer.from(file).toString("latin1");
  const encoded = text.replace(/[\r\n]/g, (byte) => (byte === "\n" ? "\r\n" : "\r\0"));
  return Buffer.from(encoded, "latin1");
}

/** Keeps the end of a long exchange: that is where it fails. */
function note(lines: string[], arrow: string, datagram: Uint8Array, nowUs: number): void {
  lines.push(`${(nowUs / 1e6).toFixed(6)} ${arrow} ${printPacket(datagram)}`);
  if (lines.length > 10_000) lines.splice(0, 9_000);
}

function pick<T>(random: Random, list: readonly T[]): T {
  const picked = list[random.below(list.length)];
  if (picked === undefined) throw new Error("nothing to pick from");
  return picked;
}
