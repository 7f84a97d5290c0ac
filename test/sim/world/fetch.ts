// One read by a simulated client, in the dialect of a real one: written from the RFCs and from captures, byte by byte, and without
// any code of the server.

import { printPacket } from "#protocol/print.ts";

import {
  ackPacket,
  type Agreed,
  agreedBy,
  agreedWithoutOptions,
  errorPacket,
  requestPacket,
  wireOf,
} from "../packets.ts";
import type { Dialect } from "./dialects.ts";

/** What a client does that is not in its program. */
export type Quirk = "none" | "vanishes" | "closes" | "starts-over" | "slow";

export interface FetchOptions {
  readonly dialect: Dialect;
  readonly name: string;
  readonly mode: "octet" | "netascii";
  readonly asks: Readonly<Record<string, string>>;
  /** Whether all that is wanted is the OACK. */
  readonly isProbe: boolean;
  readonly quirk: Quirk;
  /** The quirk shows after so many blocks. */
  readonly afterBlocks: number;
  /** Whether its port was that of another attempt a moment ago: what comes first may be a block of that one. */
  readonly reusesPort: boolean;
  /** How long a slow client takes before each answer, as long as it is slow. */
  readonly thinkUs: number;
  /** `fd` undefined: to the service port. */
  readonly send: (bytes: Uint8Array, fd: number | undefined) => void;
  /** Has it be told of what it waits for. */
  readonly later: (delayUs: number, happen: () => void) => void;
}

export type Ending = "running" | "complete" | "probed" | "refused" | "gave-up" | "left";

/** A file of ten thousand blocks would take a client that is always slow for hours. */
const SLOW_ANSWERS = 40;

export class Fetch {
  readonly options: FetchOptions;
  ending: Ending = "running";
  /** The code of the ERROR that ended it, or −1, and the packet in words. */
  errorCode = -1;
  errorText = "";
  /** Whether a block was longer than what was agreed. */
  hasOversized = false;
  /** Blocks that were accepted, and what the client said twice, because nothing came. */
  blocks = 0;
  repeats = 0;
  agreed: Agreed = agreedWithoutOptions;
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #fileBytes = -1;
  #server: number | undefined;
  #hasOack = false;
  #expected = 1;
  #last = 0;
  #sinceAck = 0;
  #hasComplained = false;
  #requests = 0;
  #silences = 0;
  #heardUs = 0;
  #progressUs = 0;
  #hasStartedOver = false;
  #slowAnswers = SLOW_ANSWERS;

  constructor(options: FetchOptions) {
    this.options = options;
  }

