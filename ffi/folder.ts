// What stands in a folder (ffi layer, rank 1): the names in it, and where a symlink in it leads. Names are byte strings: one
// character from U+0000 to U+00FF for each byte, so that a name that is no UTF-8 is kept. Everything else is −errno.

import { u8, u16le } from "#base/bytes.ts";

import { Dirent64, Syscall } from "./abi.ts";
import { Arena } from "./arena.ts";
import { Errno } from "./errno.ts";
import { checked, libc } from "./libc.ts";
import { scratchAddress, TEXT, writeText } from "./scratch.ts";

/** One call's worth of names; PATH_MAX, the longest target of a symlink, fits in it. */
const REPLY_BYTES = 32_768;
const PATH_BYTES_MAX = 4096;

/** Beside scratch memory, because the name of a symlink stands there. Each worker loads this module anew. */
const reply: Arena = new Arena(REPLY_BYTES);

/** Where the symlink `name` in `folderFd` leads, as it is written; −EINVAL: it is no symlink. Source: readlinkat(2). */
export function readLink(folderFd: number, name: Uint8Array): string | number {
  const length = writeText(name);
  if (length < 0) return length;
  const into = reply.address;
  const target = checked(libc.readlinkat(folderFd, scratchAddress(TEXT), into, PATH_BYTES_MAX));
  return target < 0 ? target : byteStringAt(0, target);
}

/**
 * The names in the folder that `fd` was opened to read, once per fd, without `.` and `..`, in no order. −EFBIG: there are more
 * than `namesMax`. May wait for the disk. Source: getdents64(2).
 */
export function listFolder(fd: number, namesMax: number): string[] | number {
  const names: string[] = [];
  for (;;) {
    const into = reply.address;
    const filled = checked(libc.syscall(Syscall.getdents64, fd, into, REPLY_BYTES, 0, 0, 0));
    if (filled <= 0) return filled < 0 ? filled : names;
    for (let start = 0; start < filled;) {
      const first = start + Dirent64.name;
      const name = byteStringAt(first, reply.u8.indexOf(0, first));
      if (name !== "." && name !== "..") names.push(name);
      start += u16le(reply.u8, start + Dirent64.recordLength);
    }
    if (names.length > namesMax) return -Errno.EFBIG;
  }
}

function byteStringAt(start: number, end: number): string {
  let text = "";
  for (let offset = start; offset < end; offset += 1) {
    text += String.fromCharCode(u8(reply.u8, offset));
  }
  return text;
}
