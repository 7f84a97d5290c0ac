// Memory that the kernel may see (ffi layer): an anonymous mmap with typed views over it. The garbage
// collector neither owns nor moves it, so an address stays good until `unmap`. Pages are zero, and take memory when touched.

import { assert } from "#base/assert.ts";
import { u32At } from "#base/bytes.ts";

import { aligned } from "./abi.ts";
import { errnoName } from "./errno.ts";
import { forgetMapping, holdMapping } from "./holdings.ts";
import { checked, libc, memoryAt } from "./libc.ts";

const PROT_READ_WRITE = 0x3;
const MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x4022;
const PAGE_BYTES = 4096;

/**
 * How the error begins where the kernel refuses: a limit of the process, or overcommitting is forbidden. A start can cause it, and
 * a reload that allows uploads, and the first upload of text.
 */
export const OUT_OF_MEMORY = "the kernel gives no memory";

/** A mapped region. Offsets are bytes from `address`; the word views index by offset / 4 or offset / 2. */
export class Arena {
  readonly address: number;
  readonly bytes: number;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  #used = 0;

  /** Maps `bytes` (rounded up to pages). Throws {@link OUT_OF_MEMORY} when the kernel refuses. */
  constructor(bytes: number) {
    this.bytes = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
    const flags = MAP_PRIVATE_ANONYMOUS_NORESERVE;
    const address = checked(libc.mmap(0, this.bytes, PROT_READ_WRITE, flags, -1, 0));
    if (address < 0)
      throw new Error(`${OUT_OF_MEMORY}: ${this.bytes} bytes, ${errnoName(address)}`);
    this.address = address;
    holdMapping(address, this.bytes);
    const memory = memoryAt(address, this.bytes);
    this.u8 = new Uint8Array(memory);
    this.u16 = new Uint16Array(memory);
    this.u32 = new Uint32Array(memory);
    this.i32 = new Int32Array(memory);
  }

  /** Reserves `bytes` and returns their offset, aligned to `alignment` (a power of two). Never given back. */
  allocate(bytes: number, alignment = 8): number {
    const offset = aligned(this.#used, alignment);
    assert(offset + bytes <= this.bytes, "the arena is as large as the sum of its users");
    this.#used = offset + bytes;
    return offset;
  }

  /** Stores a 64-bit unsigned value below 2^53 at a byte `offset` that is a multiple of 4. */
  setU64(offset: number, value: number): void {
    const word = offset >>> 2;
    this.i32[word] = lowWord(value);
    this.i32[word + 1] = Math.floor(value * 2 ** -32);
  }

  /** The unsigned 64-bit value at byte `offset`, a multiple of 4. Exact below 2^53, which sizes and counters stay under. */
  readU64(offset: number): number {
    return u32At(this.u32, (offset >>> 2) + 1) * 0x1_0000_0000 + u32At(this.u32, offset >>> 2);
  }

  /** Unmaps the region. No view of it may be touched afterwards. */
  unmap(): void {
    forgetMapping(this.address);
    libc.munmap(this.address, this.bytes);
  }
}

/**
 * The low 32 bits of `value` (0 ≤ value < 2^53) as a signed word. `value >>> 0` says the same, but for what does not fit in 32
 * bits the compiled code calls out to a slow conversion; here every conversion is of a number that does.
 */
function lowWord(value: number): number {
  const low = value - Math.floor(value * 2 ** -32) * 2 ** 32;
  return (low - 2 ** 31) ^ -0x8000_0000;
}
