// What a sender counts (protocol layer, pure), for the log line of its transfer. The sender keeps writing to its own
// one; everybody else reads.

/** Counts of one transfer. */
export interface SenderStatistics {
  /** DATA packets sent, repetitions included. */
  readonly blocksSent: number;
  /** DATA packets that had been sent before. */
  readonly blocksResent: number;
  /** Times the deadline passed while the peer was to answer. */
  readonly timeouts: number;
  /** ACKs that asked for blocks again. */
  readonly nacks: number;
  /** The smoothed round-trip time in microseconds; 0 when none could be measured. */
  readonly rttUs: number;
}

/** The same, to be written. */
export class SenderCounts implements SenderStatistics {
  blocksSent = 0;
  blocksResent = 0;
  timeouts = 0;
  nacks = 0;
  rttUs = 0;
}
