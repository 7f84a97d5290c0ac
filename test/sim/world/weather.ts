// What a seed decides about a simulated world, beside what happens in it: how bad each thing is that can be bad. By swarm: in every
// world some faults are off, and the others have wildly different rates, for faults that are always there hide each other.

import type { Random } from "#base/random.ts";

import { pick } from "../scenario.ts";
import type { DiskFaults } from "./disk.ts";
import { cleanPath, type PathFaults } from "./path.ts";

export interface KernelFaults {
  /** A socket takes nothing more, for so long. */
  readonly full: number;
  readonly fullUs: number;
  /** A message is refused, and lost: a firewall, a route. */
  readonly refused: number;
  /** Messages cannot be cut after all. */
  readonly uncuttable: number;
  /** Datagrams that a socket keeps for the server. */
  readonly receiveMax: number;
}

/** How often something happens to the server while clients come, on average. */
interface Events {
  readonly reloads: number;
  readonly deaths: number;
  readonly pauses: number;
  readonly pauseUs: number;
  readonly changes: number;
  readonly hecklers: number;
}

export interface Weather {
  readonly stations: number;
  /** Attempts of each station, one after the other. */
  readonly attemptsMax: number;
  /** All begin within this time. */
  readonly spreadUs: number;
  readonly uploads: number;
  readonly netascii: number;
  readonly quirks: number;
  readonly misses: number;
  /** How many of the paths are bad, and how bad. */
  readonly badPaths: number;
  readonly pathOf: (random: Random) => PathFaults;
  readonly disk: DiskFaults;
  readonly kernel: KernelFaults;
  readonly events: Events;
  /** Whether one file is so long that its blocks are numbered anew. */
  readonly hasLongFile: boolean;
}

const second = 1_000_000;

/** Draws the weather of a world. One in four is calm: datagrams come twice at the worst, and everybody must be served as by the book. */
export function weatherOf(random: Random): Weather {
  const isCalm = random.chance(1 / 4);
  const some = (least: number, most: number): number =>
    isCalm || random.chance(0.5) ? 0 : rate(random, least, most);
  const disk = diskOf(random, some);
  const kernel: KernelFaults = {
    full: some(0.001, 0.2),
    fullUs: 10 ** (2 + random.below(4)),
    refused: some(0.0005, 0.1),
    uncuttable: some(0.001, 1),
    receiveMax: isCalm || random.chance(0.7) ? 4096 : 8 + random.below(200),
  };
  return {
    stations: 20 + random.below(80),
    attemptsMax: 1 + random.below(3),
    spreadUs: pick(random, [0, 50_000, second, 20 * second]),
    uploads: random.chance(0.6) ? random.below(60) / 100 : 0,
    netascii: random.chance(0.5) ? 0.2 : 0,
    quirks: isCalm || random.chance(0.3) ? 0 : 0.3,
    misses: random.chance(0.5) ? 0.2 : 0,
    badPaths: isCalm ? 0.5 : pick(random, [0, 0.3, 0.8, 1]),
    pathOf: isCalm ? doubling : swarmOfPaths(random),
    disk,
    kernel,
    events: {
      reloads: random.chance(0.4) ? 1 + random.below(8) : 0,
      deaths: isCalm || random.chance(0.8) ? 0 : 1 + random.below(4),
      pauses: isCalm || random.chance(0.6) ? 0 : 1 + random.below(10),
      pauseUs: 10 ** (3 + random.below(4)),
      changes: random.chance(0.5) ? 1 + random.below(40) : 0,
      hecklers: random.chance(0.3) ? 1 + random.below(5) : 0,
    },
    // One world in eight; most of them calm, where nothing excuses how such a transfer ends.
    hasLongFile: random.chance(isCalm ? 1 / 3 : 1 / 16),
  };
}

type Some = (least: number, most: number) => number;

function diskOf(random: Random, some: Some): DiskFaults {
  return {
    jobUs: 10 ** (1 + random.below(3)),
    stall: some(0.001, 0.1),
    stallUs: 10 ** (4 + random.below(3)),
    full: some(0.001, 0.3),
    broken: some(0.0005, 0.1),
    short: random.chance(0.5) ? 0.3 : 0,
    cold: random.chance(0.5) ? random.below(100) / 100 : 0,
  };
}

/** A path that loses nothing, and doubles much. */
function doubling(random: Random): PathFaults {
  return { ...cleanPath, delayUs: 50 + random.below(2000), duplicate: random.below(600) / 1000 };
}

/** Which faults the paths of this world have at all; how much of each is drawn for each path. */
function swarmOfPaths(world: Random): (random: Random) => PathFaults {
  const most = {
    toServer: world.chance(0.5) ? rate(world, 0.002, 0.4) : 0,
    toClient: world.chance(0.5) ? rate(world, 0.002, 0.4) : 0,
    duplicate: world.chance(0.4) ? rate(world, 0.01, 0.6) : 0,
    late: world.chance(0.3) ? rate(world, 0.01, 0.4) : 0,
    garble: world.chance(0.3) ? rate(world, 0.005, 0.2) : 0,
  };
  const hasCuts = world.chance(0.2);
  const hasLinks = world.chance(0.25);
  const farUs = pick(world, [500, 20_000, 300_000]);
  return (random) => {
    const share = random.below(1000) / 1000;
    const isLink = hasLinks && random.chance(0.5);
    return {
      delayUs: 50 + random.below(farUs),
      jitterUs: random.chance(0.3) ? random.below(farUs) : 0,
      lossToServer: most.toServer * share,
      lossToClient: most.toClient * share,
      duplicate: most.duplicate * share,
      late: most.late * share,
      lateUs: 1 + random.below(4 * farUs),
      garble: most.garble * share,
      cutUs: hasCuts && random.chance(0.3) ? random.below(60 * second) : 0,
      cutAfterUs: random.below(second),
      cutToServer: random.chance(0.5),
      bytesPerSecond: isLink ? 10 ** (4 + random.below(4)) * (1 + random.below(9)) : 0,
      queueDatagrams: 2 + random.below(40),
    };
  };
}

/** Between the two, evenly on a logarithmic scale. */
function rate(random: Random, least: number, most: number): number {
  return least * (most / least) ** (random.below(1000) / 1000);
}
