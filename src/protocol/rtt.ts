// How long to wait for an answer, and how often (protocol layer, pure): RFC 6298's smoothed round-trip time and
// retransmission timeout, in microseconds. Answers RFC 1123 §4.2.3.2: adaptive, with exponential back-off.

import { mark } from "#base/mark.ts";
import type { Random } from "#base/random.ts";

/** The first timeout while nothing has been measured. RFC 6298 (2.1) says 1 s. */
const firstTimeoutUsDefault = 1_000_000;

/**
 * The shortest timeout. RFC 6298 (2.4) says 1 s, and allows less to who knows better: at 0.1 % loss a
 * timer of 1 s makes a lockstep boot three to five times slower. 50 ms is above the pauses of firmware
 * between two packets, and above a delayed wake-up of a busy server. A guess within those bounds.
 */
const timeoutUsMin = 50_000;

/**
 * The longest timeout when the client has not negotiated one: the 5 s that most clients use themselves,
 * so that back-off alone never makes the server the slower of the two.
 */
export const timeoutUsMaxDefault = 5_000_000;

/**
 * How often a reply is repeated to a peer that has never answered, which bounds what a forged request can
 * cost its victim; a last window, at the least; and a block at the timer's own pace before the peer may be left
 * in peace. tftp-hpa's five.
 */
export const repetitionsMax = 5;

/**
 * How often an ACK is repeated at the timer's own pace before the sender is left in peace: all four come to
 * nothing once in sixty times where 20 % is lost each way. A guess.
 */
const promptRepetitionsMax = 4;

/**
 * How long the ACK of a last window is waited for at the least: on a fast network five repetitions pass in
 * a second and a half, and a client that is busy for as long still wants its blocks. Twice U-Boot's 5 s.
 */
export const lastPatienceUs = 10_000_000;

/**
 * RFC 6298's G, the least that is allowed for variation: two ticks of the shard's timers, and a peer's usual
 * lateness. On a path without any jitter the variation would shrink to nothing, and the first hiccup be a timeout.
 */
const granularityUs = 10_000;

/**
 * The most that chance adds to a doubled timeout, as a part of it. Transfers that lost their packets together, in a
 * switch's queue or in a power cut, would otherwise repeat them together, and lose them again. A guess.
 */
const jitter = 0.25;

/** The round-trip estimate of one transfer. */
export class RoundTrip {
  readonly #timeoutUsMin: number;
  readonly #timeoutUsMax: number;
  readonly #firstTimeoutUs: number;
  readonly #random: Random | undefined;
  #timeoutUs: number;
  #smoothedUs = 0;
  #variationUs = 0;
  #leastUs = Infinity;

  /**
   * `negotiatedUs` is the timeout that the client set, if it did: the first timeout and the longest.
   * Otherwise `firstUs` is the first one. Without `random` back-off has no jitter.
   */
  constructor(
    negotiatedUs: number | undefined,
    firstUs: number = firstTimeoutUsDefault,
    random?: Random,
  ) {
    this.#timeoutUsMax = negotiatedUs ?? Math.max(timeoutUsMaxDefault, firstUs);
    this.#timeoutUsMin = Math.min(timeoutUsMin, this.#timeoutUsMax);
    this.#firstTimeoutUs = negotiatedUs ?? firstUs;
    this.#random = random;
    this.#timeoutUs = this.#firstTimeoutUs;
  }

  /** The smoothed round-trip time; 0 before the first sample. */
  get smoothedUs(): number {
    return this.#smoothedUs;
  }

  /**
   * The shortest sample, the closest to the path alone: the others include the time that a window takes
   * on the link. 0 before the first one.
   */
  get leastUs(): number {
    return this.#leastUs === Infinity ? 0 : this.#leastUs;
  }

  /** How long to wait for an ACK, back-off included. */
  get timeoutUs(): number {
    return this.#timeoutUs;
  }

