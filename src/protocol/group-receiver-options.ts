// How the receiving side of a multicast is set up, and how it ends (protocol layer, pure): what was agreed with the server, and how
// patient we are. Plain records.

/**
 * How it stands or ended. `unheard`: not one block came, so the network may carry no multicast. `gave-up`: no more came. `refused`:
 * what came could not be kept. `protocol-error`: what came is no block of this file.
 */
export type GroupOutcome =
  "running" | "complete" | "unheard" | "gave-up" | "refused" | "protocol-error";

export interface GroupReceiverOptions {
  /** Payload bytes of every block but the last. */
  readonly blockBytes: number;
  readonly fileBytes: number;
  /** The last block: see lastGroupBlock. */
  readonly lastBlock: number;
  /** The negotiated retransmission timeout, if there is one. */
  readonly timeoutUs: number | undefined;
  /** Whether the first OACK made this client the master. */
  readonly isMaster: boolean;
  /** Gives up when nothing was heard for so long; as the master, when nothing new came. */
  readonly patienceUs: number;
  /** How long it stays after its last ACK, in case that is asked for again. */
  readonly dallyUs: number;
}
