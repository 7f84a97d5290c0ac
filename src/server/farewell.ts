// How a shard takes leave of its clients (server layer): those that are only waited for go at once, and those that are
// still served are told, each by one ERROR.

import type { Kernel } from "#io/kernel.ts";
import type { Waiter } from "#io/waiter.ts";

import { machineOf, type Transfer } from "./transfer.ts";
import type { TransmitListener, Transmitter } from "./transmitter.ts";
import type { Writes } from "./writes.ts";

type Slots = readonly (Transfer | undefined)[];

/** Ends uploads whose last block is safe. Their clients may have lost our ACK, but are not waited for. */
export function endDallying(bySlot: Slots, listener: Pick<TransmitListener, "handleEnd">): void {
  for (const transfer of bySlot) {
    if (transfer?.kind !== "write" || !transfer.receiver.isDallying || transfer.isQueued) continue;
    transfer.receiver.abort("shutdown");
    listener.handleEnd(transfer);
  }
}

/** Tells every client that is still served. Two turns: one sends the ERROR, the next finds nothing more to send. */
export function abortAll(bySlot: Slots, transmitter: Transmitter, nowUs: number): void {
  let count = 0;
  for (const transfer of bySlot) {
    if (transfer === undefined) continue;
    machineOf(transfer).abort("shutdown");
    transmitter.enqueue(transfer);
    count += 1;
  }
  const turns = 2 * Math.ceil(count / 256) + 1;
  for (let turn = 0; turn < turns; turn += 1) transmitter.turn(nowUs);
}

/** How long cut-off uploads may take to be removed: less than a stop is given (supervisor.ts). */
const CLEAN_UP_US = 300_000;
/** How long the disk threads are waited for at a time. */
const LOOK_US = 500;

/** What is left of uploads that were cut off is removed by the disk threads, for a while. What they do not manage, the next start removes. */
export class CleanUp {
  readonly #waiter: Waiter;
  readonly #kernel: Kernel;
  readonly #doorbellFd: number;
  #untilUs: number | undefined;

  constructor(waiter: Waiter, kernel: Kernel, doorbellFd: number) {
    this.#waiter = waiter;
    this.#kernel = kernel;
    this.#doorbellFd = doorbellFd;
  }

  get hasBegun(): boolean {
    return this.#untilUs !== undefined;
  }

  /** Waits for the disks a little. False: there is nothing left to wait for, or no time. */
  goesOn(writes: Pick<Writes, "count" | "reap"> | undefined): boolean {
    const nowUs = this.#kernel.nowUs();
    this.#untilUs ??= nowUs + CLEAN_UP_US;
    if (writes === undefined || writes.count === 0 || nowUs >= this.#untilUs) {
      this.#untilUs = undefined;
      return false;
    }
    this.#waiter.wait(nowUs, nowUs + LOOK_US, false);
    this.#kernel.silenceDoorbell(this.#doorbellFd);
    writes.reap();
    return true;
  }
}
