// What a shard has just received (io layer): the batch itself, so that nothing is copied on the way up, and
// what a datagram's raw socket address says in text.

import { decodeSockaddr, formatIp, formatPeer } from "#ffi/address.ts";

export { isSameLocal, localAddress, localIfindex } from "#ffi/control.ts";
export { NAME_BYTES, LOCAL_BYTES, ReceiveBatch as Inbox } from "#ffi/message.ts";

/** The sender `name` (a raw sockaddr) as `address:port`, IPv6 in brackets, v4-mapped as plain IPv4. */
export function peerText(name: Uint8Array): string {
  const address = decodeSockaddr(name, 0);
  return address === undefined ? "?" : formatPeer(address);
}

/** The sender's address without its port, in the same text. */
export function peerAddressText(name: Uint8Array): string {
  const address = decodeSockaddr(name, 0);
  return address === undefined ? "?" : formatIp(address);
}

/** The 4 or 16 bytes of the sender's address; none where it is of neither internet family. */
export function peerAddress(name: Uint8Array): Uint8Array {
  return decodeSockaddr(name, 0)?.bytes ?? NO_BYTES;
}

const NO_BYTES: Uint8Array = new Uint8Array(0);
