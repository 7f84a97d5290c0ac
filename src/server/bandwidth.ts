// Which transfers go by which bandwidth limits (server layer): ties a shard's transfers to the shaper, by the class that a rule
// chose and by their client. Where no limit concerns a transfer, nothing of this is on its way.

import type { LimitSettings } from "#config/settings-limits.ts";
import type { ClientCounts } from "#policy/client-counts.ts";
import type { Shaper } from "#policy/shaper.ts";
import { dataHeaderBytes } from "#protocol/packet.ts";

import type { Transfer } from "./transfer.ts";

export class Bandwidth {
  readonly #shaper: Shaper;
  readonly #counts: ClientCounts;
  #limits: LimitSettings;

  constructor(shaper: Shaper, counts: ClientCounts, limits: LimitSettings) {
    this.#shaper = shaper;
    this.#counts = counts;
    this.#limits = limits;
    shaper.configure(limits.rates);
  }

  /** `transfer`, which is counted by now, goes by the limits in force, if any concern it. */
  attach(transfer: Transfer): void {
    const { slot, rateClass, grant } = transfer;
    // A reload may have taken the class away.
    const index = Math.max(this.#limits.classNames.indexOf(rateClass), 0);
    transfer.isShaped = this.#shaper.isLimited(index);
    if (!transfer.isShaped) return;
    this.#shaper.attach(slot, index, this.#counts.clientOf(slot));
    if (transfer.kind === "write") return;
    const packetBytes = grant.blockBytes + dataHeaderBytes;
    const blocks = Math.floor(this.#shaper.messageBytesMax(index) / packetBytes);
    transfer.blocksPerMessage = Math.max(1, Math.min(transfer.blocksPerMessage, blocks));
  }

  /** Goes by other limits, for the transfers that run as well. `requeue` gets those that were waiting for their turn. */
  switchTo(
    limits: LimitSettings,
    transfers: readonly (Transfer | undefined)[],
    requeue: (transfer: Transfer) => void,
  ): void {
    const waiting: Transfer[] = [];
    for (const transfer of transfers) {
      if (transfer === undefined) continue;
      if (this.#shaper.isWaiting(transfer.slot)) waiting.push(transfer);
      this.#shaper.detach(transfer.slot);
    }
    this.#limits = limits;
    this.#shaper.configure(limits.rates);
    for (const transfer of transfers) if (transfer !== undefined) this.attach(transfer);
    for (const transfer of waiting) requeue(transfer);
  }
}
