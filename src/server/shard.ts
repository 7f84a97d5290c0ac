// One shard (server layer): a core's share of the server. Synchronous, in bounded turns: wait, receive, route,
// expire timers, send. Nothing on the packet path allocates, logs or waits for a disk.

import { assert } from "#base/assert.ts";
import { at, i32At } from "#base/bytes.ts";
import { Random } from "#base/random.ts";
import { Garbage } from "#io/garbage.ts";
import { LOCAL_BYTES, NAME_BYTES } from "#io/inbox.ts";
import { Interfaces } from "#io/interfaces.ts";
import { Neighbours } from "#io/neighbours.ts";
import type { Outbox } from "#io/outbox.ts";
import { Waiter } from "#io/waiter.ts";
import { blockNumber, errorCode, Opcode, packetKind } from "#protocol/packet.ts";
import { Disk } from "#storage/disk-queue.ts";
import { FileCache } from "#storage/file-cache.ts";
import { FileHashes } from "#storage/file-hashes.ts";

import { Answers } from "./answers.ts";
import { Bandwidth } from "./bandwidth.ts";
import {
  ControlWord,
  type FastPaths,
  ShardCommand,
  type ShardInit,
  type ShardOwner,
} from "./contract.ts";
import { Counters } from "./counters.ts";
import { Door } from "./door.ts";
import { Ends } from "./ends.ts";
import { abortAll, CleanUp, endDallying } from "./farewell.ts";
import { Gauges } from "./gauges.ts";
import { openLimitMemory } from "./limit-memory.ts";
import { Mailbox } from "./mailbox.ts";
import { Counter, measures } from "./measures.ts";
import { Orders } from "./orders.ts";
import { type Platform, thisPlatform } from "./platform.ts";
import { TransferIds } from "./progress.ts";
import { Pulse } from "./pulse.ts";
import { readAdvice } from "./reads.ts";
import { Reception } from "./reception.ts";
import { Records } from "./records.ts";
import { Relay } from "./relay.ts";
import { RequestLimits } from "./request-limits.ts";
import { Requests } from "./requests.ts";
import { Sockets } from "./sockets.ts";
import { Strays } from "./strays.ts";
import { Timers } from "./timers.ts";
import { machineOf, type Transfer, type WriteTransfer } from "./transfer.ts";
import { Transfers } from "./transfers.ts";
import { type TransmitListener, Transmitter } from "./transmitter.ts";
import type { WritesListener } from "./writes.ts";

/** How long a transfer waits before it asks again for bytes that the disk has not brought yet. */
const DISK_RETRY_US = 500;
/**
 * A client that waits for each block has its next one sooner if the shard spins. With more of them there is mostly something to read; if
 * not, it is better read with what comes meanwhile, and with none at all nobody's block is awaited.
 */
const SPUN_TRANSFERS_MAX = 8;

const { bounds: receiveBounds = [] } = measures.receiveBatch;

/** See above. `run` returns when the shard was told to end. */
export class Shard implements TransmitListener, WritesListener {
  readonly #init: ShardInit;
  readonly #platform: Platform;
  readonly #control: Int32Array;
  readonly #pulse: Pulse;
  readonly #counters: Counters;
  readonly #waiter: Waiter;
  readonly #sockets: Sockets;
  readonly #door: Door;
  readonly #relay: Relay;
  readonly #strays: Strays;
  readonly #cleanUp: CleanUp;
  readonly #outboxes: readonly Outbox[];
  readonly #disk: Disk;
  readonly #cache: FileCache;
  readonly #reception: Reception;
  readonly #owner: ShardOwner;
  readonly #records: Records;
  readonly #transfers: Transfers;
  readonly #transmitter: Transmitter;
  readonly #requests: Requests;
  readonly #limits: RequestLimits;
  readonly #bandwidth: Bandwidth;
  readonly #ends: Ends;
  readonly #garbage: Garbage;
  readonly #gauges: Gauges;
  readonly #timers: Timers;
  readonly #orders: Orders;
  readonly #wake = (transfer: Transfer): void => this.#transmitter.enqueue(transfer);
  /** The peer and the local address of the datagram in hand. */
  readonly #name: Uint8Array = new Uint8Array(NAME_BYTES);
  readonly #local: Uint8Array = new Uint8Array(LOCAL_BYTES);
  /** Listeners with requests that this turn has not read yet. */
  readonly #asked: Int32Array;
  readonly #mailbox: Mailbox;
  #isDraining = false;
  #hasDrained = false;
  #hasSettled = false;
  #nowUs: number;
  /** Requests that are read now came after this: there was a moment when none waited. */
  #askedSinceUs: number;

