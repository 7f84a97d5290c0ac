// The 4 header bytes of every possible DATA packet (bench), written once and pointed to from then on, for a floor that
// gathers. Block n on the wire lies at 4 × n; 256 KiB in all.

import { Arena } from "#ffi/arena.ts";

/** Bytes of a DATA header: opcode and block number, RFC 1350 §5. */
export const HEADER_BYTES = 4;

const OPCODE_DATA = 3;
const BLOCKS = 65_536;

/** The table. */
export class BlockHeaders {
  readonly #arena: Arena = new Arena(BLOCKS * HEADER_BYTES);

  constructor() {
    const { u8 } = this.#arena;
    for (let block = 0; block < BLOCKS; block += 1) {
      u8[block * HEADER_BYTES + 1] = OPCODE_DATA;
      u8[block * HEADER_BYTES + 2] = block >>> 8;
      u8[block * HEADER_BYTES + 3] = block & 0xff;
    }
  }

  /** The address of the header of block `wire`, 0–65,535. */
  address(wire: number): number {
    return this.#arena.address + wire * HEADER_BYTES;
  }

  unmap(): void {
    this.#arena.unmap();
  }
}
