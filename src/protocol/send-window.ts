// Where a sender stands in its file (protocol layer, pure): what is acknowledged, what has gone out and what is due. Blocks
// are absolute, from 1. A *pass* is one time of sending what follows the last acknowledged block; a later pass repeats.

/** The window of one transfer. Only its sender changes it. */
export class SendWindow {
  /** The last block, absolute, that the peer has; 0 before any. */
  ackedBlock = 0;
  /** The next block to send. Blocks from `ackedBlock + 1` up to here have gone out in this pass. */
  nextBlock = 1;
  /** The highest block that had gone out when this pass began. What lies below is a repetition. */
  sentBefore = 0;
  /** The first block of this pass, and when it went out. */
  passBlock = 1;
  passUs = 0;
  /** The run that went out last. */
  firstBlock = 0;
  blockCount = 0;
  /** The last block of the file; Infinity while unknown. */
  lastBlock: number;
  readonly #windowBlocks: number;

  constructor(windowBlocks: number, lastBlock: number) {
    this.#windowBlocks = windowBlocks;
    this.lastBlock = lastBlock;
  }

  /** The highest block that has gone out. */
  get highestSent(): number {
    return Math.max(this.sentBefore, this.nextBlock - 1);
  }

  /** Blocks of the window that are still to be sent in this pass. */
  get blocksDue(): number {
    return Math.min(this.ackedBlock + this.#windowBlocks, this.lastBlock) - this.nextBlock + 1;
  }

  /** How many of `blocks` blocks from `firstBlock` had gone out before this pass. */
  repetitionsIn(firstBlock: number, blocks: number): number {
    return Math.min(Math.max(this.sentBefore - firstBlock + 1, 0), blocks);
  }

  /** `blocks` more blocks go out: the run that {@link firstBlock} and {@link blockCount} name. */
  advance(blocks: number, nowUs: number): void {
    if (this.nextBlock === this.passBlock) this.passUs = nowUs;
    this.firstBlock = this.nextBlock;
    this.blockCount = blocks;
    this.nextBlock += blocks;
  }

  /** Begins a pass at the first block that the peer does not have; `highestSent` is what had gone out before. */
  rewind(highestSent: number = this.highestSent): void {
    this.sentBefore = highestSent;
    this.nextBlock = this.ackedBlock + 1;
    this.passBlock = this.nextBlock;
  }
}
