// A client that gets a file, in a simulated transfer, with the real Receiver: asks until it is answered, and then
// is the receiving side.

import type { FirstReply } from "#protocol/receiver-options.ts";

import { type Agreed, agreedBy, agreedWithoutOptions, requestPacket } from "./packets.ts";
import { ReceiverEnd, type ReceiverEndOptions } from "./receiver-end.ts";

export interface GetEndOptions extends ReceiverEndOptions {
  readonly mode: "octet" | "netascii";
  /** What is asked: name and value. */
  readonly asks: Readonly<Record<string, string>>;
}

/** A client asks again after so long without any answer, and gives up after so many times. */
const requestAgainUs = 1_000_000;
const requestsMax = 60;

export class GetEnd {
  readonly #options: GetEndOptions;
  #end: ReceiverEnd | undefined;
  #requests = 0;
  #requestAtUs = 0;

  constructor(options: GetEndOptions) {
    this.#options = options;
  }

  /** The receiver and its disk; undefined until there was an answer. */
  get end(): ReceiverEnd | undefined {
    return this.#end;
  }

  get deadlineUs(): number {
    if (this.#end !== undefined) return this.#end.deadlineUs;
    return this.#requests > requestsMax ? Infinity : this.#requestAtUs;
  }

  handleTimeout(nowUs: number): void {
    if (this.#end === undefined) this.#request(nowUs);
    else this.#end.handleTimeout(nowUs);
  }

  handleDatagram(datagram: Uint8Array, nowUs: number): void {
    const [, opcode] = datagram;
    if (opcode === 3) {
      this.#end ??= this.#begin("none", agreedWithoutOptions, nowUs);
      this.#end.handleData(datagram, nowUs);
    }
    if (opcode === 5) this.#end?.handleError(datagram, nowUs);
    if (opcode === 6) {
      if (this.#end === undefined) this.#end = this.#begin("ack-0", agreedBy(datagram), nowUs);
      else this.#end.receiver.repeatFirstReply(nowUs);
    }
    this.#end?.flush(nowUs);
  }

  #request(nowUs: number): void {
    this.#requests++;
    if (this.#requests > requestsMax) return;
    const { mode, asks, send } = this.#options;
    const asked = Object.entries(asks).map(([name, value]) => ({ name, value }));
    this.#requestAtUs = nowUs + requestAgainUs;
    send(requestPacket(1, "f", mode, asked), nowUs);
  }

  #begin(firstReply: FirstReply, grant: Agreed, nowUs: number): ReceiverEnd {
    const { mode } = this.#options;
    return new ReceiverEnd(this.#options, { mode, firstReply, grant, oack: undefined }, nowUs);
  }
}
