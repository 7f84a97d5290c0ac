// What a seed decides about a simulated transfer: the file, what the client asks, how it behaves and how bad the
// wire is. The same seed gives the same on every machine.

import { Random } from "#base/random.ts";

import { type Dialect, dialects } from "./receiver.ts";
import type { WireFaults } from "./wire.ts";

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

/** Bytes that repeat nowhere near a block's length; in netascii with many ends of lines. */
export function fileOf(random: Random, length: number, mode: "octet" | "netascii"): Uint8Array {
  const file = new Uint8Array(length);
  for (let index = 0; index < length; index++) {
    file[index] =
      mode === "netascii" && random.chance(0.2) ? pick(random, lineEnds) : random.uint32();
  }
  return file;
}

const lineEnds = [10, 13] as const;

export function netasciiOf(file: Uint8Array): Uint8Array {
  const text = Buffer.from(file).toString("latin1");
  const encoded = text.replace(/[\r\n]/g, (byte) => (byte === "\n" ? "\r\n" : "\r\0"));
  return Buffer.from(encoded, "latin1");
}

/** One of `list`. */
export function pick<T>(random: Random, list: readonly T[]): T {
  const picked = list[random.below(list.length)];
  if (picked === undefined) throw new Error("nothing to pick from");
  return picked;
}
