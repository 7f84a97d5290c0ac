// The server's end of a simulated upload: the real parser, negotiation and Receiver. Stands where the shard
// stands, and is as simple as it can be.

import { encodeOack, type GrantLimits, negotiate } from "#protocol/options.ts";
import { Opcode, packetKind } from "#protocol/packet.ts";
import type { Receiver } from "#protocol/receiver.ts";
import { parseRequest } from "#protocol/request.ts";

import { ReceiverEnd, type ReceiverEndOptions } from "./receiver-end.ts";
import { generousLimits } from "./server-end.ts";

export interface UploadEndOptions extends ReceiverEndOptions {
  readonly limits?: GrantLimits;
}

export class UploadEnd {
  readonly #options: UploadEndOptions;
  #end: ReceiverEnd | undefined;

  constructor(options: UploadEndOptions) {
    this.#options = options;
  }

  /** The receiver and its disk; undefined until a request came. */
  get end(): ReceiverEnd | undefined {
    return this.#end;
  }

  get receiver(): Receiver {
    if (this.#end === undefined) throw new Error("no request came");
    return this.#end.receiver;
  }

  get deadlineUs(): number {
    return this.#end?.deadlineUs ?? Infinity;
  }

  handleDatagram(datagram: Uint8Array, nowUs: number): void {
    const kind = packetKind(datagram, datagram.length);
    if (kind === Opcode.wrq) {
      if (this.#end === undefined) this.#begin(datagram, nowUs);
      else this.receiver.repeatFirstReply(nowUs);
    }
    if (kind === Opcode.data) this.#end?.handleData(datagram, nowUs);
    if (kind === Opcode.error) this.#end?.handleError(datagram, nowUs);
    this.#end?.flush(nowUs);
  }

  handleTimeout(nowUs: number): void {
    this.#end?.handleTimeout(nowUs);
  }

  #begin(datagram: Uint8Array, nowUs: number): void {
    const request = parseRequest(datagram, datagram.length);
    if (request.kind === "fault") return;
    const { mode } = request;
    const grant = negotiate(request, this.#options.limits ?? generousLimits, undefined);
    const oack = encodeOack(grant);
    const firstReply = oack === undefined ? "ack-0" : "oack";
    this.#end = new ReceiverEnd(this.#options, { mode, firstReply, grant, oack }, nowUs);
  }
}
