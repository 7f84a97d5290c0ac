// How a transfer stands and ends (protocol layer, pure): the names that logs, counters and the audit use,
// and what the peer is told when it is the server that ends it.

import { errorReplies, type ErrorReply } from "./error-reply.ts";

/** Why the server itself ends a transfer. */
export type AbortOutcome = "file-changed" | "io-error" | "shutdown" | "replaced";

/**
 * How a transfer stands or ended. `complete-unacknowledged`: everything was sent, the last ACK never came.
 * `probe`: the client wanted the OACK alone, usually for `tsize`.
 */
export type Outcome =
  | "running"
  | "complete"
  | "complete-unacknowledged"
  | "probe"
  | "closed-by-client"
  | "gave-up"
  | AbortOutcome;

/** What the peer is told. A transfer is replaced by the same address and port, to which an ERROR would go: silence. */
export const farewells: Readonly<Record<AbortOutcome, ErrorReply | undefined>> = {
  "file-changed": errorReplies.fileChanged,
  "io-error": errorReplies.readFailed,
  shutdown: errorReplies.shuttingDown,
  replaced: undefined,
};
