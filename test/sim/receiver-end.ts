// The real Receiver with a disk in memory, in a simulated transfer: stands where the server, or a client that
// gets a file, stands. The disk may be behind, and may take its time over the whole file at the end.

import { wireBlock } from "#protocol/blocks.ts";
import type { ErrorReply } from "#protocol/error-reply.ts";
import { NetasciiDecoder } from "#protocol/netascii.ts";
import type { Grant } from "#protocol/options.ts";
import { ackBytes, blockNumber, dataHeaderBytes, errorCode, writeAck } from "#protocol/packet.ts";
import type { FirstReply } from "#protocol/receiver-options.ts";
import { Fate, Receiver, Reply } from "#protocol/receiver.ts";

/** What a test decides about the owner of a Receiver, on either side. */
export interface ReceiverEndOptions {
  readonly patienceUs?: number;
  readonly dallyUs?: number;
  /** Whether the kernel takes the next datagram; when it does not, the rest waits for `retryUs`. */
  readonly kernelTakes?: () => boolean;
  /** How long the disk is behind after a block was accepted: mostly 0. */
  readonly stallUs?: () => number;
  /** How long the whole file takes to be safe. Where this is absent the test itself completes or refuses. */
  readonly holdUs?: () => number;
  /** What the peer is told if the whole file cannot be kept after all. */
  readonly refusal?: ErrorReply | undefined;
  readonly send: (datagram: Uint8Array, nowUs: number) => void;
}

/** What was agreed before the Receiver was made. */
export interface Agreement {
  readonly mode: "octet" | "netascii";
  readonly firstReply: FirstReply;
  readonly grant: Pick<Grant, "blockBytes" | "windowBlocks" | "timeoutUs" | "rolloverTo">;
  readonly oack: Uint8Array | undefined;
}

/** How long a full socket stays full. */
const retryUs = 500;

export class ReceiverEnd {
  readonly receiver: Receiver;
  readonly #options: ReceiverEndOptions;
  readonly #agreement: Agreement;
  readonly #decoder = new NetasciiDecoder();
  readonly #chunks: Uint8Array[] = [];
  #published: Uint8Array | undefined;
  #retryAtUs = Infinity;
  #resumeAtUs = Infinity;
  #publishAtUs = Infinity;

  constructor(options: ReceiverEndOptions, agreement: Agreement, nowUs: number) {
    const { patienceUs = 30_000_000, dallyUs } = options;
    const { firstReply, grant } = agreement;
    this.#options = options;
    this.#agreement = agreement;
    this.receiver = new Receiver({
      blockBytes: grant.blockBytes,
      windowBlocks: grant.windowBlocks,
      rolloverTo: grant.rolloverTo,
      timeoutUs: grant.timeoutUs,
      patienceUs,
      firstReply,
      ...(dallyUs === undefined ? {} : { dallyUs }),
    });
    this.receiver.start(nowUs);
  }

  get grant(): Agreement["grant"] {
    return this.#agreement.grant;
  }

  /** The file once it is whole and safe; undefined before. */
  get published(): Uint8Array | undefined {
    return this.#published;
  }

  get deadlineUs(): number {
    const ownUs = Math.min(this.#retryAtUs, this.#resumeAtUs, this.#publishAtUs);
    return Math.min(this.receiver.deadlineUs, ownUs);
  }

  handleData(datagram: Uint8Array, nowUs: number): void {
    const payload = datagram.subarray(dataHeaderBytes);
    const before = this.receiver.acceptedBlock;
    const fate = this.receiver.handleData(blockNumber(datagram), payload.length, nowUs);
    const accepted = this.receiver.acceptedBlock - before;
    if (accepted !== (fate === Fate.accepted ? 1 : 0)) throw new Error("a block twice, or none");
    if (fate === Fate.accepted) this.#write(payload, nowUs);
  }

  handleError(datagram: Uint8Array, nowUs: number): void {
    this.receiver.handleError(errorCode(datagram), nowUs);
  }

  handleTimeout(nowUs: number): void {
    if (nowUs >= this.#retryAtUs) this.#retryAtUs = Infinity;
    if (nowUs >= this.#resumeAtUs) {
      this.#resumeAtUs = Infinity;
      this.receiver.resume(nowUs);
    }
    if (nowUs >= this.#publishAtUs) {
      this.#publishAtUs = Infinity;
      this.complete(nowUs);
    }
    this.receiver.handleTimeout(nowUs);
    this.flush(nowUs);
  }

  /** The file is published or refused, unless the transfer ended first, and the peer is to be told. */
  complete(nowUs: number): void {
    if (!this.receiver.isHeld) return;
    if (this.#options.refusal !== undefined) {
      this.receiver.refuse(this.#options.refusal);
      return;
    }
    this.#published = Buffer.concat(this.#chunks);
    this.receiver.complete(nowUs);
  }

  /** Sends what is due, until nothing is or the kernel takes no more. */
  flush(nowUs: number): void {
    while (this.#retryAtUs === Infinity) {
      const reply = this.receiver.pollTransmit(nowUs);
      if (reply === Reply.none) return;
      if (this.#options.kernelTakes?.() === false) {
        this.#retryAtUs = nowUs + retryUs;
        this.receiver.handleUnsent();
      } else {
        this.#options.send(this.#datagram(reply), nowUs);
      }
    }
  }

  #datagram(reply: Reply): Uint8Array {
    const { receiver } = this;
    const { oack, grant } = this.#agreement;
    if (reply === Reply.error && receiver.errorReply !== undefined) {
      return receiver.errorReply.datagram;
    }
    if (reply === Reply.oack && oack !== undefined) return oack;
    const ack = new Uint8Array(ackBytes);
    writeAck(ack, 0, wireBlock(receiver.ackedBlock, grant.rolloverTo));
    return ack;
  }

  #write(payload: Uint8Array, nowUs: number): void {
    const { stallUs, holdUs } = this.#options;
    this.#chunks.push(this.#agreement.mode === "octet" ? payload.slice() : this.#decode(payload));
    if (this.receiver.hasLastBlock) {
      if (holdUs !== undefined) this.#publishAtUs = nowUs + holdUs();
      return;
    }
    const behindUs = stallUs?.() ?? 0;
    if (behindUs === 0) return;
    this.receiver.pause();
    this.#resumeAtUs = nowUs + behindUs;
  }

  #decode(payload: Uint8Array): Uint8Array {
    const text = new Uint8Array(payload.length + 2);
    this.#decoder.decode(payload, 0, payload.length, text, 0, text.length);
    let end = this.#decoder.produced;
    if (this.receiver.hasLastBlock) {
      this.#decoder.finish(text, end);
      end += this.#decoder.produced;
    }
    return text.subarray(0, end);
  }
}
