// One upload by a simulated client: the reference sender, with a TID to keep to, and with what clients do that is not in their
// programs. It counts as safe from the moment at which the last ACK is here.

import type { Random } from "#base/random.ts";
import { printPacket } from "#protocol/print.ts";

import { errorPacket, wireOf } from "../packets.ts";
import { Sender, type SenderDialect } from "../sender.ts";
import type { Ending, Quirk } from "./fetch.ts";

export interface PutOptions {
  readonly dialect: SenderDialect;
  readonly random: Random;
  readonly name: string;
  readonly mode: "octet" | "netascii";
  /** What the file is to be, and how that goes over the wire. */
  readonly bytes: Uint8Array;
  readonly encoded: Uint8Array;
  readonly asks: Readonly<Record<string, string>>;
  readonly quirk: Quirk;
  /** The quirk shows after so many datagrams. */
  readonly afterBlocks: number;
  /** `fd` undefined: to the service port. */
  readonly send: (bytes: Uint8Array, fd: number | undefined) => void;
}

export class Put {
  readonly options: PutOptions;
  errorCode = -1;
  errorText = "";
  #server: number | undefined;
  #heard = 0;
  #hasLeft = false;
  readonly #sender: Sender;

  constructor(options: PutOptions) {
    const { dialect, random, name, mode, encoded, asks, send } = options;
    this.options = options;
    this.#sender = new Sender({
      dialect,
      random,
      name,
      mode,
      encoded,
      asks,
      send: (bytes) => send(bytes, bytes[1] === 2 ? undefined : this.#server),
    });
  }

  get ending(): Ending {
    if (this.#hasLeft) return "left";
    const { outcome } = this.#sender;
    if (outcome === "failed") return this.errorCode >= 0 ? "refused" : "gave-up";
    return outcome;
  }

  get repeats(): number {
    return this.#sender.sent.repetitions;
  }

  get deadlineUs(): number {
    return this.#hasLeft ? Infinity : this.#sender.deadlineUs;
  }

  start(nowUs: number): void {
    this.#sender.request(nowUs);
  }

  handleTimeout(nowUs: number): void {
    if (nowUs >= this.deadlineUs) this.#sender.handleTimeout(nowUs);
  }

  handleDatagram(bytes: Uint8Array, fd: number, nowUs: number): void {
    if (this.ending !== "running") return;
    const opcode = bytes[1];
    this.#server ??= fd;
    if (fd !== this.#server) {
      if (opcode !== 5) this.options.send(errorPacket(5, "Unknown transfer ID"), fd);
      return;
    }
    this.#heard += 1;
    if (this.#leaves()) return;
    if (opcode === 5) {
      this.errorCode = wireOf(bytes);
      this.errorText = printPacket(bytes);
    }
    this.#sender.handleDatagram(bytes, nowUs);
  }

  #leaves(): boolean {
    const { quirk, afterBlocks, send } = this.options;
    const isLeaving = quirk === "vanishes" || quirk === "closes";
    if (!isLeaving || this.#heard < afterBlocks) return false;
    if (quirk === "closes") send(errorPacket(0, "Early terminate"), this.#server);
    this.#hasLeft = true;
    return true;
  }
}
