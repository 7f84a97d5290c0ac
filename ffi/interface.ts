// Network interfaces by index (ffi layer, rank 1): the largest packet that one sends.
// Asked by ioctl and not by netlink, because this answer does not wait for whoever is configuring interfaces (netdevice(7)).

import { i32At } from "#base/bytes.ts";

import { Ifreq, SIOCGIFMTU } from "./abi.ts";
import { Errno } from "./errno.ts";
import { checked, libc } from "./libc.ts";
import { scratch, scratchAddress, STRUCT } from "./scratch.ts";

/**
 * The MTU of interface `index` in bytes, its IP header included; `socketFd` is any socket of the same network namespace.
 * −ENODEV if there is no such interface.
 */
export function interfaceMtu(socketFd: number, index: number): number {
  scratch.u8.fill(0, STRUCT, STRUCT + Ifreq.size);
  // IF_NAMESIZE, 16 bytes, is what `name` has room for.
  const request = scratchAddress(STRUCT);
  if (libc.if_indextoname(index, request + Ifreq.name) === 0) return -Errno.ENODEV;
  const result = checked(libc.ioctl(socketFd, SIOCGIFMTU, request));
  return result < 0 ? result : i32At(scratch.i32, (STRUCT + Ifreq.mtu) >>> 2);
}
