// A server of a simulated multicast, as RFC 2090 and atftpd have it: a list of clients of which the oldest is the master, blocks that
// go to all of them, and the next master where one is done or silent. Shares no code with what it tests.

import { dataPacket, wireOf } from "./packets.ts";

export interface GroupServerOptions {
  readonly file: Uint8Array;
  readonly blockBytes: number;
  /**
   * As Debian's atftpd 0.8 does it: the last ACK of a listener is believed only when the master has sent its own, an ACK that comes
   * again is ignored, and each packet, whoever sends it, begins the timer anew.
   */
  readonly isAtftpd: boolean;
  readonly timeoutUs: number;
  /** The OACK that tells a client whether it is the master; the first one says where the multicast is. */
  oack(mc: 0 | 1, isFirst: boolean): Uint8Array;
  /** To one client; and to all of them. */
  send(client: number, datagram: Uint8Array, nowUs: number): void;
  multicast(datagram: Uint8Array, nowUs: number): void;
}

/** As often as atftpd waits for a master. */
const timeoutsMax = 5;

export class GroupServer {
  deadlineUs: number = Infinity;
  /** Blocks that went out. */
  blocksSent = 0;
  /** Clients that it has given up, or that have left with an ERROR; and those that are done. */
  readonly lost: Set<number> = new Set();
  readonly done: Set<number> = new Set();
  readonly #options: GroupServerOptions;
  readonly #lastBlock: number;
  readonly #queue: number[] = [];
  #block = 0;
  #timeouts = 0;

  constructor(options: GroupServerOptions) {
    this.#options = options;
    this.#lastBlock = Math.floor(options.file.length / options.blockBytes) + 1;
  }

  /** A request came from `client`, perhaps again. */
  request(client: number, nowUs: number): void {
    if (!this.#queue.includes(client)) this.#queue.push(client);
    const isMaster = this.#queue[0] === client;
    this.#sendOack(client, isMaster, true, nowUs);
    if (isMaster) this.#begin(nowUs);
  }

  handleDatagram(client: number, datagram: Uint8Array, nowUs: number): void {
    const [, opcode] = datagram;
    if (this.#options.isAtftpd && this.deadlineUs < Infinity) {
      this.deadlineUs = nowUs + this.#options.timeoutUs;
    }
    if (opcode === 5) this.#remove(client, this.lost, nowUs);
    if (opcode === 4) this.#handleAck(client, wireOf(datagram), nowUs);
  }

  handleTimeout(nowUs: number): void {
    const [master] = this.#queue;
    this.#timeouts += 1;
    if (master === undefined) this.deadlineUs = Infinity;
    else if (this.#timeouts > timeoutsMax) this.#remove(master, this.lost, nowUs);
    else if (this.#block === 0) this.#sendOack(master, true, false, nowUs);
    else this.#sendBlock(nowUs);
  }

  #handleAck(client: number, wire: number, nowUs: number): void {
    if (client !== this.#queue[0]) {
      const isEnd = wire === this.#lastBlock;
      if (isEnd && (!this.#options.isAtftpd || this.#block > this.#lastBlock)) {
        this.#remove(client, this.done, nowUs);
      } else if (this.#queue.includes(client)) this.#sendOack(client, false, false, nowUs);
      return;
    }
    this.#timeouts = 0;
    if (this.#options.isAtftpd && wire < this.#block && wire < this.#lastBlock) return;
    this.#block = wire + 1;
    if (wire === this.#lastBlock) this.#remove(client, this.done, nowUs);
    else this.#sendBlock(nowUs);
  }

  #remove(client: number, to: Set<number>, nowUs: number): void {
    const place = this.#queue.indexOf(client);
    if (place < 0) return;
    this.#queue.splice(place, 1);
    to.add(client);
    if (this.#queue.length === 0) this.deadlineUs = Infinity;
    else if (place === 0) this.#serve(nowUs);
  }

  /** The next one is the master. */
  #serve(nowUs: number): void {
    const [master] = this.#queue;
    if (master !== undefined) this.#sendOack(master, true, false, nowUs);
    this.#begin(nowUs);
  }

  #begin(nowUs: number): void {
    this.#block = 0;
    this.#timeouts = 0;
    this.deadlineUs = nowUs + this.#options.timeoutUs;
  }

  #sendOack(client: number, isMaster: boolean, isFirst: boolean, nowUs: number): void {
    this.#options.send(client, this.#options.oack(isMaster ? 1 : 0, isFirst), nowUs);
    if (isMaster) this.deadlineUs = nowUs + this.#options.timeoutUs;
  }

  #sendBlock(nowUs: number): void {
    const { file, blockBytes } = this.#options;
    const start = (this.#block - 1) * blockBytes;
    this.blocksSent += 1;
    this.#options.multicast(
      dataPacket(this.#block, file.subarray(start, start + blockBytes)),
      nowUs,
    );
    this.deadlineUs = nowUs + this.#options.timeoutUs;
  }
}
