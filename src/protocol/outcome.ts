// How a transfer stands and ends (protocol layer, pure): the names that logs, counters and the audit use,
// and what the peer is told when it is the server that ends it.

import { errorReplies, type ErrorReply } from "./error-reply.ts";

/** Why the server itself ends a transfer. */
export type AbortOutcome = "file-changed" | "io-error" | "shutdown" | "replaced" | "killed";

/** The same for a file that comes in: it is not there yet, and so cannot change. */
export type ReceiverAbort = Exclude<AbortOutcome, "file-changed">;

/**
 * How a transfer stands or ended. `complete-unacknowledged`: everything was sent, the last ACK never came.
 * `probe`: the client wanted the OACK alone, usually for `tsize`. `refused`: what came could not be kept.
 * `protocol-error`: what came cannot belong to this transfer.
 */
export type Outcome =
  | "running"
  | "complete"
  | "complete-unacknowledged"
  | "probe"
  | "closed-by-client"
  | "gave-up"
  | "refused"
  | "protocol-error"
  | AbortOutcome;

/** What the peer is told. A transfer is replaced by the same address and port, to which an ERROR would go: silence. */
export const farewells: Readonly<Record<AbortOutcome, ErrorReply | undefined>> = {
  "file-changed": errorReplies.fileChanged,
  "io-error": errorReplies.readFailed,
  shutdown: errorReplies.shuttingDown,
  replaced: undefined,
  killed: errorReplies.killed,
};

/** What the peer is told that was sending. */
export const receiverFarewells: Readonly<Record<ReceiverAbort, ErrorReply | undefined>> = {
  "io-error": errorReplies.writeFailed,
  shutdown: errorReplies.shuttingDown,
  replaced: undefined,
  killed: errorReplies.killed,
};
