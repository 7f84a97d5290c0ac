// What storage tests share: the content of a small open file.

import { expect } from "bun:test";

import { Arena } from "#ffi/arena.ts";
import { closeFd, pread } from "#ffi/file.ts";

const BYTES_MAX = 256;
const shared = new Arena(BYTES_MAX);

/** The text in `fd`, which is closed. */
export function contentOf(fd: number): string {
  const length = pread(fd, shared.address, BYTES_MAX, 0);
  closeFd(fd);
  expect(length).toBeGreaterThanOrEqual(0);
  return Buffer.from(shared.u8.subarray(0, length)).toString();
}
