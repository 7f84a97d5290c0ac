// A file that goes (client layer): the protocol's Sender, and the file on this machine that its blocks come from. Blocks go out
// as the server sends them: a whole window in one message where the kernel can cut it.

import { assert } from "#base/assert.ts";
import type { Inbox } from "#io/inbox.ts";
import { Refusal } from "#io/outbox.ts";
import type { Agreement } from "#protocol/agreement.ts";
import { wireBlock } from "#protocol/blocks.ts";
import { blockNumber, dataHeaderBytes, Opcode } from "#protocol/packet.ts";
import { Sender, Transmit } from "#protocol/sender.ts";
import { Absent } from "#storage/file-cache.ts";
import type { OutgoingFile } from "#storage/outgoing.ts";
import { isTemporary, type Payload } from "#storage/payload.ts";

import type { Failure, Progress, PutJob } from "./contract.ts";
import type { Link } from "./link.ts";
import type { Side, SideCounts, SideFault } from "./side.ts";

/** Most messages that one call sends before the server is listened to again. */
const MESSAGES_PER_TURN = 64;
/** How soon bytes that the disk has not brought yet are asked for again. */
const DISK_RETRY_US = 500;

export class PutSide implements Side {
  readonly opcode: typeof Opcode.wrq = Opcode.wrq;
  readonly firstAnswer: typeof Opcode.ack = Opcode.ack;
  readonly firstBlock = 0;
  readonly bytes: number;
  readonly sha256 = "";
  readonly isLingering = false;
  result: "complete" | Failure | undefined;
  readonly #job: PutJob;
  readonly #file: OutgoingFile;
  readonly #patienceUs: number;
  #link: Link | undefined;
  #agreement: Agreement | undefined;
  #sender: Sender | undefined;
  #payload: Payload | undefined;
  #blocksPerMessage = 1;
  #isEndKnown = false;

  /** `file` is closed with this. */
  constructor(job: PutJob, file: OutgoingFile, patienceUs: number) {
    this.#job = job;
    this.#file = file;
    this.bytes = file.bytes;
    this.#patienceUs = patienceUs;
  }

  get deadlineUs(): number {
    return this.#sender?.deadlineUs ?? Infinity;
  }