  /**
   * How long to wait for a block when an ACK came to nothing `silences` times. After a few, longer than the peer's own timer:
   * tftp-hpa's client begins its 5 s anew with every packet, so that an ACK every 5 s would keep it silent for ever.
   */
  peaceUs(silences: number): number {
    if (silences < promptRepetitionsMax) return this.#timeoutUs;
    mark("sender-left-in-peace");
    return Math.max(this.#timeoutUs, this.#beyondPeerUs);
  }

  /**
   * How long to wait for an ACK when a block came to nothing `silences` times. atftp's client acknowledges one copy of a block that it
   * has, and then, if that ACK is lost too, only after its own 5 s, whatever it negotiated, and every copy begins these anew. So it is
   * left in peace when back-off is at its end; and after a few copies on a path that `isLossy`, where those who answer each copy
   * were heard long before. On others it is more likely a path that was cut, and who waits behind it in silence wants the next copy soon.
   */
  ackWaitUs(silences: number, isLossy: boolean): number {
    if (silences < repetitionsMax) return this.#timeoutUs;
    if (!isLossy && this.#timeoutUs < this.#timeoutUsMax) return this.#timeoutUs;
    mark("receiver-left-in-peace");
    const growingUs = this.#beyondPeerUs * 2 ** (silences - repetitionsMax);
    return Math.min(growingUs, Math.max(this.#beyondPeerUs, 1.5 * timeoutUsMaxDefault));
  }

  /**
   * Takes one measured round trip, and ends any back-off. By Karn's rule the caller measures only blocks
   * that were sent once.
   */
  sample(roundTripUs: number): void {
    // At least 1 µs, so that 0 keeps meaning "no sample" when a clock stood still.
    const sampleUs = Math.max(roundTripUs, 1);
    if (this.#smoothedUs === 0) {
      // RFC 6298 (2.2).
      this.#begin(sampleUs);
    } else {
      // RFC 6298 (2.3), with its alpha of 1/8 and beta of 1/4. The order of the first two matters.
      const deviationUs = Math.abs(this.#smoothedUs - sampleUs);
      this.#variationUs += (deviationUs - this.#variationUs) / 4;
      this.#smoothedUs += (sampleUs - this.#smoothedUs) / 8;
    }
    this.#leastUs = Math.min(this.#leastUs, sampleUs);
    this.endBackOff();
  }

  /**
   * A round trip that was no longer than this: an ACK inside a window says when a gap was seen. Better than the second to
   * begin with; and the first sample, of a peer that was slow to begin, may have been too long.
   */
  noteAtMost(roundTripUs: number): void {
    const boundUs = Math.max(roundTripUs, 1);
    if (this.#smoothedUs === 0) this.#begin(boundUs);
    else if (this.#leastUs < Infinity) this.#leastUs = Math.min(this.#leastUs, boundUs);
  }

  /** Takes the timeout back to what was measured, or to the first one. */
  endBackOff(): void {
    this.#timeoutUs = this.#measuredTimeoutUs;
  }

  /**
   * Something was answered that went out several times, `sinceFirstUs` after it went out first. By Karn's rule no measurement; but
   * whichever copy was answered, a round trip is no longer than that, so that longer timeouts guard against nothing. Without this a
   * wire that loses a copy of each of some blocks in a row would double the timeout with each of them.
   */
  limitBackOff(sinceFirstUs: number): void {
    const longestUs = Math.max(this.#measuredTimeoutUs, sinceFirstUs + granularityUs);
    this.#timeoutUs = Math.min(this.#timeoutUs, longestUs);
  }

  /**
   * Doubles the timeout, and a little more by chance, up to its bound: RFC 6298 (5.5). It stays so until
   * {@link sample}, {@link limitBackOff} or {@link endBackOff}.
   */
  backOff(): void {
    mark("timeout-backs-off");
    const chance = this.#random === undefined ? 0 : jitter * this.#random.fraction();
    this.#timeoutUs = this.#bounded(this.#timeoutUs * 2 * (1 + chance));
  }

  get #measuredTimeoutUs(): number {
    if (this.#smoothedUs === 0) return this.#firstTimeoutUs;
    const varianceUs = Math.max(granularityUs, 4 * this.#variationUs);
    return this.#bounded(Math.ceil(this.#smoothedUs + varianceUs));
  }

  /** Longer than the negotiated timer, or 5 s: usually the peer's own is the same. */
  get #beyondPeerUs(): number {
    return 1.5 * this.#timeoutUsMax;
  }

  #begin(sampleUs: number): void {
    this.#smoothedUs = sampleUs;
    this.#variationUs = sampleUs / 2;
  }

  #bounded(timeoutUs: number): number {
    return Math.min(Math.max(timeoutUs, this.#timeoutUsMin), this.#timeoutUsMax);
  }
}
