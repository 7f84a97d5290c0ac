// The sending side of a transfer (protocol layer, pure): decides which blocks go out and when, and how it
// ends. Knows no bytes of the file, no socket and no clock; allocates nothing once it is made.
//
// Order of calls: `start`; then, whenever a `handle…` or a command was called, `pollTransmit` until it says
// none; `handleTimeout` once `deadlineUs` is reached. Times are microseconds of any steady clock.

import { assert } from "#base/assert.ts";
import { mark } from "#base/mark.ts";

import { blocksBeyond, cycleBlocks, type RolloverTo } from "./blocks.ts";
import { errorReplies, type ErrorReply } from "./error-reply.ts";
import { type AbortOutcome, farewells, type Outcome } from "./outcome.ts";
import { Pacer } from "./pacer.ts";
import { lastPatienceUs, repetitionsMax, RoundTrip } from "./rtt.ts";
import { SendWindow } from "./send-window.ts";
import { SenderCounts, type SenderStatistics } from "./sender-counts.ts";
import type { SenderOptions } from "./sender-options.ts";

/** What {@link Sender.pollTransmit} asks to be sent. */
export const Transmit = { none: 0, oack: 1, data: 2, error: 3 } as const;
export type Transmit = (typeof Transmit)[keyof typeof Transmit];

/** One transfer to a peer: RFC 1350 with the windows of RFC 7440. */
export class Sender {
  readonly #window: SendWindow;
  readonly #rolloverTo: RolloverTo;
  readonly #patienceUs: number;
  readonly #unheardRepeatsMax: number;
  readonly #hasOack: boolean;
  readonly #isRequester: boolean;
  readonly #roundTrip: RoundTrip;
  /** Undefined without windows, where each ACK lets go of one block. */
  readonly #pacer: Pacer | undefined;
  readonly #statistics = new SenderCounts();

  #lastIsEmpty: boolean;
  #outcome: Outcome = "running";
  #errorReply: ErrorReply | undefined;
  #isErrorDue = false;

  /** The peer has acknowledged something: its address is real. */
  #hasHeard: boolean;
  #isOackDue = false;
  /** By Karn's rule an OACK that went out twice measures nothing. */
  #wasOackRepeated = false;

  /** A repeated ACK may be taken as a request for the window. */
  #mayNack = true;
  /** The window was sent again as a whole, so that the peer may have two copies, and acknowledge both. */
  #wasWindowRepeated = false;
  /** Timeouts since the last progress. */
  #repetitions = 0;
  #transmitUs = 0;
  #progressUs = 0;
  #deadlineUs = Infinity;

  constructor(options: SenderOptions) {
    const { windowBlocks, rolloverTo, timeoutUs, hasOack, lastBlock } = options;
    const isRequester = options.isRequester ?? false;
    assert(windowBlocks >= 1 && windowBlocks < cycleBlocks(rolloverTo), "window fits the cycle");
    assert(windowBlocks === 1 || hasOack || isRequester, "a window is negotiated");
    assert(!hasOack || !isRequester, "who asks sends no OACK");
    assert(lastBlock >= 1, "every file has a last block");
    this.#window = new SendWindow(windowBlocks, lastBlock);
    this.#rolloverTo = rolloverTo;
    // A client that asked for a longer timeout than our patience still gets one repetition.
    this.#patienceUs = Math.max(options.patienceUs, 2 * (timeoutUs ?? 0));
    this.#unheardRepeatsMax = options.unheardRepeatsMax ?? repetitionsMax;
    this.#hasOack = hasOack;
    this.#isRequester = isRequester;
    this.#hasHeard = isRequester;
    this.#lastIsEmpty = options.lastIsEmpty ?? false;
    this.#roundTrip = new RoundTrip(timeoutUs, options.firstTimeoutUs, options.random);
    this.#pacer = windowBlocks === 1 ? undefined : new Pacer(options);
  }

  /** First block, absolute, of the run that {@link pollTransmit} named last. */
  get firstBlock(): number {
    return this.#window.firstBlock;
  }

  /** Blocks in the run that {@link pollTransmit} named last. */
  get blockCount(): number {
    return this.#window.blockCount;
  }

  /** When {@link handleTimeout} is due; Infinity once the transfer has ended. */
  get deadlineUs(): number {
    return this.#deadlineUs;
  }

  get outcome(): Outcome {
    return this.#outcome;
  }

  /** The ERROR to send when {@link pollTransmit} says error. */
  get errorReply(): ErrorReply | undefined {
    return this.#errorReply;
  }

  /** The last block, absolute, that the peer has; 0 before any. */
  get ackedBlock(): number {
    return this.#window.ackedBlock;
  }

