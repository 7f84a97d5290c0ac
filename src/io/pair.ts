// Messages between this process and the one that comes after it (io layer): a pair of sockets, one end for each. Nothing waits, and
// what does not fit is refused.

import { Errno, errnoName } from "#ffi/errno.ts";
import { closeFd } from "#ffi/file.ts";
import { openSocketPair, type PairKind, receiveText } from "#ffi/socket-pair.ts";
import { sendText } from "#ffi/unix-socket.ts";

import type { StartFault } from "./start.ts";

/** Both ends of a connection. */
export interface Pair {
  readonly ours: number;
  /** For another process; to be closed here when that one has it. */
  readonly theirs: number;
}

/** Opens pairs, all of them or none. */
export function openPairs(kinds: readonly PairKind[]): readonly Pair[] | StartFault {
  const pairs: Pair[] = [];
  for (const kind of kinds) {
    const ends = openSocketPair(kind);
    if (typeof ends !== "number") {
      pairs.push({ ours: ends[0], theirs: ends[1] });
      continue;
    }
    for (const { ours, theirs } of pairs) [ours, theirs].forEach(closeEnd);
    return {
      fault: `a pair of sockets could not be opened: ${errnoName(ends)}`,
      remedy: "raise the limit on open files (ulimit -n, or LimitNOFILE= in the unit)",
    };
  }
  return pairs;
}

/** What a send to an end says that nobody holds any more. */
export const GONE: number = -Errno.EPIPE;

/** Closes one end of a pair. */
export function closeEnd(fd: number): void {
  closeFd(fd);
}

/** Says `text`, less than 4 KiB. False: nobody will hear it. */
export function say(fd: number, text: string): boolean {
  return sendText(fd, text) >= 0;
}

/** The next message; undefined: none is there yet; empty: the other end is closed for good. */
export function hear(fd: number): string | undefined {
  const text = receiveText(fd);
  if (typeof text === "string") return text;
  return text === -Errno.EAGAIN || text === -Errno.EINTR ? undefined : "";
}
