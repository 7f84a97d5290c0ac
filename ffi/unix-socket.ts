// Unix sockets (ffi layer, rank 1): one that is connected to a name and only sends, which never waits, because what does not fit is
// refused; and who is at the other end of one that was accepted. Failures are −errno.

import { i32At } from "#base/bytes.ts";

import {
  AF_UNIX,
  SO_PEERCRED,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SockaddrUn,
  SOL_SOCKET,
  Ucred,
} from "./abi.ts";
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

/** A process as it was when it connected. */
export interface Credentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Who has connected to the stream socket `fd`, or −errno. Source: SO_PEERCRED in unix(7). */
export function peerCredentials(fd: number): Credentials | number {
  const length = STRUCT + Ucred.size;
  scratch.i32[length >>> 2] = Ucred.size;
  const result = checked(
    libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, scratchAddress(STRUCT), scratchAddress(length)),
  );
  if (result < 0) return result;
  return {
    pid: structWord(Ucred.pid),
    uid: structWord(Ucred.uid) >>> 0,
    gid: structWord(Ucred.gid) >>> 0,
  };
}

/** The word at `offset` of the struct in scratch memory. */
function structWord(offset: number): number {
  return i32At(scratch.i32, (STRUCT + offset) >>> 2);
}