  /** When the peer last acknowledged something new; the start before that. */
  get progressUs(): number {
    return this.#progressUs;
  }

  /** Whether the peer has acknowledged anything yet. */
  get hasHeard(): boolean {
    return this.#hasHeard;
  }

  /** Until when {@link pollTransmit} names no blocks, although some are due: a paced window waits. */
  get releaseUs(): number {
    return this.#pacer?.releaseUs ?? -Infinity;
  }

  /** Whether {@link pollTransmit} has something to name, now or at {@link releaseUs}. */
  get isTransmitDue(): boolean {
    if (this.#isErrorDue) return true;
    return this.#outcome === "running" && (this.#isOackDue || this.#blocksDue() > 0);
  }

  get statistics(): SenderStatistics {
    return this.#statistics;
  }

  /** Makes the first reply due: the OACK, or DATA 1. */
  start(nowUs: number): void {
    this.#isOackDue = this.#hasOack;
    this.#progressUs = nowUs;
    this.#armDeadline(nowUs);
  }

  /** An ACK came from the peer; `wire` is its block number, 0–65,535. */
  handleAck(wire: number, nowUs: number): void {
    if (this.#outcome !== "running") return;
    if (this.#awaitsOackAck()) {
      this.#handleOackAck(wire, nowUs);
      return;
    }
    const { ackedBlock, highestSent } = this.#window;
    const inFlight = highestSent - ackedBlock;
    const blocks = blocksBeyond(ackedBlock, wire, this.#rolloverTo, inFlight);
    if (blocks > 0) this.#advance(blocks, nowUs);
    else if (blocks === 0) this.#handleRepeatedAck(nowUs);
    // A block that was never sent, or one from before the wrap: RFC 1350 gives it no meaning.
    else mark("ack-outside-window-ignored");
  }

  /** An ERROR came from the peer: RFC 1350 §7 ends the transfer, and no answer is sent. */
  handleError(code: number, _nowUs: number): void {
    if (this.#outcome !== "running") return;
    const { ackedBlock, lastBlock } = this.#window;
    const isLastMissing = this.#lastIsEmpty && ackedBlock === lastBlock - 1;
    if (code === 0 && isLastMissing && !this.#isRequester) {
      // PXELINUX knows the size from `tsize` and does not wait for an empty last block.
      mark("client-skips-empty-last-block");
      this.#end("complete");
    } else if (this.#awaitsOackAck() && (code === 0 || code === 8)) {
      mark("client-probes-with-oack");
      this.#end("probe");
    } else {
      mark("client-error-ends-transfer");
      this.#end("closed-by-client");
    }
  }

  /** Time has passed. Before `deadlineUs` nothing happens. */
  handleTimeout(nowUs: number): void {
    if (nowUs < this.#deadlineUs) return;
    // The same sum as in `#armDeadline`: a difference rounds otherwise, and a deadline that is due but
    // never passes would send without end.
    const isSilent = nowUs >= this.#progressUs + this.#patienceUs;
    const wasAllSent = this.#window.highestSent >= this.#window.lastBlock;
    const isLastOver = wasAllSent && nowUs >= this.#progressUs + lastPatienceUs;
    const isBounded = isLastOver || !this.#hasHeard;
    if (isSilent || (isBounded && this.#repetitions >= repetitionsMax)) {
      this.#giveUp(wasAllSent);
      return;
    }
    // While our own packets are still due the peer has nothing to answer: the wait is the kernel's.
    if (!this.isTransmitDue) this.#repeat();
    this.#armDeadline(nowUs);
  }

  /** The request came again. Until the first ACK the first reply is due again, from the same TID. */
  repeatFirstReply(_nowUs: number): void {
    if (this.#outcome !== "running" || this.#hasHeard || this.isTransmitDue) return;
    mark("first-reply-repeated");
    if (this.#awaitsOackAck()) this.#repeatOack();
    else this.#window.rewind();
  }

  /**
   * The end became known while blocks were made: `block` is the last one, absolute. Blocks beyond it that
   * were polled already do not exist, and count as not sent.
   */
  setLastBlock(block: number, isEmpty: boolean = false): void {
    assert(block > this.#window.ackedBlock, "the last block lies ahead");
    this.#window.lastBlock = block;
    this.#lastIsEmpty = isEmpty;
    if (this.#window.nextBlock > block + 1) this.#takeBack(block + 1);
  }

  /** The server ends the transfer. What the peer is told, if anything, is polled once. */
  abort(outcome: AbortOutcome): void {
    if (this.#outcome !== "running") return;
    this.#sayGoodbye(farewells[outcome]);
    this.#end(outcome);
  }

  /**
   * What is to be sent now. For data, {@link firstBlock} and {@link blockCount} name a run of at most
   * `blocksMax` blocks; for an error, {@link errorReply} is the packet. What was named counts as sent.
   */
  pollTransmit(blocksMax: number, nowUs: number): Transmit {
    if (this.#isErrorDue) {
      this.#isErrorDue = false;
      return Transmit.error;
    }
    if (this.#outcome !== "running") return Transmit.none;
    if (this.#isOackDue) {
      this.#isOackDue = false;
      this.#transmitUs = nowUs;
      this.#armDeadline(nowUs);
      return Transmit.oack;
    }
    const blocks = this.#blocksReleased(blocksMax, nowUs);
    if (blocks <= 0) return Transmit.none;
    this.#window.advance(blocks, nowUs);
    this.#statistics.blocksSent += blocks;
    this.#statistics.blocksResent += this.#window.repetitionsIn(this.firstBlock, blocks);
    this.#transmitUs = nowUs;
    this.#armDeadline(nowUs);
    return Transmit.data;
  }

  /** The kernel took nothing from `firstBlock` on, 0 meaning the OACK: it is due again. */
  handleUnsent(firstBlock: number): void {
    if (this.#outcome !== "running") return;
    if (firstBlock === 0) this.#isOackDue = this.#awaitsOackAck();
    else if (firstBlock > this.#window.ackedBlock && firstBlock < this.#window.nextBlock) {
      this.#takeBack(firstBlock);
    }
  }

  /** Of the blocks that are due, at most `blocksMax`, those that may go out now. */
  #blocksReleased(blocksMax: number, nowUs: number): number {
    const blocks = Math.min(blocksMax, this.#blocksDue());
    if (this.#pacer === undefined || blocks <= 0) return blocks;
    const released = Math.min(blocks, this.#pacer.release(nowUs));
    this.#pacer.noteSent(released);
    return released;
  }

  #awaitsOackAck(): boolean {
    return this.#hasOack && !this.#hasHeard;
  }

  /** RFC 2347: the client acknowledges an OACK with ACK 0, and only then gets DATA 1. */
  #handleOackAck(wire: number, nowUs: number): void {
    if (wire !== 0) {
      mark("ack-before-data-ignored");
      return;
    }
    mark("data-waits-for-ack-0");
    this.#isOackDue = false;
    if (!this.#wasOackRepeated) this.#measure(nowUs);
    // An OACK that went out twice may be acknowledged twice: see `#advance`.
    this.#mayNack = !this.#wasOackRepeated;
    this.#noteProgress(nowUs);
  }

  /** The peer has `blocks` more blocks. RFC 7440 §4: the next window begins behind them, wherever that is. */
  #advance(blocks: number, nowUs: number): void {
    const highest = this.#window.highestSent;
    const acked = this.#window.ackedBlock + blocks;
    // Karn's rule: only a block that went out once tells how long its ACK took.
    const isFirstCopy = acked > this.#window.sentBefore;
    if (isFirstCopy) this.#measureUpTo(acked, nowUs);
    else if (this.#pacer === undefined) this.#roundTrip.limitBackOff(nowUs - this.#progressUs);
    if (isFirstCopy || !this.#wasWindowRepeated) this.#noteDelivery(acked, nowUs);
    this.#window.ackedBlock = acked;
    this.#noteProgress(nowUs);
    // If the last window went out twice, its second copy may be acknowledged too, and late: taking that
    // for a request would double this window, and the next, for the rest of the transfer.
    this.#mayNack = !this.#wasWindowRepeated;
    this.#wasWindowRepeated = false;
    if (acked === this.#window.lastBlock) {
      mark("last-block-acknowledged");
      this.#end("complete");
    } else if (acked < highest && this.#isEcho(acked, nowUs)) {
      mark("echo-of-repeated-blocks-moves-window");
      this.#roundTrip.endBackOff();
    } else {
      this.#window.rewind(highest);
      if (acked === highest) {
        this.#pacer?.noteWindow();
        return;
      }
      mark("ack-inside-window-resumes-behind-it");
      this.#pacer?.noteLoss();
      this.#statistics.nacks++;
      // The peer is there and asks, although Karn's rule lets nothing be measured: on a wire that loses
      // some of every window the timeout would never come down again.
      this.#roundTrip.endBackOff();
    }
  }

  /** The last ACK came again. It is an echo, or, in a window, a request for all of it. */
  #handleRepeatedAck(nowUs: number): void {
    if (this.#pacer === undefined) {
      // RFC 1123 §4.2.3.1, the Sorcerer's Apprentice: only the timer repeats.
      mark("repeated-ack-ignored");
      return;
    }
    if (!this.#mayNack || !this.#mayBeAnswer(nowUs)) {
      mark("window-request-ignored");
      return;
    }
    mark("window-request-answered-once");
    this.#pacer.noteLoss();
    this.#mayNack = false;
    this.#wasWindowRepeated = true;
    this.#statistics.nacks++;
    this.#window.rewind();
  }

  /**
   * Whether the ACK of a block inside the window says nothing about this pass, so that what follows the
   * block is under way, and to send it again would be answered alike, for the rest of the transfer. It is
   * so when the block had gone out before this pass, and either the ACK comes too soon, and answers the
   * pass before; or the block was the last of that pass: the peer had all of it and acknowledges the
   * repetition, as EDK2 does. A wrong guess costs one round trip, or one timeout.
   */
  #isEcho(block: number, nowUs: number): boolean {
    if (block > this.#window.sentBefore) return false;
    return block === this.#window.sentBefore || !this.#mayBeAnswer(nowUs);
  }

  /**
   * Whether an ACK that comes now can have been caused by this pass. One that comes sooner than
   * half the shortest round trip was under way already: EDK2 sends one for every block out of order.
   */
  #mayBeAnswer(nowUs: number): boolean {
    return nowUs - this.#window.passUs > this.#roundTrip.leastUs / 2;
  }

  /** Tells the pacer how long this pass took up to block `acked`. */
  #noteDelivery(acked: number, nowUs: number): void {
    const { nextBlock, passBlock, passUs } = this.#window;
    // A gap is reported by the block behind it: so that one, and the one that is missing, took their time too.
    const isGap = acked < nextBlock - 1;
    const blocks = acked - passBlock + (isGap ? 3 : 1);
    this.#pacer?.noteDelivery(blocks, nowUs - passUs, this.#roundTrip.leastUs);
  }

  #noteProgress(nowUs: number): void {
    this.#hasHeard = true;
    this.#repetitions = 0;
    this.#progressUs = nowUs;
    this.#armDeadline(nowUs);
  }

  #measureUpTo(acked: number, nowUs: number): void {
    if (acked === this.#window.nextBlock - 1) this.#measure(nowUs);
    else this.#roundTrip.noteAtMost(nowUs - this.#window.passUs);
  }

  #measure(nowUs: number): void {
    this.#roundTrip.sample(nowUs - this.#transmitUs);
    this.#statistics.rttUs = this.#roundTrip.smoothedUs;
  }

  /** Repeats what the peer has not acknowledged, with a longer timeout. */
  #repeat(): void {
    this.#statistics.timeouts++;
    this.#repetitions++;
    const { timeoutUs } = this.#roundTrip;
    this.#roundTrip.backOff();
    if (!this.#hasHeard && this.#repetitions > this.#unheardRepeatsMax) {
      mark("no-more-repeats-to-a-silent-peer");
      return;
    }
    if (this.#awaitsOackAck()) {
      mark("oack-repeated-on-timeout");
      this.#repeatOack();
      return;
    }
    mark("window-repeated-on-timeout");
    this.#pacer?.noteSilence(timeoutUs);
    this.#mayNack = true;
    this.#wasWindowRepeated = true;
    this.#window.rewind();
  }

  #repeatOack(): void {
    this.#isOackDue = true;
    this.#wasOackRepeated = true;
  }

  /** Makes the blocks from `block` on due again, as if they had not been polled. */
  #takeBack(block: number): void {
    const blocks = this.#window.nextBlock - block;
    this.#pacer?.noteSent(-blocks);
    this.#statistics.blocksSent -= blocks;
    this.#statistics.blocksResent -= this.#window.repetitionsIn(block, blocks);
    this.#window.nextBlock = block;
  }

  /** Blocks that are still to be sent. */
  #blocksDue(): number {
    return this.#awaitsOackAck() ? 0 : this.#window.blocksDue;
  }

  #armDeadline(nowUs: number): void {
    const silences = this.#hasHeard ? this.#repetitions : 0;
    const waitUs = this.#roundTrip.ackWaitUs(silences, this.#statistics.timeouts > silences);
    this.#deadlineUs = Math.min(nowUs + waitUs, this.#progressUs + this.#patienceUs);
  }

  #giveUp(wasAllSent: boolean): void {
    if (wasAllSent) {
      // Some clients never send the last ACK. RFC 1350 §6: the sender of the last DATA may end so.
      mark("last-ack-never-came");
      this.#end("complete-unacknowledged");
      return;
    }
    mark("gives-up-with-one-error");
    this.#sayGoodbye(errorReplies.timedOut);
    this.#end("gave-up");
  }

  #sayGoodbye(reply: ErrorReply | undefined): void {
    this.#errorReply = reply;
    this.#isErrorDue = reply !== undefined;
  }

  #end(outcome: Outcome): void {
    this.#outcome = outcome;
    this.#deadlineUs = Infinity;
  }
}
