// How transfers are told apart, and how far they are (server layer). Written down when somebody asks, so that a packet costs
// nothing more because of it.

import { i32At } from "#base/bytes.ts";

import { ControlWord, PROGRESS_WORDS, ProgressWord } from "./contract.ts";
import { acknowledgedBytes, machineOf, type Transfer } from "./transfer.ts";

/** Numbers for transfers: small enough to be typed, and not used twice in a process, whichever shard dies. */
export class TransferIds {
  readonly #control: Int32Array;
  readonly #shardIndex: number;
  readonly #shards: number;

  constructor(control: Int32Array, shardIndex: number, shards: number) {
    this.#control = control;
    this.#shardIndex = shardIndex;
    this.#shards = shards;
  }

  next(): number {
    const serial = (i32At(this.#control, ControlWord.transfers) + 1) >>> 0;
    this.#control[ControlWord.transfers] = serial;
    return serial * this.#shards + this.#shardIndex;
  }
}

/** Which shard of so many a transfer belongs to. */
export function shardOf(transferId: number, shards: number): number {
  return transferId % shards;
}

/** How far these transfers are: {@link PROGRESS_WORDS} numbers each. */
export function progressOf(bySlot: readonly (Transfer | undefined)[]): Float64Array {
  const transfers = bySlot.filter((transfer) => transfer !== undefined);
  const words = new Float64Array(transfers.length * PROGRESS_WORDS);
  for (const [index, transfer] of transfers.entries()) {
    const start = index * PROGRESS_WORDS;
    const machine = machineOf(transfer);
    words[start + ProgressWord.transferId] = transfer.id;
    words[start + ProgressWord.bytes] = bytesOf(transfer);
    words[start + ProgressWord.repeats] = repeatsOf(transfer);
    words[start + ProgressWord.timeouts] = machine.statistics.timeouts;
    words[start + ProgressWord.rttUs] = machine.statistics.rttUs;
    words[start + ProgressWord.hasHeard] = Number(machine.hasHeard);
  }
  return words;
}

function bytesOf(transfer: Transfer): number {
  return transfer.kind === "read" ? acknowledgedBytes(transfer) : transfer.intake.upload.bytes;
}

function repeatsOf(transfer: Transfer): number {
  if (transfer.kind === "read") return transfer.sender.statistics.blocksResent;
  return transfer.receiver.statistics.blocksRepeated;
}
