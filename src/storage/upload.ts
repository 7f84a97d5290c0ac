// One upload (storage layer): bytes come in as they arrive and go to the disk in large pieces, one system call at a time, made by
// a disk thread. The name appears when everything is durable, or not at all. Memory is constant, and no call here waits.

import { assert } from "#base/assert.ts";
import type { Arena } from "#ffi/arena.ts";
import { copyBytes } from "#ffi/create.ts";

import { HashCall } from "./disk-job.ts";
import type { DiskOwner, DiskQueue } from "./disk-queue.ts";
import { BUFFER_BYTES, type UploadBuffers } from "./upload-buffers.ts";
import type { UploadFile } from "./upload-file.ts";
import type { UploadLedger } from "./upload-ledger.ts";
import { UploadRefusal, uploadRefusalOf } from "./upload-refusal.ts";
import {
  closeSteps,
  digestText,
  discardSteps,
  IDLE,
  publishSteps,
  spaceSteps,
  type Step,
  type Steps,
  verifySteps,
  writeSteps,
} from "./upload-steps.ts";

/** What {@link Upload.append} answers. */
export const Append = {
  taken: 0,
  /** The disk is behind. Offer the same bytes again after `handleUploadRoom`. */
  full: 1,
  /** The upload has failed, or was aborted: see {@link Upload.refusal}. */
  failed: 2,
} as const;

/** Told what becomes of uploads. */
export interface UploadListener {
  /** An upload that was full has room again. */
  handleUploadRoom(upload: Upload): void;
  /** The upload is over, and nothing of it is open: published if its refusal is 0. */
  handleUploadEnd(upload: Upload): void;
}

/** What a shard's uploads share. */
export interface UploadHome {
  readonly arena: Arena;
  readonly buffers: UploadBuffers;
  readonly ledger: UploadLedger;
  /** The queue for a job that depends on no other queue. */
  leastLoaded(): DiskQueue;
  /** The upload's job found the queue full: `retry` is to be called when it may have room. */
  postpone(upload: Upload): void;
  /** A buffer has become free: an upload may want it, but not before this call has returned. */
  handleBuffer(): void;
  /** The upload found no buffer. */
  handleFull(upload: Upload): void;
  /** The upload's name is there to stay, and its bytes count from now on. */
  handlePublished(upload: Upload): void;
  /** The upload is over; its slot is the home's again, and so is its claim if it was not published. */
  handleEnd(upload: Upload): void;
}

/** Buffers of one upload: one that fills, one that is written, and two for the disk's moods. */
const BUFFERS_MAX = 4;
/** How often free space is looked at: what all uploads together write meanwhile must not matter much. A guess. */
const SPACE_CHECK_BYTES = 16 * 1024 * 1024;

/** Bytes on their way to the disk. */
interface Piece {
  readonly buffer: number;
  bytes: number;
}

export class Upload implements DiskOwner {
  readonly file: UploadFile;
  readonly slot: number;
  readonly claim: number;
  /** Bytes that were taken. */
  bytes = 0;
  /** Why it came or will come to nothing, a value of UploadRefusal; 0 while all is well. */
  refusal = 0;
  /** Whether it is over. */
  hasEnded = false;
  /** SHA-256 in hexadecimal digits, when it is over and was wanted. */
  sha256 = "";
  readonly #home: UploadHome;
  /** One queue for all jobs where bytes are hashed, because the hash lives in its thread. */
  readonly #queue: DiskQueue | undefined;
  #reservedBytes: number;
  #writtenBytes = 0;
  #checkAtBytes = SPACE_CHECK_BYTES;
  /** The piece that is filling, those that are full, oldest first, and the one that is being written. */
  #filling: Piece | undefined;
  readonly #full: Piece[] = [];
  #writing: Piece | undefined;
  /** A buffer that is ours and empty, or −1; and how many are ours. */
  #spare: number;
  #held = 1;
  #isFinishing = false;
  #isClosing = false;
  #steps: Steps;
  /** What {@link #steps} waits for: a result, or (undefined) to be asked for its next step. */
  #step: Step | undefined;
  #isPostponed = false;

  /** `reservedBytes` are reserved with `claim` already. */
  constructor(
    home: UploadHome,
    file: UploadFile,
    slot: number,
    claim: number,
    reservedBytes: number,
  ) {
    this.#home = home;
    this.file = file;
    this.slot = slot;
    this.claim = claim;
    this.#reservedBytes = reservedBytes;
    this.#queue = this.#isHashed ? home.leastLoaded() : undefined;
    this.#spare = home.buffers.takeOwn();
    this.#steps = this.#run();
    this.#go(0);
  }

