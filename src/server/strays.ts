// Datagrams that belong to no transfer of this shard (server layer): another process's are passed on, and who asks for what is not there
// is told so, rarely.

import { type Inbox, LOCAL_BYTES, NAME_BYTES } from "#io/inbox.ts";
import { errorReplies } from "#protocol/error-reply.ts";
import { Opcode } from "#protocol/packet.ts";

import type { Counters } from "./counters.ts";
import { Counter } from "./measures.ts";
import type { Relay } from "./relay.ts";
import type { Sockets } from "./sockets.ts";
import type { Transfers } from "./transfers.ts";
import type { Transmitter } from "./transmitter.ts";

export interface StrayScope {
  readonly sockets: Sockets;
  readonly counters: Counters;
  readonly transfers: Transfers;
  readonly transmitter: Transmitter;
  readonly relay: Relay;
}

export class Strays {
  readonly #scope: StrayScope;
  readonly #name: Uint8Array = new Uint8Array(NAME_BYTES);
  readonly #local: Uint8Array = new Uint8Array(LOCAL_BYTES);

  constructor(scope: StrayScope) {
    this.#scope = scope;
  }

  /** RFC 1350 §4: a packet from nowhere gets ERROR 5 and disturbs nothing; an ERROR is never answered. */
  handle(socket: number, inbox: Inbox, index: number, kind: number, nowUs: number): void {
    const { sockets, counters, transfers, transmitter, relay } = this.#scope;
    if (sockets.isService(socket) && relay.pass(inbox, index, socket)) return;
    counters.add(Counter.strayDatagrams, 1);
    if (kind === Opcode.error) return;
    const { u8 } = inbox;
    const start = inbox.name(index);
    if (!transfers.mayAnswerStray(u8, start, nowUs)) return;
    const reply =
      kind === Opcode.none ? errorReplies.illegalOperation : errorReplies.unknownTransfer;
    this.#name.set(u8.subarray(start, start + NAME_BYTES));
    inbox.readLocal(index, this.#local);
    transmitter.reply(socket, this.#name, this.#local, reply.datagram);
  }
}
