// Whether a request is that of a running transfer once more (server layer), because a datagram was doubled or its answer came
// late: such a one is answered as before, or not at all, and never starts a second transfer.

import { machineOf, type Transfer } from "./transfer.ts";

/** A transfer that has not moved for so long may be restarted by its own request: a client's usual timeout of 1 s, and a guess's room. */
const RESTART_US = 2_000_000;

/**
 * Whether `bytes` is the request of `transfer` once more. A busy server may read a repeated request after the ACK that it
 * preceded, because they come in by different sockets, or seconds after it came; so a transfer is restarted by its own request only
 * if that came when it had not moved for a while: it has been waiting since `sinceUs` at the longest. A client that did
 * start over stops acknowledging, and asks again. One that has its file and asks again at once is served.
 */
export function isRepetition(transfer: Transfer, bytes: Uint8Array, sinceUs: number): boolean {
  const { requestBytes } = transfer;
  const machine = machineOf(transfer);
  // Its file is safe: what comes now is a new upload.
  if (transfer.kind === "write" && transfer.receiver.isDallying) return false;
  if (machine.outcome !== "running" || requestBytes.length !== bytes.length) return false;
  if (!requestBytes.every((byte, index) => byte === bytes[index])) return false;
  return !machine.hasHeard || sinceUs - machine.progressUs < RESTART_US;
}
