// A file that comes by a multicast (client layer): the protocol's GroupReceiver, the group's socket, and the file on this machine that
// blocks go to in any order. Begun when the server has offered it. What it cannot bring, the transfer gets without it.

import { assert } from "#base/assert.ts";
import { closeGroupSocket, openGroupSocket } from "#io/group-socket.ts";
import type { Inbox } from "#io/inbox.ts";
import { Refusal } from "#io/outbox.ts";
import type { Agreement } from "#protocol/agreement.ts";
import type { GroupOutcome } from "#protocol/group-receiver-options.ts";
import { GroupReceiver } from "#protocol/group-receiver.ts";
import { type GroupOffer, lastGroupBlock, multicastOption, parseGroup } from "#protocol/group.ts";
import {
  ackBytes,
  blockNumber,
  dataHeaderBytes,
  oackStringsOffset,
  Opcode,
  writeAck,
} from "#protocol/packet.ts";
import { Fate, Reply } from "#protocol/receiver.ts";
import { parseOptions } from "#protocol/request.ts";

import type { Failure, GetJob, Progress } from "./contract.ts";
import { DALLY_US } from "./get.ts";
import { GotFile, writeFault } from "./got-file.ts";
import type { Link } from "./link.ts";
import type { RunningSide, SideCounts, SideFault } from "./side.ts";

/** Room for what comes while this process waits for its turn or its disk: blocks of Ethernet's size, some 500 of them. */
const BURST_BYTES = 1024 * 1024;

/** What a multicast is joined for. */
export interface GroupPlan {
  readonly job: GetJob;
  readonly agreement: Agreement;
  readonly offer: GroupOffer;
  readonly link: Link;
  readonly patienceUs: number;
}

export class GroupSide implements RunningSide {
  /** The group's socket, to be watched besides the link's. */
  readonly fd: number;
  result: "complete" | Failure | undefined;
  /** Why the file must come without the multicast, in a sentence without its end; empty as long as it need not. */
  setback = "";
  readonly #plan: GroupPlan;
  readonly #file: GotFile;
  readonly #receiver: GroupReceiver;
  readonly #ack: Uint8Array = new Uint8Array(ackBytes);
  #isWhole = false;

  /** Listens to the group. A string says why that cannot be; a fault, why there can be no file. */
  static join(plan: GroupPlan, nowUs: number): GroupSide | SideFault | string {
    const { job, agreement, offer, link } = plan;
    const lastBlock = lastGroupBlock(agreement.fileBytes, agreement.blockBytes);
    if (lastBlock === undefined) {
      return "the server told no size, or one of more than 65,535 blocks";
    }
    const { address, port } = offer;
    const { server } = link.socket;
    const { ifindex } = link;
    const fd = openGroupSocket({ address, port, server, ifindex, burstBytes: BURST_BYTES });
    if (typeof fd === "string") return fd;
    const file = GotFile.open(job, agreement.fileBytes);
    if (file instanceof GotFile) return new GroupSide(plan, fd, file, lastBlock, nowUs);
    closeGroupSocket(fd);
    return file;
  }

