// One transfer of a load (client layer): the protocol's own machines, as get and put have them, without a file on this machine.
// What comes is counted, hashed if asked for, and forgotten. Its client may vanish on the way.

import { assert } from "#base/assert.ts";
import { printable } from "#base/printable.ts";
import {
  acceptRuns,
  type ClientSocket,
  closeClientSocket,
  isFromHost,
  isFromPeer,
  takeReachFault,
  tieToPeer,
} from "#io/client-socket.ts";
import { type Inbox, NAME_BYTES } from "#io/inbox.ts";
import { segmentsPerMessage } from "#io/outbox.ts";
import { agree, type Agreement, agreementWithoutOptions } from "#protocol/agreement.ts";
import { wireBlock } from "#protocol/blocks.ts";
import { errorReplies } from "#protocol/error-reply.ts";
import {
  blockNumber,
  dataHeaderBytes,
  encodeRequest,
  errorCode,
  Opcode,
  type Option,
  packetKind,
} from "#protocol/packet.ts";
import { Fate, Receiver, Reply } from "#protocol/receiver.ts";
import { patienceUs, Requester } from "#protocol/requester.ts";
import { Sender, Transmit } from "#protocol/sender.ts";

import { blocksOf, vanishBlockOf } from "./churn.ts";
import type { FailureCause } from "./contract.ts";
import { Intake, type LoadEnding, type LoadJob } from "./load-contract.ts";
import { failureByError, lengthFault } from "./load-faults.ts";
import type { TransferSums } from "./load-tally.ts";
import { type Correspondent, HEAD_BYTES, type LoadWire } from "./load-wire.ts";

/** As get has it: how long a repeated last block is acknowledged again. */
const DALLY_US = 1_500_000;
/** Most messages of one client before the others have their turn. */
const MESSAGES_PER_TURN = 64;
const WIRE_BLOCK_MAX = 0xffff;

export class LoadTransfer implements Correspondent {
  readonly slot: number;
  readonly job: LoadJob;
  readonly peer: Uint8Array;
  /** Undefined while it goes on. */
  ending: LoadEnding | undefined;
  /** When the first block came, or the first ACK; −1 before. */
  firstBlockUs = -1;
  /** Payload bytes that came, or that the server has acknowledged. */
  bytes = 0;
  isClosed = false;
  isTied = false;
  intake: Intake = Intake.whole;
  readonly #socket: ClientSocket;
  readonly #wire: LoadWire;
  readonly #requester: Requester;
  readonly #hash: Bun.CryptoHasher | undefined;
  #asked: readonly Option[];
  #request: Uint8Array;
  #agreement: Agreement | undefined;
  #receiver: Receiver | undefined;
  #sender: Sender | undefined;
  /** Whether the peer's port is known. */
  #isSettled = false;
  /** The block, absolute, with which the client vanishes. */
  #vanishBlock = Infinity;
  #blocksPerMessage = 1;
  #retryUs = Infinity;
  #requestsSent = 0;

  /** `socket` is closed with this. The request goes out with the first {@link transmit}. */
  constructor(job: LoadJob, socket: ClientSocket, wire: LoadWire) {
    this.job = job;
    this.slot = job.slot;
    this.#socket = socket;
    this.#wire = wire;
    this.peer = socket.server.slice();
    this.#requester = new Requester(job.patience);
    this.#hash = job.file.sha256 === undefined ? undefined : new Bun.CryptoHasher("sha256");
    this.#asked = job.asks;
    this.#request = this.#encode();
    this.#requester.start();
  }

  get fd(): number {
    return this.#socket.fd;
  }

  get blockBytes(): number {
    return this.#agreement?.blockBytes ?? 0;
  }

