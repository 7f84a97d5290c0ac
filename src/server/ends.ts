// How transfers end (server layer): each is counted and recorded, and a download's record waits for the hash of what was sent where
// that is wanted.

import type { FileHashes } from "#storage/file-hashes.ts";

import type { Counters } from "./counters.ts";
import type { Reception } from "./reception.ts";
import { endOf, type Records, transferRecord, uploadRecord } from "./records.ts";
import { countRead, countWrite } from "./tally.ts";
import type { ReadTransfer, WriteTransfer } from "./transfer.ts";

/** What of its shard the end of a transfer touches. */
export interface EndScope {
  readonly counters: Counters;
  readonly records: Records;
  readonly hashes: FileHashes;
  /** Whose settings say who reads records, and whether files are hashed. */
  readonly reception: Reception;
}

export class Ends {
  readonly #scope: EndScope;

  constructor(scope: EndScope) {
    this.#scope = scope;
  }

  /** A download is over; its file is closed. */
  read(transfer: ReadTransfer, nowUs: number): void {
    const { counters, records, hashes, reception } = this.#scope;
    const { payload } = transfer;
    const end = endOf(transfer, nowUs);
    countRead(counters, end);
    if (!end.isSuccess || reception.interest.info) {
      const record = transferRecord(transfer, end);
      const isHashed = end.isSuccess && reception.settings.log.isHashing && end.outcome !== "probe";
      if (isHashed) hashes.request(payload.file, (sha256) => records.add({ ...record, sha256 }));
      else records.add(record);
    }
    payload.close();
  }

  /** The disk has said what is left of an upload that is over. */
  write(transfer: WriteTransfer, nowUs: number): void {
    const { counters, records } = this.#scope;
    const record = uploadRecord(transfer, nowUs);
    records.add(record);
    countWrite(counters, record);
  }

  /** Reports what waits for a hash without it. */
  abandon(): void {
    this.#scope.hashes.abandon();
  }
}
