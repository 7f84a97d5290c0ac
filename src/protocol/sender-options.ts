// How a sender is set up (protocol layer, pure): what was granted to the client, and how patient the server is.
// Made once per transfer; a plain record.

import type { Random } from "#base/random.ts";

import type { RolloverTo } from "./blocks.ts";

export interface SenderOptions {
  /** Payload bytes of every block but the last. */
  readonly blockBytes: number;
  /** Blocks sent before an ACK is awaited; above 1 only by negotiation, hence only with an OACK. */
  readonly windowBlocks: number;
  /** Whether a window is let go more slowly where blocks are lost; so when absent. */
  readonly isPaced?: boolean;
  /** Most blocks of a window that go out in one burst; no limit when absent. */
  readonly burstBlocksMax?: number;
  readonly rolloverTo: RolloverTo;
  /** The negotiated retransmission timeout, if there is one. */
  readonly timeoutUs: number | undefined;
  /** The first timeout where none is negotiated; 1 s when absent. */
  readonly firstTimeoutUs?: number;
  /** Where the jitter of repetitions comes from; without it there is none. */
  readonly random?: Random;
  /** Gives up when nothing new was acknowledged for so long. */
  readonly patienceUs: number;
  /** How often the first reply goes out again by itself, at most, until the peer has acknowledged something. */
  readonly unheardRepeatsMax?: number;
  /** The first reply is an OACK, and DATA 1 waits for its ACK 0. */
  readonly hasOack: boolean;
  /**
   * We asked, and the peer has answered: this is the client's side of a WRQ. DATA 1 is due at once, a
   * window may be negotiated without an OACK of ours, and the peer is known to be there.
   */
  readonly isRequester?: boolean;
  /** Absolute number of the last block, the one shorter than `blockBytes`; Infinity while unknown. */
  readonly lastBlock: number;
  /** The last block has no payload: the file is a multiple of `blockBytes`. */
  readonly lastIsEmpty?: boolean;
}
