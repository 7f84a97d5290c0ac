// What a peer is told when it does not get its file (protocol layer, pure): one table of constant
// sentences, encoded once. A reply never carries a path, an errno or any other internal text.

import { encodeError } from "./packet.ts";

/** One ERROR that the server can send. `datagram` is the whole packet and is shared: copy, never write. */
export interface ErrorReply {
  readonly code: number;
  readonly message: string;
  readonly datagram: Uint8Array;
}

/** Why a peer does not get what it asked for. */
export type ErrorCause =
  | "busy"
  | "timedOut"
  | "fileChanged"
  | "readFailed"
  | "writeFailed"
  | "otherSize"
  | "shuttingDown"
  | "killed"
  | "cancelled"
  | "denied"
  | "notFound"
  | "accessViolation"
  | "diskFull"
  | "illegalOperation"
  | "malformedRequest"
  | "modeNotSupported"
  | "unknownTransfer"
  | "fileExists"
  | "noSuchUser"
  | "optionRefused"
  | "leftGroup";

/**
 * Every ERROR there is, by cause. The codes are those of the appendix of RFC 1350, and 8 from RFC 2347.
 * The choice of code matters to clients: U-Boot gives up a file only on 1 and 2, and on any other code
 * starts the whole boot again, so a missing file must never be told as 0.
 */
export const errorReplies: Readonly<Record<ErrorCause, ErrorReply>> = {
  busy: reply(0, "Server busy, try again later"),
  timedOut: reply(0, "Timed out"),
  fileChanged: reply(0, "File changed during the transfer"),
  readFailed: reply(0, "Read error"),
  writeFailed: reply(0, "Write error"),
  otherSize: reply(0, "Not the announced size"),
  shuttingDown: reply(0, "Server is shutting down"),
  killed: reply(0, "Ended by the administrator"),
  cancelled: reply(0, "Cancelled by the client"),
  denied: reply(0, "Request denied"),
  notFound: reply(1, "File not found"),
  accessViolation: reply(2, "Access violation"),
  diskFull: reply(3, "Disk full or allocation exceeded"),
  illegalOperation: reply(4, "Illegal TFTP operation"),
  malformedRequest: reply(4, "Malformed request"),
  modeNotSupported: reply(4, "Transfer mode not supported"),
  unknownTransfer: reply(5, "Unknown transfer ID"),
  fileExists: reply(6, "File already exists"),
  noSuchUser: reply(7, "No such user"),
  leftGroup: reply(0, "Left the multicast"),
  optionRefused: reply(8, "Option refused"),
};

function reply(code: number, message: string): ErrorReply {
  return Object.freeze({ code, message, datagram: encodeError(code, message) });
}
