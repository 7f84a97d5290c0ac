// How fast a window is let go (protocol layer, pure). A window on a clean path goes out at once. Where windows lose
// blocks, a queue on the way is shorter than the window: then it goes out in small bursts, at a rate that additive
// increase and multiplicative decrease find. The negotiated window never changes, only the time that it takes.

import { mark } from "#base/mark.ts";

import type { SenderOptions } from "./sender-options.ts";

/** What a pacer needs to know of its transfer. */
type PacerOptions = Pick<
  SenderOptions,
  "windowBlocks" | "blockBytes" | "isPaced" | "burstBlocksMax"
>;

/**
 * Two windows must have lost blocks within so many before pacing begins: a single loss in 1,500 windows of 64, as on
 * a cable that loses one packet in 100,000, is no reason (a guess).
 */
const windowsBetweenLosses = 16;

/**
 * Additive increase: so many bytes per second more with every second of sending, the same for every transfer, because that is
 * what makes competing ones equal. On 100 Mbit/s it is half of the link in a second. Found with test/sim/bottleneck.test.ts, as
 * are the numbers below that are not called a guess.
 */
const growthBytesPerS2 = 12_500_000;
/** On slow links no more than this part of the rate in one window. */
const growthPartMax = 1 / 8;

/** A loss while the path delivers at least this part of the rate is no sign of a full queue, and slows nothing down. */
const keepingUp = 0.9;
/** Multiplicative decrease goes down to what the path delivers, but not below this part of the rate. */
const decrease = 0.5;
/** So many windows in a row that lost, and a silence that no measurement explains, go down to this part of the rate. */
const doubtfulLosses = 8;
const slightDecrease = 7 / 8;
/** So much of what was measured is forgotten with each measurement that is lower: clients pause, too. */
const forgetting = 1 / 16;

/** At least this part of the time between a window and its answer is taken for the window's own (a guess). */
const durationPartMin = 1 / 8;

/** The slowest: so many seconds for a window, which the patience of every client allows (a guess). */
const windowSecondsMax = 1;
/** A window that goes out within so many seconds might as well go at once: timers do no better. */
const windowSecondsMin = 0.0001;
/** So might one that goes out so many times as fast as the path delivers, and loses nothing (a guess). */
const headroomMax = 4;

/** One burst of a paced window is what is due in 500 µs, at most half of a small switch's queue, and a quarter of the window (guesses). */
const burstSeconds = 0.0005;
const pacedBurstBlocksMax = 8;
const burstsPerWindow = 4;
/** The time between two bursts where only their length is limited: clients that need it empty their rings in less (a guess). */
const burstGapUs = 1_000;

/** The pace of one transfer. */
export class Pacer {
  readonly #windowBlocks: number;
  /** Blocks per second squared. */
  readonly #growth: number;
  readonly #isAdaptive: boolean;
  readonly #burstBlocksMax: number;

  /** Blocks per second; Infinity while it does not pace. */
  #rate = Infinity;
  /** Blocks per second that got through lately, 0 where nothing was measured; and whether that was since the last silence. */
  #delivered = 0;
  #isMeasured = false;
  #windowsSinceLoss = Infinity;
  #lossesInRow = 0;
  /** The pace has just begun, perhaps too slow, for the peer may have paused: every window doubles the rate, until one loses. */
  #isSearching = false;

  /** Blocks of one burst, and the time to the next. */
  #burstBlocks: number;
  #gapUs: number = burstGapUs;
  /** What is left of this burst, and when the next is due. */
  #leftBlocks = 0;
  #releaseUs = -Infinity;

  constructor({ windowBlocks, blockBytes, isPaced, burstBlocksMax }: PacerOptions) {
    this.#windowBlocks = windowBlocks;
    this.#growth = growthBytesPerS2 / blockBytes;
    this.#isAdaptive = isPaced ?? true;
    this.#burstBlocksMax = burstBlocksMax ?? Infinity;
    this.#burstBlocks = this.#burstBlocksMax;
  }

  /** Blocks per second that are let go; Infinity while it does not pace. */
  get rate(): number {
    return this.#rate;
  }

  /** When {@link release} lets go again; not later than now if it does at once. */
  get releaseUs(): number {
    return this.#leftBlocks > 0 ? -Infinity : this.#releaseUs;
  }