  /** Uses the fast paths that are both configured and granted. `platform` is another only where it is simulated. */
  constructor(
    init: ShardInit,
    fastPaths: FastPaths,
    owner: ShardOwner,
    platform: Platform = thisPlatform,
  ) {
    const { settings } = init.terms;
    const { kernel } = platform;
    this.#init = init;
    this.#platform = platform;
    this.#owner = owner;
    this.#garbage = new Garbage(platform.collectGarbage);
    this.#nowUs = kernel.nowUs();
    this.#askedSinceUs = this.#nowUs;
    this.#control = new Int32Array(init.control);
    this.#pulse = new Pulse(this.#control);
    this.#counters = new Counters(init.counters);
    this.#records = new Records((records) => owner.deliver(records), this.#control, this.#counters);
    this.#sockets = new Sockets(init.listeners);
    const isBatching = fastPaths.recvmmsg.isOn;
    const { batchDatagrams } = settings;
    this.#mailbox = new Mailbox(kernel, this.#sockets, { isBatching, batchDatagrams });
    if (init.terms.writes !== undefined) this.#mailbox.takeUploads();
    const { fds } = this.#sockets;
    this.#asked = new Int32Array(this.#sockets.listeners);
    this.#outboxes = this.#sockets.outboxes(fastPaths.sendmmsg.isOn, kernel);
    this.#waiter = new Waiter(settings.spinUs, kernel);
    [...fds, init.doorbellFd].forEach((fd, token) => this.#waiter.watch(fd, token));
    this.#relay = new Relay(init.relay);
    this.#door = new Door(this.#control, this.#waiter, this.#sockets, this.#relay, owner);
    this.#disk = new Disk(init.disks.map((disk) => platform.createDiskQueue(disk)));
    this.#cache = new FileCache(
      settings.cacheBytesMax / settings.workers,
      settings.cacheChunkBytes,
      readAdvice(settings),
      this.#disk,
      platform.readNow,
      settings.cacheSparingFromBytes,
    );
    this.#reception = new Reception(
      {
        shardIndex: init.shardIndex,
        serviceFd: at(fds, 0),
        kernel,
        lookups: { interfaces: new Interfaces(kernel), neighbours: new Neighbours(kernel) },
        cache: this.#cache,
        disk: this.#disk,
        listener: this,
      },
      init.terms,
    );
    const answers = new Answers(init.answers, this.#nowUs);
    this.#transfers = new Transfers(settings.transfersMax, this.#sockets, answers);
    this.#timers = new Timers(this.#transfers.bySlot, this.#nowUs);
    const { counts, shaper } = openLimitMemory(init.limits, init.shardIndex);
    const counters = this.#counters;
    const records = this.#records;
    const transfers = this.#transfers;
    this.#limits = new RequestLimits({ counts, transfers, counters, records });
    this.#bandwidth = new Bandwidth(shaper, counts, settings.limits);
    this.#transmitter = new Transmitter(
      this.#outboxes,
      this.#cache,
      this.#counters,
      this.#transfers.bySlot,
      shaper,
      fastPaths.gso.isOn,
      this,
    );
    this.#strays = new Strays({
      sockets: this.#sockets,
      counters,
      transfers,
      transmitter: this.#transmitter,
      relay: this.#relay,
    });
    this.#cleanUp = new CleanUp(this.#waiter, kernel, init.doorbellFd);
    this.#gauges = new Gauges(
      this.#counters,
      {
        transfers,
        transmitter: this.#transmitter,
        cache: this.#cache,
        waiter: this.#waiter,
        disk: this.#disk,
      },
      this.#nowUs,
    );
    this.#ends = new Ends({
      counters,
      records,
      hashes: new FileHashes(this.#disk, this.#cache),
      reception: this.#reception,
    });
    this.#orders = new Orders(owner, this.#control, this.#transfers.bySlot, this.#wake);
    this.#requests = new Requests({
      reception: this.#reception,
      transfers,
      answers,
      transmitter: this.#transmitter,
      records,
      counters,
      limits: this.#limits,
      bandwidth: this.#bandwidth,
      garbage: this.#garbage,
      ids: new TransferIds(this.#control, init.shardIndex, settings.workers),
      random: new Random(kernel.randomSeed()),
      listener: this,
    });
  }

  /** Turns until the last. */
  run(): void {
    for (;;) if (!this.turn()) return;
  }

  /** Takes one turn. False: it was the last, because the control word says stop. */
  turn(): boolean {
    const command = Atomics.load(this.#control, ControlWord.command);
    if (command >= ShardCommand.stop) return this.#end();
    this.#isDraining = command >= ShardCommand.drain;
    if (this.#isDraining && !this.#hasDrained && this.#isDrained()) {
      this.#hasDrained = true;
      this.#owner.drained();
    }
    this.#serve();
    return true;
  }

  /** Reports what has not been reported yet, after a turn that failed. Nothing else of the shard may be used any more. */
  reportLast(): void {
    this.#records.flush();
  }

  handleIdle(transfer: Transfer): void {
    this.#timers.watch(transfer);
  }

  handleEnd(transfer: Transfer): void {
    this.#timers.forget(transfer);
    this.#transmitter.forget(transfer);
    this.#transfers.remove(transfer, this.#nowUs);
    this.#limits.leave(transfer);
    if (transfer.kind === "write") {
      // Its record follows when the disk has said what is left: see `handleOutcome`.
      transfer.intake.upload.abort();
      return;
    }
    this.#ends.read(transfer, this.#nowUs);
  }

  get nowUs(): number {
    return this.#nowUs;
  }

  handleReply(transfer: WriteTransfer): void {
    if (this.#transfers.bySlot[transfer.slot] === transfer) this.#transmitter.enqueue(transfer);
  }

  handleOutcome(transfer: WriteTransfer): void {
    this.#ends.write(transfer, this.#nowUs);
  }

  handleFull(socket: number, isFull: boolean): void {
    this.#waiter.watchWritable(socket, isFull);
  }

  /** Whether nobody is served any more. */
  #isDrained(): boolean {
    endDallying(this.#transfers.bySlot, this);
    return this.#transfers.count === 0 && (this.#reception.writes?.count ?? 0) === 0;
  }

  #serve(): void {
    if (!this.#hasSettled && this.#disk.isSettled) this.#settle();
    const untilUs = this.#waitUntilUs();
    this.#pulse.rest();
    const { count } = this.#transfers;
    const ready = this.#waiter.wait(this.#nowUs, untilUs, count > 0 && count <= SPUN_TRANSFERS_MAX);
    this.#pulse.work();
    this.#nowUs = this.#platform.kernel.nowUs();
    if (!this.#waiter.wasReady) this.#askedSinceUs = this.#nowUs;
    let asked = 0;
    for (let index = 0; index < ready; index += 1) {
      const socket = this.#waiter.token(index);
      if (socket === this.#outboxes.length) {
        // What it is about stands in the control words and in the disks' rings, which are looked at after it.
        this.#platform.kernel.silenceDoorbell(this.#init.doorbellFd);
        this.#takeTerms();
        // Whoever asks after the word was given is refused already.
        this.#isDraining = Atomics.load(this.#control, ControlWord.command) >= ShardCommand.drain;
        this.#orders.take();
        continue;
      }
      if (this.#waiter.isWritable(index)) this.#transmitter.resume(socket);
      if (!this.#waiter.isReadable(index)) continue;
      if (this.#sockets.isService(socket)) this.#asked[asked++] = socket;
      else this.#receive(socket);
    }
    // Requests last: a client that acknowledges its last block and asks again at once has ended its transfer first.
    let isBehind = false;
    for (let index = 0; index < asked && this.#door.isOpen; index += 1)
      isBehind = this.#receive(i32At(this.#asked, index)) || isBehind;
    if (!isBehind) this.#askedSinceUs = this.#nowUs;
    (this.#reception.writes ?? this.#disk).reap();
    this.#timers.expire(this.#nowUs, this.#wake);
    this.#transmitter.turn(this.#nowUs);
    this.#door.follow();
    this.#garbage.collect(this.#transfers.count, this.#nowUs);
    if (this.#gauges.countTurn()) this.#report();
  }

  /** Nothing of a predecessor that died is under way any more: what it has left behind is put in order. */
  #settle(): void {
    this.#hasSettled = true;
    this.#reception.writes?.reap();
    this.#owner.settled();
  }

  /** Takes over what a reload has brought. No datagram is in hand here, and none is halfway through. */
  #takeTerms(): void {
    const generation = Atomics.load(this.#control, ControlWord.generation);
    if (generation <= this.#reception.generation) return;
    const terms = this.#owner.newestTerms();
    assert(terms !== undefined, "terms are sent before their generation is written");
    this.#reception.switchTo(terms);
    const requeue = (transfer: Transfer): void => this.#transmitter.requeue(transfer);
    this.#bandwidth.switchTo(terms.settings.limits, this.#transfers.bySlot, requeue);
    this.#garbage.noteReload();
    if (terms.writes !== undefined) this.#mailbox.takeUploads();
    this.#records.flush();
    this.#owner.switched(terms.generation);
  }

  #waitUntilUs(): number {
    if (this.#transmitter.isReady) return 0;
    const untilUs = Math.min(this.#timers.nextUs(), this.#transmitter.nextUs);
    if (this.#transmitter.awaitsDisk) return Math.min(untilUs, this.#nowUs + DISK_RETRY_US);
    this.#report();
    return Math.min(untilUs, this.#records.nextUs);
  }

  /** Returns whether more may be waiting. */
  #receive(socket: number): boolean {
    const { inbox } = this.#mailbox;
    const isRelayed = socket > this.#outboxes.length;
    const count = inbox.receive(isRelayed ? this.#relay.fd : at(this.#outboxes, socket).fd);
    this.#counters.add(Counter.receiveCalls, 1);
    if (count <= 0) return false;
    let datagrams = 0;
    let bytes = 0;
    for (let index = 0; index < count; index += 1) {
      const came = inbox.byteLength(index);
      bytes += came;
      const from = isRelayed ? this.#relay.unwrap(inbox, index) : socket;
      const start = inbox.start(index);
      const length = inbox.byteLength(index);
      const segment = isRelayed ? Math.max(1, length) : this.#mailbox.segmentBytes(index);
      let done = 0;
      do {
        this.#route(from, index, start + done, Math.min(segment, length - done), isRelayed);
        datagrams += 1;
        done += segment;
      } while (done < length);
    }
    this.#counters.add(Counter.datagramsReceived, datagrams);
    this.#counters.observe(Counter.receiveBatch, receiveBounds, count);
    this.#counters.add(Counter.wireBytesReceived, bytes);
    inbox.recycle(count);
    return count >= this.#mailbox.batchMax;
  }

  /** The `length` bytes from `start`, of what came at `index`. What was passed on and belongs to nobody here may belong to another process. */
  #route(socket: number, index: number, start: number, length: number, isRelayed: boolean): void {
    if (socket < 0) return;
    const { inbox } = this.#mailbox;
    const { u8 } = inbox;
    const kind = packetKind(u8, length, start);
    if ((kind === Opcode.rrq || kind === Opcode.wrq) && this.#sockets.isService(socket)) {
      this.#handleRequest(socket, index, u8.subarray(start, start + length));
      return;
    }
    if (this.#transfers.hasTwins) this.#readAddresses(index);
    const transfer = this.#transfers.find(socket, u8, inbox.name(index), this.#local);
    if (transfer === undefined) {
      if (!isRelayed) this.#strays.handle(socket, inbox, index, kind, this.#nowUs);
      return;
    }
    if (transfer.kind === "write") {
      if (kind === Opcode.data) transfer.intake.handleData(inbox, start, length, this.#nowUs);
      else if (kind === Opcode.error)
        transfer.receiver.handleError(errorCode(u8, start), this.#nowUs);
      else return;
    } else if (kind === Opcode.ack) transfer.sender.handleAck(blockNumber(u8, start), this.#nowUs);
    else if (kind === Opcode.error) transfer.sender.handleError(errorCode(u8, start), this.#nowUs);
    else return;
    if (transfer.isHalfOpen && machineOf(transfer).hasHeard) this.#limits.welcome(transfer);
    this.#transmitter.enqueue(transfer);
  }

  #handleRequest(listener: number, index: number, bytes: Uint8Array): void {
    this.#readAddresses(index);
    const { inbox, datagramBytes } = this.#mailbox;
    const length = inbox.isTruncated(index) ? datagramBytes + 1 : bytes.length;
    const arrival = {
      name: this.#name,
      local: this.#local,
      listener,
      sinceUs: this.#askedSinceUs,
      nowUs: this.#nowUs,
    };
    this.#requests.handle(bytes, length, arrival, this.#isDraining);
  }

  #readAddresses(index: number): void {
    const { inbox } = this.#mailbox;
    const start = inbox.name(index);
    this.#name.set(inbox.u8.subarray(start, start + NAME_BYTES));
    inbox.readLocal(index, this.#local);
  }

  /**
   * A turn after the end: the first tells the clients; then the disk threads get time to remove what is left of uploads that
   * were cut off. What they do not manage, the next start removes. False when nothing is left to do.
   */
  #end(): boolean {
    if (!this.#cleanUp.hasBegun) abortAll(this.#transfers.bySlot, this.#transmitter, this.#nowUs);
    if (this.#cleanUp.goesOn(this.#reception.writes)) return true;
    this.#ends.abandon();
    this.#report();
    this.#records.flush();
    return false;
  }

  #report(): void {
    for (const fault of this.#transmitter.sendFaults.untold(this.#nowUs)) this.#records.add(fault);
    this.#records.settle(this.#nowUs);
    this.#gauges.publish(this.#nowUs);
  }
}
