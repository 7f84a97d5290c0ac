// The way between a transfer and its server (client layer): one socket, what goes out by it, and whose a datagram is. The
// server's first answer says its port, and from then on nobody else is heard.

import {
  anyLocal,
  type ClientSocket,
  closeClientSocket,
  isFromHost,
  isFromPeer,
} from "#io/client-socket.ts";
import { type Inbox, LOCAL_BYTES, localIfindex, NAME_BYTES, peerText } from "#io/inbox.ts";
import { Outbox, type RefusalListener, segmentsPerMessage } from "#io/outbox.ts";
import { errorReplies } from "#protocol/error-reply.ts";
import { dataHeaderBytes, Opcode, writeDataHeader } from "#protocol/packet.ts";
import { printPacket } from "#protocol/print.ts";

import type { Trace } from "./contract.ts";

/** Which of the kernel's fast paths the client takes. */
export interface Paths {
  readonly canReceiveBatches: boolean;
  readonly canSendBatches: boolean;
  readonly canSegment: boolean;
}

/** A stranger is told so at most this often: RFC 1350 §4 asks for an answer, and two that answer each other must not go on. */
const STRANGER_US = 1_000_000;

export class Link {
  readonly socket: ClientSocket;
  readonly outbox: Outbox;
  readonly trace: Trace | undefined;
  /** The server as `address:port`; with the port of the transfer once that is known. */
  text: string;
  /** Somebody else who answered before the server did, as `address:port`; empty if nobody. */
  stranger = "";
  readonly #canSegment: boolean;
  readonly #peer: Uint8Array;
  readonly #local: Uint8Array = new Uint8Array(LOCAL_BYTES);
  #isSettled = false;
  #strangerUs = -Infinity;

  constructor(socket: ClientSocket, paths: Paths, trace: Trace | undefined) {
    this.socket = socket;
    this.outbox = new Outbox(socket.fd, paths.canSendBatches);
    this.trace = trace;
    this.text = socket.text;
    this.#canSegment = paths.canSegment;
    this.#peer = socket.server.slice();
  }

  /** The interface that the server's first answer came in by, if the socket tells it; 0 otherwise. */
  get ifindex(): number {
    return localIfindex(this.#local);
  }

  /** How many packets of `blockBytes` of payload one message holds. */
  blocksPerMessage(blockBytes: number): number {
    return this.#canSegment ? segmentsPerMessage(dataHeaderBytes + blockBytes) : 1;
  }

  /** Whether datagram `index`, a packet of `kind`, is the server's. RFC 1350 §4: whoever else sends is told ERROR 5. */
  admits(inbox: Inbox, index: number, kind: number, nowUs: number): boolean {
    if (this.#isSettled && isFromPeer(inbox, index, this.#peer)) return true;
    if (!this.#isSettled && isFromHost(inbox, index, this.#peer)) return true;
    const start = inbox.name(index);
    const name = inbox.u8.slice(start, start + NAME_BYTES);
    this.stranger = peerText(name);
    this.trace?.("<", this.stranger, `${printIn(inbox, index)} (stranger)`);
    if (kind === Opcode.error || nowUs - this.#strangerUs < STRANGER_US) return false;
    this.#strangerUs = nowUs;
    const { datagram } = errorReplies.unknownTransfer;
    if (!this.outbox.hasRoom(1)) return false;
    this.outbox.reply(name, anyLocal, datagram, -1);
    this.trace?.(">", this.stranger, printPacket(datagram));
    return false;
  }

  /** Whether datagram `index`, which came by a group, is the server's. Whoever else sends there means others. */
  admitsFromGroup(inbox: Inbox, index: number): boolean {
    return this.#isSettled && isFromPeer(inbox, index, this.#peer);
  }

  /** The sender of datagram `index` is the one to talk to from now on. */
  settle(inbox: Inbox, index: number): void {
    const start = inbox.name(index);
    this.#peer.set(inbox.u8.subarray(start, start + NAME_BYTES));
    inbox.readLocal(index, this.#local);
    this.text = peerText(this.#peer);
    this.#isSettled = true;
  }

  /** Back to the port that requests go to: another request begins another transfer. */
  unsettle(): void {
    this.#peer.set(this.socket.server);
    this.text = this.socket.text;
    this.#isSettled = false;
  }

  /** Adds a whole datagram. */
  send(datagram: Uint8Array): void {
    this.trace?.(">", this.text, printPacket(datagram));
    this.outbox.reply(this.#peer, anyLocal, datagram, 0);
  }

  /** Opens a message of blocks from `firstBlock` on, cut by the kernel every `segmentBytes` if that is not 0. */
  begin(segmentBytes: number, firstBlock: number): void {
    this.outbox.begin(this.#peer, anyLocal, segmentBytes, 0, firstBlock);
  }

  /** Traces datagram `index`, which the server sent. */
  traceIn(inbox: Inbox, index: number): void {
    this.trace?.("<", this.text, printIn(inbox, index));
  }

  /** Traces a block that was gathered: its wire number, and the bytes of its payload. */
  traceBlock(wire: number, payloadBytes: number): void {
    if (this.trace === undefined) return;
    const header = new Uint8Array(dataHeaderBytes);
    writeDataHeader(header, 0, wire);
    this.trace(">", this.text, printPacket(header, dataHeaderBytes + payloadBytes));
  }

  /** Sends what was added, and tells `listener` what the kernel did not take. */
  flush(listener: RefusalListener): void {
    if (!this.outbox.isEmpty) this.outbox.flush(listener);
  }

  close(): void {
    closeClientSocket(this.socket);
    this.outbox.unmap();
  }
}

function printIn(inbox: Inbox, index: number): string {
  const start = inbox.start(index);
  return printPacket(inbox.u8.subarray(start, start + inbox.byteLength(index)));
}
