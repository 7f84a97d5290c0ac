// What a receiver counts (protocol layer, pure), for the log line of its transfer. The receiver keeps writing to
// its own one; everybody else reads.

/** Counts of one transfer. */
export interface ReceiverStatistics {
  /** DATA packets accepted: each block counts once. */
  readonly blocksAccepted: number;
  /** DATA packets that had been accepted before. */
  readonly blocksRepeated: number;
  /** DATA packets that came ahead of a missing one. */
  readonly blocksEarly: number;
  /** OACKs and ACKs sent, repetitions included. */
  readonly repliesSent: number;
  /** Times the deadline passed while the peer was to send. */
  readonly timeouts: number;
  /** ACKs that asked for blocks again, because one was missing. */
  readonly nacks: number;
  /** The smoothed round-trip time in microseconds; 0 when none could be measured. */
  readonly rttUs: number;
}

/** The same, to be written. */
export class ReceiverCounts implements ReceiverStatistics {
  blocksAccepted = 0;
  blocksRepeated = 0;
  blocksEarly = 0;
  repliesSent = 0;
  timeouts = 0;
  nacks = 0;
  rttUs = 0;
}