  /** How many blocks may go now. What is not sent of them may go later. */
  release(nowUs: number): number {
    if (this.#burstBlocks === Infinity) return Infinity;
    if (this.#leftBlocks > 0) return this.#leftBlocks;
    if (nowUs < this.#releaseUs) return 0;
    // A late burst does not delay the next, so that the rate is kept by a busy server too.
    const isLate = this.#rate < Infinity && nowUs - this.#releaseUs < this.#gapUs;
    this.#releaseUs = (isLate ? this.#releaseUs : nowUs) + this.#gapUs;
    this.#leftBlocks = this.#burstBlocks;
    return this.#leftBlocks;
  }

  noteSent(blocks: number): void {
    this.#leftBlocks -= blocks;
  }

  /** `blocks` blocks, and the answer to them, got through within this time, on a path whose round trip is `roundTripUs`. */
  noteDelivery(blocks: number, elapsedUs: number, roundTripUs: number): void {
    // The round trip may have been measured in a queue, or while the peer was busy: some of this time was its blocks'.
    const durationUs = Math.max(elapsedUs - roundTripUs, elapsedUs * durationPartMin, 1);
    // Where the path is no slower than the sender, nothing is learned of it.
    const measured = Math.min((blocks * 1e6) / durationUs, this.#rate);
    this.#delivered = Math.max(measured, this.#delivered * (1 - forgetting));
    this.#isMeasured = true;
    if (this.#rate < Infinity) this.#setRate(this.#rate + this.#growthOf(blocks));
  }

  /** A window was acknowledged, and nothing of it lost. */
  noteWindow(): void {
    this.#windowsSinceLoss += 1;
    this.#lossesInRow = 0;
    const isIdle = this.#windowsSinceLoss > windowsBetweenLosses;
    if (isIdle && this.#rate > headroomMax * this.#delivered) this.#setRate(Infinity);
  }

  /** A block of a window was lost, and the peer said so; after {@link noteDelivery} where it could be measured. */
  noteLoss(): void {
    if (!this.#isRecurring()) return;
    if (this.#rate === Infinity) {
      this.#begin(this.#delivered);
    } else if (this.#isMeasured && this.#delivered < keepingUp * this.#rate) {
      mark("pace-slows-on-loss");
      this.#setRate(Math.max(this.#delivered, decrease * this.#rate));
    } else if (this.#lossesInRow % doubtfulLosses === 0) {
      this.#setRate(slightDecrease * this.#rate);
    }
  }

  /** The peer said nothing for `timeoutUs`: the end of a window was lost, or all of it. */
  noteSilence(timeoutUs: number): void {
    if (!this.#isRecurring()) return;
    if (this.#rate === Infinity) {
      // Where nothing was measured: the window again, within a quarter of the time that was waited for it.
      this.#begin(this.#delivered === 0 ? (this.#windowBlocks * 4e6) / timeoutUs : this.#delivered);
    } else {
      mark("pace-slows-on-loss");
      const least = slightDecrease * this.#rate;
      const rate = this.#isMeasured ? Math.max(this.#delivered, least) : least;
      this.#setRate(Math.min(this.#rate, rate));
    }
    // What was measured explains one silence, not the next.
    this.#isMeasured = false;
  }

  /** What `blocks` blocks that got through add to the rate. */
  #growthOf(blocks: number): number {
    const doubling = (this.#rate * blocks) / this.#windowBlocks;
    if (this.#isSearching) return doubling;
    return Math.min((this.#growth * blocks) / this.#rate, growthPartMax * doubling);
  }

  /** Whether this loss comes soon after another. */
  #isRecurring(): boolean {
    const isRecurring = this.#windowsSinceLoss <= windowsBetweenLosses;
    this.#windowsSinceLoss = 0;
    this.#lossesInRow += 1;
    this.#isSearching = false;
    return this.#isAdaptive && isRecurring;
  }

  #begin(rate: number): void {
    if (rate === 0) return;
    mark("pace-begins-on-loss");
    this.#isSearching = true;
    this.#setRate(rate);
  }

  #setRate(rate: number): void {
    const bounded = Math.max(rate, this.#windowBlocks / windowSecondsMax);
    this.#rate = bounded * windowSecondsMin > this.#windowBlocks ? Infinity : bounded;
    if (this.#rate === Infinity) {
      mark("pace-ends");
      this.#burstBlocks = this.#burstBlocksMax;
      this.#gapUs = burstGapUs;
      this.#releaseUs = -Infinity;
      return;
    }
    const burst = Math.floor(
      Math.min(this.#rate * burstSeconds, this.#windowBlocks / burstsPerWindow),
    );
    const burstMax = Math.min(pacedBurstBlocksMax, this.#burstBlocksMax);
    this.#burstBlocks = Math.min(Math.max(burst, 1), burstMax);
    this.#gapUs = (this.#burstBlocks * 1e6) / this.#rate;
  }
}
