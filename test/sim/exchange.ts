// A transfer played by hand in virtual time: the test is the client, says what it sends and when, and
// reads the whole exchange as lines, `0.050 → DATA 1 512 bytes`, from the server (→) or to it (←).

import { type Option } from "#protocol/packet.ts";
import { printPacket } from "#protocol/print.ts";
import { type Sender } from "#protocol/sender.ts";

import { ackPacket, errorPacket, requestPacket } from "./packets.ts";
import { ServerEnd, type ServerEndOptions } from "./server-end.ts";

export interface ExchangeOptions extends Omit<ServerEndOptions, "file" | "send"> {
  /** Length of the file in bytes; or the file itself. */
  readonly file: number | Uint8Array;
  readonly mode?: string;
  readonly options?: Readonly<Record<string, string>>;
}

export class Exchange {
  readonly #server: ServerEnd;
  readonly #request: Uint8Array;
  readonly #lines: string[] = [];
  #nowUs = 0;

  /** The request arrives at time 0. */
  constructor({ file, mode = "octet", options = {}, ...rest }: ExchangeOptions) {
    const bytes = typeof file === "number" ? new Uint8Array(file) : file;
    this.#server = new ServerEnd({
      ...rest,
      file: bytes,
      send: (datagram, nowUs) => this.#note("→", datagram, nowUs),
    });
    const asked: Option[] = Object.entries(options).map(([name, value]) => ({ name, value }));
    this.#request = requestPacket(1, "f", mode, asked);
    this.request();
  }

  get sender(): Sender {
    return this.#server.sender;
  }

  /** The request comes, again. */
  request(): this {
    return this.#receive(this.#request);
  }

  /** An ACK comes. */
  ack(wire: number): this {
    return this.#receive(ackPacket(wire));
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

  /** Does something to the sender, and sends what is due after it. */
  command(body: (sender: Sender) => void): this {
    body(this.#server.sender);
    this.#server.flush(this.#nowUs);
    return this;
  }

  /** The lines so far, and how the transfer stands. */
  transcript(): string {
    return [...this.#lines, this.#server.sender.outcome].join("\n");
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
