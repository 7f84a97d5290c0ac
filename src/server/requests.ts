// From a request to a running transfer (server layer): repetitions are told from new requests, what is refused is answered and
// recorded, and what is granted gets a slot, a socket and its state machine.

import { assert } from "#base/assert.ts";
import type { Random } from "#base/random.ts";
import type { Garbage } from "#io/garbage.ts";
import { errorReplies } from "#protocol/error-reply.ts";

import type { Admitted, AdmittedRead } from "./admission.ts";
import type { Answers } from "./answers.ts";
import type { Bandwidth } from "./bandwidth.ts";
import type { LimitName } from "./contract.ts";
import type { Counters } from "./counters.ts";
import { Counter } from "./measures.ts";
import type { TransferIds } from "./progress.ts";
import type { Arrival } from "./question.ts";
import { exchangeOf, readTransfer } from "./reads.ts";
import type { Reception } from "./reception.ts";
import { type Records, refusalRecord, requestRecord, uploadRequestRecord } from "./records.ts";
import type { Refused } from "./refused.ts";
import { isRepetition } from "./repetition.ts";
import type { RequestLimits } from "./request-limits.ts";
import { countRefusal, countRequest } from "./tally.ts";
import { type Exchange, machineOf, type ReadTransfer, type WriteTransfer } from "./transfer.ts";
import type { Transfers } from "./transfers.ts";
import type { TransmitListener, Transmitter } from "./transmitter.ts";
import type { AdmittedWrite } from "./writes.ts";

/** What of its shard a request may change. */
export interface RequestScope {
  readonly reception: Reception;
  readonly transfers: Transfers;
  readonly answers: Answers;
  readonly transmitter: Transmitter;
  readonly records: Records;
  readonly counters: Counters;
  readonly limits: RequestLimits;
  readonly bandwidth: Bandwidth;
  readonly garbage: Garbage;
  readonly ids: TransferIds;
  /** Where the jitter of transfers comes from. */
  readonly random: Random;
  /** Told of the end of a transfer that a request has replaced. */
  readonly listener: Pick<TransmitListener, "handleEnd">;
}

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
    const { transfers, answers, transmitter, listener, garbage, reception, counters, limits } =
      this.#scope;
    const { name, local, listener: service, nowUs } = arrival;
    garbage.noteRequest();
    if (!limits.mayAsk(arrival, reception.settings)) {
      this.#turnAway("requests", arrival);
      return;
    }
    const previous = transfers.findAnywhere(arrival);
    if (previous !== undefined && isRepetition(previous, bytes, arrival.sinceUs)) {
      machineOf(previous).repeatFirstReply(nowUs);
      transmitter.enqueue(previous);
      counters.add(Counter.requestsRepeated, 1);
      return;
    }
    if (previous !== undefined) {
      machineOf(previous).abort("replaced");
      listener.handleEnd(previous);
    }
    if (isDraining) {
      transmitter.reply(service, name, local, errorReplies.shuttingDown.datagram);
      return;
    }
    const limit = limits.reached(arrival, reception.settings);
    if (limit !== undefined) {
      this.#turnAway(limit, arrival);
      return;
    }
    const decision = reception.decide(bytes, length, arrival);
    if (decision.kind !== "refused" && answers.isOther(decision, bytes, arrival)) {
      this.#leave(decision);
      return;
    }
    countRequest(counters, decision);
    if (decision.kind === "refused") this.#refuse(decision, arrival);
    else this.#begin(decision, bytes.slice(), arrival);
  }

  #turnAway(limit: LimitName, arrival: Arrival): void {
    const { limits, reception, transmitter } = this.#scope;
    if (!limits.turnAway(limit, arrival, reception.settings)) return;
    const { name, local, listener: service } = arrival;
    transmitter.reply(service, name, local, errorReplies.busy.datagram);
  }

  /**
   * Leaves a request unanswered whose client may have been told something else: it comes again if that is not so. Who is in the middle of
   * a transfer would take what follows for a part of that.
   */
  #leave(admitted: Admitted): void {
    this.#scope.counters.add(Counter.requestsLeft, 1);
    if (admitted.kind === "read") admitted.payload.close();
    else admitted.upload.abort();
  }

  #refuse(refused: Refused, arrival: Arrival): void {
    const { counters, records, transmitter, limits, reception } = this.#scope;
    if (refused.cause === "busy") limits.note("resources", arrival, reception.settings);
    countRefusal(counters, refused.cause);
    if (reception.interest.warn) records.add(refusalRecord(arrival, refused));
    if (refused.reply === undefined) return;
    const { name, local, listener: service } = arrival;
    transmitter.reply(service, name, local, refused.reply.datagram);
  }

  #begin(admitted: Admitted, requestBytes: Uint8Array, arrival: Arrival): void {
    const { transfers, transmitter, limits, bandwidth, reception, ids } = this.#scope;
    const slot = transfers.takeSlot();
    assert(slot >= 0, "a request is decided only while there is a slot");
    const exchange = exchangeOf(admitted, {
      id: ids.next(),
      slot,
      socket: transfers.socketFor(arrival.name, arrival.listener),
      listener: arrival.listener,
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
    limits.enter(transfer, reception.settings);
    bandwidth.attach(transfer);
    transmitter.enqueue(transfer);
  }

  #beginWrite(admitted: AdmittedWrite, exchange: Exchange): WriteTransfer {
    const { records, reception } = this.#scope;
    assert(reception.writes !== undefined, "a write is admitted where writes are possible");
    records.add(uploadRequestRecord(exchange, admitted));
    return reception.writes.begin(admitted, exchange);
  }

  #beginRead(admitted: AdmittedRead, exchange: Exchange): ReadTransfer {
    const { records, reception, transfers, transmitter, random } = this.#scope;
    const { name, requestBytes, startUs } = exchange;
    const { debug, warn } = reception.interest;
    if (admitted.remark === "" ? debug : warn) records.add(requestRecord(exchange, admitted));
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
