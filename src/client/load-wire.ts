// The way out of a load (client layer): one batch for the sockets of all its clients, and the bad network that they are to have.
// Packets are dropped by chance, or held back for a while; what is held back is bounded, and lost beyond.

import { at, f64At, i32At } from "#base/bytes.ts";
import type { Random } from "#base/random.ts";
import { anyLocal, ConnectedPair } from "#io/client-socket.ts";
import { MappedMemory } from "#io/memory.ts";
import { Outbox, Refusal, type RefusalListener } from "#io/outbox.ts";
import { ackBytes, dataHeaderBytes, writeAck, writeDataHeader } from "#protocol/packet.ts";

import type { LoadTally } from "./load-tally.ts";

/** Whose packets they are. */
export interface Correspondent {
  readonly slot: number;
  readonly fd: number;
  /** Where its packets go: a raw sockaddr. */
  readonly peer: Uint8Array;
  /** Payload bytes of a block that it sends. */
  readonly blockBytes: number;
  readonly isClosed: boolean;
  /** Whether its socket sends to its peer and to nobody else. */
  readonly isTied: boolean;
  /** The kernel does not cut its messages: it is to send block by block, from this one on. */
  handleUnsegmentable(firstBlock: number): void;
}

/** How the network is. */
export interface Weather {
  readonly loss: number;
  readonly delayUs: number;
}

/** Packets held back at a time: with 4,000 clients, 16 each. */
const HELD_MAX = 65_536;
/** As much of a datagram as is looked at: any header, and the words of an ERROR, which servers keep short. A guess. */
export const HEAD_BYTES = 128;
/** Every block number of 16 bits. */
const WIRE_BLOCKS = 65_536;

export class LoadWire implements RefusalListener {
  /** The descriptor is given with each flush. */
  readonly #outbox: Outbox;
  readonly #weather: Weather;
  readonly #random: Random;
  readonly #tally: LoadTally;
  readonly #content: Content;
  readonly #owners: (Correspondent | undefined)[] = [];
  /** What goes by a socket that is tied to its peer, and the head of what comes by it. */
  readonly pair: ConnectedPair = new ConnectedPair(HEAD_BYTES);

  readonly #held: (Correspondent | undefined)[] = [];
  readonly #heldDatagrams: (Uint8Array | undefined)[] = [];
  readonly #heldFirst: Float64Array;
  readonly #heldBlocks: Int32Array;
  readonly #heldUntilUs: Float64Array;
  #heldHead = 0;
  #heldCount = 0;

  constructor(
    canBatch: boolean,
    content: Content,
    weather: Weather,
    random: Random,
    tally: LoadTally,
  ) {
    this.#outbox = new Outbox(-1, canBatch);
    this.#content = content;
    this.#weather = weather;
    this.#random = random;
    this.#tally = tally;
    const heldMax = weather.delayUs > 0 ? HELD_MAX : 0;
    this.#heldFirst = new Float64Array(heldMax);
    this.#heldBlocks = new Int32Array(heldMax);
    this.#heldUntilUs = new Float64Array(heldMax);
  }

  /** When {@link release} has something to send. */
  get nextUs(): number {
    return this.#heldCount === 0 ? Infinity : f64At(this.#heldUntilUs, this.#heldHead);
  }

