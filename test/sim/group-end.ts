// A client of a simulated multicast, with the real GroupReceiver: begun by the first OACK, with a file that blocks go to in any order,
// and that takes its time to be safe.

import { GroupReceiver } from "#protocol/group-receiver.ts";
import { lastGroupBlock, parseGroup } from "#protocol/group.ts";
import { Fate, Reply } from "#protocol/receiver.ts";

import { ackPacket, wireOf } from "./packets.ts";

export interface GroupEndOptions {
  readonly fileBytes: number;
  readonly blockBytes: number;
  readonly patienceUs: number;
  /** How long the whole file takes to be safe. */
  readonly holdUs: number;
  /** Whether the kernel takes a message now. */
  kernelTakes(): boolean;
  send(datagram: Uint8Array, nowUs: number): void;
}

/** How long the kernel is full. */
const fullUs = 500;

export class GroupEnd {
  readonly receiver: GroupReceiver;
  readonly bytes: Uint8Array;
  /** The file where it shall be; undefined before. */
  published: Uint8Array | undefined;
  readonly #options: GroupEndOptions;
  #safeUs = Infinity;
  #retryUs = Infinity;

  constructor(options: GroupEndOptions, isMaster: boolean, nowUs: number) {
    const { fileBytes, blockBytes, patienceUs } = options;
    const lastBlock = lastGroupBlock(fileBytes, blockBytes);
    if (lastBlock === undefined) throw new Error("a file for a multicast");
    this.#options = options;
    this.bytes = new Uint8Array(fileBytes);
    this.receiver = new GroupReceiver({
      fileBytes,
      blockBytes,
      lastBlock,
      timeoutUs: undefined,
      isMaster,
      patienceUs,
      dallyUs: 1_500_000,
    });
    this.receiver.start(nowUs);
    this.flush(nowUs);
  }

  get deadlineUs(): number {
    return Math.min(this.receiver.deadlineUs, this.#safeUs, this.#retryUs);
  }

  handleTimeout(nowUs: number): void {
    if (nowUs >= this.#safeUs) {
      this.#safeUs = Infinity;
      this.published = this.bytes;
      this.receiver.complete(nowUs);
    }
    if (nowUs >= this.#retryUs) this.#retryUs = Infinity;
    this.receiver.handleTimeout(nowUs);
    this.flush(nowUs);
  }

  handleDatagram(datagram: Uint8Array, nowUs: number): void {
    const [, opcode] = datagram;
    if (opcode === 3) this.#handleData(datagram, nowUs);
    if (opcode === 6) this.receiver.handleOack(isMasterBy(datagram), nowUs);
    this.flush(nowUs);
  }

  /** Sends what is due. */
  flush(nowUs: number): void {
    const { receiver } = this;
    for (;;) {
      if (this.#retryUs < Infinity) return;
      const due = receiver.pollTransmit(nowUs);
      if (due === Reply.none) return;
      if (!this.#options.kernelTakes()) {
        receiver.handleUnsent();
        this.#retryUs = nowUs + fullUs;
        return;
      }
      const { errorReply, ackedBlock } = receiver;
      const isError = due === Reply.error && errorReply !== undefined;
      this.#options.send(isError ? errorReply.datagram : ackPacket(ackedBlock), nowUs);
    }
  }

  #handleData(datagram: Uint8Array, nowUs: number): void {
    const { receiver } = this;
    const payload = datagram.subarray(4);
    const fate = receiver.handleData(wireOf(datagram), payload.length, nowUs);
    if (fate !== Fate.accepted) return;
    this.bytes.set(payload, (receiver.acceptedBlock - 1) * this.#options.blockBytes);
    if (receiver.isWhole) this.#safeUs = nowUs + this.#options.holdUs;
  }
}

/** What the multicast option of an OACK says of its receiver. */
export function isMasterBy(oack: Uint8Array): boolean {
  const strings = Buffer.from(oack).toString("latin1", 2).split("\0");
  const offer = parseGroup(strings[strings.indexOf("multicast") + 1] ?? "");
  if (offer === undefined) throw new Error("an OACK of a multicast");
  return offer.isMaster;
}
