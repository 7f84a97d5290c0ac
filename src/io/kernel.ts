// What a shard asks of the kernel (io layer), beyond files: the time, datagrams, waiting, and what is known of links and
// neighbours. A simulation answers instead of it, below all that batches, cuts into segments, addresses and waits.

import { u32At } from "#base/bytes.ts";
import { interfaceName } from "#ffi/address.ts";
import { Epoll, type Poll } from "#ffi/epoll.ts";
import { interfaceMtu } from "#ffi/interface.ts";
import { type DatagramCalls, datagramCalls } from "#ffi/message.ts";
import { NeighbourTable } from "#ffi/netlink.ts";
import { setOption } from "#ffi/socket.ts";

import { monotonicUs } from "./clock.ts";
import { silenceDoorbell } from "./start.ts";

/** One for the whole process, so that calls through it cost what a plain call does. */
export interface Kernel {
  /** See {@link monotonicUs}. */
  readonly nowUs: () => number;
  /** Another number of 32 bits each time, for jitter. */
  readonly randomSeed: () => number;
  readonly datagrams: DatagramCalls;
  readonly createPoll: () => Poll;
  /** Has `fd` hand over what comes together from one peer in one piece, where the kernel can. Source: udp(7), UDP_GRO. */
  readonly joinDatagrams: (fd: number) => void;
  /** See {@link silenceDoorbell}. */
  readonly silenceDoorbell: (fd: number) => void;
  /** See {@link interfaceName}. */
  readonly interfaceName: (index: number) => string | undefined;
  /** See {@link interfaceMtu}. */
  readonly interfaceMtu: (socketFd: number, index: number) => number;
  readonly createNeighbourTable: () => Pick<NeighbourTable, "find" | "close">;
}

function randomSeed(): number {
  return u32At(crypto.getRandomValues(new Uint32Array(1)), 0);
}

/** The kernel that this process runs on. */
export const thisKernel: Kernel = {
  nowUs: monotonicUs,
  randomSeed,
  datagrams: datagramCalls,
  createPoll: () => new Epoll(),
  joinDatagrams: (fd) => void setOption(fd, "UDP_GRO", 1),
  silenceDoorbell,
  interfaceName,
  interfaceMtu,
  createNeighbourTable: () => new NeighbourTable(),
};
