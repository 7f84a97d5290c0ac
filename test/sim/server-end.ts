// The server's end of a simulated download: the real parser, negotiation and Sender. Stands where the shard
// stands, and is as simple as it can be.

import { encodeOack, type GrantLimits, negotiate } from "#protocol/options.ts";
import type { Outcome } from "#protocol/outcome.ts";
import { Opcode, packetKind } from "#protocol/packet.ts";
import { parseRequest } from "#protocol/request.ts";
import { type Sender } from "#protocol/sender.ts";

import { SenderEnd, type SenderEndOptions, type Sent, sentBy } from "./sender-end.ts";

/** What nearly every test wants: everything that the RFCs allow. */
export const generousLimits: GrantLimits = {
  blockBytesMax: 65_464,
  windowBlocksMax: 65_535,
  windowBytesMax: 4 * 1024 * 1024,
  refused: new Set<string>(),
};

export interface ServerEndOptions extends SenderEndOptions {
  readonly limits?: GrantLimits;
}

export class ServerEnd {
  readonly #options: ServerEndOptions;
  #end: SenderEnd | undefined;

  constructor(options: ServerEndOptions) {
    this.#options = options;
  }

  /** The sender, once a request came. */
  get sender(): Sender {
    if (this.#end === undefined) throw new Error("no request came");
    return this.#end.sender;
  }

  get outcome(): Outcome {
    return this.sender.outcome;
  }

  /** Blocks that went out, and how often a window or part of it was repeated. */
  get sent(): Sent {
    return sentBy(this.#end);
  }

  get deadlineUs(): number {
    return this.#end?.deadlineUs ?? Infinity;
  }

  handleDatagram(datagram: Uint8Array, nowUs: number): void {
    const kind = packetKind(datagram, datagram.length);
    if (kind === Opcode.rrq) {
      if (this.#end === undefined) this.#begin(datagram, nowUs);
      else this.sender.repeatFirstReply(nowUs);
    }
    if (kind === Opcode.ack) this.#end?.handleAck(datagram, nowUs);
    if (kind === Opcode.error) this.#end?.handleError(datagram, nowUs);
    this.flush(nowUs);
  }

  handleTimeout(nowUs: number): void {
    this.#end?.handleTimeout(nowUs);
  }

  /** Sends what is due. */
  flush(nowUs: number): void {
    this.#end?.flush(nowUs);
  }

  #begin(datagram: Uint8Array, nowUs: number): void {
    const request = parseRequest(datagram, datagram.length);
    if (request.kind === "fault") return;
    const { mode } = request;
    const { file, limits = generousLimits } = this.#options;
    const grant = negotiate(request, limits, file.length);
    const agreement = { mode, grant, oack: encodeOack(grant), isRequester: false };
    this.#end = new SenderEnd(this.#options, agreement, nowUs);
  }
}
