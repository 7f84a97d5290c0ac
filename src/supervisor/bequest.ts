// What a server leaves to the one that comes after it while it still runs (supervisor layer): its service sockets, a channel to it, and
// who it is. It travels in an environment variable that the usher keeps, so all of it is known when the server starts.

import { assert } from "#base/assert.ts";
import { closeEnd, openPairs } from "#io/pair.ts";
import type { GivenSockets, SocketSet } from "#io/sockets.ts";
import type { StartFault } from "#io/start.ts";
import { ATTEMPT_VARIABLE, FIRST_FD, startUsher, type Successor } from "#io/usher.ts";
import type { RelayInit } from "#server/contract.ts";

import type { Heritage } from "./heritage.ts";
import type { PidFileFd } from "./pid-file.ts";

/** A server's connections to its usher, and through it to whoever comes after it. */
export interface Succession {
  readonly ordersFd: number;
  readonly channelFd: number;
  /** For each shard, where datagrams come in that the successor has read and that are not its own; empty where none can be. */
  readonly relayFds: readonly number[];
}

/** The server that this one comes after. */
export interface Predecessor {
  readonly pid: number;
  /** Which of its attempts this is. */
  readonly attempt: number;
  readonly channelFd: number;
  /** Its service sockets. */
  readonly sockets: readonly GivenSockets[];
  readonly pidFile: PidFileFd | undefined;
  /** The ways to {@link Succession.relayFds}: its own, then those to servers before it that may still have transfers. */
  readonly relays: readonly RelayWay[];
}

/** The way to the shards of an earlier server. */
interface RelayWay {
  /** Its listeners' places, in its order. */
  readonly places: readonly string[];
  /** One for each shard. */
  readonly fds: readonly number[];
}

/** Servers that finish their transfers at a time and are reached: beyond that the oldest is not. A guess. */
const RELAYS_MAX = 16;

const VARIABLE = "SNOW_OWL_PREDECESSOR";

/** Has an usher wait that can start the program again, which then finds all that this process has opened or was left. */
export function prepareSuccession(
  program: Pick<Successor, "path" | "words" | "environment">,
  { sockets, pidFile, predecessor: before }: Pick<Heritage, "sockets" | "pidFile" | "predecessor">,
): Succession | StartFault {
  if (process.pid === 1) return firstProcessFault;
  const relays = sharesPorts(sockets) ? sockets.shards.map(() => "messages" as const) : [];
  const pairs = openPairs(["bytes", "messages", ...relays]);
  if ("fault" in pairs) return pairs;
  const [orders, channel, ...relayPairs] = pairs;
  assert(orders !== undefined && channel !== undefined, "pairs are opened all or none");
  const theirs = [channel, ...relayPairs].map((pair) => pair.theirs);
  const own: RelayWay = {
    places: relayPlaces(sockets),
    fds: relayPairs.map((pair) => pair.theirs),
  };
  const ways = (own.fds.length === 0 ? [] : [own])
    .concat(before?.relays ?? [])
    .slice(0, RELAYS_MAX);
  const service = sockets.shards.flat().map(({ serviceFd }) => serviceFd);
  const fds = [channel.theirs, ...ways.flatMap((way) => way.fds), ...service];
  if (pidFile !== undefined) fds.push(pidFile.fd);
  const numberOf = (fd: number): number => FIRST_FD + fds.indexOf(fd);
  const predecessor: Predecessor = {
    pid: process.pid,
    attempt: 0,
    channelFd: FIRST_FD,
    sockets: sockets.listeners.map(({ place }, listener) => ({
      place,
      fds: sockets.shards.map((shard) => numberOf(shard[listener]?.serviceFd ?? -1)),
    })),
    pidFile: pidFile === undefined ? undefined : { ...pidFile, fd: numberOf(pidFile.fd) },
    relays: ways.map((way) => ({ places: way.places, fds: way.fds.map(numberOf) })),
  };
  // The service manager watches whom it started; whoever comes after is told to it by its predecessor.
  const { WATCHDOG_PID: _watched, ...environment } = program.environment;
  const fault = startUsher(orders.theirs, {
    ...program,
    environment: { ...environment, [VARIABLE]: JSON.stringify(predecessor) },
    fds,
  });
  [orders.theirs, ...theirs].forEach(closeEnd);
  if (fault !== undefined) {
    for (const pair of pairs) closeEnd(pair.ours);
    return fault;
  }
  return {
    ordersFd: orders.ours,
    channelFd: channel.ours,
    relayFds: relayPairs.map((pair) => pair.ours),
  };
}

const firstProcessFault: StartFault = {
  fault: "the server is the first process of its container, which ends with it",
  remedy: "start another container, or restart this one",
};

/** Who started this process to come after it; undefined: nobody. The variables are removed. */
export function takePredecessor(environment: NodeJS.ProcessEnv): Predecessor | undefined {
  const { [VARIABLE]: text, [ATTEMPT_VARIABLE]: attempt } = environment;
  delete environment[VARIABLE];
  delete environment[ATTEMPT_VARIABLE];
  if (text === undefined) return undefined;
  return { ...(JSON.parse(text) as Predecessor), attempt: Number(attempt) };
}

/** Every descriptor of {@link Predecessor} but for its sockets. */
export function predecessorFds({ channelFd, relays }: Predecessor): readonly number[] {
  return [channelFd, ...relays.flatMap(({ fds }) => fds)];
}

/** Every descriptor of {@link Succession}. */
export function successionFds({ ordersFd, channelFd, relayFds }: Succession): readonly number[] {
  return [ordersFd, channelFd, ...relayFds];
}

/** What a shard has to do with the servers before and after this one. */
export function relayOf(
  heritage: Pick<Heritage, "sockets" | "succession" | "predecessor"> | undefined,
  shardIndex: number,
): RelayInit | undefined {
  if (heritage === undefined) return undefined;
  const { sockets, succession, predecessor } = heritage;
  const places = relayPlaces(sockets);
  return {
    predecessors: (predecessor?.relays ?? []).map((way) => ({
      fd: way.fds[shardIndex] ?? -1,
      listeners: places.map((place) => way.places.indexOf(place)),
    })),
    successorFd:
      succession === undefined || "fault" in succession
        ? undefined
        : succession.relayFds[shardIndex],
  };
}

/** The listeners' places; that of sockets that were given for any place is empty. */
function relayPlaces({ listeners }: SocketSet): readonly string[] {
  return listeners.map(({ place }) => place ?? "");
}

/** Whether packets of transfers come in by service sockets: a listener in single-port mode. */
function sharesPorts({ shards }: SocketSet): boolean {
  return shards.flat().some(({ transferFds }) => transferFds.length === 0);
}
