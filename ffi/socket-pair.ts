// Two Unix sockets that are connected to each other (ffi layer, rank 1), so that two processes that share an ancestor can talk. A
// message is whole or not there at all; nothing waits. Failures are −errno.

import { i32At } from "#base/bytes.ts";

import { AF_UNIX, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_SEQPACKET, SOCK_STREAM } from "./abi.ts";
import { checked, libc } from "./libc.ts";
import { scratch, scratchAddress, STRUCT, TEXT, TEXT_BYTES } from "./scratch.ts";

/** What a pair carries: messages, or bytes that a reader waits for. */
export type PairKind = "messages" | "bytes";

/** Returns both ends, close-on-exec, or −errno (−EMFILE). Only a pair of messages is non-blocking. Source: socketpair(2). */
export function openSocketPair(kind: PairKind): readonly [number, number] | number {
  const type = kind === "bytes" ? SOCK_STREAM : SOCK_SEQPACKET | SOCK_NONBLOCK;
  const result = checked(libc.socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, scratchAddress(STRUCT)));
  if (result < 0) return result;
  const first = STRUCT >>> 2;
  return [i32At(scratch.i32, first), i32At(scratch.i32, first + 1)];
}

/**
 * The next message as text of at most 4 KiB. Empty: the other end is closed everywhere, and nothing will come. −EAGAIN: nothing is
 * there yet. Source: recv(2).
 */
export function receiveText(fd: number): string | number {
  const length = checked(libc.read(fd, scratchAddress(TEXT), TEXT_BYTES));
  if (length < 0) return length;
  return new TextDecoder().decode(scratch.u8.slice(TEXT, TEXT + length));
}

/**
 * Sends `length` bytes at `address` as one message. Returns ≥ 0 or −errno (−EAGAIN: the reader is behind; −EPIPE: it has gone, for the
 * runtime ignores SIGPIPE).
 */
export function sendBytes(fd: number, address: number, length: number): number {
  return checked(libc.write(fd, address, length));
}
