// One shard (server layer): a core's share of the server. Synchronous, in bounded turns: wait, receive, route,
// expire timers, send. Nothing on the packet path allocates, logs or waits for a disk.

import { assert } from "#base/assert.ts";
import { at, i32At } from "#base/bytes.ts";
import { TimerWheel } from "#base/timer-wheel.ts";
import { monotonicUs } from "#io/clock.ts";
import { Inbox, LOCAL_BYTES, NAME_BYTES } from "#io/inbox.ts";
import { Outbox } from "#io/outbox.ts";
import { silenceDoorbell } from "#io/start.ts";
import { Waiter } from "#io/waiter.ts";
import { errorReplies } from "#protocol/error-reply.ts";
import { blockNumber, errorCode, Opcode, packetKind } from "#protocol/packet.ts";
import { Sender } from "#protocol/sender.ts";
import { Disk, ThreadQueue } from "#storage/disk-queue.ts";
import { FileCache } from "#storage/file-cache.ts";
import { Root } from "#storage/root.ts";

import { Admission, type Admitted, type Refused } from "./admission.ts";
import {
  Counter,
  type FastPaths,
  ShardCommand,
  type ShardInit,
  type ShardRecord,
} from "./contract.ts";
import { Counters } from "./counters.ts";
import { endCounter, Records, refusalRecord, requestRecord, transferRecord } from "./records.ts";
import type { Transfer } from "./transfer.ts";
import { Transfers } from "./transfers.ts";
import { type TransmitListener, Transmitter } from "./transmitter.ts";

/** Most timers that one turn expires. */
const TIMERS_PER_TURN = 256;
/** How long a transfer waits before it asks again for bytes that the disk has not brought yet. */
const DISK_RETRY_US = 500;
/** Longest request, 1,500 bytes (request.ts), and room to see that one is longer. */
const DATAGRAM_BYTES = 2048;

/** A transfer that has not moved for so long may be restarted by its own request: a client's usual timeout of 1 s, and a guess's room. */
const RESTART_US = 2_000_000;

const SERVICE = 0;

/** See above. `run` returns when the shard was told to end. */
export class Shard implements TransmitListener {
  readonly #init: ShardInit;
  readonly #control: Int32Array;
  readonly #counters: Counters;
  readonly #waiter: Waiter;
  readonly #inbox: Inbox;
  readonly #outboxes: readonly Outbox[];
  readonly #disk: Disk;
  readonly #cache: FileCache;
  readonly #admission: Admission;
  readonly #records: Records;
  readonly #transfers: Transfers;
  readonly #transmitter: Transmitter;
  readonly #wheel: TimerWheel;
  readonly #due: Int32Array = new Int32Array(TIMERS_PER_TURN);
  /** The peer and the local address of the datagram in hand. */
  readonly #name: Uint8Array = new Uint8Array(NAME_BYTES);
  readonly #local: Uint8Array = new Uint8Array(LOCAL_BYTES);
  #isDraining = false;
  #nowUs: number;

