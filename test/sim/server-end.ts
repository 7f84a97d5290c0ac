// The server's end of a simulated transfer: the real parser, negotiation and Sender, with the file in
// memory and datagrams handed to a function. Stands where the shard stands, and is as simple as it can be.

import { wireBlock } from "#protocol/blocks.ts";
import { NetasciiEncoder } from "#protocol/netascii.ts";
import { encodeOack, type Grant, type GrantLimits, negotiate } from "#protocol/options.ts";
import {
  blockNumber,
  dataHeaderBytes,
  errorCode,
  Opcode,
  packetKind,
  writeDataHeader,
} from "#protocol/packet.ts";
import { parseRequest, type Request } from "#protocol/request.ts";
import { Sender, Transmit } from "#protocol/sender.ts";

/** What nearly every test wants: everything that the RFCs allow. */
export const generousLimits: GrantLimits = {
  blockBytesMax: 65_464,
  windowBlocksMax: 65_535,
  windowBytesMax: 4 * 1024 * 1024,
  refused: new Set<string>(),
};

export interface ServerEndOptions {
  readonly file: Uint8Array;
  readonly limits?: GrantLimits;
  readonly patienceUs?: number;
  /** Whether the kernel takes the next datagram; when it does not, the rest waits for `retryUs`. */
  readonly kernelTakes?: () => boolean;
  readonly send: (datagram: Uint8Array, nowUs: number) => void;
}

/** How long a full socket stays full. */
const retryUs = 500;
/** The most blocks in one poll: not a divisor of the usual windows, so that runs end inside them. */
const blocksPerPoll = 7;

export class ServerEnd {
  readonly #options: ServerEndOptions;
  #sender: Sender | undefined;
  #grant: Grant | undefined;
  #blocks: BlockSource | undefined;
  #retryAtUs = Infinity;

  constructor(options: ServerEndOptions) {
    this.#options = options;
  }

  /** The sender, once a request came. */
  get sender(): Sender {
    if (this.#sender === undefined) throw new Error("no request came");
    return this.#sender;
  }

  get isIdle(): boolean {
    return this.#sender === undefined || this.#sender.outcome !== "running";
  }

  get grant(): Grant | undefined {
    return this.#grant;
  }

  get deadlineUs(): number {
    return Math.min(this.#sender?.deadlineUs ?? Infinity, this.#retryAtUs);
  }

  handleDatagram(datagram: Uint8Array, nowUs: number): void {
    const kind = packetKind(datagram, datagram.length);
    if (kind === Opcode.rrq) {
      if (this.#sender === undefined) this.#begin(datagram, nowUs);
      else this.#sender.repeatFirstReply(nowUs);
    }
    if (kind === Opcode.ack) this.#sender?.handleAck(blockNumber(datagram), nowUs);
    if (kind === Opcode.error) this.#sender?.handleError(errorCode(datagram), nowUs);
    this.flush(nowUs);
  }

  handleTimeout(nowUs: number): void {
    if (nowUs >= this.#retryAtUs) this.#retryAtUs = Infinity;
    this.#sender?.handleTimeout(nowUs);
    this.flush(nowUs);
  }

  /** Sends what is due, until nothing is or the kernel takes no more. */
  flush(nowUs: number): void {
    const sender = this.#sender;
    if (sender === undefined || this.#retryAtUs !== Infinity) return;
    for (;;) {
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
          this.#sendRun(sender, nowUs);
          break;
      }
      if (this.#retryAtUs !== Infinity) return;
    }
  }

  #begin(datagram: Uint8Array, nowUs: number): void {
    const request = parseRequest(datagram, datagram.length);
    if (request.kind === "fault") return;
    const { file, limits = generousLimits, patienceUs = 30_000_000 } = this.#options;
    const grant = negotiate(request, limits, file.length);
    const { blockBytes, windowBlocks, rolloverTo, timeoutUs } = grant;
    this.#grant = grant;
    this.#blocks = blockSource(request, file, blockBytes);
    this.#sender = new Sender({
      blockBytes,
      windowBlocks,
      rolloverTo,
      timeoutUs,
      patienceUs,
      hasOack: grant.accepted.length > 0,
      lastBlock: request.mode === "octet" ? Math.floor(file.length / blockBytes) + 1 : Infinity,
      lastIsEmpty: request.mode === "octet" && file.length % blockBytes === 0,
    });
    this.#sender.start(nowUs);
  }

  #oack(): Uint8Array {
    const oack = this.#grant === undefined ? undefined : encodeOack(this.#grant);
    if (oack === undefined) throw new Error("an OACK is due, and nothing was granted");
    return oack;
  }

  #sendRun(sender: Sender, nowUs: number): void {
    const { firstBlock, blockCount } = sender;
    for (let block = firstBlock; block < firstBlock + blockCount; block++) {
      const payload = this.#blocks?.(block) ?? new Uint8Array(0);
      const datagram = new Uint8Array(dataHeaderBytes + payload.length);
      writeDataHeader(datagram, 0, wireBlock(block, this.#grant?.rolloverTo ?? 0));
      datagram.set(payload, dataHeaderBytes);
      if (!this.#deliver(datagram, nowUs)) {
        sender.handleUnsent(block);
        return;
      }
      if (payload.length < (this.#grant?.blockBytes ?? 0)) {
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

/** The payload of an absolute block. */
type BlockSource = (block: number) => Uint8Array;

function blockSource(request: Request, file: Uint8Array, blockBytes: number): BlockSource {
  if (request.mode === "octet") {
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