  /** When {@link handleTimeout} is due. */
  get deadlineUs(): number {
    if (this.ending !== undefined) return this.isLingering ? this.#lingersUntilUs : Infinity;
    if (this.#agreement === undefined) return this.#requester.deadlineUs;
    const side = this.#receiver ?? this.#sender;
    return Math.min(side?.deadlineUs ?? Infinity, this.#retryUs);
  }

  /** Complete, but the server may ask for the last ACK again. */
  get isLingering(): boolean {
    return this.ending === "complete" && this.#receiver?.isDallying === true && this.#wasLossy;
  }

  get sums(): TransferSums {
    const received = this.#receiver?.statistics;
    const sent = this.#sender?.statistics;
    const repeated = (received?.blocksRepeated ?? 0) + (received?.blocksEarly ?? 0);
    return {
      requestsRepeated: Math.max(0, this.#requestsSent - 1),
      timeouts: (received?.timeouts ?? 0) + (sent?.timeouts ?? 0),
      blocksRepeated: repeated + (sent?.blocksResent ?? 0),
    };
  }

  /**
   * Datagram `index` came in, which may be a run of several; of the others the headers are there if all of it `isWhole`, and follow from
   * the first one if not. Returns how many bytes of the file were new.
   */
  handleDatagram(inbox: Inbox, index: number, isWhole: boolean, nowUs: number): number {
    if (!this.isTied && !this.#isFromServer(inbox, index)) return 0;
    const before = this.bytes;
    const segment = inbox.segmentBytes(index);
    const start = inbox.start(index);
    const total = inbox.byteLength(index);
    const isRun = !isWhole && segment < total;
    if (isRun) {
      this.#handleRun(inbox.u8, start, total, segment, nowUs);
      return this.bytes - before;
    }
    for (let done = 0; done < total; done += segment) {
      if (this.#wire.losesIncoming()) continue;
      const length = Math.min(segment, total - done);
      this.#handlePacket(inbox, index, start + done, length, nowUs);
    }
    return this.bytes - before;
  }

  /** A datagram of `length` bytes came by the tied socket, whose head is in `u8`. Returns likewise. */
  handleHead(u8: Uint8Array, length: number, nowUs: number): number {
    if (this.#wire.losesIncoming()) return 0;
    const before = this.bytes;
    this.#handleSettled(u8, 0, length, nowUs);
    return this.bytes - before;
  }

  /** The socket became readable, and there was no datagram: ICMP may have told it something. */
  handleSilence(): void {
    const fault = takeReachFault(this.#socket);
    if (fault === undefined || this.ending !== undefined) return;
    if (this.#agreement === undefined) this.#fail("unreachable", fault.text);
    else if (fault.isClosed) this.#fail("gave-up", `it is gone: ${fault.text}`);
  }

  handleTimeout(nowUs: number): void {
    this.#retryUs = Infinity;
    if (this.#agreement === undefined) {
      this.#requester.handleTimeout(nowUs);
      if (this.#requester.hasGivenUp)
        this.#fail("unreachable", `no answer, asked ${this.#requester.sent} times`);
      return;
    }
    this.#receiver?.handleTimeout(nowUs);
    this.#sender?.handleTimeout(nowUs);
  }

  /** Sends what is due, and notices what is over. */
  transmit(nowUs: number): void {
    if (this.ending === "vanished") return;
    if (this.#receiver !== undefined) this.#transmitReplies(this.#receiver, nowUs);
    else if (this.#sender !== undefined) this.#transmitBlocks(this.#sender, nowUs);
    else if (this.ending === undefined && this.#requester.pollTransmit(nowUs)) {
      this.#requestsSent += 1;
      this.#wire.send(this, this.#request, nowUs);
    }
    this.#wire.flush(this);
  }

  handleUnsegmentable(firstBlock: number): void {
    this.#blocksPerMessage = 1;
    this.#sender?.handleUnsent(firstBlock);
    this.#retryUs = 0;
  }

  /** Ends it now, and tells the server. */
  cancel(nowUs: number): void {
    if (this.ending !== undefined) return;
    if (this.#agreement !== undefined) {
      this.#wire.send(this, errorReplies.cancelled.datagram, nowUs);
      this.#wire.flush(this);
    }
    this.#fail("cancelled", "cancelled");
  }

  close(): void {
    this.isClosed = true;
    closeClientSocket(this.#socket);
  }

  get #wasLossy(): boolean {
    return this.job.isLossy || this.sums.blocksRepeated > 0;
  }

  get #lingersUntilUs(): number {
    return this.#receiver?.deadlineUs ?? Infinity;
  }

  /** RFC 1350 §4: once the server has answered, its port is its identifier. Strangers are not answered: a load has none. */
  #isFromServer(inbox: Inbox, index: number): boolean {
    return this.#isSettled
      ? isFromPeer(inbox, index, this.peer)
      : isFromHost(inbox, index, this.peer);
  }

  #handlePacket(inbox: Inbox, index: number, from: number, length: number, nowUs: number): void {
    if (this.#agreement !== undefined) {
      this.#handleSettled(inbox.u8, from, length, nowUs);
      return;
    }
    const kind = packetKind(inbox.u8, length, from);
    if (kind === Opcode.error) this.#handleError(inbox.u8.subarray(from, from + length));
    else this.#handleAnswer(kind, inbox, index, from, length, nowUs);
  }

  /** A packet of a server that has answered. */
  #handleSettled(u8: Uint8Array, from: number, length: number, nowUs: number): void {
    if (this.ending === "vanished") return;
    const kind = packetKind(u8, length, from);
    if (kind === Opcode.error) {
      const kept = this.intake === Intake.whole ? length : Math.min(length, HEAD_BYTES);
      this.#handleError(u8.subarray(from, from + kept));
    } else if (this.#receiver !== undefined) {
      if (kind === Opcode.oack) this.#receiver.repeatFirstReply(nowUs);
      if (kind !== Opcode.data) return;
      const bytes = length - dataHeaderBytes;
      if (!this.#takeBlock(this.#receiver, blockNumber(u8, from), bytes, nowUs)) return;
      this.#hash?.update(u8.subarray(from + dataHeaderBytes, from + length));
      this.#handleProgress(this.#receiver, nowUs);
    } else if (kind === Opcode.ack) this.#handleAck(blockNumber(u8, from), nowUs);
    else if (kind === Opcode.oack) this.#handleAck(0, nowUs);
  }

  /** Blocks that came in one piece, which begins with `start`: each has the next number. */
  #handleRun(u8: Uint8Array, start: number, total: number, segment: number, nowUs: number): void {
    const receiver = this.#receiver;
    if (receiver === undefined || packetKind(u8, segment, start) !== Opcode.data) return;
    const { rolloverTo } = this.#agreement ?? agreementWithoutOptions;
    let wire = blockNumber(u8, start);
    for (let done = 0; done < total; done += segment) {
      if (this.ending === "vanished") return;
      const bytes = Math.min(segment, total - done) - dataHeaderBytes;
      if (!this.#wire.losesIncoming() && this.#takeBlock(receiver, wire, bytes, nowUs))
        this.#handleProgress(receiver, nowUs);
      wire = wire === WIRE_BLOCK_MAX ? rolloverTo : wire + 1;
    }
  }

  /** RFC 1350 §4 and RFC 2347: whatever answers first, and means something, says which port goes on. */
  #handleAnswer(
    kind: number,
    inbox: Inbox,
    index: number,
    from: number,
    length: number,
    nowUs: number,
  ): void {
    const isGet = this.job.direction === "get";
    const isFirst =
      kind === (isGet ? Opcode.data : Opcode.ack) &&
      blockNumber(inbox.u8, from) === (isGet ? 1 : 0);
    if (kind !== Opcode.oack && !isFirst) return;
    const name = inbox.name(index);
    this.peer.set(inbox.u8.subarray(name, name + NAME_BYTES));
    this.#isSettled = true;
    // Who has asked again may have two answers in its socket, of two ports, and goes on looking at senders.
    this.isTied = this.#requestsSent === 1 && tieToPeer(this.#socket, this.peer);
    if (kind !== Opcode.oack) {
      this.#begin(agreementWithoutOptions, nowUs);
      this.#handlePacket(inbox, index, from, length, nowUs);
      return;
    }
    const agreement = agree(this.#asked, inbox.u8.subarray(from, from + length), length);
    if ("fault" in agreement) {
      this.#wire.send(this, errorReplies.optionRefused.datagram, nowUs);
      this.#fail("protocol", printable(agreement.fault));
      return;
    }
    this.#begin(agreement, nowUs);
    if (!isGet) this.#noteFirst(nowUs);
  }

  #begin(agreement: Agreement, nowUs: number): void {
    const { job } = this;
    const { blockBytes, windowBlocks, rolloverTo } = agreement;
    // As firmware does: a clock of its own, instead of one that follows the round trip.
    const timeoutUs = agreement.timeoutUs ?? job.patience.firstTimeoutUs;
    const common = { blockBytes, windowBlocks, rolloverTo, timeoutUs };
    const fileBytes = agreement.fileBytes ?? job.fileBytes;
    this.#agreement = agreement;
    this.#vanishBlock = vanishBlockOf(job.vanishesAt, fileBytes, blockBytes);
    if (this.#vanishBlock === 0) {
      this.ending = "vanished";
      return;
    }
    const patience = patienceUs(job.patience);
    if (job.direction === "get") {
      const firstReply = agreement === agreementWithoutOptions ? "none" : "ack-0";
      const options = {
        ...common,
        patienceUs: patience,
        firstReply,
        dallyUs: DALLY_US + job.delayUs,
      } as const;
      this.#receiver = new Receiver(options);
      if (windowBlocks > 1) acceptRuns(this.#socket);
      if (this.#hash === undefined)
        this.intake = this.isTied && windowBlocks === 1 ? Intake.heads : Intake.pieces;
      this.#receiver.start(nowUs);
      return;
    }
    assert(job.fileBytes !== undefined, "what is written has a size");
    if (this.isTied) this.intake = Intake.heads;
    this.#sender = new Sender({
      ...common,
      patienceUs: patience,
      hasOack: false,
      isRequester: true,
      lastBlock: blocksOf(job.fileBytes, blockBytes),
    });
    this.#blocksPerMessage = job.canSegment ? segmentsPerMessage(blockBytes + dataHeaderBytes) : 1;
    this.#sender.start(nowUs);
  }

  /** Whether a block is the next one, and counted. */
  #takeBlock(receiver: Receiver, wire: number, bytes: number, nowUs: number): boolean {
    if (receiver.handleData(wire, bytes, nowUs) !== Fate.accepted) return false;
    this.#noteFirst(nowUs);
    this.bytes += bytes;
    return true;
  }

  #handleProgress(receiver: Receiver, nowUs: number): void {
    // Who is to vanish does so with its last block, at the latest.
    const isDoomed = this.#vanishBlock < Infinity && receiver.hasLastBlock;
    if (isDoomed || receiver.acceptedBlock >= this.#vanishBlock) this.ending = "vanished";
    else if (receiver.hasLastBlock) this.#finish(receiver, nowUs);
  }

  #handleAck(wire: number, nowUs: number): void {
    const sender = this.#sender;
    if (sender === undefined) return;
    this.#noteFirst(nowUs);
    sender.handleAck(wire, nowUs);
    const { blockBytes, job } = this;
    this.bytes = Math.min(sender.ackedBlock * blockBytes, job.fileBytes ?? 0);
    if (sender.outcome === "complete") this.ending = "complete";
  }

  /** The last block is there: the whole is looked at, and the server is told in either case. */
  #finish(receiver: Receiver, nowUs: number): void {
    const fault = lengthFault(this.bytes, this.#agreement?.fileBytes, this.job.fileBytes);
    receiver.complete(nowUs);
    if (fault !== undefined) {
      this.#fail("corrupt", fault);
    } else if (this.#hash !== undefined && this.#hash.digest("hex") !== this.job.file.sha256) {
      this.#fail("corrupt", "its SHA-256 is another than was expected");
    } else {
      this.ending = "complete";
    }
  }

  #handleError(packet: Uint8Array): void {
    if (this.ending !== undefined) return;
    const code = errorCode(packet);
    const isAboutOptions = code === errorReplies.optionRefused.code && this.#asked.length > 0;
    if (isAboutOptions && this.#agreement === undefined) {
      // RFC 2347: the client may then ask without options.
      this.#asked = [];
      this.#request = this.#encode();
      this.#requester.start();
      return;
    }
    this.ending = failureByError(packet);
  }

  #transmitReplies(receiver: Receiver, nowUs: number): void {
    for (;;) {
      const due = receiver.pollTransmit(nowUs);
      if (due === Reply.none) break;
      if (due === Reply.ack) {
        const { rolloverTo } = this.#agreement ?? agreementWithoutOptions;
        this.#wire.acknowledge(this, wireBlock(receiver.ackedBlock, rolloverTo), nowUs);
      } else if (receiver.errorReply !== undefined) {
        this.#wire.send(this, receiver.errorReply.datagram, nowUs);
      }
    }
    if (this.ending !== undefined) return;
    if (receiver.outcome === "protocol-error")
      this.#fail("protocol", "it sent a block that is longer than agreed");
    else if (receiver.outcome !== "running")
      this.#fail(
        "gave-up",
        receiver.hasHeard ? "it stopped sending" : "it sent no data after its OACK",
      );
  }

  #transmitBlocks(sender: Sender, nowUs: number): void {
    for (let left = MESSAGES_PER_TURN; left > 0; left -= 1) {
      const due = sender.pollTransmit(this.#blocksPerMessage, nowUs);
      if (due === Transmit.error && sender.errorReply !== undefined)
        this.#wire.send(this, sender.errorReply.datagram, nowUs);
      if (due !== Transmit.data) break;
      const { firstBlock, blockCount } = sender;
      const blocks = Math.min(blockCount, this.#vanishBlock - firstBlock);
      this.#wire.sendBlocks(this, firstBlock, blocks, nowUs);
      if (blocks === blockCount) continue;
      this.ending = "vanished";
      return;
    }
    this.#retryUs = sender.isTransmitDue ? Math.max(nowUs, sender.releaseUs) : Infinity;
    if (this.ending !== undefined || sender.outcome === "running") return;
    const isAllSent = sender.outcome === "complete-unacknowledged";
    this.#fail(
      "gave-up",
      isAllSent ? "it has not confirmed the last block" : "it stopped acknowledging",
    );
  }

  #noteFirst(nowUs: number): void {
    if (this.firstBlockUs < 0) this.firstBlockUs = nowUs;
  }

  #encode(): Uint8Array {
    const opcode = this.job.direction === "get" ? Opcode.rrq : Opcode.wrq;
    return encodeRequest(opcode, this.job.name, "octet", this.#asked);
  }

  #fail(cause: FailureCause, text: string): void {
    this.ending ??= { cause, text };
  }
}
