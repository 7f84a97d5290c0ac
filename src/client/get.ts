// A file that comes (client layer): the protocol's Receiver, and the file on this machine that its blocks go to. The file has
// its name when all of it is there and is what was announced, and not before.

import { assert } from "#base/assert.ts";
import type { Inbox } from "#io/inbox.ts";
import { MappedMemory } from "#io/memory.ts";
import { Refusal } from "#io/outbox.ts";
import { type Agreement, agreementWithoutOptions } from "#protocol/agreement.ts";
import { wireBlock } from "#protocol/blocks.ts";
import { NetasciiDecoder } from "#protocol/netascii.ts";
import { blockBytesMaxOnWire } from "#protocol/options.ts";
import { ackBytes, blockNumber, dataHeaderBytes, Opcode, writeAck } from "#protocol/packet.ts";
import { Fate, Receiver, Reply } from "#protocol/receiver.ts";

import type { Failure, GetJob, Progress } from "./contract.ts";
import { GotFile, writeFault } from "./got-file.ts";
import type { Link } from "./link.ts";
import type { Side, SideCounts, SideFault } from "./side.ts";

/** The longest block, and the CR that the block before it may have held back. */
const TEXT_BYTES: number = blockBytesMaxOnWire + 1;
/** How long a repeated last block is acknowledged again on a path that loses packets: the server's first timeout, RFC 6298's 1 s, and some. */
export const DALLY_US = 1_500_000;

export class GetSide implements Side {
  readonly opcode: typeof Opcode.rrq = Opcode.rrq;
  readonly firstAnswer: typeof Opcode.data = Opcode.data;
  readonly firstBlock = 1;
  readonly bytes = 0;
  result: "complete" | Failure | undefined;
  readonly #job: GetJob;
  readonly #patienceUs: number;
  readonly #ack: Uint8Array = new Uint8Array(ackBytes);
  readonly #decoder: NetasciiDecoder = new NetasciiDecoder();
  readonly #text: MappedMemory | undefined;
  #link: Link | undefined;
  #agreement: Agreement | undefined;
  #receiver: Receiver | undefined;
  #file: GotFile | undefined;
  /** The file is whole, and waits for its name until the server has been told. */
  #isWhole = false;

  constructor(job: GetJob, patienceUs: number) {
    this.#job = job;
    this.#patienceUs = patienceUs;
    this.#text = job.mode === "netascii" ? new MappedMemory(TEXT_BYTES) : undefined;
  }

  get deadlineUs(): number {
    return this.#receiver?.deadlineUs ?? Infinity;
  }

  get sha256(): string {
    return this.#file?.sha256 ?? "";
  }

