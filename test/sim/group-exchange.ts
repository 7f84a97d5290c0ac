// A multicast played by hand in virtual time: the test is the server, says what it sends and when, and reads the whole exchange as
// lines, `0.050 → ACK 1`, from one client (→) or to it (←).

import { encodeOackOptions } from "#protocol/packet.ts";
import { printPacket } from "#protocol/print.ts";

import { GroupEnd } from "./group-end.ts";
import { dataPacket } from "./packets.ts";

export interface GroupExchangeOptions {
  /** Blocks of 512 bytes; the last one, behind them, has 100. */
  readonly fullBlocks: number;
  readonly isMaster: boolean;
}

export class GroupExchange {
  readonly client: GroupEnd;
  readonly #lines: string[] = [];
  #nowUs = 0;

  /** The first OACK came at time 0. The file is safe once it is whole. */
  constructor({ fullBlocks, isMaster }: GroupExchangeOptions) {
    this.client = new GroupEnd(
      {
        fileBytes: fullBlocks * 512 + 100,
        blockBytes: 512,
        patienceUs: 22_000_000,
        holdUs: 0,
        kernelTakes: () => true,
        send: (datagram, nowUs) => this.#note("→", datagram, nowUs),
      },
      isMaster,
      0,
    );
  }

  /** DATA comes, 512 bytes of it unless the test says otherwise. */
  data(wire: number, payloadBytes: number = 512): this {
    return this.#receive(dataPacket(wire, new Uint8Array(payloadBytes)));
  }

  /** Another OACK comes. */
  oack(mc: 0 | 1): this {
    return this.#receive(encodeOackOptions([{ name: "multicast", value: `,,${mc}` }]));
  }

  /** Time passes, and the client's timers fire as it does. */
  wait(milliseconds: number): this {
    const untilUs = this.#nowUs + milliseconds * 1000;
    while (this.client.deadlineUs <= untilUs) {
      this.#nowUs = Math.max(this.#nowUs, this.client.deadlineUs);
      this.client.handleTimeout(this.#nowUs);
    }
    this.#nowUs = untilUs;
    return this;
  }

  /** The lines so far, and how it stands. */
  transcript(): string {
    return [...this.#lines, this.client.receiver.outcome].join("\n");
  }

  #receive(datagram: Uint8Array): this {
    this.#note("←", datagram, this.#nowUs);
    this.client.handleDatagram(datagram, this.#nowUs);
    return this.wait(0);
  }

  #note(arrow: "→" | "←", datagram: Uint8Array, nowUs: number): void {
    this.#lines.push(`${(nowUs / 1e6).toFixed(3)} ${arrow} ${printPacket(datagram)}`);
  }
}
