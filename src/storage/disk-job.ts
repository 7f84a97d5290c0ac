// What a disk thread does for one job (storage layer): a system call that may wait, and SHA-256 of the bytes that a read or a
// write has moved, so that neither costs the shard anything. One hash per handle, begun, fed in order, and ended.

import { assert } from "#base/assert.ts";
import { DiskCall, makeDiskCall } from "#ffi/disk-call.ts";
import { Errno } from "#ffi/errno.ts";
import { memoryAt } from "#ffi/libc.ts";

/** Beside the calls of {@link DiskCall}. A read or a write feeds the hash that its fifth argument names; 0 is none. */
export const HashCall = {
  /** handle. Forgets what was hashed under it before. */
  begin: 64,
  /** handle, address for 32 bytes. −EIO if the hash was begun in a thread that has died since. */
  end: 65,
} as const;

/** Bytes of a SHA-256. */
export const DIGEST_BYTES = 32;

/** The hashes of one disk thread. */
export class DiskJobs {
  readonly #hashes: Map<number, Bun.CryptoHasher> = new Map();

  /** Does one job; returns ≥ 0 or −errno. */
  run(call: number, a: number, b: number, c: number, d: number, e: number): number {
    if (call === HashCall.begin) {
      this.#hashes.set(a, new Bun.CryptoHasher("sha256"));
      return 0;
    }
    if (call === HashCall.end) return this.#end(a, b);
    assert(isDiskCall(call), "a job is one of the table");
    const result = makeDiskCall(call, a, b, c, d, e);
    const isTransfer = call === DiskCall.pread || call === DiskCall.pwrite;
    if (!isTransfer || e === 0 || result <= 0) return result;
    const hash = this.#hashes.get(e);
    if (hash === undefined) return -Errno.EIO;
    hash.update(memoryAt(b, result));
    return result;
  }

  #end(handle: number, address: number): number {
    const hash = this.#hashes.get(handle);
    if (hash === undefined) return -Errno.EIO;
    this.#hashes.delete(handle);
    new Uint8Array(memoryAt(address, DIGEST_BYTES)).set(hash.digest());
    return 0;
  }
}

const lastCall: number = Math.max(...Object.values(DiskCall));

function isDiskCall(call: number): call is DiskCall {
  return call >= 0 && call <= lastCall;
}