  /** Bytes that {@link append} takes for certain now. */
  get room(): number {
    if (this.refusal < 0 || this.#isFinishing) return 0;
    const left = this.#filling === undefined ? 0 : BUFFER_BYTES - this.#filling.bytes;
    return left + (this.#spare < 0 ? 0 : BUFFER_BYTES);
  }

  /**
   * Sees to it that {@link append} takes the next `bytes` (at most {@link BUFFER_BYTES}) for certain. False: the disk is
   * behind, and `handleUploadRoom` tells when to ask again.
   */
  makeRoom(bytes: number): boolean {
    assert(bytes <= BUFFER_BYTES, "a window is smaller than a buffer");
    if (this.room < bytes) this.#spare = this.#takeBuffer();
    if (this.room >= bytes) return true;
    this.#home.handleFull(this);
    return false;
  }

  /** Takes the next `bytes` (at most {@link BUFFER_BYTES}) from `address` (arena memory), all of them or none. See {@link Append}. */
  append(address: number, bytes: number): number {
    assert(!this.#isFinishing, "nothing comes after the end");
    assert(bytes <= BUFFER_BYTES, "a block is smaller than a buffer");
    if (this.refusal < 0) return Append.failed;
    const { bytesMax } = this.file.plan;
    if (bytesMax > 0 && this.bytes + bytes > bytesMax) {
      this.#refuse(UploadRefusal.tooLarge);
      return Append.failed;
    }
    const filling = this.#filling;
    const left = filling === undefined ? 0 : BUFFER_BYTES - filling.bytes;
    const first = Math.min(left, bytes);
    const next = first < bytes ? this.#takeBuffer() : -1;
    if (first < bytes && next < 0) {
      this.#home.handleFull(this);
      return Append.full;
    }
    this.bytes += bytes;
    if (filling !== undefined && first > 0) this.#copy(filling, address, first);
    if (next >= 0) {
      this.#push();
      this.#filling = { buffer: next, bytes: 0 };
      this.#copy(this.#filling, address + first, bytes - first);
    }
    // A buffer that is full is not kept back until the next block comes: the client may wait for its room.
    if (this.#filling?.bytes === BUFFER_BYTES) this.#push();
    if (this.#full.length > 0) this.#wake();
    return Append.taken;
  }

  /**
   * Nothing more will come: have it written, made durable and published. `handleUploadEnd` tells when that is done. With
   * `isSizeDoubtful` it comes to nothing if its bytes are not as many as were announced.
   */
  finish(isSizeDoubtful = false): void {
    assert(!this.#isFinishing, "an upload is finished once");
    const { bytesExpected } = this.file.plan;
    const isOther = isSizeDoubtful && bytesExpected > 0 && this.bytes !== bytesExpected;
    if (isOther && this.refusal === 0) this.#refuse(UploadRefusal.otherSize);
    this.#isFinishing = true;
    if (this.refusal < 0) return;
    this.#push();
    this.#wake();
  }

  /** Gives the upload up, if it is not about to be published already. Nothing is left of it; `handleUploadEnd` tells when. */
  abort(): void {
    if (this.refusal === 0 && this.file.isRevocable) this.#refuse(UploadRefusal.aborted);
  }

  /** A step has been made. Called by the queue. */
  handleDisk(_token: number, result: number): void {
    this.#step = undefined;
    this.#go(result);
  }

  /** Submits the step that found its queue full. */
  retry(): void {
    this.#isPostponed = false;
    const step = this.#step;
    assert(step !== undefined, "a step was postponed");
    const [call, a, b, c, d, e] = step;
    const queue = this.#queue ?? this.#home.leastLoaded();
    if (queue.submit(this, 0, call, a, b, c, d, e)) return;
    this.#isPostponed = true;
    this.#home.postpone(this);
  }

  get #isHashed(): boolean {
    return this.file.plan.isHashed || this.file.plan.isVerified;
  }

  /** Handles of this upload's hashes: of what is written, and of what is read back. */
  get #writeHash(): number {
    return this.#isHashed ? 1 + 2 * this.slot : 0;
  }

  get #readHash(): number {
    return 2 + 2 * this.slot;
  }

  /** The whole way of an upload that succeeds. */
  *#run(): Steps {
    const { file } = this;
    if (this.#isHashed) yield [HashCall.begin, this.#writeHash];
    for (;;) {
      const piece = this.#full.shift();
      if (piece !== undefined) {
        const written = yield* this.#write(piece);
        if (written < 0) return written;
      } else if (this.#isFinishing) break;
      else yield IDLE;
    }
    if (this.#isHashed) {
      const ended = yield [HashCall.end, this.#writeHash, file.address("digest")];
      if (ended < 0) return uploadRefusalOf(ended);
    }
    const { arena, buffers } = this.#home;
    if (file.plan.isVerified) {
      const memory = buffers.address(this.#spare);
      const verified = yield* verifySteps(
        file,
        arena,
        this.bytes,
        memory,
        BUFFER_BYTES,
        this.#readHash,
      );
      if (verified < 0) return verified;
    }
    const published = yield* publishSteps(file);
    if (published < 0) return published;
    if (this.#isHashed) this.sha256 = digestText(arena, file, "digest");
    this.#isClosing = true;
    this.#home.handlePublished(this);
    return yield* closeSteps(file);
  }

  *#write(piece: Piece): Steps {
    const end = this.#writtenBytes + piece.bytes;
    this.#writing = piece;
    const result = yield* this.#writeReserved(piece, end);
    this.#writing = undefined;
    this.#giveBack(piece.buffer);
    if (result < 0) return result;
    this.#writtenBytes = end;
    if (this.file.plan.bytesFreeMin === 0 || end < this.#checkAtBytes) return 0;
    this.#checkAtBytes = end + SPACE_CHECK_BYTES;
    return yield* spaceSteps(this.file, this.#home.arena);
  }

  *#writeReserved(piece: Piece, end: number): Steps {
    const { ledger, buffers } = this.#home;
    const more = end - this.#reservedBytes;
    if (more > 0) {
      if (!ledger.reserve(this.claim, more)) return UploadRefusal.quota;
      this.#reservedBytes = end;
    }
    const address = buffers.address(piece.buffer);
    return yield* writeSteps(this.file, address, piece.bytes, this.#writtenBytes, this.#writeHash);
  }

  /** Goes on after a step with `result`, until the next one is under way. */
  #go(result: number): void {
    const next = this.#steps.next(result);
    const refusal = next.done === true ? next.value : 0;
    if (this.#isClosing) {
      if (next.done === true) this.#end();
      else this.#make(next.value);
      return;
    }
    // A name that is there already is not given up for an owner who has lost interest, nor is a version lost for nothing.
    if (this.refusal === UploadRefusal.aborted && !this.file.isRevocable) this.refusal = 0;
    if (this.refusal === 0) this.refusal = refusal;
    if (this.refusal < 0) this.#discard();
    else if (next.done !== true) this.#make(next.value);
  }

  #make(step: Step | typeof IDLE): void {
    if (step === IDLE) return;
    this.#step = step;
    this.retry();
  }

  /** Has the steps go on if they wait for nothing but us. */
  #wake(): void {
    if (this.#step === undefined) this.#go(0);
  }

  #refuse(refusal: number): void {
    this.refusal = refusal;
    // What is not finished is not published any more, however long its removal takes: whoever starts over gets the name at once.
    if (!this.#isFinishing) this.#home.ledger.abandon(this.claim);
    // A step that is with a disk thread comes back first: its memory and its descriptor are in use.
    if (this.#step === undefined || this.#isPostponed) this.#discard();
  }

  #discard(): void {
    this.#isClosing = true;
    this.#steps = discardSteps(this.file, () => this.#home.ledger.close(this.claim));
    if (this.#isPostponed) {
      // Its place among the postponed stays, for the first step of these.
      const first = this.#steps.next(0);
      assert(first.done !== true && first.value !== IDLE, "something is always closed");
      this.#step = first.value;
    } else {
      this.#step = undefined;
      this.#go(0);
    }
  }

  #end(): void {
    this.#step = undefined;
    this.hasEnded = true;
    for (const piece of [...this.#full.splice(0), this.#filling, this.#writing]) {
      if (piece !== undefined) this.#giveBack(piece.buffer);
    }
    assert(this.#held === 1 && this.#spare >= 0, "all buffers come back");
    this.#home.buffers.releaseOwn(this.#spare);
    this.#home.handleEnd(this);
  }

  #push(): void {
    const filling = this.#filling;
    if (filling === undefined) return;
    this.#filling = undefined;
    this.#full.push(filling);
  }

  #copy(piece: Piece, address: number, bytes: number): void {
    copyBytes(this.#home.buffers.address(piece.buffer) + piece.bytes, address, bytes);
    piece.bytes += bytes;
  }

  #takeBuffer(): number {
    const spare = this.#spare;
    this.#spare = -1;
    if (spare >= 0 || this.#held === BUFFERS_MAX) return spare;
    const extra = this.#home.buffers.takeExtra();
    if (extra >= 0) this.#held += 1;
    return extra;
  }

  #giveBack(buffer: number): void {
    if (this.#held === 1) {
      this.#spare = buffer;
    } else {
      this.#held -= 1;
      this.#home.buffers.releaseExtra(buffer);
    }
    this.#home.handleBuffer();
  }
}
