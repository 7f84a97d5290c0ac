// The socket by which a client hears a multicast (io layer): bound to the group, so that it hears nothing else, and shared with
// every other client on this machine.

import { decodeSockaddr, parseIp, type SocketAddress } from "#ffi/address.ts";
import { Errno, errnoName } from "#ffi/errno.ts";
import { bindSocket, closeSocket, joinGroup, openSocket, setOption } from "#ffi/socket.ts";

import { setBuffer } from "./sockets.ts";

/** What to listen to. */
export interface GroupPlan {
  /** The group's address as a server writes it. */
  readonly address: string;
  readonly port: number;
  /** The server as the kernel knows it (a raw sockaddr): it sends from the family that it answers in. */
  readonly server: Uint8Array;
  /** The interface that its answer came in by. */
  readonly ifindex: number;
  /** Room for what comes while nobody listens. */
  readonly burstBytes: number;
}

/** Opens a socket that hears the group, to be closed with {@link closeGroupSocket}. A string says why there is none. */
export function openGroupSocket(plan: GroupPlan): number | string {
  const group = groupAddress(plan);
  if (typeof group === "string") return group;
  const fd = openSocket(group.family);
  if (fd < 0) return `no socket can be opened (${errnoName(fd)}); raise ulimit -n`;
  // Every client on this machine binds the same; the kernel gives each of them each datagram of a group (socket(7)).
  setOption(fd, "SO_REUSEADDR", 1);
  setBuffer(fd, "SO_RCVBUF", plan.burstBytes);
  const bound = bindSocket(fd, group);
  const joined = bound < 0 ? bound : join(fd, group, plan.ifindex);
  if (joined >= 0) return fd;
  closeSocket(fd);
  return `${plan.address} cannot be listened to: ${causeOf(joined)}`;
}

export function closeGroupSocket(fd: number): void {
  closeSocket(fd);
}

function groupAddress({ address, port, server, ifindex }: GroupPlan): SocketAddress | string {
  const ip = parseIp(address);
  const family = decodeSockaddr(server, 0)?.family;
  if ("fault" in ip || !isGroup(ip.bytes)) return `${address} is no multicast address`;
  // Its packets are known by their sender's address, which is of one family.
  if (ip.family !== family) return `${address} is not of the server's family, IPv${family}`;
  // A group of one link is nothing without its interface (RFC 4007).
  return { ...ip, port, scopeId: ip.family === 6 ? ifindex : 0 };
}

/** RFC 5771: 224.0.0.0/4. RFC 4291 §2.7: ff00::/8. */
function isGroup(bytes: Uint8Array): boolean {
  const [first = 0] = bytes;
  return bytes.length === 4 ? first >>> 4 === 0xe : first === 0xff;
}

/**
 * Joins where the server's answer came in. On its own machine that is the loopback interface, while what the server sends to a group
 * goes by the route, and is looped back from there.
 */
function join(fd: number, group: SocketAddress, ifindex: number): number {
  const joined = joinGroup(fd, group, ifindex);
  if (ifindex !== LOOPBACK_IFINDEX) return joined;
  const joinedByRoute = joinGroup(fd, group, 0);
  return joined < 0 ? joinedByRoute : joined;
}

/** linux/net/flow.h: in every network namespace. */
const LOOPBACK_IFINDEX = 1;

function causeOf(error: number): string {
  switch (error) {
    case -Errno.ENODEV:
      return "no interface leads there (ENODEV); `ip route` lists the ways";
    case -Errno.ENOBUFS:
      return "too many groups (ENOBUFS); raise net.ipv4.igmp_max_memberships";
    case -Errno.EADDRINUSE:
      return "another program has its port to itself (EADDRINUSE)";
    case -Errno.EACCES:
      return "its port is below 1024 (EACCES)";
    default:
      return errnoName(error);
  }
}