  private constructor(
    plan: GroupPlan,
    fd: number,
    file: GotFile,
    lastBlock: number,
    nowUs: number,
  ) {
    const { agreement, offer, patienceUs } = plan;
    const { blockBytes, timeoutUs, fileBytes } = agreement;
    assert(fileBytes !== undefined, "its last block is known");
    this.fd = fd;
    this.#plan = plan;
    this.#file = file;
    this.#receiver = new GroupReceiver({
      blockBytes,
      fileBytes,
      lastBlock,
      timeoutUs,
      isMaster: offer.isMaster,
      patienceUs,
      dallyUs: DALLY_US,
    });
    this.#receiver.start(nowUs);
  }

  get deadlineUs(): number {
    return this.#receiver.deadlineUs;
  }

  get sha256(): string {
    return this.#file.sha256;
  }

  get progress(): Progress {
    return { bytes: this.#file.bytes, bytesTotal: this.#plan.agreement.fileBytes };
  }

  get counts(): SideCounts {
    const { blocksAccepted, blocksRepeated, timeouts, rttUs } = this.#receiver.statistics;
    return { blocks: blocksAccepted + blocksRepeated, blocksRepeated, timeouts, rttUs };
  }

  /** A listener may be made the master still, if its last ACK was not believed; a master's may be lost where others were. */
  get isLingering(): boolean {
    const { outcome, isMaster, statistics } = this.#receiver;
    return outcome === "running" && (!isMaster || statistics.timeouts > 0);
  }

  /** A packet of the server, by the group or to us alone: RFC 2090 leaves it both. */
  handlePacket(kind: Opcode, inbox: Inbox, index: number, nowUs: number): void {
    if (kind === Opcode.oack) this.#handleOack(inbox, index, nowUs);
    if (kind === Opcode.data) this.#handleData(inbox, index, nowUs);
  }

  handleTimeout(nowUs: number): void {
    this.#receiver.handleTimeout(nowUs);
  }

  transmit(nowUs: number): number {
    const { link } = this.#plan;
    const receiver = this.#receiver;
    for (;;) {
      const due = receiver.pollTransmit(nowUs);
      if (due === Reply.none) break;
      if (due === Reply.error) {
        if (receiver.errorReply !== undefined) link.send(receiver.errorReply.datagram);
        continue;
      }
      writeAck(this.#ack, 0, receiver.ackedBlock);
      link.send(this.#ack);
    }
    link.flush(this);
    if (this.#isWhole) this.#publish();
    this.#handleOutcome(receiver.outcome);
    return Infinity;
  }

  /** The kernel did not take a reply: it is due again. */
  handleRefusal(refusal: number): void {
    if (refusal === Refusal.full) this.#receiver.handleUnsent();
  }

  close(): void {
    if (this.result !== "complete") this.#file.discard();
    closeGroupSocket(this.fd);
  }

  #handleOack(inbox: Inbox, index: number, nowUs: number): void {
    const start = inbox.start(index);
    const bytes = inbox.u8.subarray(start, start + inbox.byteLength(index));
    const options = parseOptions(bytes, oackStringsOffset, bytes.length);
    const answer = options.find(({ name }) => name === multicastOption.name);
    const offer = answer === undefined ? undefined : parseGroup(answer.value);
    // Address and port may be left out, and do not change: the group is the one that was joined.
    if (offer !== undefined) this.#receiver.handleOack(offer.isMaster, nowUs);
  }

  #handleData(inbox: Inbox, index: number, nowUs: number): void {
    const receiver = this.#receiver;
    const start = inbox.start(index);
    const bytes = inbox.byteLength(index) - dataHeaderBytes;
    if (receiver.handleData(blockNumber(inbox.u8, start), bytes, nowUs) !== Fate.accepted) return;
    const position = (receiver.acceptedBlock - 1) * this.#plan.agreement.blockBytes;
    const kept = this.#file.append(inbox.address + start + dataHeaderBytes, bytes, position);
    if (kept < 0) this.#fail(kept);
    else if (receiver.isWhole) this.#finish(nowUs);
  }

  /** Every block is there: what is still on its way to the kernel goes there, and the whole is looked at. */
  #finish(nowUs: number): void {
    const finished = this.#file.finish();
    if (finished < 0) return this.#fail(finished);
    this.result = this.#file.judge();
    this.#isWhole = this.result === undefined;
    // The server has done its part in either case.
    this.#receiver.complete(nowUs);
  }

  #publish(): void {
    this.#isWhole = false;
    this.result = this.#file.publish();
  }

  #fail(refusal: number): void {
    const fault = writeFault(refusal);
    this.result = fault;
    this.#receiver.refuse(fault.reply);
  }

  #handleOutcome(outcome: GroupOutcome): void {
    if (outcome === "unheard") this.setback = "nothing came by it: the network may not carry it";
    if (outcome === "gave-up") this.setback = "it ended before the file was whole";
    if (outcome !== "protocol-error") return;
    this.result ??= { cause: "protocol", text: "it sent a block that is none of this file" };
  }
}
