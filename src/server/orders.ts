// What a shard is asked to do besides serving (server layer): to say how far its transfers are, or to end one. Looked for when the
// doorbell rings, so that a turn costs nothing because of it.

import { unreachable } from "#base/assert.ts";

import { ControlWord, type ShardOrder, type ShardOwner } from "./contract.ts";
import { progressOf } from "./progress.ts";
import { machineOf, type Transfer } from "./transfer.ts";

export class Orders {
  readonly #owner: Pick<ShardOwner, "newOrders" | "progressed">;
  readonly #control: Int32Array;
  readonly #bySlot: readonly (Transfer | undefined)[];
  readonly #wake: (transfer: Transfer) => void;
  /** What the control word said when orders were taken last. */
  #taken: number;

  /** `wake` has a transfer looked at that has something to say. */
  constructor(
    owner: Pick<ShardOwner, "newOrders" | "progressed">,
    control: Int32Array,
    bySlot: readonly (Transfer | undefined)[],
    wake: (transfer: Transfer) => void,
  ) {
    this.#owner = owner;
    this.#control = control;
    this.#bySlot = bySlot;
    this.#wake = wake;
    this.#taken = Atomics.load(control, ControlWord.orders);
  }

  /** Does what was asked for since the last time. */
  take(): void {
    const sent = Atomics.load(this.#control, ControlWord.orders);
    if (sent === this.#taken) return;
    this.#taken = sent;
    const orders = this.#owner.newOrders();
    for (const order of orders) this.#obey(order);
    // Whoever asked several times wants to know once.
    if (orders.some(({ kind }) => kind === "report")) {
      this.#owner.progressed(progressOf(this.#bySlot));
    }
  }

  #obey(order: ShardOrder): void {
    switch (order.kind) {
      case "report":
        return;
      case "end": {
        const transfer = this.#bySlot.find((each) => each?.id === order.transferId);
        if (transfer === undefined) return;
        machineOf(transfer).abort("killed");
        this.#wake(transfer);
        return;
      }
      default:
        unreachable(order);
    }
  }
}
