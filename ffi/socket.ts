// UDP sockets and their options by name (ffi layer, rank 1).
// Everything returns ≥ 0 or −errno; sockets never block and are not inherited by child processes.

import { assert } from "#base/assert.ts";
import { i32At } from "#base/bytes.ts";

import {
  AF_INET,
  AF_INET6,
  GroupReq,
  IPPROTO_IP,
  IPPROTO_IPV6,
  MCAST_JOIN_GROUP,
  O_NONBLOCK,
  SO_BINDTODEVICE,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SockaddrIn6,
  SOL_SOCKET,
  SOL_UDP,
} from "./abi.ts";
import { decodeSockaddr, encodeSockaddr, type SocketAddress } from "./address.ts";
import { Errno } from "./errno.ts";
import { closeHeld, held } from "./holdings.ts";
import { checked, libc } from "./libc.ts";
import { scratch, scratchAddress, STRUCT, TEXT, writeText } from "./scratch.ts";

/** The name of a socket option in {@link socketOptions}. */
export type OptionName = keyof typeof socketOptions;

/**
 * Every option that we set or read. All of them are a C int: a `flag` is 0 or 1, `bytes` are read back doubled where they
 * name a buffer (the kernel counts its own overhead, socket(7)), `us` are microseconds, a `choice` has constants of its own.
 * Numbers: asm-generic/socket.h, linux/in.h, linux/in6.h, linux/udp.h.
 */
export const socketOptions = {
  SO_REUSEADDR: { level: "socket", number: 2, kind: "flag" },
  SO_TYPE: { level: "socket", number: 3, kind: "choice" },
  SO_ERROR: { level: "socket", number: 4, kind: "choice" },
  SO_SNDBUF: { level: "socket", number: 7, kind: "bytes" },
  SO_RCVBUF: { level: "socket", number: 8, kind: "bytes" },
  SO_REUSEPORT: { level: "socket", number: 15, kind: "flag" },
  /** Beyond net.core.wmem_max, with CAP_NET_ADMIN. */
  SO_SNDBUFFORCE: { level: "socket", number: 32, kind: "bytes" },
  /** Beyond net.core.rmem_max, with CAP_NET_ADMIN. */
  SO_RCVBUFFORCE: { level: "socket", number: 33, kind: "bytes" },
  SO_BUSY_POLL: { level: "socket", number: 46, kind: "us" },
  /** The index of the interface that the socket is tied to; 0: to none. Linux 5.0. */
  SO_BINDTOIFINDEX: { level: "socket", number: 62, kind: "choice" },
  IP_PKTINFO: { level: "ip", number: 8, kind: "flag" },
  IP_MTU_DISCOVER: { level: "ip", number: 10, kind: "choice" },
  IP_RECVERR: { level: "ip", number: 11, kind: "flag" },
  /** Read only, and only of a connected socket: what the kernel knows of the path to its peer. */
  IP_MTU: { level: "ip", number: 14, kind: "bytes" },
  IP_FREEBIND: { level: "ip", number: 15, kind: "flag" },
  IPV6_MTU_DISCOVER: { level: "ipv6", number: 23, kind: "choice" },
  /** As IP_MTU. */
  IPV6_MTU: { level: "ipv6", number: 24, kind: "bytes" },
  IPV6_RECVERR: { level: "ipv6", number: 25, kind: "flag" },
  IPV6_V6ONLY: { level: "ipv6", number: 26, kind: "flag" },
  IPV6_RECVPKTINFO: { level: "ipv6", number: 49, kind: "flag" },
  IPV6_FREEBIND: { level: "ipv6", number: 78, kind: "flag" },
  UDP_SEGMENT: { level: "udp", number: 103, kind: "bytes" },
  UDP_GRO: { level: "udp", number: 104, kind: "flag" },
} as const;

const levels = { socket: SOL_SOCKET, ip: IPPROTO_IP, ipv6: IPPROTO_IPV6, udp: SOL_UDP } as const;

/** IP_PMTUDISC_DONT, linux/in.h: DF is clear, so a block larger than the path MTU is fragmented and arrives. */
export const PMTUDISC_DONT = 0;

/** Opens a UDP socket of family 4 or 6. Returns its fd or −errno (−EAFNOSUPPORT: no IPv6 here). */
export function openSocket(family: 4 | 6): number {
  const domain = family === 4 ? AF_INET : AF_INET6;
  return held(checked(libc.socket(domain, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)));
}

