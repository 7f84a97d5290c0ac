// From a request to a running transfer (server layer): repetitions are told from new requests, what is refused is answered and
// recorded, and what is granted gets a slot, a socket and its state machine.

import { assert } from "#base/assert.ts";
import type { Random } from "#base/random.ts";
import type { Garbage } from "#io/garbage.ts";
import { errorReplies } from "#protocol/error-reply.ts";

import type { Admitted, AdmittedRead } from "./admission.ts";
import { Counter } from "./contract.ts";
import type { Counters } from "./counters.ts";
import type { Arrival } from "./question.ts";
import { exchangeOf, readTransfer } from "./reads.ts";
import type { Reception } from "./reception.ts";
import { type Records, refusalRecord, requestRecord, uploadRequestRecord } from "./records.ts";
import type { Refused } from "./refused.ts";
import { isRepetition } from "./repetition.ts";
import { type Exchange, machineOf, type ReadTransfer, type WriteTransfer } from "./transfer.ts";
import type { Transfers } from "./transfers.ts";
import type { TransmitListener, Transmitter } from "./transmitter.ts";
import type { AdmittedWrite } from "./writes.ts";

/** What of its shard a request may change. */
export interface RequestScope {
  readonly reception: Reception;
  readonly transfers: Transfers;
  readonly transmitter: Transmitter;
  readonly records: Records;
  readonly counters: Counters;
  readonly garbage: Garbage;
  /** Where the jitter of transfers comes from. */
  readonly random: Random;
  /** Told of the end of a transfer that a request has replaced. */
  readonly listener: Pick<TransmitListener, "handleEnd">;
}

/** Requests come in by the service socket, and are refused from it. */
const SERVICE = 0;

export class Requests {
  readonly #scope: RequestScope;

  constructor(scope: RequestScope) {
    this.#scope = scope;
  }

  /**
   * Handles the RRQ or WRQ `bytes`; `length` is more than that of a datagram that was cut. Its buffer and the addresses of
   * `arrival` are used again after the call. A shard that is draining takes no new ones.
   */
  handle(bytes: Uint8Array, length: number, arrival: Arrival, isDraining: boolean): void {
    const { transfers, transmitter, listener, garbage, reception } = this.#scope;
    const { name, local, nowUs } = arrival;
    const previous = transfers.findAnywhere(name);
    if (previous !== undefined && isRepetition(previous, bytes, nowUs)) {
      machineOf(previous).repeatFirstReply(nowUs);
      transmitter.enqueue(previous);
      return;
    }
    if (previous !== undefined) {
      machineOf(previous).abort("replaced");
      listener.handleEnd(previous);
    }
    if (isDraining) {
      transmitter.reply(SERVICE, name, local, errorReplies.shuttingDown.datagram);
      return;
    }
    garbage.noteRequest();
    const decision = reception.decide(bytes, length, arrival);
    if (decision.kind === "refused") this.#refuse(decision, arrival);
    else this.#begin(decision, bytes.slice(), arrival);
  }

  #refuse(refused: Refused, { name, local }: Arrival): void {
    const { counters, records, transmitter } = this.#scope;
    counters.add(Counter.requestsRefused, 1);
    records.add(refusalRecord(name, refused));
    if (refused.reply === undefined) return;
    transmitter.reply(SERVICE, name, local, refused.reply.datagram);
  }

  #begin(admitted: Admitted, requestBytes: Uint8Array, arrival: Arrival): void {
    const { transfers, transmitter } = this.#scope;
    const slot = transfers.takeSlot();
    if (slot < 0) {
      this.#refuse(this.#giveBack(admitted), arrival);
      return;
    }
    const exchange = exchangeOf(admitted, {
      slot,
      socket: transfers.socketFor(arrival.name),
      name: arrival.name.slice(),
      local: arrival.local.slice(),
      requestBytes,
      startUs: arrival.nowUs,
    });
    const transfer =
      admitted.kind === "read"
        ? this.#beginRead(admitted, exchange)
        : this.#beginWrite(admitted, exchange);
    transfers.add(transfer);
    transmitter.enqueue(transfer);
  }

  /** There is no slot for what was admitted. */
  #giveBack(admitted: Admitted): Refused {
    if (admitted.kind === "read") admitted.payload.close();
    else admitted.upload.abort();
    const { name } = admitted.request;
    const isWrite = admitted.kind === "write";
    const reason = `all ${this.#scope.transfers.capacity} transfers of this worker are in use`;
    return { kind: "refused", reply: errorReplies.busy, cause: "busy", name, isWrite, reason };
  }

  #beginWrite(admitted: AdmittedWrite, exchange: Exchange): WriteTransfer {
    const { records, reception } = this.#scope;
    assert(reception.writes !== undefined, "a write is admitted where writes are possible");
    records.add(uploadRequestRecord(exchange.name, admitted));
    return reception.writes.begin(admitted, exchange);
  }

  #beginRead(admitted: AdmittedRead, exchange: Exchange): ReadTransfer {
    const { records, reception, transfers, transmitter, random } = this.#scope;
    const { name, requestBytes, startUs } = exchange;
    records.add(requestRecord(name, admitted));
    const transfer = readTransfer(admitted, exchange, {
      settings: reception.settings,
      isRepetition: transfers.wasServed(name, requestBytes, startUs),
      blocksPerMessage: transmitter.blocksPerMessage(admitted.grant.blockBytes),
      random,
    });
    transfer.sender.start(startUs);
    return transfer;
  }
}
