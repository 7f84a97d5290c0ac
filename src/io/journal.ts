// The way to systemd's journal (io layer): a datagram socket on which each message is one entry. It never waits; an entry that
// does not fit is refused with EAGAIN and can be sent again.

import { errnoName } from "#ffi/errno.ts";
import { connectDatagrams } from "#ffi/unix-socket.ts";

/** Opens it. Throws an error with the system's code, as opening a file does. */
export function openJournal(path: string): number {
  const fd = connectDatagrams(path);
  if (fd >= 0) return fd;
  const code = errnoName(fd);
  throw Object.assign(new Error(`${code}: ${path}`), { code });
}