  /** Uses the fast paths that are both configured and granted; `deliver` gets what there is to report. */
  constructor(
    init: ShardInit,
    fastPaths: FastPaths,
    deliver: (records: readonly ShardRecord[]) => void,
  ) {
    const { settings } = init;
    this.#init = init;
    this.#nowUs = monotonicUs();
    this.#control = new Int32Array(init.control);
    this.#counters = new Counters(init.counters);
    this.#records = new Records(deliver);
    this.#inbox = new Inbox(settings.batchDatagrams, DATAGRAM_BYTES, fastPaths.recvmmsg.isOn);
    const fds = [init.serviceFd, ...init.transferFds];
    this.#outboxes = fds.map((fd) => new Outbox(fd, fastPaths.sendmmsg.isOn));
    this.#waiter = new Waiter(settings.spinUs);
    [...fds, init.doorbellFd].forEach((fd, token) => this.#waiter.watch(fd, token));
    this.#disk = new Disk(init.disks.map((disk) => new ThreadQueue(disk)));
    this.#cache = new FileCache(
      settings.cacheBytesMax / settings.workers,
      settings.cacheChunkBytes,
      {
        isSequential: settings.adviseSequential,
        isWillneed: settings.adviseWillneed,
        isDontneedAfter: settings.adviseDontneedAfter,
      },
      this.#disk,
    );
    this.#admission = new Admission(settings, new Root(init.rootFd), this.#cache);
    this.#transfers = new Transfers(settings.transfersMax, init.transferFds.length);
    this.#wheel = new TimerWheel(settings.transfersMax, this.#nowUs);
    this.#transmitter = new Transmitter(
      this.#outboxes,
      this.#cache,
      this.#counters,
      this.#transfers.bySlot,
      fastPaths.gso.isOn,
      this,
    );
  }

  /** Turns until the control word says stop, or drain and no transfer is left. */
  run(): void {
    for (;;) {
      const command = Atomics.load(this.#control, 0);
      this.#isDraining = command >= ShardCommand.drain;
      if (command >= ShardCommand.stop) break;
      if (this.#isDraining && this.#transfers.count === 0) break;
      this.#turn();
    }
    this.#abortAll();
    this.#records.flush();
    this.#publish();
  }

  /** Arms lazily: a timer that is set earlier than needed is moved when it fires, not with every packet. */
  handleIdle(transfer: Transfer): void {
    const { deadlineUs } = transfer.sender;
    if (deadlineUs < this.#wheel.dueUs(transfer.slot)) this.#wheel.arm(transfer.slot, deadlineUs);
  }

  handleEnd(transfer: Transfer): void {
    const record = transferRecord(transfer, this.#nowUs);
    this.#records.add(record);
    this.#counters.add(endCounter(record), 1);
    this.#counters.add(Counter.blocksResent, record.blocksResent);
    this.#wheel.cancel(transfer.slot);
    this.#transmitter.forget(transfer);
    this.#transfers.remove(transfer, this.#nowUs);
    transfer.payload.close();
  }

  handleFull(socket: number, isFull: boolean): void {
    this.#waiter.watchWritable(at(this.#outboxes, socket).fd, socket, isFull);
  }

  #turn(): void {
    const ready = this.#waiter.wait(this.#nowUs, this.#waitUntilUs());
    this.#nowUs = monotonicUs();
    let isAsked = false;
    for (let index = 0; index < ready; index += 1) {
      const socket = this.#waiter.token(index);
      if (socket === this.#outboxes.length) {
        // What it is about stands in the control word and in the disks' rings, which are looked at after it.
        silenceDoorbell(this.#init.doorbellFd);
        continue;
      }
      if (this.#waiter.isWritable(index)) this.#transmitter.resume(socket);
      if (!this.#waiter.isReadable(index)) continue;
      if (socket === SERVICE) isAsked = true;
      else this.#receive(socket);
    }
    // Requests last: a client that acknowledges its last block and asks again at once has ended its transfer first.
    if (isAsked) this.#receive(SERVICE);
    this.#disk.reap();
    this.#expire();
    this.#transmitter.turn(this.#nowUs);
    this.#counters.add(Counter.turns, 1);
  }

  #waitUntilUs(): number {
    if (this.#transmitter.isReady) return 0;
    const untilUs = this.#wheel.nextUs();
    if (this.#transmitter.awaitsDisk) return Math.min(untilUs, this.#nowUs + DISK_RETRY_US);
    this.#records.flush();
    this.#publish();
    return untilUs;
  }

  #receive(socket: number): void {
    const inbox = this.#inbox;
    const count = inbox.receive(at(this.#outboxes, socket).fd);
    this.#counters.add(Counter.receiveCalls, 1);
    if (count <= 0) return;
    this.#counters.add(Counter.datagramsReceived, count);
    for (let index = 0; index < count; index += 1) this.#route(socket, index);
    inbox.recycle(count);
  }

  #route(socket: number, index: number): void {
    const inbox = this.#inbox;
    const length = inbox.byteLength(index);
    const start = inbox.start(index);
    const { u8 } = inbox;
    const kind = packetKind(u8, length, start);
    if (socket === SERVICE && (kind === Opcode.rrq || kind === Opcode.wrq)) {
      this.#handleRequest(index, u8.subarray(start, start + length));
      return;
    }
    const transfer = this.#transfers.find(socket, u8, inbox.name(index));
    if (transfer === undefined) {
      this.#handleStray(socket, index, kind);
      return;
    }
    if (kind === Opcode.ack) transfer.sender.handleAck(blockNumber(u8, start), this.#nowUs);
    else if (kind === Opcode.error) transfer.sender.handleError(errorCode(u8, start), this.#nowUs);
    else return;
    this.#transmitter.enqueue(transfer);
  }

  /** RFC 1350 §4: a packet from nowhere gets ERROR 5 and disturbs nothing; an ERROR is never answered. */
  #handleStray(socket: number, index: number, kind: number): void {
    this.#counters.add(Counter.strayDatagrams, 1);
    if (kind === Opcode.error) return;
    const { u8 } = this.#inbox;
    if (!this.#transfers.mayAnswerStray(u8, this.#inbox.name(index), this.#nowUs)) return;
    const reply =
      kind === Opcode.none ? errorReplies.illegalOperation : errorReplies.unknownTransfer;
    this.#readAddresses(index);
    this.#transmitter.reply(socket, this.#name, this.#local, reply.datagram);
  }

  #handleRequest(index: number, bytes: Uint8Array): void {
    this.#readAddresses(index);
    const previous = this.#transfers.findAnywhere(this.#name);
    if (previous !== undefined && this.#isRepetition(previous, bytes)) {
      previous.sender.repeatFirstReply(this.#nowUs);
      this.#transmitter.enqueue(previous);
      return;
    }
    if (previous !== undefined) {
      previous.sender.abort("replaced");
      this.handleEnd(previous);
    }
    if (this.#isDraining) {
      const reply = errorReplies.shuttingDown.datagram;
      this.#transmitter.reply(SERVICE, this.#name, this.#local, reply);
      return;
    }
    const length = this.#inbox.isTruncated(index) ? DATAGRAM_BYTES + 1 : bytes.length;
    const decision = this.#admission.decide(bytes, length);
    if (decision.kind === "admitted") this.#begin(decision, bytes.slice());
    else this.#refuse(decision);
  }

  #refuse(refused: Refused): void {
    this.#counters.add(Counter.requestsRefused, 1);
    this.#records.add(refusalRecord(this.#name, refused));
    if (refused.reply === undefined) return;
    this.#transmitter.reply(SERVICE, this.#name, this.#local, refused.reply.datagram);
  }

  #begin(admitted: Admitted, requestBytes: Uint8Array): void {
    const slot = this.#transfers.takeSlot();
    if (slot < 0) {
      admitted.payload.close();
      const { name } = admitted.request;
      const reason = `all ${this.#transfers.capacity} transfers of this worker are in use`;
      const reply = errorReplies.busy;
      this.#refuse({ kind: "refused", reply, cause: "busy", name, isWrite: false, reason });
      return;
    }
    const transfer = this.#transferAt(slot, admitted, requestBytes);
    this.#transfers.add(transfer);
    this.#records.add(requestRecord(transfer.name, admitted));
    transfer.sender.start(this.#nowUs);
    this.#transmitter.enqueue(transfer);
  }

  #transferAt(slot: number, admitted: Admitted, requestBytes: Uint8Array): Transfer {
    const { settings } = this.#init;
    const { request, grant, oack, fileBytes, payload } = admitted;
    const sender = new Sender({
      blockBytes: grant.blockBytes,
      windowBlocks: grant.windowBlocks,
      rolloverTo: grant.rolloverTo,
      timeoutUs: grant.timeoutUs,
      firstTimeoutUs: settings.timeoutMs * 1000,
      patienceUs: settings.patienceMs * 1000,
      hasOack: oack !== undefined,
      lastBlock: payload.lastBlock,
      lastIsEmpty: request.mode === "octet" && fileBytes % grant.blockBytes === 0,
    });
    return {
      slot,
      socket: this.#transfers.socketFor(this.#name),
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
      isRepetition: this.#transfers.wasServed(this.#name, requestBytes, this.#nowUs),
      blocksPerMessage: this.#transmitter.blocksPerMessage(grant.blockBytes),
      isQueued: false,
      isEndKnown: payload.lastBlock !== Infinity,
    };
  }

  #readAddresses(index: number): void {
    const start = this.#inbox.name(index);
    this.#name.set(this.#inbox.u8.subarray(start, start + NAME_BYTES));
    if (this.#init.isWildcard) this.#inbox.readLocal(index, this.#local);
  }

  #expire(): void {
    const count = this.#wheel.expire(this.#nowUs, this.#due, TIMERS_PER_TURN);
    for (let index = 0; index < count; index += 1) {
      const transfer = this.#transfers.bySlot[i32At(this.#due, index)];
      assert(transfer !== undefined, "a timer is cancelled with its transfer");
      if (transfer.sender.deadlineUs <= this.#nowUs) {
        transfer.sender.handleTimeout(this.#nowUs);
        this.#transmitter.enqueue(transfer);
      } else {
        this.#wheel.arm(transfer.slot, transfer.sender.deadlineUs);
      }
    }
  }

  /** Tells every client that is still served. Two turns: one sends the ERROR, the next finds nothing more to send. */
  #abortAll(): void {
    for (const transfer of this.#transfers.bySlot) {
      if (transfer === undefined) continue;
      transfer.sender.abort("shutdown");
      this.#transmitter.enqueue(transfer);
    }
    const turns = 2 * Math.ceil(this.#transfers.count / 256) + 1;
    for (let turn = 0; turn < turns; turn += 1) this.#transmitter.turn(this.#nowUs);
  }

  /** Writes the counters that others keep. */
  #publish(): void {
    this.#counters.set(Counter.transfersActive, this.#transfers.count);
    this.#counters.set(Counter.cacheHits, this.#cache.hits);
    this.#counters.set(Counter.cacheMisses, this.#cache.misses);
    this.#counters.set(Counter.sleeps, this.#waiter.sleeps);
    this.#counters.set(Counter.spins, this.#waiter.spins);
  }

  /**
   * Whether `bytes` is the request of `transfer` once more. A busy server may read a repeated request after the ACK that it
   * preceded, because they come in by different sockets; so a transfer that moves is not restarted by its own request. A
   * client that did start over stops acknowledging, and asks again. One that has its file and asks again at once is served.
   */
  #isRepetition(transfer: Transfer, bytes: Uint8Array): boolean {
    const { requestBytes, sender } = transfer;
    if (sender.outcome !== "running" || requestBytes.length !== bytes.length) return false;
    if (!requestBytes.every((byte, index) => byte === bytes[index])) return false;
    return !sender.hasHeard || this.#nowUs - sender.progressUs < RESTART_US;
  }
}
