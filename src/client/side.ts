// The two directions of a transfer as its transfer sees them (client layer): a get receives, a put sends. Begun when the server
// has answered; what it then does is the protocol's Receiver or Sender, with a file at its other end.

import type { Inbox } from "#io/inbox.ts";
import type { RefusalListener } from "#io/outbox.ts";
import type { Agreement } from "#protocol/agreement.ts";
import type { ErrorReply } from "#protocol/error-reply.ts";
import type { Opcode } from "#protocol/packet.ts";

import type { Failure, Progress, TransferFacts } from "./contract.ts";
import type { Link } from "./link.ts";

/** Why a side cannot go on, and what its server is told. */
export interface SideFault extends Failure {
  readonly reply: ErrorReply;
}

/** The numbers of {@link TransferFacts}. */
export type SideCounts = Omit<TransferFacts, "server" | "options" | "note">;

/** A side as far as its transfer needs it once the server has answered. */
export interface RunningSide extends RefusalListener {
  /** When {@link handleTimeout} is due. */
  readonly deadlineUs: number;
  readonly progress: Progress;
  readonly counts: SideCounts;
  /** SHA-256 of what came in hexadecimal digits, if it was wanted. */
  readonly sha256: string;
  /** Undefined while it runs; then "complete", or what went wrong. */
  readonly result: "complete" | Failure | undefined;
  /** Complete, but the server may not know yet. */
  readonly isLingering: boolean;
  /** A packet of the server that is no ERROR. */
  handlePacket(kind: Opcode, inbox: Inbox, index: number, nowUs: number): void;
  handleTimeout(nowUs: number): void;
  /** Sends what is due. Returns when it is to be called again although nothing came: Infinity for never. */
  transmit(nowUs: number): number;
  /** Ends it, whatever it was doing; what is not complete is not kept. */
  close(): void;
}

export interface Side extends RunningSide {
  readonly opcode: typeof Opcode.rrq | typeof Opcode.wrq;
  /** The packet that is a server's first answer if it knows no options; it names block {@link firstBlock}. */
  readonly firstAnswer: typeof Opcode.data | typeof Opcode.ack;
  readonly firstBlock: number;
  /** The file's size, to be told to the server; 0 for a file that is to come. */
  readonly bytes: number;
  /** The server has answered, with an OACK or without: the machine starts. */
  begin(agreement: Agreement, link: Link, nowUs: number): SideFault | undefined;
}