  get progress(): Progress {
    const acked = (this.#sender?.ackedBlock ?? 0) * (this.#agreement?.blockBytes ?? 0);
    // Netascii is longer than the file by one byte per line, and how many of those there are is not known before.
    const bytes = this.result === "complete" ? this.bytes : Math.min(acked, this.bytes);
    return { bytes, bytesTotal: this.bytes };
  }

  get counts(): SideCounts {
    const { blocksSent, blocksResent, timeouts, rttUs } = this.#running.statistics;
    return { blocks: blocksSent, blocksRepeated: blocksResent, timeouts, rttUs };
  }

  begin(agreement: Agreement, link: Link, nowUs: number): SideFault | undefined {
    const { mode } = this.#job;
    const payload = this.#file.payload(mode, agreement);
    this.#isEndKnown = payload.lastBlock !== Infinity;
    this.#blocksPerMessage = link.blocksPerMessage(agreement.blockBytes);
    this.#agreement = agreement;
    this.#link = link;
    this.#payload = payload;
    this.#sender = new Sender({
      blockBytes: agreement.blockBytes,
      windowBlocks: agreement.windowBlocks,
      rolloverTo: agreement.rolloverTo,
      timeoutUs: agreement.timeoutUs,
      patienceUs: this.#patienceUs,
      hasOack: false,
      isRequester: true,
      lastBlock: payload.lastBlock,
    });
    this.#sender.start(nowUs);
    return undefined;
  }

  /** An OACK that comes again says what a repeated ACK 0 says. */
  handlePacket(kind: Opcode, inbox: Inbox, index: number, nowUs: number): void {
    if (kind === Opcode.oack) this.#running.handleAck(0, nowUs);
    if (kind !== Opcode.ack) return;
    this.#running.handleAck(blockNumber(inbox.u8, inbox.start(index)), nowUs);
  }

  handleTimeout(nowUs: number): void {
    this.#running.handleTimeout(nowUs);
  }

  transmit(nowUs: number): number {
    const link = this.#talking;
    let retryUs = Infinity;
    for (let left = MESSAGES_PER_TURN; left > 0 && !link.outbox.isFull; left -= 1) {
      retryUs = this.#transmitOne(link, nowUs);
      if (retryUs < Infinity) break;
      if (!this.#running.isTransmitDue || this.#running.releaseUs > nowUs) break;
    }
    link.flush(this);
    this.#file.release();
    this.result ??= this.#resultOf(this.#running);
    const isDue = this.result === undefined && !link.outbox.isFull && this.#running.isTransmitDue;
    if (!isDue) return Infinity;
    return retryUs < Infinity ? retryUs : Math.max(nowUs, this.#running.releaseUs);
  }

  /** A message was not sent: each cause has one fate. What was lost on the way out is repeated by the timer. */
  handleRefusal(refusal: number, _owner: number, firstBlock: number): void {
    if (refusal === Refusal.lost) return;
    if (refusal !== Refusal.full) this.#blocksPerMessage = 1;
    this.#running.handleUnsent(firstBlock);
  }

  close(): void {
    this.#file.close();
  }

  get #running(): Sender {
    assert(this.#sender !== undefined, "the server has answered");
    return this.#sender;
  }

  get #talking(): Link {
    assert(this.#link !== undefined, "the server has answered");
    return this.#link;
  }

  /** Gathers one message. Returns when to go on where bytes are not there yet; Infinity where all is well. */
  #transmitOne(link: Link, nowUs: number): number {
    const sender = this.#running;
    const payload = this.#payload;
    const agreement = this.#agreement;
    assert(payload !== undefined && agreement !== undefined, "the server has answered");
    if (sender.outcome === "running") {
      const prepared = payload.prepare(sender.ackedBlock + agreement.windowBlocks);
      if (prepared < 0) return this.#stall(prepared, nowUs);
      if (!this.#isEndKnown && payload.lastBlock !== Infinity) {
        this.#isEndKnown = true;
        sender.setLastBlock(payload.lastBlock);
      }
    }
    if (!link.outbox.hasRoom(this.#blocksPerMessage + 1)) {
      link.flush(this);
      this.#file.release();
      if (link.outbox.isFull) return Infinity;
    }
    const due = sender.pollTransmit(this.#blocksPerMessage, nowUs);
    assert(due !== Transmit.oack, "a client sends no OACK");
    if (due === Transmit.error && sender.errorReply !== undefined) {
      link.send(sender.errorReply.datagram);
    }
    return due === Transmit.data ? this.#gather(link, payload, agreement, nowUs) : Infinity;
  }

  #gather(link: Link, payload: Payload, agreement: Agreement, nowUs: number): number {
    const { firstBlock, blockCount } = this.#running;
    const packetBytes = agreement.blockBytes + dataHeaderBytes;
    link.begin(blockCount > 1 ? packetBytes : 0, firstBlock);
    const gathered = payload.gather(link.outbox, firstBlock, blockCount);
    if (link.trace !== undefined) traceRun(link, agreement, firstBlock, gathered);
    if (gathered === blockCount) return Infinity;
    if (gathered === 0) link.outbox.cancel();
    this.#running.handleUnsent(firstBlock + gathered);
    return this.#stall(payload.absent, nowUs);
  }

  /** The bytes are not there: for now, or for good. */
  #stall(absent: number, nowUs: number): number {
    // What keeps chunks busy is sent and let go of before this is asked again.
    if (absent === Absent.busy) return nowUs;
    if (isTemporary(absent)) return nowUs + DISK_RETRY_US;
    const isChanged = absent === Absent.changed;
    const text = isChanged ? "the file changed while it was sent" : "reading the file failed";
    this.result = { cause: "local", text };
    this.#running.abort(isChanged ? "file-changed" : "io-error");
    return Infinity;
  }

  #resultOf({ outcome }: Sender): "complete" | Failure | undefined {
    if (outcome === "running") return undefined;
    if (outcome === "complete") return "complete";
    const isAllSent = outcome === "complete-unacknowledged";
    const text = isAllSent
      ? "it has not confirmed the last block; the file may be there"
      : "it stopped acknowledging";
    return { cause: "gave-up", text };
  }
}

function traceRun(link: Link, agreement: Agreement, first: number, blocks: number): void {
  const packetBytes = agreement.blockBytes + dataHeaderBytes;
  let left = link.outbox.messageBytes;
  for (let block = first; block < first + blocks; block += 1) {
    const bytes = Math.min(left, packetBytes) - dataHeaderBytes;
    link.traceBlock(wireBlock(block, agreement.rolloverTo), bytes);
    left -= packetBytes;
  }
}
