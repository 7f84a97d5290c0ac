// The way out (server layer): turns what senders want sent into messages, one message of one transfer after another, so
// that no peer starves; and gives back to its sender what the kernel or the disk would not have.

import { assert } from "#base/assert.ts";
import { at, i32At } from "#base/bytes.ts";
import { IntRing } from "#base/ring.ts";
import { TimerWheel } from "#base/timer-wheel.ts";
import { type Outbox, Refusal, type RefusalListener, segmentsPerMessage } from "#io/outbox.ts";
import type { Shaper } from "#policy/shaper.ts";
import { wireBlock } from "#protocol/blocks.ts";
import { ackBytes, dataHeaderBytes, writeAck } from "#protocol/packet.ts";
import { Reply } from "#protocol/receiver.ts";
import { Transmit } from "#protocol/sender.ts";
import { Absent, type FileCache } from "#storage/file-cache.ts";
import { isTemporary } from "#storage/payload.ts";

import type { Counters } from "./counters.ts";
import { Counter, measures } from "./measures.ts";
import { SendFaults } from "./send-faults.ts";
import type { ReadTransfer, Transfer, WriteTransfer } from "./transfer.ts";

/** Most messages that one turn sends before it looks for datagrams again: four full batches. */
const MESSAGES_PER_TURN = 256;
/** The ticks of paced windows: half of the 100 µs or so that separate two bursts of eight blocks on 1 Gbit/s. */
const RELEASE_TICK_US = 64;

const { bounds: sendBounds = [] } = measures.sendBatch;

/** Told what became of a transfer that was given to the transmitter. */
export interface TransmitListener {
  /** Nothing more to send for now; the sender's deadline counts. */
  handleIdle(transfer: Transfer): void;
  /** Ended, and everything was sent. */
  handleEnd(transfer: Transfer): void;
  /** The outbox of `socket` is full (or no longer): watch it for room (or stop). */
  handleFull(socket: number, isFull: boolean): void;
}

/** All transfers of a shard that have something to send, and the sockets that they send from. */
export class Transmitter implements RefusalListener {
  readonly #outboxes: readonly Outbox[];
  readonly #cache: FileCache;
  readonly #counters: Counters;
  readonly #transfers: readonly (Transfer | undefined)[];
  readonly #shaper: Shaper;
  readonly #listener: TransmitListener;
  /** Slots of transfers that may have something to send; that wait for a full socket; that wait for the disk. */
  readonly #ready: IntRing;
  readonly #blocked: IntRing;
  readonly #disk: IntRing;
  /** When paced windows go on, by slot; and the slots that are due. */
  readonly #releases: TimerWheel;
  readonly #released: Int32Array = new Int32Array(MESSAGES_PER_TURN);
  /** The ACK in hand; copied when it is queued. */
  readonly #ack: Uint8Array = new Uint8Array(ackBytes);
  /** What the kernel would not send. */
  readonly sendFaults: SendFaults = new SendFaults();
  #canSegment: boolean;
  #isShaperFirst = false;
  #nowUs = 0;

  /** `transfers` is the shard's, by slot; a transfer in a queue is in it. Those that are shaped are attached to `shaper`. */
  constructor(
    outboxes: readonly Outbox[],
    cache: FileCache,
    counters: Counters,
    transfers: readonly (Transfer | undefined)[],
    shaper: Shaper,
    canSegment: boolean,
    listener: TransmitListener,
  ) {
    this.#outboxes = outboxes;
    this.#cache = cache;
    this.#counters = counters;
    this.#transfers = transfers;
    this.#shaper = shaper;
    this.#canSegment = canSegment;
    this.#listener = listener;
    this.#ready = new IntRing(transfers.length);
    this.#blocked = new IntRing(transfers.length);
    this.#disk = new IntRing(transfers.length);
    this.#releases = new TimerWheel(transfers.length, 0, RELEASE_TICK_US);
  }

  /** Whether {@link turn} has work at once. */
  get isReady(): boolean {
    return this.#ready.length > 0 || this.#shaper.nextUs <= this.#nowUs;
  }

