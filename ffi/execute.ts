// Becoming another program (ffi layer, rank 1): execve, and which descriptors live through it. The process keeps its number;
// of its threads only the caller goes on, and what that one may not do nobody may afterwards.

import { Arena } from "./arena.ts";
import { Errno } from "./errno.ts";
import { checked, libc } from "./libc.ts";

/** Lets `fd` stay open when another program takes over, under the same number. Returns 0 or −errno. Source: fcntl(2). */
export function keepOnExecute(fd: number): number {
  return checked(libc.fcntl(fd, F_SETFD, 0));
}

/**
 * Runs the program at `path` in place of this one. Returns only if it cannot: −errno. `variables` are `NAME=value`. Source:
 * execve(2).
 */
export function execute(
  path: string,
  words: readonly string[],
  variables: readonly string[],
): number {
  const texts = [path, ...words, ...variables].map((text) => encoder.encode(text));
  if (texts.some((text) => text.includes(0))) return -Errno.EINVAL;
  // Each text with its NUL; then both lists of addresses, each with a NULL behind it.
  const textBytes = texts.reduce((sum, text) => sum + text.length + 1, 0);
  const arena = new Arena(textBytes + (texts.length + 2) * ADDRESS_BYTES + ALIGNMENT_ROOM_BYTES);
  const addresses = texts.map((text) => {
    const offset = arena.allocate(text.length + 1, 1);
    arena.u8.set(text, offset);
    return arena.address + offset;
  });
  const first = addresses[0] ?? 0;
  const argv = addressList(arena, addresses.slice(1, 1 + words.length));
  const envp = addressList(arena, addresses.slice(1 + words.length));
  const result = checked(libc.execve(first, argv, envp));
  arena.unmap();
  return result;
}

const F_SETFD = 2;
const ADDRESS_BYTES = 8;
const ALIGNMENT_ROOM_BYTES = 16;
const encoder = new TextEncoder();

/** The NULL at the end is there already: pages are zero. */
function addressList(arena: Arena, addresses: readonly number[]): number {
  const offset = arena.allocate((addresses.length + 1) * ADDRESS_BYTES);
  for (const [index, address] of addresses.entries()) {
    arena.setU64(offset + index * ADDRESS_BYTES, address);
  }
  return arena.address + offset;
}