  get progress(): Progress {
    const bytesTotal = this.#text === undefined ? this.#agreement?.fileBytes : undefined;
    return { bytes: this.#file?.bytes ?? 0, bytesTotal };
  }

  get counts(): SideCounts {
    const { blocksAccepted, blocksRepeated, blocksEarly, timeouts, rttUs } =
      this.#running.statistics;
    const blocks = blocksAccepted + blocksRepeated + blocksEarly;
    return { blocks, blocksRepeated: blocksRepeated + blocksEarly, timeouts, rttUs };
  }

  /** Only where something was lost before may the last ACK be lost as well. */
  get isLingering(): boolean {
    const { outcome, statistics } = this.#running;
    const { blocksRepeated, blocksEarly, timeouts } = statistics;
    return outcome === "running" && blocksRepeated + blocksEarly + timeouts > 0;
  }

  begin(agreement: Agreement, link: Link, nowUs: number): SideFault | undefined {
    const file = GotFile.open(
      this.#job,
      this.#text === undefined ? agreement.fileBytes : undefined,
    );
    if (!(file instanceof GotFile)) return file;
    this.#file = file;
    this.#agreement = agreement;
    this.#link = link;
    this.#receiver = new Receiver({
      blockBytes: agreement.blockBytes,
      windowBlocks: agreement.windowBlocks,
      rolloverTo: agreement.rolloverTo,
      timeoutUs: agreement.timeoutUs,
      patienceUs: this.#patienceUs,
      firstReply: agreement === agreementWithoutOptions ? "none" : "ack-0",
      dallyUs: DALLY_US,
    });
    this.#receiver.start(nowUs);
    return undefined;
  }

  handlePacket(kind: Opcode, inbox: Inbox, index: number, nowUs: number): void {
    const receiver = this.#running;
    if (kind === Opcode.oack) receiver.repeatFirstReply(nowUs);
    if (kind !== Opcode.data) return;
    const start = inbox.start(index);
    const bytes = inbox.byteLength(index) - dataHeaderBytes;
    const fate = receiver.handleData(blockNumber(inbox.u8, start), bytes, nowUs);
    if (fate !== Fate.accepted) return;
    const kept = this.#keep(inbox, start + dataHeaderBytes, bytes);
    if (kept < 0) this.#fail(kept);
    else if (receiver.hasLastBlock) this.#finish(nowUs);
  }

  handleTimeout(nowUs: number): void {
    this.#running.handleTimeout(nowUs);
  }

  transmit(nowUs: number): number {
    const receiver = this.#running;
    const link = this.#talking;
    for (;;) {
      const due = receiver.pollTransmit(nowUs);
      if (due === Reply.none) break;
      assert(due !== Reply.oack, "a client sends no OACK");
      if (due === Reply.error) {
        if (receiver.errorReply !== undefined) link.send(receiver.errorReply.datagram);
        continue;
      }
      const { rolloverTo } = this.#agreed;
      writeAck(this.#ack, 0, wireBlock(receiver.ackedBlock, rolloverTo));
      link.send(this.#ack);
    }
    link.flush(this);
    if (this.#isWhole) this.#publish();
    this.result ??= this.#failureOf(receiver);
    return Infinity;
  }

  /** The kernel did not take a reply: it is due again. */
  handleRefusal(refusal: number): void {
    if (refusal === Refusal.full) this.#running.handleUnsent();
  }

  close(): void {
    if (this.result !== "complete") this.#file?.discard();
    this.#text?.unmap();
  }

  get #running(): Receiver {
    assert(this.#receiver !== undefined, "the server has answered");
    return this.#receiver;
  }

  get #talking(): Link {
    assert(this.#link !== undefined, "the server has answered");
    return this.#link;
  }

  get #agreed(): Agreement {
    assert(this.#agreement !== undefined, "the server has answered");
    return this.#agreement;
  }

  get #incoming(): GotFile {
    assert(this.#file !== undefined, "the server has answered");
    return this.#file;
  }

  #keep(inbox: Inbox, from: number, bytes: number): number {
    if (this.#text === undefined) return this.#incoming.append(inbox.address + from, bytes);
    const { u8, address } = this.#text;
    this.#decoder.decode(inbox.u8, from, from + bytes, u8, 0, u8.length);
    return this.#incoming.append(address, this.#decoder.produced);
  }

  /** The last block is there: what is still on its way to the kernel goes there, and the whole is looked at. */
  #finish(nowUs: number): void {
    const file = this.#incoming;
    if (this.#text !== undefined) {
      this.#decoder.finish(this.#text.u8, 0);
      const kept = file.append(this.#text.address, this.#decoder.produced);
      if (kept < 0) return this.#fail(kept);
    }
    const finished = file.finish();
    if (finished < 0) return this.#fail(finished);
    const fault = file.judge();
    this.result = fault;
    this.#isWhole = fault === undefined;
    // The server has done its part in either case.
    this.#running.complete(nowUs);
  }

  #publish(): void {
    this.#isWhole = false;
    this.result = this.#incoming.publish();
  }

  #fail(refusal: number): void {
    const fault = writeFault(refusal);
    this.result = fault;
    this.#running.refuse(fault.reply);
  }

  #failureOf({ outcome, hasHeard }: Receiver): Failure | undefined {
    if (outcome === "running" || outcome === "complete") return undefined;
    if (outcome === "protocol-error") {
      return { cause: "protocol", text: "it sent a block that is longer than agreed" };
    }
    const text = hasHeard ? "it stopped sending" : "it sent no data after its OACK";
    return { cause: "gave-up", text };
  }
}
