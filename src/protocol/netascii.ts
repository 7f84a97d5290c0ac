// The netascii mode (protocol layer, pure): an encoder for what is sent and a decoder for what comes in.
// Both stream, and keep their state across any cut, so a pair of bytes may be split at a block's edge.
//
// RFC 1350 §1 takes netascii from RFC 764: a line ends in CR LF, and a CR that ends no line is CR NUL.

import { u8 } from "#base/bytes.ts";
import { mark } from "#base/mark.ts";

const nul = 0x00;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** The encoder owes no second byte. Bytes are 0–255, so −1 is none of them. */
const nothing = -1;

/** Turns LF into CR LF and CR into CR NUL. */
export class NetasciiEncoder {
  #pending: number = nothing;
  #consumed = 0;
  #produced = 0;

  /** How many source bytes the last {@link encode} took. */
  get consumed(): number {
    return this.#consumed;
  }

  /** How many bytes the last {@link encode} wrote. */
  get produced(): number {
    return this.#produced;
  }

  /**
   * The second byte of a pair that did not fit any more, or −1. With the source offset it is the whole
   * position: {@link resume} with both makes a retransmission byte-identical.
   */
  get pending(): number {
    return this.#pending;
  }

  /** Goes on from a position that was noted earlier. */
  resume(pending: number): void {
    this.#pending = pending;
  }

  /**
   * Encodes `src` from `srcStart` up to `srcEnd` into `dst` from `dstStart` up to `dstEnd`, until either is
   * used up; a byte still pending is written first, even from an empty source. The whole text has been
   * written when the source is used up and nothing is {@link pending}.
   */
  encode(
    src: Uint8Array,
    srcStart: number,
    srcEnd: number,
    dst: Uint8Array,
    dstStart: number,
    dstEnd: number,
  ): void {
    let from = srcStart;
    let to = dstStart;
    while (to < dstEnd) {
      if (this.#pending !== nothing) {
        dst[to++] = this.#pending;
        this.#pending = nothing;
        continue;
      }
      if (from >= srcEnd) break;
      const byte = u8(src, from++);
      if (byte === lineFeed) {
        mark("netascii-line-feed-sent");
        dst[to++] = carriageReturn;
        this.#pending = lineFeed;
      } else if (byte === carriageReturn) {
        mark("netascii-carriage-return-sent");
        dst[to++] = carriageReturn;
        this.#pending = nul;
      } else {
        dst[to++] = byte;
      }
    }
    if (this.#pending !== nothing) mark("netascii-pair-split-when-sent");
    this.#consumed = from - srcStart;
    this.#produced = to - dstStart;
  }
}

/** Turns CR LF into LF and CR NUL into CR. A CR before any other byte stays, and so does that byte. */
export class NetasciiDecoder {
  #sawCarriageReturn = false;
  #consumed = 0;
  #produced = 0;

  /** How many source bytes the last {@link decode} took. */
  get consumed(): number {
    return this.#consumed;
  }

  /** How many bytes the last {@link decode} or {@link finish} wrote. */
  get produced(): number {
    return this.#produced;
  }

  /**
   * Decodes `src` from `srcStart` up to `srcEnd` into `dst` from `dstStart` up to `dstEnd`, until either is
   * used up. The text never grows but by the one CR that an earlier call may have held back.
   */
  decode(
    src: Uint8Array,
    srcStart: number,
    srcEnd: number,
    dst: Uint8Array,
    dstStart: number,
    dstEnd: number,
  ): void {
    let from = srcStart;
    let to = dstStart;
    while (from < srcEnd && to < dstEnd) {
      const byte = u8(src, from);
      if (this.#sawCarriageReturn) {
        this.#sawCarriageReturn = false;
        if (from === srcStart) mark("netascii-pair-split-when-received");
        if (byte === lineFeed || byte === nul) {
          mark("netascii-pair-received");
          dst[to++] = byte === lineFeed ? lineFeed : carriageReturn;
          from++;
        } else {
          // Not netascii, but common: the CR was meant. The byte itself is looked at in the next round.
          dst[to++] = carriageReturn;
        }
        continue;
      }
      from++;
      if (byte === carriageReturn) this.#sawCarriageReturn = true;
      else dst[to++] = byte;
    }
    this.#consumed = from - srcStart;
    this.#produced = to - dstStart;
  }

  /** After the last {@link decode}: writes a CR that waited for its second byte to `dst`, at `dstStart`. */
  finish(dst: Uint8Array, dstStart: number): void {
    this.#produced = 0;
    if (!this.#sawCarriageReturn) return;
    this.#sawCarriageReturn = false;
    dst[dstStart] = carriageReturn;
    this.#produced = 1;
  }
}
