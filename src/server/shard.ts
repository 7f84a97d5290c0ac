// One shard (server layer): a core's share of the server. Synchronous, in bounded turns: wait, receive, route,
// expire timers, send. Nothing on the packet path allocates, logs or waits for a disk.

import { assert } from "#base/assert.ts";
import { at } from "#base/bytes.ts";
import { IntRing } from "#base/ring.ts";
import { Slab } from "#base/slab.ts";
import { TimerWheel } from "#base/timer-wheel.ts";
import { BlockHeaders, HEADER_BYTES } from "#io/block-headers.ts";
import { monotonicUs } from "#io/clock.ts";
import { Inbox, LOCAL_BYTES, NAME_BYTES } from "#io/inbox.ts";
import { Outbox, Refusal, type RefusalListener } from "#io/outbox.ts";
import { Waiter } from "#io/waiter.ts";
import { wireBlock } from "#protocol/blocks.ts";
import { errorReplies } from "#protocol/error-reply.ts";
import { blockNumber, errorCode, Opcode, packetKind } from "#protocol/packet.ts";
import { Sender, Transmit } from "#protocol/sender.ts";
import { Absent, FileCache } from "#storage/file-cache.ts";
import { Root } from "#storage/root.ts";

import { Admission, type Admitted } from "./admission.ts";
import {
  Counter,
  type FastPaths,
  ShardCommand,
  type ShardInit,
  type ShardRecord,
} from "./contract.ts";
import { isTemporary } from "./payload.ts";
import { hashOf, PeerTable } from "./peer-table.ts";
import { RecentPeers } from "./recent-peers.ts";
import { isSuccess, Records, refusalRecord, requestRecord, transferRecord } from "./records.ts";
import type { Transfer } from "./transfer.ts";

/** Most messages that one turn sends before it looks for datagrams again: four full batches. */
const MESSAGES_PER_TURN = 256;
/** Most timers that one turn expires. */
const TIMERS_PER_TURN = 256;
/** How long a transfer waits before it asks again for bytes that the disk has not brought yet. */
const DISK_RETRY_US = 500;
/** Longest request, 1,500 bytes (request.ts), and room to see that one is longer. */
const DATAGRAM_BYTES = 2048;
/** UDP_MAX_SEGMENTS before Linux 6.9, and the largest UDP payload over IPv4. */
const SEGMENTS_MAX = 64;
const MESSAGE_BYTES_MAX = 65_507;
/** A peer whose transfer just ended may still repeat its last ACK: it is not told of an unknown transfer. */
const AFTERGLOW_US = 10_000_000;
/** A peer that sends strays is answered at most this often. */
const STRAY_INTERVAL_US = 1_000_000;

const SERVICE = 0;

/** See above. `run` returns when the shard was told to end. */
export class Shard implements RefusalListener {
  readonly #init: ShardInit;
  readonly #control: Int32Array;
  readonly #counters: Float64Array;
  readonly #waiter: Waiter;
  readonly #inbox: Inbox;
  readonly #outboxes: readonly Outbox[];
  readonly #headers: BlockHeaders = new BlockHeaders();
  readonly #cache: FileCache;
  readonly #admission: Admission;
  readonly #records: Records;
  readonly #transfers: (Transfer | undefined)[];
  readonly #slots: Slab;
  readonly #peers: PeerTable;
  readonly #finished: RecentPeers = new RecentPeers();
  readonly #strays: RecentPeers = new RecentPeers();
  readonly #wheel: TimerWheel;
  readonly #due: Int32Array = new Int32Array(TIMERS_PER_TURN);
  /** Slots of transfers that may have something to send; that wait for a full socket; that wait for the disk. */
  readonly #ready: IntRing;
  readonly #blocked: IntRing;
  readonly #disk: IntRing;
  readonly #local: Uint8Array = new Uint8Array(LOCAL_BYTES);
  readonly #name: Uint8Array = new Uint8Array(NAME_BYTES);
  #nextSocket = 0;
  #canSegment: boolean;
  #nowUs: number;

