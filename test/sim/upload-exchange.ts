// An upload played by hand in virtual time: the test is the client, says what it sends and when, and reads the
// whole exchange as lines, `0.050 → ACK 1`, from the server (→) or to it (←).

import type { Option } from "#protocol/packet.ts";
import { printPacket } from "#protocol/print.ts";
import type { Receiver } from "#protocol/receiver.ts";

import { dataPacket, errorPacket, requestPacket } from "./packets.ts";
import { UploadEnd, type UploadEndOptions } from "./upload-end.ts";

export interface UploadExchangeOptions extends Omit<UploadEndOptions, "send"> {
  readonly mode?: string;
  readonly options?: Readonly<Record<string, string>>;
}

export class UploadExchange {
  readonly #server: UploadEnd;
  readonly #request: Uint8Array;
  readonly #lines: string[] = [];
  #nowUs = 0;

  /** The request arrives at time 0. */
  constructor({ mode = "octet", options = {}, ...rest }: UploadExchangeOptions = {}) {
    this.#server = new UploadEnd({
      ...rest,
      send: (datagram, nowUs) => this.#note("→", datagram, nowUs),
    });
    const asked: Option[] = Object.entries(options).map(([name, value]) => ({ name, value }));
    this.#request = requestPacket(2, "f", mode, asked);
    this.request();
  }

  get receiver(): Receiver {
    return this.#server.receiver;
  }

  /** The file, once it is published. */
  get published(): Uint8Array | undefined {
    return this.#server.end?.published;
  }

  /** The request comes, again. */
  request(): this {
    return this.#receive(this.#request);
  }

  /** DATA comes: block 512 bytes long unless it says otherwise. */
  data(wire: number, payload: number | Uint8Array = 512): this {
    const bytes = typeof payload === "number" ? new Uint8Array(payload) : payload;
    return this.#receive(dataPacket(wire, bytes));
  }

  /** An ERROR comes. */
  error(code: number, message: string): this {
    return this.#receive(errorPacket(code, message));
  }

  /** Time passes, and the server's timers fire as it does. */
  wait(milliseconds: number): this {
    const untilUs = this.#nowUs + milliseconds * 1000;
    while (this.#server.deadlineUs <= untilUs) {
      this.#nowUs = Math.max(this.#nowUs, this.#server.deadlineUs);
      this.#server.handleTimeout(this.#nowUs);
    }
    this.#nowUs = untilUs;
    return this;
  }

  /** The file is safe: the final ACK goes out. */
  complete(): this {
    this.#server.end?.complete(this.#nowUs);
    this.#server.end?.flush(this.#nowUs);
    return this;
  }

  /** Does something to the receiver, and sends what is due after it. */
  command(body: (receiver: Receiver, nowUs: number) => void): this {
    body(this.#server.receiver, this.#nowUs);
    this.#server.end?.flush(this.#nowUs);
    return this;
  }

  /** The lines from the one numbered `from`, and how the transfer stands. */
  transcript(from: number = 0): string {
    return [...this.#lines.slice(from), this.#server.receiver.outcome].join("\n");
  }

  /** How many lines there are. */
  get lineCount(): number {
    return this.#lines.length;
  }

  #receive(datagram: Uint8Array): this {
    this.#note("←", datagram, this.#nowUs);
    this.#server.handleDatagram(datagram, this.#nowUs);
    return this;
  }

  #note(arrow: "→" | "←", datagram: Uint8Array, nowUs: number): void {
    this.#lines.push(`${(nowUs / 1e6).toFixed(3)} ${arrow} ${printPacket(datagram)}`);
  }
}
