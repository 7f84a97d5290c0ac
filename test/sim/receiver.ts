// A reference receiver: the client's side of RFC 1350, 2347 and 7440, written from the RFCs and from captures
// of real clients. It shares no code with the server, so that one mistake cannot be made on both sides.

import {
  ackPacket,
  type Agreed,
  agreedBy,
  agreedWithoutOptions,
  requestPacket,
  wireOf,
} from "./packets.ts";

/**
 * How a client answers a block that it did not expect, and silence.
 * - `plain`: the last ACK once until the next progress, and again after a second of silence.
 * - `edk2`: the last ACK for every such block, and again after four seconds.
 * - `grub`: nothing for a block that is ahead; an old block is acknowledged again; never on its own.
 * - `ipxe`: like `plain`, and again after every half second.
 */
export const dialects = ["plain", "edk2", "grub", "ipxe"] as const;
export type Dialect = (typeof dialects)[number];

export interface ReceiverOptions {
  readonly dialect: Dialect;
  readonly mode: "octet" | "netascii";
  /** What is asked: name and value. */
  readonly asks: Readonly<Record<string, string>>;
  readonly send: (datagram: Uint8Array, nowUs: number) => void;
}

const silenceUs: Readonly<Record<Dialect, number>> = {
  plain: 1_000_000,
  edk2: 4_000_000,
  grub: Infinity,
  ipxe: 500_000,
};
/** A client asks again after so long without any answer, and gives up after so long without progress. */
const requestAgainUs = 2_000_000;
const givesUpUs = 120_000_000;

export class Receiver {
  readonly #options: ReceiverOptions;
  readonly #chunks: Uint8Array[] = [];
  #agreed: Agreed = agreedWithoutOptions;
  #hasAnswer = false;
  #byteCount = 0;
  #expected = 1;
  /** The wire number of the last block in order, which every ACK names. */
  #last = 0;
  #sinceAck = 0;
  #hasComplained = false;
  #outcome: "running" | "complete" | "failed" = "running";
  #heardUs = 0;
  #progressUs = 0;

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  get outcome(): "running" | "complete" | "failed" {
    return this.#outcome;
  }

  /** What has come, in order, so far. */
  get bytes(): Uint8Array {
    return Buffer.concat(this.#chunks);
  }

  /** How much has come, in order, so far. */
  get byteCount(): number {
    return this.#byteCount;
  }

  get blockBytes(): number {
    return this.#agreed.blockBytes;
  }

  get windowBlocks(): number {
    return this.#agreed.windowBlocks;
  }

  get deadlineUs(): number {
    if (this.#outcome !== "running") return Infinity;
    const quietUs = this.#hasAnswer ? silenceUs[this.#options.dialect] : requestAgainUs;
    return Math.min(this.#heardUs + quietUs, this.#progressUs + givesUpUs);
  }

  request(nowUs: number): void {
    const asked = Object.entries(this.#options.asks).map(([name, value]) => ({ name, value }));
    this.#options.send(requestPacket(1, "f", this.#options.mode, asked), nowUs);
  }

  handleTimeout(nowUs: number): void {
    if (nowUs >= this.#progressUs + givesUpUs) {
      this.#outcome = "failed";
      return;
    }
    this.#heardUs = nowUs;
    if (this.#hasAnswer) this.#acknowledge(nowUs);
    else this.request(nowUs);
  }

  handleDatagram(datagram: Uint8Array, nowUs: number): void {
    if (this.#outcome === "failed") return;
    this.#heardUs = nowUs;
    const opcode = datagram[1];
    if (opcode === 3) this.#handleBlock(datagram, nowUs);
    if (opcode === 5 && this.#outcome === "running") this.#outcome = "failed";
    if (opcode === 6 && this.#expected === 1) this.#handleOack(datagram, nowUs);
  }

  #handleOack(datagram: Uint8Array, nowUs: number): void {
    if (!this.#hasAnswer) {
      this.#agreed = agreedBy(datagram);
      this.#progressUs = nowUs;
    }
    this.#hasAnswer = true;
    // A repeated OACK that comes once blocks have come is old.
    if (this.#chunks.length === 0) this.#acknowledge(nowUs);
  }

  #handleBlock(datagram: Uint8Array, nowUs: number): void {
    this.#hasAnswer = true;
    const wire = wireOf(datagram);
    if (this.#outcome === "complete" || wire !== this.#expected) {
      this.#handleUnexpected(wire, nowUs);
      return;
    }
    const payload = datagram.slice(4);
    if (payload.length > this.#agreed.blockBytes) throw new Error("a block longer than negotiated");
    this.#chunks.push(payload);
    this.#byteCount += payload.length;
    this.#last = wire;
    this.#expected = wire === 65_535 ? this.#agreed.rolloverTo : wire + 1;
    this.#sinceAck++;
    this.#hasComplained = false;
    this.#progressUs = nowUs;
    const isLast = payload.length < this.#agreed.blockBytes;
    if (isLast) this.#outcome = "complete";
    if (isLast || this.#sinceAck >= this.#agreed.windowBlocks) this.#acknowledge(nowUs);
  }

  #handleUnexpected(wire: number, nowUs: number): void {
    const isAhead = (wire - this.#expected + 65_536) % 65_536 < 32_768;
    const { dialect } = this.#options;
    const answers =
      this.#outcome === "complete" ||
      this.#agreed.windowBlocks === 1 ||
      dialect === "edk2" ||
      (dialect === "grub" ? !isAhead : !this.#hasComplained);
    if (!answers) return;
    this.#hasComplained = true;
    this.#acknowledge(nowUs);
  }

  #acknowledge(nowUs: number): void {
    this.#sinceAck = 0;
    this.#options.send(ackPacket(this.#last), nowUs);
  }
}