  get bytes(): Uint8Array {
    return Buffer.concat(this.#chunks);
  }

  /** Whether it is sure of an OACK. */
  get expectsOack(): boolean {
    return "blksize" in this.options.asks;
  }

  /** Whether the server has answered. */
  get isAnswered(): boolean {
    return this.#server !== undefined;
  }

  get deadlineUs(): number {
    if (this.ending !== "running") return Infinity;
    const { requestAgainUs, backsOff, silenceUs, patienceUs } = this.options.dialect;
    const requestUs = requestAgainUs * (backsOff ? 2 ** (this.#requests - 1) : 1);
    const quietUs = this.isAnswered ? silenceUs : requestUs;
    return Math.min(this.#heardUs + quietUs, this.#progressUs + patienceUs);
  }

  start(nowUs: number): void {
    this.#heardUs = nowUs;
    this.#progressUs = nowUs;
    this.#request();
  }

  handleTimeout(nowUs: number): void {
    if (nowUs < this.deadlineUs) return;
    const { requestsMax, silencesMax, patienceUs } = this.options.dialect;
    this.#heardUs = nowUs;
    this.repeats += 1;
    if (nowUs >= this.#progressUs + patienceUs) {
      this.ending = "gave-up";
    } else if (!this.isAnswered) {
      if (this.#requests >= requestsMax) this.ending = "gave-up";
      else this.#request();
    } else {
      this.#silences += 1;
      if (this.#silences > silencesMax) this.ending = "gave-up";
      else this.#acknowledge();
    }
  }

  /** A datagram came from the server's socket `fd`. */
  handleDatagram(bytes: Uint8Array, fd: number, nowUs: number): void {
    if (this.ending === "left" || this.ending === "gave-up") return;
    const opcode = bytes[1];
    // What is no first reply belongs to a transfer of before; and so may be a first block where an OACK is to come.
    const isWary = this.#hasStartedOver || (this.options.reusesPort && this.expectsOack);
    const isFirst = opcode !== 3 || (wireOf(bytes) === 1 && !isWary);
    if (this.#server === undefined && !isFirst) return;
    this.#server ??= fd;
    if (fd !== this.#server) {
      // RFC 1350 §4: a stranger is told, and disturbs nothing.
      if (opcode !== 5) this.options.send(errorPacket(5, "Unknown transfer ID"), fd);
      return;
    }
    this.#heardUs = nowUs;
    if (this.options.quirk === "slow" && this.#slowAnswers > 0 && this.ending === "running") {
      this.#slowAnswers -= 1;
      this.options.later(this.options.thinkUs, () => this.#handle(bytes, opcode, nowUs));
      return;
    }
    this.#handle(bytes, opcode, nowUs);
  }

  #handle(bytes: Uint8Array, opcode: number | undefined, nowUs: number): void {
    if (opcode === 3) this.#handleBlock(bytes, nowUs);
    if (opcode === 5 && this.ending === "running") {
      this.ending = "refused";
      this.errorCode = wireOf(bytes);
      this.errorText = printPacket(bytes);
    }
    if (opcode === 6 && this.ending === "running") this.#handleOack(bytes, nowUs);
  }

  #handleOack(bytes: Uint8Array, nowUs: number): void {
    if (this.blocks > 0) return;
    if (this.options.isProbe) {
      this.ending = "probed";
      this.#send(errorPacket(8, "User aborted the transfer"));
      return;
    }
    if (!this.#hasOack) {
      this.#hasOack = true;
      this.agreed = agreedBy(bytes);
      const size = /tsize\0(\d+)\0/i.exec(Buffer.from(bytes).toString("latin1"))?.[1];
      if (size !== undefined) this.#fileBytes = Number(size);
      this.#progressUs = nowUs;
    }
    this.#acknowledge();
  }

  #handleBlock(bytes: Uint8Array, nowUs: number): void {
    const wire = wireOf(bytes);
    if (this.ending !== "running" || wire !== this.#expected) {
      this.#handleUnexpected(wire);
      return;
    }
    if (this.options.dialect.needsOack && !this.#hasOack) return;
    const payload = bytes.subarray(4);
    if (payload.length > this.agreed.blockBytes) this.hasOversized = true;
    this.#chunks.push(payload);
    this.#bytes += payload.length;
    this.blocks += 1;
    this.#last = wire;
    this.#expected = wire === 65_535 ? this.agreed.rolloverTo : wire + 1;
    this.#sinceAck += 1;
    this.#hasComplained = false;
    this.#silences = 0;
    this.#progressUs = nowUs;
    if (this.#quirks(nowUs)) return;
    const isLast = payload.length < this.agreed.blockBytes;
    if (isLast) this.#finish();
    else if (this.#skipsRest()) this.#end(errorPacket(0, "No error, file close"));
    else if (this.#sinceAck >= this.agreed.windowBlocks) this.#acknowledge();
  }

  /** Whether the rest of a file whose size is known is nothing but an empty block. */
  #skipsRest(): boolean {
    return this.options.dialect.ending === "skips" && this.#bytes === this.#fileBytes;
  }

  #finish(): void {
    this.ending = "complete";
    this.#acknowledge();
    if (this.options.dialect.ending === "ack-and-error") this.#send(errorPacket(0, "closed"));
  }

  #end(bytes: Uint8Array): void {
    this.ending = "complete";
    this.#send(bytes);
  }

  /** Whether it has done something else than to go on. */
  #quirks(nowUs: number): boolean {
    const { quirk, afterBlocks } = this.options;
    if (this.blocks !== afterBlocks) return false;
    if (quirk === "vanishes" || quirk === "closes") {
      if (quirk === "closes") this.#send(errorPacket(0, "Early terminate"));
      this.ending = "left";
      return true;
    }
    if (quirk !== "starts-over" || this.#requests > 1) return false;
    this.#startOver(nowUs);
    return true;
  }

  /** As after a reset: the same request from the same port, and no memory of anything. */
  #startOver(nowUs: number): void {
    this.#hasStartedOver = this.expectsOack;
    this.#chunks.length = 0;
    this.#bytes = 0;
    this.blocks = 0;
    this.#server = undefined;
    this.#hasOack = false;
    this.agreed = agreedWithoutOptions;
    this.#expected = 1;
    this.#last = 0;
    this.#sinceAck = 0;
    this.#heardUs = nowUs;
    this.#request();
  }

  #handleUnexpected(wire: number): void {
    const isAhead = (wire - this.#expected + 65_536) % 65_536 < 32_768;
    const { gap, repeatsOnce, dallies } = this.options.dialect;
    if (this.ending !== "running") {
      if (this.ending === "complete" && dallies && wire === this.#last) this.#acknowledge();
      return;
    }
    // What is old is acknowledged again in lockstep: its ACK was lost. In a window, and ahead of it, one ACK asks for the rest.
    const isLost = this.agreed.windowBlocks === 1 && !isAhead && !repeatsOnce;
    const asks = gap === "each" || (gap === "once" && !this.#hasComplained);
    if (!isLost && !(isAhead ? asks : !this.#hasComplained)) return;
    this.#hasComplained = true;
    this.#acknowledge();
  }

  #request(): void {
    this.#requests += 1;
    const { name, mode, asks, send } = this.options;
    const asked = Object.entries(asks).map(([option, value]) => ({ name: option, value }));
    send(requestPacket(1, name, mode, asked), undefined);
  }

  #acknowledge(): void {
    this.#sinceAck = 0;
    this.#send(ackPacket(this.#last));
  }

  #send(bytes: Uint8Array): void {
    this.options.send(bytes, this.#server);
  }
}
