// What went on, as people ask for it (supervisor layer): transfers under way, boots of clients, files, troubles, and the last
// minutes in numbers. Fed with what shards report anyway; every part of it is bounded.

import type { ShardRecord } from "#server/contract.ts";

import type { AuditEvent } from "./audit.ts";
import type { Boot } from "./boots.ts";
import { FileRanking } from "./file-ranking.ts";
import { History } from "./history.ts";
import { Live } from "./live.ts";
import { Timelines } from "./timelines.ts";
import { Troubles } from "./troubles.ts";

export class Observer {
  readonly live: Live;
  readonly timelines: Timelines;
  readonly files: FileRanking = new FileRanking();
  readonly troubles: Troubles = new Troubles();
  readonly history: History = new History();

  /** `transfersMax`: how many all `shards` shards may have. */
  constructor(shards: number, transfersMax: number) {
    this.live = new Live(shards, transfersMax);
    this.timelines = new Timelines(this.live);
  }

  /** Notes what a shard reports, and the events that it comes to. `boot` is undefined of what belongs to none. */
  record(
    record: ShardRecord,
    boot: Boot | undefined,
    events: readonly AuditEvent[],
    clientsMax: number,
  ): void {
    if (record.kind === "request" || record.kind === "upload-request") this.live.begin(record);
    if (record.kind === "transfer" || record.kind === "upload") this.live.end(record.transferId);
    if (boot !== undefined) this.timelines.note(record, boot, clientsMax);
    this.files.note(record);
    const [event] = events.slice(-1);
    if (event !== undefined) this.troubles.note(event, record);
  }

  /** A shard died, and its transfers with it. */
  cutOff(shard: number, nowMs: number): void {
    for (const { begun } of this.live.dropShard(shard)) {
      this.timelines.cutOff(begun.peer, begun.transferId, nowMs);
    }
  }
}