/** Has calls on `fd` never wait, for a socket that was opened elsewhere. Returns 0 or −errno. Source: fcntl(2). */
export function setNonBlocking(fd: number): number {
  const flags = checked(libc.fcntl(fd, F_GETFL, 0));
  return flags < 0 ? flags : checked(libc.fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

const F_GETFL = 3;
const F_SETFL = 4;

/** Binds `fd` to `address`; port 0 has the kernel choose. Returns 0 or −errno. Source: bind(2), ip(7). */
export function bindSocket(fd: number, address: SocketAddress): number {
  const length = encodeSockaddr(scratch.u8, STRUCT, address);
  return checked(libc.bind(fd, scratchAddress(STRUCT), length));
}

/**
 * Ties `fd` to the interface called `name`: it receives what comes in by that one, and sends by no other. Returns 0 or −errno
 * (−ENODEV: there is none of that name; −EPERM: before Linux 5.7 this needs CAP_NET_RAW). Source: socket(7).
 */
export function bindToInterface(fd: number, name: string): number {
  const length = writeText(name);
  if (length < 0) return length;
  return checked(
    libc.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, scratchAddress(TEXT), length + 1),
  );
}

/**
 * Has `fd` receive what is sent to the group `address` and comes in by interface `ifindex`; 0 takes the one by which the route to
 * the group leads. Returns 0 or −errno (−EINVAL: it is no group; −ENODEV: there is no such interface, or no route; −EADDRINUSE: it
 * had joined; −ENOBUFS: net.ipv4.igmp_max_memberships). Source: RFC 3678 §5.1, ip(7).
 */
export function joinGroup(fd: number, address: SocketAddress, ifindex: number): number {
  scratch.u8.fill(0, STRUCT, STRUCT + GroupReq.size);
  scratch.u32[(STRUCT + GroupReq.ifindex) >>> 2] = ifindex;
  encodeSockaddr(scratch.u8, STRUCT + GroupReq.group, address);
  const level = address.family === 4 ? IPPROTO_IP : IPPROTO_IPV6;
  return checked(
    libc.setsockopt(fd, level, MCAST_JOIN_GROUP, scratchAddress(STRUCT), GroupReq.size),
  );
}

/**
 * Makes `address` the one that `fd` sends to and hears from. Nothing is sent, but the kernel looks up the way. Returns 0 or
 * −errno (−ENETUNREACH: there is none). Source: connect(2), udp(7).
 */
export function connectSocket(fd: number, address: SocketAddress): number {
  const length = encodeSockaddr(scratch.u8, STRUCT, address);
  return checked(libc.connect(fd, scratchAddress(STRUCT), length));
}

/** The address that `fd` is bound to, or −errno (−ENOTSOCK, −EAFNOSUPPORT: it is no internet socket). */
export function socketName(fd: number): SocketAddress | number {
  // The length word lies behind the name; the kernel shortens it to what the name really took.
  const length = STRUCT + NAME_ROOM_BYTES;
  scratch.u32[length >>> 2] = NAME_ROOM_BYTES;
  const result = checked(libc.getsockname(fd, scratchAddress(STRUCT), scratchAddress(length)));
  if (result < 0) return result;
  return decodeSockaddr(scratch.u8, STRUCT) ?? -Errno.EAFNOSUPPORT;
}

/** sockaddr_in6 rounded up to 8. A longer name is cut off by the kernel, and is not ours anyway. */
const NAME_ROOM_BYTES = 32;
assert(NAME_ROOM_BYTES >= SockaddrIn6.size, "both kinds of address fit");

/** Sets an option. Returns 0 or −errno (−ENOPROTOOPT: this kernel lacks it; −EPERM: it needs a capability). */
export function setOption(fd: number, name: OptionName, value: number): number {
  const option = socketOptions[name];
  assert(option.kind !== "flag" || value === 0 || value === 1, "a flag is 0 or 1");
  scratch.i32[STRUCT >>> 2] = value;
  return checked(
    libc.setsockopt(fd, levels[option.level], option.number, scratchAddress(STRUCT), INT_BYTES),
  );
}

/** The value of an option (≥ 0), or −errno. */
export function readOption(fd: number, name: OptionName): number {
  const option = socketOptions[name];
  const length = STRUCT + 8;
  scratch.i32[length >>> 2] = INT_BYTES;
  const result = checked(
    libc.getsockopt(
      fd,
      levels[option.level],
      option.number,
      scratchAddress(STRUCT),
      scratchAddress(length),
    ),
  );
  return result < 0 ? result : i32At(scratch.i32, STRUCT >>> 2);
}

const INT_BYTES = 4;

/** Closes a socket. Returns 0 or −errno; the fd is gone either way. */
export function closeSocket(fd: number): number {
  return closeHeld(fd);
}
