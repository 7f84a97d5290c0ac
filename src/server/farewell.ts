// How a shard takes leave of its clients (server layer): those that are only waited for go at once, and those that are
// still served are told, each by one ERROR.

import { machineOf, type Transfer } from "./transfer.ts";
import type { TransmitListener, Transmitter } from "./transmitter.ts";

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
