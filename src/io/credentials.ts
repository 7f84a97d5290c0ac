// Who is at the other end of a local connection (io layer), as the kernel says: nobody can claim to be another. Asked once, when the
// connection is accepted.

import { type Credentials, peerCredentials } from "#ffi/unix-socket.ts";

/** Undefined where the kernel does not say, because the connection is gone. */
export function credentialsOf(fd: number): Credentials | undefined {
  const found = peerCredentials(fd);
  return typeof found === "number" ? undefined : found;
}
