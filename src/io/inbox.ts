// What a shard has just received (io layer): the batch itself, so that nothing is copied on the way up, and
// what a datagram's raw socket address says in text.

import { u8 as byteAt } from "#base/bytes.ts";
import { copyHost, decodeSockaddr, formatIp, formatSockaddr } from "#ffi/address.ts";
import { localAddress } from "#ffi/control.ts";
import { headCalls, ReceiveBatch } from "#ffi/message.ts";

export { isSameLocal, localAddress, localIfindex } from "#ffi/control.ts";
export { NAME_BYTES, LOCAL_BYTES, ReceiveBatch as Inbox } from "#ffi/message.ts";
export { RELAY_BYTES, RelaySender, unwrapRelayed } from "#ffi/relayed.ts";

/** An inbox that keeps the first `bytes` of each datagram, and knows how long all of it was. */
export function headInbox(datagrams: number, bytes: number, isBatching: boolean): ReceiveBatch {
  return new ReceiveBatch(datagrams, bytes, isBatching, headCalls);
}

/** The sender `name` (a raw sockaddr) as `address:port`, IPv6 in brackets, v4-mapped as plain IPv4. */
export function peerText(name: Uint8Array): string {
  return formatSockaddr(name, 0) ?? "?";
}

/** The sender's address without its port, in the same text. */
export function peerAddressText(name: Uint8Array): string {
  const address = decodeSockaddr(name, 0);
  return address === undefined ? "?" : formatIp(address);
}

/** The address of ours that was asked, in the same text but without a scope; undefined where it is not known. */
export function localAddressText(local: Uint8Array): string | undefined {
  const bytes = localAddress(local);
  return bytes && formatIp({ family: bytes.length === 4 ? 4 : 6, bytes, scopeId: 0 });
}

/** The 4 or 16 bytes of the sender's address; none where it is of neither internet family. */
export function peerAddress(name: Uint8Array): Uint8Array {
  return decodeSockaddr(name, 0)?.bytes ?? NO_BYTES;
}

/**
 * {@link peerAddress}, but 4 bytes of a client of IPv4 on a socket of IPv6 too: one client, one address. The same arrays are filled
 * by each call, which is made several times for each request.
 */
export function clientAddress(name: Uint8Array): Uint8Array {
  const length = copyHost(name, 0, host16);
  if (length === 16) return host16;
  if (length === 0) return NO_BYTES;
  for (let index = 0; index < 4; index += 1) host4[index] = byteAt(host16, index);
  return host4;
}

const host4: Uint8Array = new Uint8Array(4);
const host16: Uint8Array = new Uint8Array(16);
const NO_BYTES: Uint8Array = new Uint8Array(0);
