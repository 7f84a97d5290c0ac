// Packets that came to the wrong process (server layer): where transfers share the service socket, whoever reads requests also reads
// what belongs to the transfers of processes before it. That goes on to there as it came.

import { at, i32At } from "#base/bytes.ts";
import { type Inbox, RelaySender, unwrapRelayed } from "#io/inbox.ts";
import { GONE } from "#io/pair.ts";
import type { Waiter } from "#io/waiter.ts";

import type { RelayInit } from "./contract.ts";

const NOWHERE: RelayInit = { predecessors: [], successorFd: undefined };

export class Relay {
  /** Where packets come in that the successor has read; −1: nowhere. */
  readonly fd: number;
  readonly #sender: RelaySender | undefined;
  /** Those that are still there, as far as is known. */
  readonly #predecessors: { readonly fd: number; readonly listeners: Int32Array }[];
  #isWatched = false;

  constructor({ predecessors, successorFd }: RelayInit = NOWHERE) {
    this.fd = successorFd ?? -1;
    this.#predecessors = predecessors.map(({ fd, listeners }) => ({
      fd,
      listeners: Int32Array.from(listeners),
    }));
    this.#sender = predecessors.length === 0 ? undefined : new RelaySender();
  }

  /** A successor reads the service sockets from now on: `token` says that it has passed something on. */
  begin(waiter: Pick<Waiter, "watch">, token: number): void {
    if (this.fd < 0 || this.#isWatched) return;
    this.#isWatched = true;
    waiter.watch(this.fd, token);
  }

  /**
   * Passes a datagram on to every process before this one that is still there: one of them has its transfer, or none. False: there is
   * nobody. One that is behind loses it, as on a network.
   */
  pass(inbox: Inbox, index: number, listener: number): boolean {
    let isPassed = false;
    for (let place = this.#predecessors.length - 1; place >= 0; place -= 1) {
      const target = at(this.#predecessors, place);
      const theirs = i32At(target.listeners, listener);
      if (theirs < 0) continue;
      if (this.#sender?.send(target.fd, inbox, index, theirs) === GONE) {
        this.#predecessors.splice(place, 1);
      } else isPassed = true;
    }
    return isPassed;
  }

  /** The listener that a datagram from {@link fd} came in by, which is restored to what it was; −1: it is none of ours. */
  unwrap(inbox: Inbox, index: number): number {
    return unwrapRelayed(inbox, index);
  }
}