  /** Whether a packet that has come is taken for lost. */
  losesIncoming(): boolean {
    if (this.#weather.loss === 0 || !this.#random.chance(this.#weather.loss)) return false;
    this.#tally.droppedIn += 1;
    return true;
  }

  /** Sends a whole datagram. It must stay as it is. */
  send(from: Correspondent, datagram: Uint8Array, nowUs: number): void {
    if (this.#losesOutgoing()) return;
    if (this.#weather.delayUs > 0) this.#hold(from, datagram, 0, 0, nowUs);
    else this.#put(from, datagram);
  }

  /** Sends the ACK of a block, by its number on the wire. */
  acknowledge(from: Correspondent, wire: number, nowUs: number): void {
    if (this.#losesOutgoing()) return;
    if (this.#weather.delayUs > 0) this.#hold(from, undefined, wire, 0, nowUs);
    else this.#putAck(from, wire);
  }

  /** Sends a run of blocks of the content, those apart that are lost. */
  sendBlocks(from: Correspondent, firstBlock: number, blocks: number, nowUs: number): void {
    let first = firstBlock;
    for (let block = firstBlock; block < firstBlock + blocks; block += 1) {
      if (!this.#losesOutgoing()) continue;
      this.#sendRun(from, first, block - first, nowUs);
      first = block + 1;
    }
    this.#sendRun(from, first, firstBlock + blocks - first, nowUs);
  }

  /** Has the kernel take what `from` has sent since the last time. */
  flush({ fd }: Correspondent): void {
    if (this.#outbox.isEmpty) return;
    this.#outbox.flush(this, fd);
    this.#outbox.resume();
  }

  /** Sends what was held back for long enough. */
  release(nowUs: number): void {
    while (this.#heldCount > 0 && f64At(this.#heldUntilUs, this.#heldHead) <= nowUs) {
      const index = this.#heldHead;
      const from = this.#held[index];
      const datagram = this.#heldDatagrams[index];
      this.#held[index] = undefined;
      this.#heldHead = (index + 1) % HELD_MAX;
      this.#heldCount -= 1;
      if (from === undefined || from.isClosed) continue;
      const blocks = i32At(this.#heldBlocks, index);
      const first = f64At(this.#heldFirst, index);
      if (datagram !== undefined) this.#put(from, datagram);
      else if (blocks === 0) this.#putAck(from, first);
      else this.#putRun(from, first, blocks);
      this.flush(from);
    }
  }

  /** What is lost on the way out is repeated by its timer, as on any network. */
  handleRefusal(refusal: number, owner: number, firstBlock: number): void {
    const isUnsegmentable =
      refusal === Refusal.unsegmentable || refusal === Refusal.segmentationOff;
    if (isUnsegmentable) at(this.#owners, owner)?.handleUnsegmentable(firstBlock);
    else this.#tally.unsent += 1;
  }

  unmap(): void {
    this.#outbox.unmap();
    this.#content.unmap();
    this.pair.unmap();
  }

  #losesOutgoing(): boolean {
    if (this.#weather.loss === 0 || !this.#random.chance(this.#weather.loss)) return false;
    this.#tally.droppedOut += 1;
    return true;
  }

  #sendRun(from: Correspondent, first: number, blocks: number, nowUs: number): void {
    if (blocks === 0) return;
    if (this.#weather.delayUs > 0) this.#hold(from, undefined, first, blocks, nowUs);
    else this.#putRun(from, first, blocks);
  }

  #hold(
    from: Correspondent,
    datagram: Uint8Array | undefined,
    first: number,
    blocks: number,
    nowUs: number,
  ): void {
    if (this.#heldCount === HELD_MAX) {
      this.#tally.unsent += 1;
      return;
    }
    const index = (this.#heldHead + this.#heldCount) % HELD_MAX;
    this.#held[index] = from;
    this.#heldDatagrams[index] = datagram;
    this.#heldFirst[index] = first;
    this.#heldBlocks[index] = blocks;
    this.#heldUntilUs[index] = nowUs + this.#weather.delayUs;
    this.#heldCount += 1;
  }

  #put(from: Correspondent, datagram: Uint8Array): void {
    this.#makeRoom(from, 1);
    this.#outbox.reply(from.peer, anyLocal, datagram, from.slot);
  }

  /** Most packets of a load are ACKs, or come for one: a socket that knows its peer is spared what a batch of one costs. */
  #putAck(from: Correspondent, wire: number): void {
    writeAck(this.pair.outgoing, 0, wire);
    if (!from.isTied) this.#put(from, this.pair.outgoing.subarray(0, ackBytes));
    else if (this.pair.send(from.fd, ackBytes) < 0) this.#tally.unsent += 1;
  }

  #putRun(from: Correspondent, first: number, blocks: number): void {
    this.#makeRoom(from, 2 * blocks);
    this.#owners[from.slot] = from;
    const segmentBytes = blocks > 1 ? from.blockBytes + dataHeaderBytes : 0;
    this.#outbox.begin(from.peer, anyLocal, segmentBytes, from.slot, first);
    for (let block = first; block < first + blocks; block += 1) {
      this.#content.push(this.#outbox, block, from.blockBytes);
    }
  }

  #makeRoom(from: Correspondent, pieces: number): void {
    if (!this.#outbox.hasRoom(pieces)) this.flush(from);
  }
}

/** The bytes that clients write: one file, drawn from a seed, and the header of every block number. */
export class Content {
  readonly bytes: number;
  readonly #headers: MappedMemory = new MappedMemory(WIRE_BLOCKS * dataHeaderBytes);
  readonly #file: MappedMemory;

  /** A file of `bytes` bytes. */
  constructor(bytes: number, random: Random) {
    this.bytes = bytes;
    this.#file = new MappedMemory(Math.max(bytes, 1));
    fill(this.#file.u8.subarray(0, bytes), random);
    for (let wire = 0; wire < WIRE_BLOCKS; wire += 1) {
      writeDataHeader(this.#headers.u8, wire * dataHeaderBytes, wire);
    }
  }

  /** Pushes a block, its header first. */
  push(outbox: Outbox, block: number, blockBytes: number): void {
    const start = (block - 1) * blockBytes;
    const length = Math.min(blockBytes, this.bytes - start);
    const wire = block % WIRE_BLOCKS;
    outbox.push(this.#headers.address + wire * dataHeaderBytes, dataHeaderBytes);
    if (length > 0) outbox.push(this.#file.address + start, length);
  }

  unmap(): void {
    this.#headers.unmap();
    this.#file.unmap();
  }
}

/** As much as is drawn anew before it repeats: enough that nothing can compress or share it cheaply, and drawn in some ms. */
const DRAWN_BYTES = 1024 * 1024;

function fill(bytes: Uint8Array, random: Random): void {
  const drawn = Math.min(bytes.length, DRAWN_BYTES);
  for (let index = 0; index < drawn; index += 1) bytes[index] = random.uint32();
  for (let index = drawn; index < bytes.length; index += drawn) {
    bytes.copyWithin(index, 0, Math.min(drawn, bytes.length - index));
  }
}
