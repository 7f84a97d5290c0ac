// The bytes of one upload, from the datagram to the storage layer (server layer): only blocks that the receiver accepts are
// kept, and the next window is asked for only when there is memory for all of it, so that a slow disk slows its client.

import { assert } from "#base/assert.ts";
import type { Inbox } from "#io/inbox.ts";
import type { MappedMemory } from "#io/memory.ts";
import { NetasciiDecoder } from "#protocol/netascii.ts";
import type { Grant } from "#protocol/options.ts";
import { blockNumber, dataHeaderBytes } from "#protocol/packet.ts";
import { Fate, type Receiver } from "#protocol/receiver.ts";
import { Append, type Upload } from "#storage/upload.ts";

/** The longest block (RFC 2348), and the CR that the block before it may have held back. */
export const TEXT_BYTES: number = 65_464 + 1;

/** Ties a receiver to an upload. `text`, {@link TEXT_BYTES} in which a block is decoded, is set for netascii. */
export class Intake {
  readonly upload: Upload;
  readonly #receiver: Receiver;
  readonly #text: MappedMemory | undefined;
  readonly #decoder: NetasciiDecoder = new NetasciiDecoder();
  /** Bytes that one window may bring. */
  readonly #windowBytes: number;
  /** The storage layer has refused: nothing more is accepted, and the ERROR follows when all is cleaned up. */
  #hasFailed = false;

  constructor(upload: Upload, receiver: Receiver, grant: Grant, text: MappedMemory | undefined) {
    this.upload = upload;
    this.#receiver = receiver;
    this.#text = text;
    // Netascii may give back one CR that an earlier block held.
    this.#windowBytes = grant.windowBlocks * grant.blockBytes + (text === undefined ? 0 : 1);
  }

  /** The DATA in the `length` bytes from `start` of `inbox`. */
  handleData(inbox: Inbox, start: number, length: number, nowUs: number): void {
    if (this.#hasFailed || this.upload.refusal < 0) return;
    const bytes = length - dataHeaderBytes;
    const fate = this.#receiver.handleData(blockNumber(inbox.u8, start), bytes, nowUs);
    if (fate !== Fate.accepted) return;
    this.#keep(inbox, start + dataHeaderBytes, bytes);
    if (this.#receiver.hasLastBlock) this.#finish();
  }

  /** Called before a reply is polled: withholds it until a whole window has room. */
  prepare(nowUs: number): void {
    if (!this.#receiver.isReplyDue || this.#receiver.hasLastBlock) return;
    if (this.#hasFailed || !this.upload.makeRoom(this.#windowBytes)) this.#receiver.pause();
    else this.#receiver.resume(nowUs);
  }

  #keep(inbox: Inbox, from: number, bytes: number): void {
    if (bytes === 0) return;
    if (this.#text === undefined) {
      this.#append(inbox.address + from, bytes);
      return;
    }
    const { u8, address } = this.#text;
    this.#decoder.decode(inbox.u8, from, from + bytes, u8, 0, u8.length);
    assert(this.#decoder.consumed === bytes, "decoding takes no more room than a block and a byte");
    this.#append(address, this.#decoder.produced);
  }

  #append(address: number, bytes: number): void {
    if (bytes === 0) return;
    const result = this.upload.append(address, bytes);
    assert(result !== Append.full, "room for the window was made before it was asked for");
    if (result === Append.failed) this.#fail();
  }

  #finish(): void {
    if (this.#text !== undefined && !this.#hasFailed) {
      this.#decoder.finish(this.#text.u8, 0);
      this.#append(this.#text.address, this.#decoder.produced);
    }
    // curl 7.88 answers each OACK with the next part of its file as block 1. Where the one that is repeated meets a lost block, the
    // file would lack its beginning, and nobody would know but by its size.
    if (!this.#hasFailed) this.upload.finish(this.#receiver.wasInvitedAgain);
  }

  #fail(): void {
    this.#hasFailed = true;
    this.#receiver.pause();
  }
}
