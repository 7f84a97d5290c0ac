// A link of limited speed in virtual time: packets leave it one after the other, those that wait stand in a queue, and
// what finds the queue full is dropped. A wire carries on what has left it.

export interface LinkOptions {
  readonly bitsPerSecond: number;
  /** Packets that may wait, besides the one that is leaving; Infinity drops nothing. */
  readonly queuePackets: number;
}

/** What a datagram costs besides its bytes: headers of IPv4 and UDP; Ethernet's header, checksum, preamble and gap. */
const overheadBytes = 20 + 8 + 14 + 4 + 8 + 12;

export class Link {
  readonly #options: LinkOptions;
  /** When each packet that is on the link or waits for it will have left. */
  readonly #leaving: number[] = [];

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** How long a datagram of `length` bytes takes. */
  durationUs(length: number): number {
    return ((length + overheadBytes) * 8e6) / this.#options.bitsPerSecond;
  }

  /**
   * A datagram of `length` bytes reaches the link at `atUs`, not earlier than the one before it. Returns when it has left;
   * Infinity if it was dropped.
   */
  carry(length: number, atUs: number): number {
    const leaving = this.#leaving;
    while (leaving.length > 0 && (leaving[0] ?? 0) <= atUs) leaving.shift();
    if (leaving.length > this.#options.queuePackets) return Infinity;
    const leftUs = Math.max(atUs, leaving.at(-1) ?? 0) + this.durationUs(length);
    leaving.push(leftUs);
    return leftUs;
  }
}
