// A reference sender: a client that puts a file, written from RFC 1350, 2347 and 7440 and from what real
// clients do. It shares no code with the server, so that one mistake cannot be made on both sides.

import type { Random } from "#base/random.ts";

import {
  type Agreed,
  agreedBy,
  agreedWithoutOptions,
  dataPacket,
  requestPacket,
  wireOf,
} from "./packets.ts";

/**
 * How a client takes silence and repeated ACKs.
 * - `plain`: the window again after a second; for a repeated ACK, once until there is progress, if it has windows.
 * - `apprentice`: as before RFC 1123: whatever an ACK says, what follows is sent, be it for the tenth time.
 * - `hasty`: the window again after every 30 ms.
 * - `thinker`: like `plain`, but sometimes it reads its flash for seconds before it goes on.
 */
export const senderDialects = ["plain", "apprentice", "hasty", "thinker"] as const;
export type SenderDialect = (typeof senderDialects)[number];

export interface SenderOptions {
  readonly dialect: SenderDialect;
  readonly random: Random;
  /** What the file is to be called; `f` unless it matters. */
  readonly name?: string;
  readonly mode: "octet" | "netascii";
  /** The file as it goes over the wire. */
  readonly encoded: Uint8Array;
  /** What is asked: name and value. */
  readonly asks: Readonly<Record<string, string>>;
  readonly send: (datagram: Uint8Array, nowUs: number) => void;
}

const silenceUs: Readonly<Record<SenderDialect, number>> = {
  plain: 1_000_000,
  apprentice: 1_000_000,
  hasty: 30_000,
  thinker: 1_000_000,
};
/** How long a `thinker` thinks at the most, and how often. */
const thoughtUsMax = 20_000_000;
const thoughtChance = 0.02;
/** A client gives up after so long without progress. */
const givesUpUs = 120_000_000;

export class Sender {
  readonly #options: SenderOptions;
  #agreed: Agreed = agreedWithoutOptions;
  #hasAnswer = false;
  /** The last block that was acknowledged. */
  #acked = 0;
  /** The highest block that was sent. */
  #sent = 0;
  #mayRepeat = true;
  #outcome: "running" | "complete" | "failed" = "running";
  #thinksUntilUs = -1;
  #waitsFromUs = 0;
  #progressUs = -1;
  #blocks = 0;
  #repetitions = 0;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  get outcome(): "running" | "complete" | "failed" {
    return this.#outcome;
  }

  /** DATA packets that went out, and how often a window was begun again. */
  get sent(): { readonly blocks: number; readonly repetitions: number } {
    return { blocks: this.#blocks, repetitions: this.#repetitions };
  }

  get deadlineUs(): number {
    if (this.#outcome !== "running") return Infinity;
    if (this.#thinksUntilUs >= 0) return this.#thinksUntilUs;
    const patienceUs = this.#progressUs + givesUpUs;
    return Math.min(this.#waitsFromUs + silenceUs[this.#options.dialect], patienceUs);
  }

  request(nowUs: number): void {
    const asked = Object.entries(this.#options.asks).map(([name, value]) => ({ name, value }));
    this.#waitsFromUs = nowUs;
    if (this.#progressUs < 0) this.#progressUs = nowUs;
    const { name = "f", mode, send } = this.#options;
    send(requestPacket(2, name, mode, asked), nowUs);
  }

  handleTimeout(nowUs: number): void {
    if (this.#thinksUntilUs >= 0) {
      this.#thinksUntilUs = -1;
      this.#progressUs = nowUs;
      this.#sendWindow(nowUs);
    } else if (nowUs >= this.#progressUs + givesUpUs) {
      this.#outcome = "failed";
    } else if (this.#hasAnswer) {
      this.#repeat(nowUs);
    } else {
      this.request(nowUs);
    }
  }

  handleDatagram(datagram: Uint8Array, nowUs: number): void {
    if (this.#outcome !== "running") return;
    const [, opcode] = datagram;
    if (opcode === 4) this.#handleAck(wireOf(datagram), nowUs);
    if (opcode === 5) this.#outcome = "failed";
    if (opcode === 6) this.#handleOack(datagram, nowUs);
  }

  #handleOack(datagram: Uint8Array, nowUs: number): void {
    if (this.#hasAnswer) return;
    this.#agreed = agreedBy(datagram);
    this.#begin(nowUs);
  }

  #begin(nowUs: number): void {
    this.#hasAnswer = true;
    this.#progressUs = nowUs;
    this.#sendWindow(nowUs);
  }

  #handleAck(wire: number, nowUs: number): void {
    if (!this.#hasAnswer) {
      if (wire === 0) this.#begin(nowUs);
      return;
    }
    let block = this.#acked;
    while (block <= this.#sent && this.#wire(block) !== wire) block++;
    if (block > this.#sent || this.#thinksUntilUs >= 0) return;
    if (block === this.#acked) {
      this.#handleRepeatedAck(nowUs);
      return;
    }
    this.#acked = block;
    this.#mayRepeat = true;
    this.#progressUs = nowUs;
    if (block === this.#lastBlock()) {
      this.#outcome = "complete";
    } else if (this.#options.dialect === "thinker" && this.#options.random.chance(thoughtChance)) {
      this.#thinksUntilUs = nowUs + this.#options.random.below(thoughtUsMax);
    } else {
      this.#sendWindow(nowUs);
    }
  }

  #handleRepeatedAck(nowUs: number): void {
    const isApprentice = this.#options.dialect === "apprentice";
    const asks = this.#agreed.windowBlocks > 1 && this.#mayRepeat;
    if (!isApprentice && !asks) return;
    this.#mayRepeat = false;
    this.#repeat(nowUs);
  }

  #repeat(nowUs: number): void {
    this.#repetitions++;
    this.#sendWindow(nowUs);
  }

  #sendWindow(nowUs: number): void {
    this.#waitsFromUs = nowUs;
    const { blockBytes, windowBlocks } = this.#agreed;
    const end = Math.min(this.#acked + windowBlocks, this.#lastBlock());
    for (let block = this.#acked + 1; block <= end; block++) {
      const payload = this.#options.encoded.subarray((block - 1) * blockBytes, block * blockBytes);
      this.#blocks++;
      this.#sent = Math.max(this.#sent, block);
      this.#options.send(dataPacket(this.#wire(block), payload), nowUs);
    }
  }

  #lastBlock(): number {
    return Math.floor(this.#options.encoded.length / this.#agreed.blockBytes) + 1;
  }

  /** 1, 2, … 65,535, and then from 0 or 1 again. */
  #wire(block: number): number {
    if (this.#agreed.rolloverTo === 0) return block % 65_536;
    return block === 0 ? 0 : ((block - 1) % 65_535) + 1;
  }
}
