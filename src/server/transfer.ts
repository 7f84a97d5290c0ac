// One running transfer (server layer): the state machine, the bytes and the addresses, tied together.
// Records without behaviour: the shard and the transmitter act on them.

import type { Grant } from "#protocol/options.ts";
import type { Receiver } from "#protocol/receiver.ts";
import type { Request } from "#protocol/request.ts";
import type { Sender } from "#protocol/sender.ts";
import type { Payload } from "#storage/payload.ts";

import type { Intake } from "./intake.ts";

/** What every transfer is made of. */
export interface Exchange {
  /** Its number in records; see TransferIds in progress.ts. */
  readonly id: number;
  readonly slot: number;
  /** Which socket it speaks from: its number in sockets.ts. */
  readonly socket: number;
  /** The number of the listener that its request came in by. */
  readonly listener: number;
  /** The client's raw sockaddr. */
  readonly name: Uint8Array;
  /** The address that was asked, from which replies leave. */
  readonly local: Uint8Array;
  /** The whole request datagram, to know its repetition by. */
  readonly requestBytes: Uint8Array;
  readonly request: Request;
  readonly grant: Grant;
  readonly oack: Uint8Array | undefined;
  readonly startUs: number;
  /** The class of bandwidth that a rule chose; empty for none. */
  readonly rateClass: string;
  /** In the ready, blocked or disk queue, or waiting for bandwidth. */
  isQueued: boolean;
  /** The client has not acknowledged anything yet: its address may be forged. */
  isHalfOpen: boolean;
  /** A limit of bandwidth concerns it. */
  isShaped: boolean;
}

/** A file on its way to a client. */
export interface ReadTransfer extends Exchange {
  readonly kind: "read";
  readonly fileBytes: number;
  readonly payload: Payload;
  readonly sender: Sender;
  /** Whether the very same request was served in full a moment ago: this may be its late repetition. */
  readonly isRepetition: boolean;
  /** Most blocks in one message; 1 where the kernel does not segment for this peer. */
  blocksPerMessage: number;
  /** Whether the kernel would not send the last message of blocks. */
  wasRefused: boolean;
  /** Whether the sender has been told of {@link Payload.lastBlock}. */
  isEndKnown: boolean;
}

/** A file on its way from a client. */
export interface WriteTransfer extends Exchange {
  readonly kind: "write";
  /** The upload root, absolute. */
  readonly rootDir: string;
  /** The cleaned name, relative to the upload root; the file may go elsewhere, to quarantine. */
  readonly path: string;
  readonly receiver: Receiver;
  readonly intake: Intake;
}

export type Transfer = ReadTransfer | WriteTransfer;

/** The state machine of a transfer, where it does not matter which way the file goes. */
export function machineOf(transfer: Transfer): Sender | Receiver {
  return transfer.kind === "read" ? transfer.sender : transfer.receiver;
}

/** File bytes that the client has acknowledged; for netascii, bytes as they were sent. */
export function acknowledgedBytes(transfer: ReadTransfer): number {
  const { sender, payload, grant, fileBytes, request } = transfer;
  if (request.mode === "octet") return Math.min(sender.ackedBlock * grant.blockBytes, fileBytes);
  return sender.ackedBlock >= payload.lastBlock ? fileBytes : sender.ackedBlock * grant.blockBytes;
}