  /** When {@link turn} has work for whoever waits for bandwidth, or whose paced window goes on; Infinity if nobody does. */
  get nextUs(): number {
    return Math.min(this.#shaper.nextUs, this.#releases.nextUs());
  }

  /** Transfers that may have something to send. */
  get readyCount(): number {
    return this.#ready.length;
  }

  /** Transfers that wait for room in a socket. */
  get blockedCount(): number {
    return this.#blocked.length;
  }

  /** Transfers that wait for the disk. */
  get stalledCount(): number {
    return this.#disk.length;
  }

  /** Whether a transfer waits for the disk, and {@link turn} is to be called again soon. */
  get awaitsDisk(): boolean {
    return this.#disk.length > 0;
  }

  /** How many blocks of `blockBytes` one message holds; 1 where the kernel does not segment. */
  blocksPerMessage(blockBytes: number): number {
    if (!this.#canSegment) return 1;
    return segmentsPerMessage(blockBytes + dataHeaderBytes);
  }

  /** `transfer` may have something to send. */
  enqueue(transfer: Transfer): void {
    // First replies do not wait for bandwidth: a client learns at once that it is served.
    if (!transfer.isShaped || transfer.isHalfOpen) {
      this.#queue(transfer, this.#ready);
    } else if (!transfer.isQueued) {
      transfer.isQueued = true;
      this.#shaper.push(transfer.slot);
    }
  }

  /** `transfer` was waiting for bandwidth, by limits that are not in force any more. */
  requeue(transfer: Transfer): void {
    transfer.isQueued = false;
    this.enqueue(transfer);
  }

  /** `transfer` ends: no queue names it any more. */
  forget(transfer: Transfer): void {
    this.#releases.cancel(transfer.slot);
    if (transfer.isShaped) this.#shaper.detach(transfer.slot);
    if (!transfer.isQueued) return;
    for (const queue of [this.#ready, this.#blocked, this.#disk]) queue.remove(transfer.slot);
    transfer.isQueued = false;
  }

  /** Sends a datagram that belongs to no transfer. */
  reply(socket: number, name: Uint8Array, local: Uint8Array, datagram: Uint8Array): void {
    const outbox = at(this.#outboxes, socket);
    if (!outbox.hasRoom(1)) this.#flush(outbox);
    outbox.reply(name, local, datagram, -1);
    this.#counters.add(Counter.datagramsSent, 1);
    this.#counters.add(Counter.bytesSent, datagram.length);
  }

  /** Sends up to {@link MESSAGES_PER_TURN} messages, and lets go of the turn's cache addresses. */
  turn(nowUs: number): void {
    this.#nowUs = nowUs;
    this.#release();
    for (let left = this.#disk.length; left > 0; left -= 1) this.#ready.push(this.#disk.shift());
    for (let budget = MESSAGES_PER_TURN; budget > 0; budget -= 1) {
      const slot = this.#nextSlot();
      if (slot < 0) break;
      const transfer = this.#transfers[slot];
      assert(transfer !== undefined, "a transfer that ends leaves its queue");
      transfer.isQueued = false;
      this.#transmit(transfer);
    }
    for (const outbox of this.#outboxes) if (!outbox.isEmpty) this.#flush(outbox);
    this.#counters.set(Counter.bandwidthWaits, this.#shaper.waits);
    this.#cache.release();
  }

  /** The socket has room again. */
  resume(socket: number): void {
    const outbox = at(this.#outboxes, socket);
    if (!outbox.isFull) return;
    outbox.resume();
    this.#listener.handleFull(socket, false);
    for (let left = this.#blocked.length; left > 0; left -= 1) {
      this.#ready.push(this.#blocked.shift());
    }
  }

  /** A message was not sent: each cause has one fate. Called by {@link Outbox.flush}. */
  handleRefusal(refusal: number, owner: number, firstBlock: number, result: number): void {
    const transfer = owner < 0 ? undefined : this.#transfers[owner];
    if (refusal === Refusal.segmentationOff) this.#canSegment = false;
    if (refusal === Refusal.lost) {
      // The timer repeats it, like what is lost on the wire.
      this.#counters.add(Counter.sendsLost, 1);
      this.sendFaults.note(result);
      if (transfer?.kind === "read") transfer.wasRefused = true;
      return;
    }
    if (transfer === undefined) return;
    if (transfer.kind === "write") {
      transfer.receiver.handleUnsent();
      this.enqueue(transfer);
      return;
    }
    if (refusal !== Refusal.full) {
      transfer.blocksPerMessage = 1;
      this.#counters.add(Counter.gsoFallbacks, 1);
    }
    transfer.sender.handleUnsent(firstBlock);
    this.enqueue(transfer);
  }

  /** Who sends next: in turn one without limits of bandwidth, and one with. Below zero: nobody. */
  #nextSlot(): number {
    this.#isShaperFirst = !this.#isShaperFirst;
    if (this.#isShaperFirst || this.#ready.length === 0) {
      const slot = this.#shaper.next(this.#nowUs);
      if (slot >= 0) return slot;
    }
    return this.#ready.length === 0 ? -1 : this.#ready.shift();
  }

  /** Sends one message of `transfer` and queues it again, or ends it, or lets it wait. */
  #transmit(transfer: Transfer): void {
    const outbox = at(this.#outboxes, transfer.socket);
    if (outbox.isFull) {
      this.#queue(transfer, this.#blocked);
      return;
    }
    if (transfer.kind === "write") {
      this.#reply(transfer, outbox);
      return;
    }
    const { sender } = transfer;
    if (sender.outcome === "running" && !this.#prepare(transfer)) return;
    // Netascii needs a piece per block; octet one per chunk, and two blocks may lie in two.
    if (!outbox.hasRoom(transfer.blocksPerMessage + 1)) this.#flush(outbox);
    switch (sender.pollTransmit(transfer.blocksPerMessage, this.#nowUs)) {
      case Transmit.data:
        if (!this.#gather(transfer, outbox)) return;
        this.#goOn(transfer);
        return;
      case Transmit.oack:
        this.#sendWhole(transfer, outbox, transfer.oack, transfer.slot);
        return;
      case Transmit.error:
        this.#sendWhole(transfer, outbox, sender.errorReply?.datagram, -1);
        return;
      case Transmit.none:
        if (sender.outcome === "running") this.#goOn(transfer);
        else this.#listener.handleEnd(transfer);
    }
  }

  /** Queues `transfer` again if it has more to send now, or later if that is a paced window, or lets it be. */
  #goOn(transfer: ReadTransfer): void {
    const { sender, slot } = transfer;
    const isDue = sender.isTransmitDue;
    if (isDue && sender.releaseUs <= this.#nowUs) {
      this.enqueue(transfer);
      return;
    }
    if (isDue) this.#releases.arm(slot, sender.releaseUs);
    this.#listener.handleIdle(transfer);
  }

  /** Queues the transfers whose paced windows go on by now. */
  #release(): void {
    const count = this.#releases.expire(this.#nowUs, this.#released, MESSAGES_PER_TURN);
    for (let index = 0; index < count; index += 1) {
      const transfer = this.#transfers[i32At(this.#released, index)];
      assert(transfer !== undefined, "a release is cancelled with its transfer");
      this.enqueue(transfer);
    }
  }

  #sendWhole(
    transfer: Transfer,
    outbox: Outbox,
    datagram: Uint8Array | undefined,
    owner: number,
  ): void {
    assert(datagram !== undefined, "what a sender asks for is there");
    outbox.reply(transfer.name, transfer.local, datagram, owner);
    if (transfer.isShaped) this.#shaper.charge(transfer.slot, datagram.length);
    this.#counters.add(Counter.datagramsSent, 1);
    this.#counters.add(Counter.bytesSent, datagram.length);
    this.enqueue(transfer);
  }

  /** Sends what the receiver of an upload has to say, or ends it, or lets it wait. */
  #reply(transfer: WriteTransfer, outbox: Outbox): void {
    const { receiver, slot, grant } = transfer;
    transfer.intake.prepare(this.#nowUs);
    if (!outbox.hasRoom(1)) this.#flush(outbox);
    switch (receiver.pollTransmit(this.#nowUs)) {
      case Reply.oack:
        this.#sendWhole(transfer, outbox, transfer.oack, slot);
        return;
      case Reply.ack:
        writeAck(this.#ack, 0, wireBlock(receiver.ackedBlock, grant.rolloverTo));
        // What comes in is held back by its ACKs: each asks for a window.
        if (transfer.isShaped && !receiver.hasLastBlock) {
          this.#shaper.charge(slot, grant.windowBlocks * grant.blockBytes);
        }
        this.#sendWhole(transfer, outbox, this.#ack, slot);
        return;
      case Reply.error:
        this.#sendWhole(transfer, outbox, receiver.errorReply?.datagram, -1);
        return;
      case Reply.none:
        if (receiver.outcome === "running") this.#listener.handleIdle(transfer);
        else this.#listener.handleEnd(transfer);
    }
  }

  /** Has the bytes of the next window made ready. False: they are not, and the transfer waits or ends. */
  #prepare(transfer: ReadTransfer): boolean {
    const { payload, sender, grant } = transfer;
    const result = payload.prepare(sender.ackedBlock + grant.windowBlocks);
    if (result < 0) {
      this.#stall(transfer, result);
      return false;
    }
    if (!transfer.isEndKnown && payload.lastBlock !== Infinity) {
      transfer.isEndKnown = true;
      sender.setLastBlock(payload.lastBlock);
    }
    return true;
  }

  /** Puts the run of blocks that the sender named into one message. False: a block is not there, and the transfer waits or ends. */
  #gather(transfer: ReadTransfer, outbox: Outbox): boolean {
    const { sender, payload, grant, slot } = transfer;
    const { firstBlock, blockCount } = sender;
    const segmentBytes = blockCount > 1 ? grant.blockBytes + dataHeaderBytes : 0;
    outbox.begin(transfer.name, transfer.local, segmentBytes, slot, firstBlock);
    transfer.wasRefused = false;
    const gathered = payload.gather(outbox, firstBlock, blockCount);
    this.#counters.add(Counter.datagramsSent, gathered);
    this.#counters.add(Counter.bytesSent, outbox.messageBytes);
    if (segmentBytes > 0) {
      this.#counters.add(Counter.segmentedMessages, 1);
      this.#counters.add(Counter.segments, gathered);
    }
    if (transfer.isShaped) this.#shaper.charge(slot, outbox.messageBytes);
    if (gathered === blockCount) return true;
    if (gathered === 0) outbox.cancel();
    sender.handleUnsent(firstBlock + gathered);
    this.#stall(transfer, payload.absent);
    return false;
  }

  /** The bytes are not there: for now, or for good. */
  #stall(transfer: ReadTransfer, absent: number): void {
    if (isTemporary(absent)) {
      this.#listener.handleIdle(transfer);
      this.#queue(transfer, this.#disk);
      return;
    }
    transfer.sender.abort(absent === Absent.changed ? "file-changed" : "io-error");
    this.enqueue(transfer);
  }

  #queue(transfer: Transfer, queue: IntRing): void {
    if (transfer.isQueued) return;
    transfer.isQueued = true;
    queue.push(transfer.slot);
  }

  #flush(outbox: Outbox): void {
    const calls = outbox.sendCalls;
    const messages = outbox.messagesSent;
    outbox.flush(this);
    this.#counters.add(Counter.sendCalls, outbox.sendCalls - calls);
    const taken = outbox.messagesSent - messages;
    this.#counters.add(Counter.messagesSent, taken);
    this.#counters.observe(Counter.sendBatch, sendBounds, taken);
    if (!outbox.isFull) return;
    this.#counters.add(Counter.sendsBlocked, 1);
    this.#listener.handleFull(this.#outboxes.indexOf(outbox), true);
  }
}
