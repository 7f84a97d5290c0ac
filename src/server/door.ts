// Whether a shard reads requests (server layer): not while another process reads its service sockets, the one before it or the one
// after it. Closing it loses nothing: what has come and was not read waits in the sockets, which both have.

import type { Waiter } from "#io/waiter.ts";

import { ControlWord, type ShardOwner } from "./contract.ts";
import type { Relay } from "./relay.ts";
import type { Sockets } from "./sockets.ts";

export class Door {
  readonly #control: Int32Array;
  readonly #waiter: Pick<Waiter, "watch" | "mute">;
  readonly #sockets: Pick<Sockets, "fds" | "listeners">;
  readonly #relay: Pick<Relay, "begin">;
  readonly #owner: Pick<ShardOwner, "closed">;
  #isOpen = true;

  constructor(
    control: Int32Array,
    waiter: Pick<Waiter, "watch" | "mute">,
    sockets: Pick<Sockets, "fds" | "listeners">,
    relay: Pick<Relay, "begin">,
    owner: Pick<ShardOwner, "closed">,
  ) {
    this.#control = control;
    this.#waiter = waiter;
    this.#sockets = sockets;
    this.#relay = relay;
    this.#owner = owner;
    if (this.#shallBeClosed) this.#move(false);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Goes by the control word; to be called when no request is in hand. */
  follow(): void {
    const isOpen = !this.#shallBeClosed;
    if (isOpen === this.#isOpen) return;
    this.#move(isOpen);
    if (isOpen) return;
    // Behind the sockets and the doorbell.
    this.#relay.begin(this.#waiter, this.#sockets.fds.length + 1);
    this.#owner.closed();
  }

  get #shallBeClosed(): boolean {
    return Atomics.load(this.#control, ControlWord.isClosed) !== 0;
  }

  #move(isOpen: boolean): void {
    for (let socket = 0; socket < this.#sockets.listeners; socket += 1) {
      this.#waiter.mute(socket, !isOpen);
    }
    this.#isOpen = isOpen;
  }
}
