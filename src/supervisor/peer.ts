// Whom a record is about (supervisor layer): the address alone, as people and programs name a client. Pure; what comes in was
// written by the shards, and so is well formed.

/** The address of `address:port`, without port and brackets; a scope stays. */
export function addressOf(peer: string): string {
  return peer.slice(0, peer.lastIndexOf(":")).replaceAll(/[[\]]/g, "");
}
