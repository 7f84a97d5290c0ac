// A peer that never asks for anything, and sends what belongs to nothing: ERRORs, ACKs and DATA of transfers that there are not, and
// bytes that are no packet. It may be told so once a second, and of its ERRORs never.

import type { Random } from "#base/random.ts";

import { ackPacket, dataPacket, errorPacket } from "../packets.ts";
import { Broken } from "./laws.ts";

const DATAGRAMS_MAX = 100;

export class Heckler {
  readonly random: Random;
  readonly #name: Uint8Array;
  /** Whether all that it ever sends is ERRORs. */
  readonly #isMean: boolean;
  #sent = 0;
  #replies = 0;
  #firstReplyUs = 0;
  #lastReplyUs = 0;

  constructor(name: Uint8Array, random: Random) {
    this.#name = name;
    this.random = random;
    this.#isMean = random.chance(0.4);
  }

  get isTired(): boolean {
    return this.#sent >= DATAGRAMS_MAX;
  }

  isNamed(name: Uint8Array): boolean {
    return Buffer.compare(this.#name, name) === 0;
  }

  datagram(): Uint8Array {
    this.#sent += 1;
    const { random } = this;
    const wire = random.below(65_536);
    const kind = this.#isMean ? 0 : random.below(4);
    if (kind === 0) return errorPacket(random.below(9), "no");
    if (kind === 1) return ackPacket(wire);
    if (kind === 2) return dataPacket(wire, new Uint8Array(random.below(600)));
    // Opcodes from 7 on, and what is too short to have one.
    const bytes = Uint8Array.from({ length: random.below(40) }, () => random.below(256));
    if (bytes.length > 1) bytes.set([0, 7 + random.below(249)]);
    return bytes;
  }

  handleReply(nowUs: number): void {
    if (this.#replies === 0) this.#firstReplyUs = nowUs;
    this.#lastReplyUs = nowUs;
    this.#replies += 1;
  }

  /** A worker that has died knew whom it had told. */
  check(deaths: number): void {
    if (this.#isMean && this.#replies > 0) throw new Broken("an ERROR was answered");
    const most = 1 + deaths + (this.#lastReplyUs - this.#firstReplyUs) / 1e6;
    if (this.#replies > Math.ceil(most))
      throw new Broken("strays are answered more than once a second");
  }
}
