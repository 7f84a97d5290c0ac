// Transfers that share a bottleneck: one server, its own fast link, behind that a slower one with a short queue, and a client
// for each transfer. Runs in virtual time until the first of them is complete, and says what each got.

import { Random } from "#base/random.ts";

import { Link, type LinkOptions } from "./link.ts";
import { type Dialect, Receiver } from "./receiver.ts";
import { run } from "./run.ts";
import { ServerEnd } from "./server-end.ts";
import { Wire } from "./wire.ts";

export interface BottleneckOptions {
  readonly link: LinkOptions;
  readonly transfers: number;
  /** They begin so long one after the other. */
  readonly staggerUs: number;
  readonly fileBytes: number;
  readonly blockBytes: number;
  readonly windowBlocks: number;
  readonly dialect: Dialect;
  /** One way, besides the time on the links. */
  readonly delayUs: number;
  /** What is lost by chance, in either direction, whatever the load. */
  readonly loss: number;
  readonly isPaced: boolean;
}

export interface BottleneckResult {
  /** What part of its time the link carried blocks that a client took. */
  readonly carried: number;
  /** Bytes that each client took while all transfers were running. */
  readonly shares: readonly number[];
  readonly timeouts: number;
  readonly nacks: number;
}

const hostBitsPerSecond = 1e9;
/** A transfer is running when so much of its file has come. */
const begunBytes = 100_000;

interface Pair {
  readonly server: ServerEnd;
  readonly client: Receiver;
}

export function runBottleneck(options: BottleneckOptions): BottleneckResult {
  const { delayUs, loss, staggerUs, blockBytes } = options;
  const faults = { loss, duplicate: 0, late: 0, lateUs: 0, delayUs };
  const wire = new Wire(new Random(1), faults);
  const host = new Link({ bitsPerSecond: hostBitsPerSecond, queuePackets: Infinity });
  const link = new Link(options.link);
  const file = new Uint8Array(options.fileBytes);
  const pairs = Array.from({ length: options.transfers }, () => {
    return pairOf(options, file, wire, (length, nowUs) =>
      link.carry(length, host.carry(length, nowUs)),
    );
  });
  pairs.forEach(({ client }, index) => client.request(index * staggerUs));

  let before: readonly number[] | undefined;
  const ends = pairs.flatMap(({ server, client }) => [server, client]);
  const endUs = run(wire, ends, () => {
    if (pairs.every(({ client }) => client.byteCount >= begunBytes)) before ??= countsOf(pairs);
    return pairs.some(({ client }) => client.outcome !== "running");
  });
  const counts = countsOf(pairs);
  const statistics = pairs.map(({ server }) => server.sender.statistics);
  const busyUs = (sum(counts) / blockBytes) * link.durationUs(blockBytes + 4);
  return {
    carried: busyUs / endUs,
    shares: counts.map((count, index) => count - (before?.[index] ?? count)),
    timeouts: sum(statistics.map(({ timeouts }) => timeouts)),
    nacks: sum(statistics.map(({ nacks }) => nacks)),
  };
}

/** `leftUs` says when a datagram of a length has left the links, or that it was dropped. */
function pairOf(
  { blockBytes, windowBlocks, dialect, isPaced }: BottleneckOptions,
  file: Uint8Array,
  wire: Wire,
  leftUs: (length: number, nowUs: number) => number,
): Pair {
  const server: ServerEnd = new ServerEnd({
    file,
    isPaced,
    send: (datagram, nowUs) => {
      const atUs = leftUs(datagram.length, nowUs);
      if (atUs === Infinity) return;
      wire.send(datagram, atUs, (arrived, arrivedUs) => client.handleDatagram(arrived, arrivedUs));
    },
  });
  const client: Receiver = new Receiver({
    dialect,
    mode: "octet",
    asks: { blksize: String(blockBytes), windowsize: String(windowBlocks) },
    send: (datagram, nowUs) =>
      wire.send(datagram, nowUs, (arrived, atUs) => server.handleDatagram(arrived, atUs)),
  });
  return { server, client };
}

function countsOf(pairs: readonly Pair[]): readonly number[] {
  return pairs.map(({ client }) => client.byteCount);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
