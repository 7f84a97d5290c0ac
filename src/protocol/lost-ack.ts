// Whether a block that comes again says that our last ACK was lost (protocol layer, pure), or was sent before
// that ACK can have been seen. Keeps times and numbers only; the receiver says what happens.
//
// Answering every repetition would have every block and every ACK doubled from the first one on, where the peer
// is the Sorcerer's Apprentice (RFC 1123 §4.2.3.1) or has a timer that is shorter than the round trip.

/** What one transfer knows of its last ACK. */
export class LostAck {
  /** When the last ACK went out; and when the peer last had nothing to do but wait for one, −Infinity before. */
  #transmitUs = 0;
  #firstTransmitUs = -Infinity;
  /** The path takes no longer, there and back. Infinity before anything was answered. */
  #roundTripUsMax = Infinity;
  /** The block that was repeated last. One that is not above it begins another burst. */
  #repeatedBlock = Infinity;

  /** An ACK went out for the first time, and the peer has nothing to send until it comes. */
  noteFirst(nowUs: number): void {
    this.#transmitUs = nowUs;
    this.#firstTransmitUs = nowUs;
  }

  /** An ACK went out again, or inside a window: what comes next need not be its answer. */
  noteAgain(nowUs: number): void {
    this.#transmitUs = nowUs;
  }

  /**
   * The first block behind the last ACK has come. Whichever ACK it answers, the round trip is not longer than
   * the time since the peer could first know.
   */
  noteAnswer(nowUs: number): void {
    this.#roundTripUsMax = Math.min(this.#roundTripUsMax, nowUs - this.#firstTransmitUs);
  }

  /** What is repeated from now on is another burst. */
  noteProgress(): void {
    this.#repeatedBlock = Infinity;
  }

  /** Absolute block `block` came again. Of one repeated window, only the first block can mean a lost ACK. */
  isLost(block: number, nowUs: number): boolean {
    const isAnotherBurst = block <= this.#repeatedBlock;
    this.#repeatedBlock = block;
    const sinceUs = nowUs - this.#transmitUs;
    const isUnderWay = this.#roundTripUsMax < Infinity && sinceUs <= this.#roundTripUsMax;
    return isAnotherBurst && !isUnderWay;
  }
}
