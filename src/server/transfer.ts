// One running transfer (server layer): the state machine, the bytes and the addresses, tied together.
// A record without behaviour: the shard and the transmitter act on it.

import type { Grant } from "#protocol/options.ts";
import type { Request } from "#protocol/request.ts";
import type { Sender } from "#protocol/sender.ts";

import type { Payload } from "./payload.ts";

/** What a transfer is made of. */
export interface Transfer {
  readonly slot: number;
  /** Which socket it speaks from: 0 is the service socket. */
  readonly socket: number;
  /** The client's raw sockaddr. */
  readonly name: Uint8Array;
  /** The address that was asked, from which replies leave. */
  readonly local: Uint8Array;
  /** The whole request datagram, to know its repetition by. */
  readonly requestBytes: Uint8Array;
  readonly request: Request;
  readonly grant: Grant;
  readonly oack: Uint8Array | undefined;
  readonly fileBytes: number;
  readonly payload: Payload;
  readonly sender: Sender;
  readonly startUs: number;
  /** Whether the very same request was served in full a moment ago: this may be its late repetition. */
  readonly isRepetition: boolean;
  /** Most blocks in one message; 1 where the kernel does not segment for this peer. */
  blocksPerMessage: number;
  /** In the ready, blocked or disk queue. */
  isQueued: boolean;
  /** Whether the sender has been told of {@link Payload.lastBlock}. */
  isEndKnown: boolean;
}

/** File bytes that the client has acknowledged; for netascii, bytes as they were sent. */
export function acknowledgedBytes(transfer: Transfer): number {
  const { sender, payload, grant, fileBytes, request } = transfer;
  if (request.mode === "octet") return Math.min(sender.ackedBlock * grant.blockBytes, fileBytes);
  return sender.ackedBlock >= payload.lastBlock ? fileBytes : sender.ackedBlock * grant.blockBytes;
}