  /** Uses the fast paths that are both configured and granted; `deliver` gets what there is to report. */
  constructor(
    init: ShardInit,
    fastPaths: FastPaths,
    deliver: (records: readonly ShardRecord[]) => void,
  ) {
    const { settings } = init;
    this.#init = init;
    this.#control = new Int32Array(init.control);
    this.#counters = new Float64Array(init.counters);
    this.#waiter = new Waiter(settings.spinUs);
    this.#inbox = new Inbox(settings.batchDatagrams, DATAGRAM_BYTES, fastPaths.recvmmsg.isOn);
    const fds = [init.serviceFd, ...init.transferFds];
    this.#outboxes = fds.map((fd) => new Outbox(fd, fastPaths.sendmmsg.isOn));
    fds.forEach((fd, socket) => this.#waiter.watch(fd, socket));
    this.#waiter.watch(init.doorbellFd, fds.length);
    const advice = {
      isSequential: settings.adviseSequential,
      isWillneed: settings.adviseWillneed,
      isDontneedAfter: settings.adviseDontneedAfter,
    };
    const cacheBytes = settings.cacheBytesMax / settings.workers;
    this.#cache = new FileCache(cacheBytes, settings.cacheChunkBytes, advice);
    this.#admission = new Admission(settings, new Root(init.rootFd), this.#cache);
    this.#records = new Records(deliver);
    this.#nowUs = monotonicUs();
    const { transfersMax } = settings;
    this.#transfers = Array.from({ length: transfersMax }, () => undefined);
    this.#slots = new Slab(transfersMax);
    this.#peers = new PeerTable(transfersMax);
    this.#wheel = new TimerWheel(transfersMax, this.#nowUs);
    this.#ready = new IntRing(transfersMax);
    this.#blocked = new IntRing(transfersMax);
    this.#disk = new IntRing(transfersMax);
    this.#canSegment = fastPaths.gso.isOn;
  }

  /** Turns until the control word says stop, or drain and no transfer is left. */
  run(): void {
    for (;;) {
      const command = Atomics.load(this.#control, 0);
      if (command >= ShardCommand.stop) break;
      if (command === ShardCommand.drain && this.#slots.taken === 0) break;
      this.#turn(command === ShardCommand.drain);
    }
    this.#abortAll();
    this.#records.flush();
    this.#publish();
  }

  /** A message was not sent: each cause has one fate. Called by {@link Outbox.flush}. */
  handleRefusal(refusal: number, owner: number, firstBlock: number): void {
    const transfer = owner < 0 ? undefined : this.#transfers[owner];
    if (refusal === Refusal.segmentationOff) this.#canSegment = false;
    if (transfer === undefined || refusal === Refusal.lost) return;
    if (refusal !== Refusal.full) {
      transfer.blocksPerMessage = 1;
      this.#count(Counter.gsoFallbacks, 1);
    }
    transfer.sender.handleUnsent(firstBlock);
    this.#makeReady(transfer);
  }

  #turn(isDraining: boolean): void {
    const ready = this.#waiter.wait(this.#nowUs, this.#waitUntilUs());
    this.#nowUs = monotonicUs();
    for (let index = 0; index < ready; index += 1) {
      const socket = this.#waiter.token(index);
      if (socket === this.#outboxes.length) continue;
      if (this.#waiter.isWritable(index)) this.#resume(socket);
      if (this.#waiter.isReadable(index)) this.#receive(socket, isDraining);
    }
    this.#expire();
    this.#retryDisk();
    this.#transmit();
    this.#count(Counter.turns, 1);
  }

  #waitUntilUs(): number {
    if (this.#ready.length > 0) return 0;
    const untilUs = this.#wheel.nextUs();
    if (this.#disk.length > 0) return Math.min(untilUs, this.#nowUs + DISK_RETRY_US);
    this.#records.flush();
    this.#publish();
    return untilUs;
  }

  #receive(socket: number, isDraining: boolean): void {
    const inbox = this.#inbox;
    const count = inbox.receive(at(this.#outboxes, socket).fd);
    this.#count(Counter.receiveCalls, 1);
    if (count <= 0) return;
    this.#count(Counter.datagramsReceived, count);
    for (let index = 0; index < count; index += 1) this.#route(socket, index, isDraining);
    inbox.recycle(count);
  }

  #route(socket: number, index: number, isDraining: boolean): void {
    const { u8 } = this.#inbox;
    const start = this.#inbox.start(index);
    const length = this.#inbox.byteLength(index);
    const bytes = u8.subarray(start, start + length);
    const kind = packetKind(bytes, length);
    if (socket === SERVICE && (kind === Opcode.rrq || kind === Opcode.wrq)) {
      this.#handleRequest(index, bytes, isDraining);
      return;
    }
    const slot = this.#peers.find(socket, u8, this.#inbox.name(index));
    const transfer = slot < 0 ? undefined : this.#transfers[slot];
    if (transfer === undefined) {
      this.#handleStray(socket, index, kind);
      return;
    }
    if (kind === Opcode.ack) transfer.sender.handleAck(blockNumber(bytes), this.#nowUs);
    else if (kind === Opcode.error) transfer.sender.handleError(errorCode(bytes), this.#nowUs);
    else return;
    this.#makeReady(transfer);
  }

  /** RFC 1350 §4: a packet from nowhere gets ERROR 5 and disturbs nothing; an ERROR is never answered. */
  #handleStray(socket: number, index: number, kind: number): void {
    this.#count(Counter.strayDatagrams, 1);
    if (kind === Opcode.error || (kind === Opcode.none && socket !== SERVICE)) return;
    const offset = this.#inbox.name(index);
    const hash = hashOf(0, this.#inbox.u8, offset);
    if (this.#finished.isRecent(hash, this.#nowUs, AFTERGLOW_US)) return;
    if (this.#strays.isRecent(hash, this.#nowUs, STRAY_INTERVAL_US)) return;
    this.#strays.note(hash, socket, this.#nowUs);
    const reply =
      kind === Opcode.none ? errorReplies.illegalOperation : errorReplies.unknownTransfer;
    this.#readAddresses(index);
    this.#reply(socket, reply.datagram);
  }

  #handleRequest(index: number, bytes: Uint8Array, isDraining: boolean): void {
    this.#readAddresses(index);
    const previous = this.#transferOf(this.#name);
    if (previous !== undefined && isRepetition(previous, bytes)) {
      previous.sender.repeatFirstReply(this.#nowUs);
      this.#makeReady(previous);
      return;
    }
    if (previous !== undefined) {
      previous.sender.abort("replaced");
      this.#finish(previous);
    }
    if (isDraining) {
      this.#reply(SERVICE, errorReplies.shuttingDown.datagram);
      return;
    }
    const length = this.#inbox.isTruncated(index) ? DATAGRAM_BYTES + 1 : bytes.length;
    const decision = this.#admission.decide(bytes, length);
    if (decision.kind === "admitted") {
      this.#begin(decision, bytes.slice());
      return;
    }
    this.#count(Counter.requestsRefused, 1);
    this.#records.add(refusalRecord(this.#name, decision));
    if (decision.reply !== undefined) this.#reply(SERVICE, decision.reply.datagram);
  }

  #begin(admitted: Admitted, requestBytes: Uint8Array): void {
    const slot = this.#slots.take();
    if (slot < 0) {
      admitted.payload.close();
      const { name } = admitted.request;
      const reason = `all ${this.#slots.capacity} transfers of this worker are in use`;
      const reply = errorReplies.busy;
      const refused = { kind: "refused", reply, cause: "busy", name, reason } as const;
      this.#records.add(refusalRecord(this.#name, refused));
      this.#reply(SERVICE, reply.datagram);
      return;
    }
    const transfer = this.#transferAt(slot, admitted, requestBytes);
    this.#transfers[slot] = transfer;
    this.#peers.insert(slot, transfer.socket, transfer.name, 0);
    this.#records.add(requestRecord(transfer.name, admitted));
    transfer.sender.start(this.#nowUs);
    this.#makeReady(transfer);
  }

  #transferAt(slot: number, admitted: Admitted, requestBytes: Uint8Array): Transfer {
    const { settings } = this.#init;
    const { request, grant, oack, fileBytes, payload } = admitted;
    const { blockBytes, windowBlocks, rolloverTo, timeoutUs } = grant;
    const sender = new Sender({
      blockBytes,
      windowBlocks,
      rolloverTo,
      timeoutUs,
      firstTimeoutUs: settings.timeoutMs * 1000,
      patienceUs: settings.patienceMs * 1000,
      hasOack: oack !== undefined,
      lastBlock: payload.lastBlock,
      lastIsEmpty: request.mode === "octet" && fileBytes % blockBytes === 0,
    });
    const segments = Math.floor(MESSAGE_BYTES_MAX / (blockBytes + HEADER_BYTES));
    return {
      slot,
      socket: this.#socketFor(this.#name),
      name: this.#name.slice(),
      local: this.#local.slice(),
      requestBytes,
      request,
      grant,
      oack,
      fileBytes,
      payload,
      sender,
      startUs: this.#nowUs,
      blocksPerMessage: this.#canSegment ? Math.min(segments, SEGMENTS_MAX) : 1,
      isQueued: false,
      isEndKnown: payload.lastBlock !== Infinity,
    };
  }

  /** The next transfer socket in turn, but not the one that the peer's last transfer used (RFC 1350 §4: a fresh TID). */
  #socketFor(name: Uint8Array): number {
    const sockets = this.#outboxes.length - 1;
    if (sockets === 0) return SERVICE;
    this.#nextSocket = (this.#nextSocket + 1) % sockets;
    const hash = hashOf(0, name, 0);
    if (sockets > 1 && this.#finished.socketOf(hash) === this.#nextSocket + 1) {
      this.#nextSocket = (this.#nextSocket + 1) % sockets;
    }
    return this.#nextSocket + 1;
  }

  /** The running transfer of the peer `name`, on whichever socket it is. */
  #transferOf(name: Uint8Array): Transfer | undefined {
    for (let socket = 0; socket < this.#outboxes.length; socket += 1) {
      const slot = this.#peers.find(socket, name, 0);
      if (slot >= 0) return this.#transfers[slot];
    }
    return undefined;
  }

  #readAddresses(index: number): void {
    const start = this.#inbox.name(index);
    this.#name.set(this.#inbox.u8.subarray(start, start + NAME_BYTES));
    if (this.#init.isWildcard) this.#inbox.readLocal(index, this.#local);
  }

  /** Sends a datagram that belongs to no transfer to the peer of the datagram in hand. */
  #reply(socket: number, datagram: Uint8Array): void {
    const outbox = at(this.#outboxes, socket);
    if (!outbox.hasRoom(1)) this.#flush(outbox);
    outbox.reply(this.#name, this.#local, datagram, -1);
    this.#count(Counter.datagramsSent, 1);
  }

  #makeReady(transfer: Transfer): void {
    if (transfer.isQueued) return;
    transfer.isQueued = true;
    this.#ready.push(transfer.slot);
  }

  #expire(): void {
    const count = this.#wheel.expire(this.#nowUs, this.#due, TIMERS_PER_TURN);
    for (let index = 0; index < count; index += 1) {
      const transfer = this.#transfers[at(this.#due, index)];
      assert(transfer !== undefined, "a timer is cancelled with its transfer");
      if (transfer.sender.deadlineUs <= this.#nowUs) {
        transfer.sender.handleTimeout(this.#nowUs);
        this.#makeReady(transfer);
      } else {
        this.#wheel.arm(transfer.slot, transfer.sender.deadlineUs);
      }
    }
  }

  #retryDisk(): void {
    for (let left = this.#disk.length; left > 0; left -= 1) this.#ready.push(this.#disk.shift());
  }

  #transmit(): void {
    let budget = MESSAGES_PER_TURN;
    while (this.#ready.length > 0 && budget > 0) {
      const transfer = this.#transfers[this.#ready.shift()];
      // A transfer that ended while it was queued has left its slot, or its slot has a new owner that queues itself.
      if (transfer === undefined || !transfer.isQueued) continue;
      transfer.isQueued = false;
      budget -= 1;
      this.#transmitOne(transfer);
    }
    for (const outbox of this.#outboxes) if (!outbox.isEmpty) this.#flush(outbox);
    this.#cache.release();
  }

  /** Sends one message of `transfer` and queues it again, or ends it, or lets it wait. */
  #transmitOne(transfer: Transfer): void {
    const outbox = at(this.#outboxes, transfer.socket);
    const { sender } = transfer;
    if (outbox.isFull) {
      this.#park(transfer, this.#blocked);
      return;
    }
    if (sender.outcome === "running" && !this.#prepare(transfer)) return;
    if (!outbox.hasRoom(3 * transfer.blocksPerMessage)) this.#flush(outbox);
    const transmit = sender.pollTransmit(transfer.blocksPerMessage, this.#nowUs);
    switch (transmit) {
      case Transmit.data:
        if (!this.#gather(transfer, outbox)) return;
        this.#makeReady(transfer);
        break;
      case Transmit.oack:
        assert(transfer.oack !== undefined, "an OACK is sent where options were granted");
        outbox.reply(transfer.name, transfer.local, transfer.oack, transfer.slot);
        this.#count(Counter.datagramsSent, 1);
        this.#makeReady(transfer);
        break;
      case Transmit.error:
        if (sender.errorReply !== undefined) {
          outbox.reply(transfer.name, transfer.local, sender.errorReply.datagram, -1);
          this.#count(Counter.datagramsSent, 1);
        }
        this.#makeReady(transfer);
        break;
      case Transmit.none:
        if (sender.outcome === "running") this.#armTimer(transfer);
        else this.#finish(transfer);
        break;
    }
  }

  /** Has the bytes of the next window made ready. False: they are not, and the transfer has been queued elsewhere. */
  #prepare(transfer: Transfer): boolean {
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

  /** Puts the run of blocks that the sender named into one message. False: not even the first was there. */
  #gather(transfer: Transfer, outbox: Outbox): boolean {
    const { sender, payload, grant } = transfer;
    const { firstBlock, blockCount } = sender;
    const segmentBytes = blockCount > 1 ? grant.blockBytes + HEADER_BYTES : 0;
    outbox.begin(transfer.name, transfer.local, segmentBytes, transfer.slot, firstBlock);
    let bytes = 0;
    for (let index = 0; index < blockCount; index += 1) {
      const block = firstBlock + index;
      const header = this.#headers.address(wireBlock(block, grant.rolloverTo));
      const added = payload.gather(outbox, block, header);
      if (added < 0) {
        if (index === 0) outbox.cancel();
        this.#countSent(index, bytes);
        sender.handleUnsent(block);
        this.#stall(transfer, added);
        return false;
      }
      bytes += added;
    }
    this.#countSent(blockCount, bytes);
    return true;
  }

  /** The bytes are not there: for now, or for good. */
  #stall(transfer: Transfer, absent: number): void {
    if (isTemporary(absent)) {
      this.#armTimer(transfer);
      this.#park(transfer, this.#disk);
      return;
    }
    transfer.sender.abort(absent === Absent.changed ? "file-changed" : "io-error");
    this.#makeReady(transfer);
  }

  #park(transfer: Transfer, queue: IntRing): void {
    if (transfer.isQueued) return;
    transfer.isQueued = true;
    queue.push(transfer.slot);
  }

  /** Arms lazily: a timer that is set earlier than needed is moved when it fires, not with every packet. */
  #armTimer(transfer: Transfer): void {
    const { deadlineUs } = transfer.sender;
    if (deadlineUs < this.#wheel.dueUs(transfer.slot)) this.#wheel.arm(transfer.slot, deadlineUs);
  }

  #flush(outbox: Outbox): void {
    const calls = outbox.sendCalls;
    const messages = outbox.messagesSent;
    outbox.flush(this);
    this.#count(Counter.sendCalls, outbox.sendCalls - calls);
    this.#count(Counter.messagesSent, outbox.messagesSent - messages);
    if (outbox.isFull) this.#waiter.watchWritable(outbox.fd, this.#outboxes.indexOf(outbox), true);
  }

  #resume(socket: number): void {
    const outbox = at(this.#outboxes, socket);
    if (!outbox.isFull) return;
    outbox.resume();
    this.#waiter.watchWritable(outbox.fd, socket, false);
    for (let left = this.#blocked.length; left > 0; left -= 1) {
      this.#ready.push(this.#blocked.shift());
    }
  }

  #finish(transfer: Transfer): void {
    const { slot, sender } = transfer;
    this.#records.add(transferRecord(transfer, this.#nowUs));
    const counter = isSuccess(sender.outcome)
      ? Counter.transfersCompleted
      : Counter.transfersFailed;
    this.#count(counter, 1);
    this.#count(Counter.blocksResent, sender.statistics.blocksResent);
    this.#finished.note(hashOf(0, transfer.name, 0), transfer.socket, this.#nowUs);
    this.#wheel.cancel(slot);
    this.#peers.remove(slot);
    this.#transfers[slot] = undefined;
    transfer.payload.close();
    this.#release(transfer);
  }

  /** Gives the slot back. One that is still in a queue is taken out of it first, so that no queue names a slot twice. */
  #release(transfer: Transfer): void {
    if (transfer.isQueued) {
      for (const queue of [this.#ready, this.#blocked, this.#disk]) queue.remove(transfer.slot);
      transfer.isQueued = false;
    }
    this.#slots.release(transfer.slot);
  }

  #abortAll(): void {
    for (const transfer of this.#transfers) {
      if (transfer === undefined) continue;
      transfer.sender.abort("shutdown");
      this.#makeReady(transfer);
    }
    // Twice: one turn sends the ERROR, the next one finds nothing more to send and ends the transfer.
    for (let pass = 0; pass < 2; pass += 1) this.#transmit();
  }

  #countSent(blocks: number, bytes: number): void {
    this.#count(Counter.datagramsSent, blocks);
    this.#count(Counter.bytesSent, bytes);
  }

  #count(counter: number, by: number): void {
    this.#counters[counter] = at(this.#counters, counter) + by;
  }

  /** Writes the counters that others keep. */
  #publish(): void {
    this.#counters[Counter.transfersActive] = this.#slots.taken;
    this.#counters[Counter.cacheHits] = this.#cache.hits;
    this.#counters[Counter.cacheMisses] = this.#cache.misses;
    this.#counters[Counter.sleeps] = this.#waiter.sleeps;
    this.#counters[Counter.spins] = this.#waiter.spins;
  }
}

/** Whether `bytes` is the request of `transfer` once more, before its client acknowledged anything. */
function isRepetition(transfer: Transfer, bytes: Uint8Array): boolean {
  const { requestBytes, sender } = transfer;
  if (sender.hasHeard || requestBytes.length !== bytes.length) return false;
  return requestBytes.every((byte, index) => byte === bytes[index]);
}
