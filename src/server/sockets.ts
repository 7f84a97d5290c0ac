// The sockets of one shard, numbered (server layer). First the service sockets, one for each listener and numbered as it is, then the
// transfer sockets of each in turn. The numbers are the tokens that the shard waits with, and part of what a peer is known by.

import { at } from "#base/bytes.ts";
import type { Kernel } from "#io/kernel.ts";
import { Outbox } from "#io/outbox.ts";
import type { ListenerSockets } from "#io/sockets.ts";

/** Consecutive numbers. */
export interface SocketRange {
  readonly first: number;
  readonly count: number;
}

export class Sockets {
  /** By number. */
  readonly fds: readonly number[];
  /** How many listeners there are: numbers below it are service sockets. */
  readonly listeners: number;
  readonly #transferSockets: readonly SocketRange[];
  /** By number, whether what is sent must name the address that was asked. */
  readonly #isWildcard: readonly boolean[];

  constructor(listeners: readonly ListenerSockets[]) {
    const fds = listeners.map(({ serviceFd }) => serviceFd);
    const wildcards = listeners.map(({ isWildcard }) => isWildcard);
    this.listeners = listeners.length;
    this.#transferSockets = listeners.map(({ transferFds, isWildcard }) => {
      const first = fds.length;
      fds.push(...transferFds);
      wildcards.push(...transferFds.map(() => isWildcard));
      return { first, count: transferFds.length };
    });
    this.fds = fds;
    this.#isWildcard = wildcards;
  }

  /** What each is about to send, by number. */
  outboxes(isBatching: boolean, kernel: Kernel): Outbox[] {
    return this.fds.map((fd, socket) => {
      return new Outbox(fd, isBatching, kernel, at(this.#isWildcard, socket));
    });
  }

  isService(socket: number): boolean {
    return socket < this.listeners;
  }

  /** Those of `listener`; none in single-port mode. */
  transferSocketsOf(listener: number): SocketRange {
    return at(this.#transferSockets, listener);
  }
}
