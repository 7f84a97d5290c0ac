// Datagrams to a service of this machine (ffi layer, rank 1): a Unix socket that is connected to a name and only sends. Nothing
// waits: what does not fit is refused. Everything returns ≥ 0 or −errno.

import { AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, SockaddrUn } from "./abi.ts";
import { Errno } from "./errno.ts";
import { closeFd } from "./file.ts";
import { checked, libc } from "./libc.ts";
import { scratch, scratchAddress, STRUCT, TEXT, writeText } from "./scratch.ts";

/**
 * A socket that sends to `path`; with `@` before it, to an abstract name. Returns its fd or −errno (−ENOENT, −ECONNREFUSED: nobody
 * is there; −ENAMETOOLONG). Source: unix(7).
 */
export function connectDatagrams(path: string): number {
  const name = new TextEncoder().encode(path);
  // The name ends with a NUL, which an abstract one begins with instead.
  if (name.length >= SockaddrUn.size - SockaddrUn.path) return -Errno.ENAMETOOLONG;
  const fd = checked(libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd < 0) return fd;
  scratch.u8.fill(0, STRUCT, STRUCT + SockaddrUn.size);
  scratch.u16[(STRUCT + SockaddrUn.family) >>> 1] = AF_UNIX;
  scratch.u8.set(name, STRUCT + SockaddrUn.path);
  const isAbstract = path.startsWith("@");
  if (isAbstract) scratch.u8[STRUCT + SockaddrUn.path] = 0;
  const length = SockaddrUn.path + name.length + (isAbstract ? 0 : 1);
  const connected = checked(libc.connect(fd, scratchAddress(STRUCT), length));
  if (connected >= 0) return fd;
  closeFd(fd);
  return connected;
}

/** Sends `text` (UTF-8, less than 4 KiB, without a NUL) as one datagram. Returns ≥ 0 or −errno (−EAGAIN: the reader is behind). */
export function sendText(fd: number, text: string): number {
  const length = writeText(text);
  return length < 0 ? length : checked(libc.write(fd, scratchAddress(TEXT), length));
}
