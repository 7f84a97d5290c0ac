// How a receiver is set up (protocol layer, pure): what was agreed with the peer, how the exchange opens, and
// how patient we are. Made once per transfer; a plain record.

import type { Random } from "#base/random.ts";

import type { RolloverTo } from "./blocks.ts";

/**
 * Our first reply, which the peer waits for before it sends DATA 1. `oack`: the answer to its WRQ. `ack-0`:
 * the answer to a WRQ without options, or to the OACK that answered our RRQ. `none`: DATA 1 itself is the
 * answer to our RRQ, which somebody else sends and repeats.
 */
export type FirstReply = "oack" | "ack-0" | "none";

export interface ReceiverOptions {
  /** Payload bytes of every block but the last. */
  readonly blockBytes: number;
  /** Blocks that the peer sends before it awaits an ACK; above 1 only by negotiation. */
  readonly windowBlocks: number;
  readonly rolloverTo: RolloverTo;
  /** The negotiated retransmission timeout, if there is one. */
  readonly timeoutUs: number | undefined;
  /** The first timeout where none is negotiated; 1 s when absent. */
  readonly firstTimeoutUs?: number;
  /** Where the jitter of repetitions comes from; without it there is none. */
  readonly random?: Random;
  /** Gives up when no new block came for so long. */
  readonly patienceUs: number;
  readonly firstReply: FirstReply;
  /**
   * How long a repeated last block is acknowledged again after the final ACK. When absent, twice the
   * peer's own timeout: the negotiated one, or the 5 s that most clients use.
   */
  readonly dallyUs?: number;
}
