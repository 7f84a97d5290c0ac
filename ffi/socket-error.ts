// Errors that a socket was told of by ICMP (ffi layer, rank 1): a port that nobody listens on, a host that is not there. With
// IP_RECVERR the kernel queues them for a socket that is not connected, too; one that is queued makes the socket readable.

import { u32At } from "#base/bytes.ts";

import {
  aligned,
  Cmsghdr,
  Iovec,
  IPPROTO_IP,
  IPPROTO_IPV6,
  MSG_DONTWAIT,
  MSG_ERRQUEUE,
  Msghdr,
  SockExtendedErr,
} from "./abi.ts";
import { Errno } from "./errno.ts";
import { checked, libc } from "./libc.ts";
import { scratch, scratchAddress, STRUCT } from "./scratch.ts";
import { setOption, socketOptions } from "./socket.ts";

// Where the parts of the one message lie in scratch memory. Of the datagram that came back nothing is kept.
const HEADER = STRUCT;
const IOVEC: number = HEADER + Msghdr.size;
const CONTROL: number = IOVEC + Iovec.size;
/** Room for the interface, and for the error with the address of whoever reported it: 40 and 64 bytes of IPv6. */
const CONTROL_BYTES = 128;

/** Has the kernel queue such errors. Returns 0 or −errno. */
export function askForErrors(fd: number, family: 4 | 6): number {
  return setOption(fd, family === 4 ? "IP_RECVERR" : "IPV6_RECVERR", 1);
}

/** The error, as −errno, that has waited longest, and is forgotten; 0 where none waits. Source: ip(7), recv(2). */
export function takeSocketError(fd: number): number {
  scratch.u8.fill(0, HEADER, CONTROL + CONTROL_BYTES);
  scratch.setU64(HEADER + Msghdr.iov, scratchAddress(IOVEC));
  scratch.setU64(HEADER + Msghdr.iovLength, 1);
  scratch.setU64(HEADER + Msghdr.control, scratchAddress(CONTROL));
  scratch.setU64(HEADER + Msghdr.controlLength, CONTROL_BYTES);
  const result = checked(libc.recvmsg(fd, scratchAddress(HEADER), MSG_ERRQUEUE | MSG_DONTWAIT));
  if (result < 0) return result === -Errno.EAGAIN ? 0 : result;
  return queuedError(u32At(scratch.u32, (HEADER + Msghdr.controlLength) >>> 2));
}

/** The error among control messages of `length` bytes: a socket that tells interfaces has that one come first. */
function queuedError(length: number): number {
  let entry = CONTROL;
  while (entry + Cmsghdr.size <= CONTROL + length) {
    const bytes = u32At(scratch.u32, (entry + Cmsghdr.length) >>> 2);
    if (bytes < Cmsghdr.size) break;
    const level = u32At(scratch.u32, (entry + Cmsghdr.level) >>> 2);
    const type = u32At(scratch.u32, (entry + Cmsghdr.type) >>> 2);
    const isV4 = level === IPPROTO_IP && type === socketOptions.IP_RECVERR.number;
    const isV6 = level === IPPROTO_IPV6 && type === socketOptions.IPV6_RECVERR.number;
    if (isV4 || isV6) {
      return -u32At(scratch.u32, (entry + Cmsghdr.data + SockExtendedErr.errno) >>> 2);
    }
    entry += aligned(bytes, 8);
  }
  return -Errno.EIO;
}
