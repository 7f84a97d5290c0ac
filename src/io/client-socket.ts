// The socket of one transfer that a client makes (io layer): of its server's family, on a port that the kernel chooses, which
// is the client's transfer identifier. It hears of ports and hosts that are not there.

import {
  decodeSockaddr,
  encodeSockaddr,
  formatPeer,
  isSameHost,
  parseIp,
  portAt,
  type SocketAddress,
} from "#ffi/address.ts";
import { Errno, errnoName } from "#ffi/errno.ts";
import { LOCAL_BYTES, NAME_BYTES } from "#ffi/message.ts";
import { askForErrors, takeSocketError } from "#ffi/socket-error.ts";
import {
  bindSocket,
  closeSocket,
  connectSocket,
  openSocket,
  PMTUDISC_DONT,
  readOption,
  setOption,
} from "#ffi/socket.ts";

import type { Inbox } from "./inbox.ts";
import { setBuffer } from "./sockets.ts";

export { ConnectedPair } from "#ffi/connected.ts";

/** Where a server listens: an IP literal, with its interface if it is link-local (`fe80::1%eth0`), and a port. */
export interface ServerAddress {
  readonly address: string;
  readonly port: number;
}

/** An open socket, to be closed with {@link closeClientSocket}. */
export interface ClientSocket {
  readonly fd: number;
  /** The server as the kernel knows it (a raw sockaddr). */
  readonly server: Uint8Array;
  /** The same as text, `192.0.2.1:69`. */
  readonly text: string;
}

/** The local address that leaves the choice to the kernel. */
export const anyLocal: Uint8Array = new Uint8Array(LOCAL_BYTES);

/** Whether `text` is an IP literal, and needs no look-up; one with an interface that is not there is one too. */
export function isAddress(text: string): boolean {
  return !("fault" in parseIp(text.replace(/%.*$/s, "")));
}

/**
 * Opens a socket for talking to `server`, with room for bursts of `burstBytes`, and with the address `from` (an IP literal) where it is
 * given, else one that the kernel chooses. A string says why there is none.
 */
export function openClientSocket(
  server: ServerAddress,
  burstBytes: number,
  from?: string,
): ClientSocket | string {
  const address = socketAddressOf(server);
  if (typeof address === "string") return address;
  const { family } = address;
  const any = { family, bytes: new Uint8Array(address.bytes.length), scopeId: 0, port: 0 };
  const own = from === undefined ? any : socketAddressOf({ address: from, port: 0 });
  if (typeof own === "string") return own;
  const fd = openSocket(family);
  if (fd < 0) return openFault(fd, family);
  // What is lost to a setting that is refused: an early notice, or whole blocks beyond the MTU, which then time out.
  askForErrors(fd, family);
  setOption(fd, family === 4 ? "IP_MTU_DISCOVER" : "IPV6_MTU_DISCOVER", PMTUDISC_DONT);
  setBuffer(fd, "SO_RCVBUF", burstBytes);
  setBuffer(fd, "SO_SNDBUF", burstBytes);
  const bound = bindSocket(fd, own);
  if (bound < 0) {
    closeSocket(fd);
    return from === undefined
      ? `no port is free (${errnoName(bound)})`
      : `${from} cannot be sent from (${errnoName(bound)})`;
  }
  const name = new Uint8Array(NAME_BYTES);
  encodeSockaddr(name, 0, address);
  return { fd, server: name, text: formatPeer(address) };
}

/**
 * From now on the socket hears from `peer` (a raw sockaddr) alone, and sends to it without looking the way up each time. What has come
 * before stays in it, whoever it is from. Returns whether it is so.
 */
export function tieToPeer({ fd }: ClientSocket, peer: Uint8Array): boolean {
  const address = decodeSockaddr(peer, 0);
  return address !== undefined && connectSocket(fd, address) === 0;
}

/** Has the kernel hand over datagrams that came in one piece as one (UDP_GRO), where it can; see `Inbox.segmentBytes`. */
export function acceptRuns({ fd }: ClientSocket): void {
  setOption(fd, "UDP_GRO", 1);
}

/** From now on datagrams say by which interface they came in. */
export function tellInterfaces({ fd, server }: ClientSocket): void {
  const isIpv6 = decodeSockaddr(server, 0)?.family === 6;
  setOption(fd, isIpv6 ? "IPV6_RECVPKTINFO" : "IP_PKTINFO", 1);
}

export function closeClientSocket({ fd }: ClientSocket): void {
  closeSocket(fd);
}

/** What the kernel knows of the way to a server. */
export interface Way {
  /** The largest packet in bytes that passes in one piece: the interface's, or what a router has told lately. */
  readonly mtuBytes: number;
  readonly isIpv6: boolean;
}

/** Looks up the way to `server`; a string says why there is none. Nothing is sent. */
export function wayTo(server: ServerAddress): Way | string {
  const address = socketAddressOf(server);
  if (typeof address === "string") return address;
  const { family } = address;
  const fd = openSocket(family);
  if (fd < 0) return openFault(fd, family);
  const connected = connectSocket(fd, address);
  const mtuBytes = connected < 0 ? connected : readOption(fd, family === 6 ? "IPV6_MTU" : "IP_MTU");
  closeSocket(fd);
  return mtuBytes < 0 ? reachCause(mtuBytes) : { mtuBytes, isIpv6: family === 6 };
}

/** Whether the sender of datagram `index` has the IP address of `peer` (a raw sockaddr). */
export function isFromHost(inbox: Inbox, index: number, peer: Uint8Array): boolean {
  return isSameHost(inbox.u8, inbox.name(index), peer, 0);
}

/** Whether it has its port, too. */
export function isFromPeer(inbox: Inbox, index: number, peer: Uint8Array): boolean {
  return isFromHost(inbox, index, peer) && portAt(inbox.u8, inbox.name(index)) === portAt(peer, 0);
}

/** Why a server cannot be reached. */
export interface ReachFault {
  readonly text: string;
  /** The host is there, and nothing listens at the port. */
  readonly isClosed: boolean;
}

/** What ICMP has told the socket, all of it; undefined where it has told nothing. */
export function takeReachFault({ fd }: ClientSocket): ReachFault | undefined {
  let fault = 0;
  for (let error = takeSocketError(fd); error < 0; error = takeSocketError(fd)) fault = error;
  if (fault === 0) return undefined;
  return { text: reachCause(fault), isClosed: fault === -Errno.ECONNREFUSED };
}

function reachCause(error: number): string {
  switch (error) {
    case -Errno.ECONNREFUSED:
      return "nothing listens on that port (ECONNREFUSED)";
    case -Errno.EHOSTUNREACH:
      return "that host does not answer, or there is no route to it (EHOSTUNREACH)";
    case -Errno.ENETUNREACH:
      return "there is no route to that network (ENETUNREACH)";
    case -Errno.EINVAL:
      return "a link-local address needs its interface, as in fe80::1%eth0 (EINVAL)";
    case -Errno.EACCES:
    case -Errno.EPERM:
      return `a firewall forbids it (${errnoName(error)})`;
    default:
      return `the network says ${errnoName(error)}`;
  }
}

function socketAddressOf({ address, port }: ServerAddress): SocketAddress | string {
  const ip = parseIp(address);
  return "fault" in ip ? ip.fault : { ...ip, port };
}

function openFault(result: number, family: 4 | 6): string {
  if (result === -Errno.EAFNOSUPPORT) return `this kernel has no IPv${family}`;
  return `no socket can be opened (${errnoName(result)}); raise ulimit -n`;
}
