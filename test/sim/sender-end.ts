// The real Sender with a file in memory, in a simulated transfer: stands where the server, or a client that
// puts a file, stands. Datagrams are handed to a function.

import { wireBlock } from "#protocol/blocks.ts";
import { NetasciiEncoder } from "#protocol/netascii.ts";
import type { Grant } from "#protocol/options.ts";
import { blockNumber, dataHeaderBytes, errorCode, writeDataHeader } from "#protocol/packet.ts";
import { Sender, Transmit } from "#protocol/sender.ts";

export interface SenderEndOptions {
  readonly file: Uint8Array;
  readonly patienceUs?: number;
  readonly isPaced?: boolean;
  readonly burstBlocksMax?: number;
  /** As in SenderOptions. */
  readonly unheardRepeatsMax?: number;
  /** Whether the kernel takes the next datagram; when it does not, the rest waits for `retryUs`. */
  readonly kernelTakes?: () => boolean;
  readonly send: (datagram: Uint8Array, nowUs: number) => void;
}

/** What was agreed before the Sender was made. */
export interface SenderAgreement {
  readonly mode: "octet" | "netascii";
  readonly grant: Pick<Grant, "blockBytes" | "windowBlocks" | "timeoutUs" | "rolloverTo">;
  readonly oack: Uint8Array | undefined;
  readonly isRequester: boolean;
}

/** How long a full socket stays full. */
const retryUs = 500;
/** The most blocks in one poll: not a divisor of the usual windows, so that runs end inside them. */
const blocksPerPoll = 7;

export class SenderEnd {
  readonly sender: Sender;
  readonly #options: SenderEndOptions;
  readonly #agreement: SenderAgreement;
  readonly #blocks: BlockSource;
  #retryAtUs = Infinity;
  /** When a paced window goes on. */
  #releaseAtUs = Infinity;

  constructor(options: SenderEndOptions, agreement: SenderAgreement, nowUs: number) {
    const { file, patienceUs = 30_000_000, isPaced, burstBlocksMax, unheardRepeatsMax } = options;
    const { mode, grant, oack, isRequester } = agreement;
    const { blockBytes, windowBlocks, rolloverTo, timeoutUs } = grant;
    this.#options = options;
    this.#agreement = agreement;
    this.#blocks = blockSource(mode, file, blockBytes);
    this.sender = new Sender({
      blockBytes,
      windowBlocks,
      rolloverTo,
      timeoutUs,
      patienceUs,
      ...(unheardRepeatsMax === undefined ? {} : { unheardRepeatsMax }),
      hasOack: oack !== undefined,
      isRequester,
      ...(isPaced !== undefined && { isPaced }),
      ...(burstBlocksMax !== undefined && { burstBlocksMax }),
      lastBlock: mode === "octet" ? Math.floor(file.length / blockBytes) + 1 : Infinity,
      lastIsEmpty: mode === "octet" && file.length % blockBytes === 0,
    });
    this.sender.start(nowUs);
  }

  get deadlineUs(): number {
    return Math.min(this.sender.deadlineUs, this.#retryAtUs, this.#releaseAtUs);
  }

  handleAck(datagram: Uint8Array, nowUs: number): void {
    this.sender.handleAck(blockNumber(datagram), nowUs);
  }

  handleError(datagram: Uint8Array, nowUs: number): void {
    this.sender.handleError(errorCode(datagram), nowUs);
  }

  handleTimeout(nowUs: number): void {
    if (nowUs >= this.#retryAtUs) this.#retryAtUs = Infinity;
    this.sender.handleTimeout(nowUs);
    this.flush(nowUs);
  }

  /** Sends what is due, until nothing is or the kernel takes no more. */
  flush(nowUs: number): void {
    const { sender } = this;
    this.#send(nowUs);
    const { releaseUs } = sender;
    // The shard's timers of releases have ticks of 64 µs.
    this.#releaseAtUs =
      sender.isTransmitDue && releaseUs > nowUs ? Math.ceil(releaseUs / 64) * 64 : Infinity;
  }

  #send(nowUs: number): void {
    const { sender } = this;
    while (this.#retryAtUs === Infinity) {
      switch (sender.pollTransmit(blocksPerPoll, nowUs)) {
        case Transmit.none:
          return;
        case Transmit.oack:
          if (!this.#deliver(this.#oack(), nowUs)) sender.handleUnsent(0);
          break;
        case Transmit.error:
          if (sender.errorReply !== undefined) this.#deliver(sender.errorReply.datagram, nowUs);
          break;
        case Transmit.data:
          this.#sendRun(nowUs);
          break;
      }
    }
  }

  #oack(): Uint8Array {
    const { oack } = this.#agreement;
    if (oack === undefined) throw new Error("an OACK is due, and nothing was granted");
    return oack;
  }

  #sendRun(nowUs: number): void {
    const { sender } = this;
    const { blockBytes, rolloverTo } = this.#agreement.grant;
    const { firstBlock, blockCount } = sender;
    for (let block = firstBlock; block < firstBlock + blockCount; block++) {
      const payload = this.#blocks(block);
      const datagram = new Uint8Array(dataHeaderBytes + payload.length);
      writeDataHeader(datagram, 0, wireBlock(block, rolloverTo));
      datagram.set(payload, dataHeaderBytes);
      if (!this.#deliver(datagram, nowUs)) {
        sender.handleUnsent(block);
        return;
      }
      if (payload.length < blockBytes) {
        sender.setLastBlock(block, payload.length === 0);
        return;
      }
    }
  }

  #deliver(datagram: Uint8Array, nowUs: number): boolean {
    if (this.#options.kernelTakes?.() === false) {
      this.#retryAtUs = nowUs + retryUs;
      return false;
    }
    this.#options.send(datagram, nowUs);
    return true;
  }
}

/** What went out. */
export interface Sent {
  /** DATA packets, repetitions included. */
  readonly blocks: number;
  /** How often a window, or part of it, was begun again. */
  readonly repetitions: number;
}

/** What went out of `end`, which may not exist yet. */
export function sentBy(end: SenderEnd | undefined): Sent {
  if (end === undefined) return { blocks: 0, repetitions: 0 };
  const { blocksSent, timeouts, nacks } = end.sender.statistics;
  return { blocks: blocksSent, repetitions: timeouts + nacks };
}

/** The payload of an absolute block. */
type BlockSource = (block: number) => Uint8Array;

function blockSource(
  mode: "octet" | "netascii",
  file: Uint8Array,
  blockBytes: number,
): BlockSource {
  if (mode === "octet") {
    return (block) => file.subarray((block - 1) * blockBytes, block * blockBytes);
  }
  const encoder = new NetasciiEncoder();
  const blocks: Uint8Array[] = [];
  let offset = 0;
  return (block) => {
    while (blocks.length < block) {
      const bytes = new Uint8Array(blockBytes);
      encoder.encode(file, offset, file.length, bytes, 0, blockBytes);
      offset += encoder.consumed;
      blocks.push(bytes.subarray(0, encoder.produced));
    }
    return blocks[block - 1] ?? new Uint8Array(0);
  };
}
