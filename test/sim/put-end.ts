// A client that puts a file, in a simulated transfer, with the real Sender: asks until it is answered, and then
// is the sending side.

import type { Outcome } from "#protocol/outcome.ts";

import { type Agreed, agreedBy, agreedWithoutOptions, requestPacket } from "./packets.ts";
import { SenderEnd, type SenderEndOptions, type Sent, sentBy } from "./sender-end.ts";

export interface PutEndOptions extends SenderEndOptions {
  readonly mode: "octet" | "netascii";
  /** What is asked: name and value. */
  readonly asks: Readonly<Record<string, string>>;
}

/** A client asks again after so long without any answer, and gives up after so many times. */
const requestAgainUs = 1_000_000;
const requestsMax = 60;

export class PutEnd {
  readonly #options: PutEndOptions;
  #end: SenderEnd | undefined;
  #requests = 0;
  #requestAtUs = 0;
  #wasRefused = false;

  constructor(options: PutEndOptions) {
    this.#options = options;
  }

  get outcome(): Outcome {
    if (this.#end !== undefined) return this.#end.sender.outcome;
    if (this.#wasRefused) return "closed-by-client";
    return this.#requests > requestsMax ? "gave-up" : "running";
  }

  get sent(): Sent {
    return sentBy(this.#end);
  }

  get deadlineUs(): number {
    if (this.#end !== undefined) return this.#end.deadlineUs;
    return this.outcome === "running" ? this.#requestAtUs : Infinity;
  }

  handleTimeout(nowUs: number): void {
    if (this.#end === undefined) this.#request(nowUs);
    else this.#end.handleTimeout(nowUs);
  }

  handleDatagram(datagram: Uint8Array, nowUs: number): void {
    const [, opcode] = datagram;
    if (opcode === 4) this.#handleAck(datagram, nowUs);
    if (opcode === 5) {
      this.#wasRefused = this.#end === undefined;
      this.#end?.handleError(datagram, nowUs);
    }
    if (opcode === 6) this.#handleOack(datagram, nowUs);
    this.#end?.flush(nowUs);
  }

  #request(nowUs: number): void {
    this.#requests++;
    if (this.#requests > requestsMax) return;
    const { mode, asks, send } = this.#options;
    const asked = Object.entries(asks).map(([name, value]) => ({ name, value }));
    this.#requestAtUs = nowUs + requestAgainUs;
    send(requestPacket(2, "f", mode, asked), nowUs);
  }

  #handleAck(datagram: Uint8Array, nowUs: number): void {
    if (this.#end === undefined) this.#begin(agreedWithoutOptions, nowUs);
    else this.#end.handleAck(datagram, nowUs);
  }

  /** A repeated OACK says what a repeated ACK 0 says. */
  #handleOack(datagram: Uint8Array, nowUs: number): void {
    if (this.#end === undefined) this.#begin(agreedBy(datagram), nowUs);
    else this.#end.sender.handleAck(0, nowUs);
  }

  #begin(grant: Agreed, nowUs: number): void {
    const { mode } = this.#options;
    const agreement = { mode, grant, oack: undefined, isRequester: true };
    this.#end = new SenderEnd(this.#options, agreement, nowUs);
  }
}
