// The receiving side of a transfer (protocol layer, pure): decides which DATA is taken, what is acknowledged
// and when, and how it ends. Sees no byte of payload, no socket and no clock; allocates nothing once made.
//
// Order of calls: `start`; then, whenever a `handle…` or a command was called, `pollTransmit` until it says
// none; `handleTimeout` once `deadlineUs` is reached. Times are microseconds of any steady clock.
// The last block is acknowledged only when the owner says `complete`: until then nothing was promised.

import { assert } from "#base/assert.ts";
import { mark } from "#base/mark.ts";

import { blocksBeyond, cycleBlocks, repeatedBlock, type RolloverTo } from "./blocks.ts";
import { errorReplies, type ErrorReply } from "./error-reply.ts";
import { LostAck } from "./lost-ack.ts";
import { type Outcome, type ReceiverAbort, receiverFarewells } from "./outcome.ts";
import { ReceiverCounts, type ReceiverStatistics } from "./receiver-counts.ts";
import type { FirstReply, ReceiverOptions } from "./receiver-options.ts";
import { repetitionsMax, RoundTrip, timeoutUsMaxDefault } from "./rtt.ts";

/** What {@link Receiver.pollTransmit} asks to be sent. */
export const Reply = { none: 0, oack: 1, ack: 2, error: 3 } as const;
export type Reply = (typeof Reply)[keyof typeof Reply];

/**
 * What became of a DATA packet. `accepted`: it is {@link Receiver.acceptedBlock} now, and its payload is to be
 * kept; in every other case the payload is to be forgotten. `duplicate`: it had been accepted before.
 * `gap`: a block before it is missing. `ignored`: no block of this window, or of a transfer that is over.
 */
export const Fate = { ignored: 0, accepted: 1, duplicate: 2, gap: 3 } as const;
export type Fate = (typeof Fate)[keyof typeof Fate];

/** One transfer from a peer: RFC 1350 with the windows of RFC 7440. */
export class Receiver {
  readonly #blockBytes: number;
  readonly #windowBlocks: number;
  readonly #rolloverTo: RolloverTo;
  readonly #patienceUs: number;
  readonly #dallyUs: number;
  readonly #firstReply: FirstReply;
  readonly #roundTrip: RoundTrip;
  readonly #lostAck: LostAck = new LostAck();
  readonly #statistics = new ReceiverCounts();

  #outcome: Outcome = "running";
  #errorReply: ErrorReply | undefined;
  #isErrorDue = false;

  /** The peer has sent DATA: its address is real, and it has our first reply. */
  #hasHeard = false;
  #wasInvitedAgain = false;
  #isFirstReplyDue = false;
  #isAckDue = false;
  /** What was polled last. */
  #polled: Reply = Reply.none;

  #acceptedBlock = 0;
  /** The block that our last ACK named. The window, all that the peer may send, lies behind it. */
  #ackedBlock = 0;
  /** The same before that ACK, for the case that the kernel does not take it. */
  #ackedBefore = 0;
  #hasLastBlock = false;
  #isDallying = false;
  #isPaused = false;

  /** A gap has not been complained of yet. */
  #mayNack = true;
  /** Repetitions for want of an answer since the last progress. */
  #silences = 0;
  /** By Karn's rule a reply that went out twice, or inside a window, measures nothing. */
  #isMeasurable: boolean;
  #transmitUs = 0;
  #progressUs = 0;
  #deadlineUs = Infinity;

  constructor(options: ReceiverOptions) {
    const { blockBytes, windowBlocks, rolloverTo, timeoutUs, firstReply } = options;
    assert(blockBytes >= 1, "a block holds something");
    assert(windowBlocks >= 1 && windowBlocks < cycleBlocks(rolloverTo), "window fits the cycle");
    assert(windowBlocks === 1 || firstReply !== "none", "a window is negotiated");
    this.#blockBytes = blockBytes;
    this.#windowBlocks = windowBlocks;
    this.#rolloverTo = rolloverTo;
    // A peer that asked for a longer timeout than our patience still gets one repetition.
    this.#patienceUs = Math.max(options.patienceUs, 2 * (timeoutUs ?? 0));
    this.#dallyUs = options.dallyUs ?? 2 * (timeoutUs ?? timeoutUsMaxDefault);
    this.#firstReply = firstReply;
    this.#isMeasurable = firstReply !== "none";
    this.#roundTrip = new RoundTrip(timeoutUs, options.firstTimeoutUs, options.random);
  }

  /** The last block, absolute, that was accepted; 0 before any. */
  get acceptedBlock(): number {
    return this.#acceptedBlock;
  }

  /** Whether {@link acceptedBlock} is the end of the file. */
  get hasLastBlock(): boolean {
    return this.#hasLastBlock;
  }

  /** The block, absolute, to name in the ACK that {@link pollTransmit} asked for last. */
  get ackedBlock(): number {
    return this.#ackedBlock;
  }

  /** The last block is there, and its ACK waits for {@link complete} or {@link refuse}. */
  get isHeld(): boolean {
    return this.#outcome === "running" && this.#hasLastBlock && !this.#isDallying;
  }

  /** {@link complete} was called: all that is left is to repeat the final ACK where it was lost. */
  get isDallying(): boolean {
    return this.#outcome === "running" && this.#isDallying;
  }

  /** When {@link handleTimeout} is due; Infinity while it is not the peer that is waited for, and after the end. */
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

  /** Whether {@link pollTransmit} would name an OACK or an ACK if it were not for a pause. */
  get isReplyDue(): boolean {
    return this.#outcome === "running" && (this.#isFirstReplyDue || this.#isAckDue);
  }

  /** When the peer last sent something new; the start, or the end of a pause, before that. */
  get progressUs(): number {
    return this.#progressUs;
  }

  /** Whether the peer has sent any block yet. */
  get hasHeard(): boolean {
    return this.#hasHeard;
  }

  /** Whether the first reply had gone out more than once when the first block came. */
  get wasInvitedAgain(): boolean {
    return this.#wasInvitedAgain;
  }

  get statistics(): ReceiverStatistics {
    return this.#statistics;
  }

  /** Makes the first reply due: the OACK, or ACK 0, or none. */
  start(nowUs: number): void {
    this.#isFirstReplyDue = this.#firstReply !== "none";
    this.#progressUs = nowUs;
    this.#armDeadline(nowUs);
  }

  /**
   * DATA came from the peer; `wire` is its block number, 0–65,535. Only blocks in order are accepted, and
   * none that lies beyond the window: while an ACK is withheld, no more than a window comes in.
   */
  handleData(wire: number, payloadBytes: number, nowUs: number): Fate {
    if (this.#outcome !== "running" || this.#isUnopened()) return Fate.ignored;
    const inWindow = this.#ackedBlock + this.#windowBlocks - this.#acceptedBlock;
    const ahead = blocksBeyond(this.#acceptedBlock, wire, this.#rolloverTo, this.#windowBlocks);
    if (ahead > 0 && ahead <= inWindow && !this.#hasLastBlock) {
      return ahead === 1 ? this.#accept(payloadBytes, nowUs) : this.#handleGap();
    }
    const block = repeatedBlock(this.#acceptedBlock, wire, this.#rolloverTo, this.#windowBlocks);
    if (block > 0) return this.#handleRepeated(block, nowUs);
    // Nothing follows a short block, so what was held for the last was none: its sender has blocks of another size in mind.
    if (ahead > 0 && this.isHeld) {
      mark("block-behind-the-last-refused");
      return this.#refuseAsIllegal();
    }
    // From before the last window, or beyond this one: RFC 1350 gives it no meaning.
    mark("data-outside-window-ignored");
    return Fate.ignored;
  }

  /** An ERROR came from the peer: RFC 1350 §7 ends the transfer, and no answer is sent. */
  handleError(_code: number, _nowUs: number): void {
    if (this.#outcome !== "running") return;
    if (this.#endDally()) return;
    mark("sender-error-ends-transfer");
    this.#end("closed-by-client");
  }

  /** Time has passed. Before `deadlineUs` nothing happens. */
  handleTimeout(nowUs: number): void {
    if (nowUs < this.#deadlineUs) return;
    if (this.#endDally()) return;
    // The same sum as in `#armDeadline`: a difference rounds otherwise.
    const isSilent = nowUs >= this.#progressUs + this.#patienceUs;
    if (isSilent || (!this.#hasHeard && this.#statistics.timeouts >= repetitionsMax)) {
      mark("receiver-gives-up-with-one-error");
      this.#sayGoodbye(errorReplies.timedOut);
      this.#end("gave-up");
      return;
    }
    // While our own reply is still due the peer has nothing to answer: the wait is the kernel's.
    if (!this.#isReplyDue()) this.#repeat();
    this.#armDeadline(nowUs);
  }

  /** What the first reply answered came again: the WRQ, or the OACK. Until the first DATA it is due again. */
  repeatFirstReply(_nowUs: number): void {
    if (this.#outcome !== "running" || this.#hasHeard || this.#firstReply === "none") return;
    if (this.#isFirstReplyDue) return;
    mark("first-reply-repeated-to-sender");
    this.#isFirstReplyDue = true;
    this.#isMeasurable = false;
  }

  /** The owner cannot keep up: from now on nothing is acknowledged, and the peer's silence is no fault. */
  pause(): void {
    if (this.#outcome !== "running" || this.#isDallying) return;
    this.#isPaused = true;
    this.#deadlineUs = Infinity;
  }

  /** The owner has caught up: what was withheld goes out, and the patience begins anew. */
  resume(nowUs: number): void {
    if (this.#outcome !== "running" || !this.#isPaused) return;
    this.#isPaused = false;
    this.#progressUs = nowUs;
    this.#silences = 0;
    this.#armDeadline(nowUs);
  }

  /**
   * The file is where it shall be, whole and safe: the final ACK is due. Then RFC 1350 §6, dallying: for a
   * while a repetition of the last block is acknowledged again, and after it the outcome is `complete`.
   */
  complete(nowUs: number): void {
    if (this.#outcome !== "running") return;
    assert(this.isHeld, "only what was received as a whole is complete");
    mark("final-ack-sent-when-complete");
    this.#isDallying = true;
    this.#isPaused = false;
    this.#isAckDue = true;
    this.#deadlineUs = nowUs + this.#dallyUs;
  }

  /** The file cannot be kept: `reply` goes out, once, instead of the next or the final ACK. */
  refuse(reply: ErrorReply): void {
    if (this.#outcome !== "running") return;
    assert(!this.#isDallying, "what was acknowledged is kept");
    mark("error-in-place-of-ack");
    this.#sayGoodbye(reply);
    this.#end("refused");
  }

  /** We end the transfer. What the peer is told, if anything, is polled once. What is complete stays so. */
  abort(outcome: ReceiverAbort): void {
    if (this.#outcome !== "running") return;
    const reply = receiverFarewells[outcome];
    const isAckDue = this.#isAckDue && reply !== undefined;
    if (this.#endDally()) {
      // The final ACK did not go out yet; it is what the peer is told.
      this.#isAckDue = isAckDue;
      return;
    }
    this.#sayGoodbye(reply);
    this.#end(outcome);
  }

  /**
   * What is to be sent now. For an ACK, {@link ackedBlock} is the block to name; for an error,
   * {@link errorReply} is the packet. What was named counts as sent.
   */
  pollTransmit(nowUs: number): Reply {
    if (this.#isErrorDue) {
      this.#isErrorDue = false;
      this.#polled = Reply.error;
      return Reply.error;
    }
    if (this.#isPaused || !this.#isReplyDue()) return Reply.none;
    this.#polled = this.#isFirstReplyDue && this.#firstReply === "oack" ? Reply.oack : Reply.ack;
    this.#noteTransmit(nowUs);
    this.#isFirstReplyDue = false;
    this.#isAckDue = false;
    this.#ackedBefore = this.#ackedBlock;
    this.#ackedBlock = this.#acceptedBlock;
    this.#statistics.repliesSent++;
    this.#armDeadline(nowUs);
    return this.#polled;
  }

  /** The kernel did not take what was polled last: it is due again. */
  handleUnsent(): void {
    if (this.#polled === Reply.error) this.#isErrorDue = true;
    if (this.#outcome !== "running") return;
    this.#statistics.repliesSent--;
    this.#ackedBlock = this.#ackedBefore;
    if (this.#hasHeard) this.#isAckDue = true;
    else this.#isFirstReplyDue = true;
  }

  #isReplyDue(): boolean {
    return this.#isFirstReplyDue || this.#isAckDue;
  }

  #noteTransmit(nowUs: number): void {
    this.#transmitUs = nowUs;
    const blocks = this.#acceptedBlock - this.#ackedBlock;
    if (blocks >= this.#windowBlocks || this.#isUnopened()) this.#lostAck.noteFirst(nowUs);
    else this.#lostAck.noteAgain(nowUs);
  }

  /** A peer that has not been answered cannot know how long a block is: what it sends means nothing. */
  #isUnopened(): boolean {
    return this.#firstReply !== "none" && this.#statistics.repliesSent === 0;
  }

  /** The block that was waited for. RFC 7440 §4: an ACK at the end of the window; none before it. */
  #accept(payloadBytes: number, nowUs: number): Fate {
    if (payloadBytes > this.#blockBytes) {
      mark("block-too-long-refused");
      return this.#refuseAsIllegal();
    }
    if (this.#acceptedBlock === this.#ackedBlock) {
      this.#lostAck.noteAnswer(nowUs);
      if (this.#isMeasurable) this.#measure(nowUs);
      else this.#roundTrip.limitBackOff(nowUs - this.#progressUs);
    }
    this.#acceptedBlock++;
    this.#statistics.blocksAccepted++;
    this.#noteHeard();
    this.#progressUs = nowUs;
    this.#silences = 0;
    this.#mayNack = true;
    this.#lostAck.noteProgress();
    // Of a gap that was to be complained of, nothing is left.
    this.#isAckDue = false;
    if (payloadBytes < this.#blockBytes) {
      mark("final-ack-held");
      this.#hasLastBlock = true;
    } else if (this.#acceptedBlock - this.#ackedBlock >= this.#windowBlocks) {
      mark("window-end-acknowledged");
      this.#isAckDue = true;
      this.#isMeasurable = true;
    }
    this.#armDeadline(nowUs);
    return Fate.accepted;
  }

  /**
   * RFC 7440 §4: a block is missing, and the last one in order is acknowledged, so that the peer begins
   * behind it. Once: the rest of the window, already under way, would only say the same.
   */
  #handleGap(): Fate {
    this.#statistics.blocksEarly++;
    this.#noteHeard();
    if (!this.#mayNack) {
      mark("gap-not-acknowledged-again");
      return Fate.gap;
    }
    mark("gap-acknowledged-once");
    this.#mayNack = false;
    this.#statistics.nacks++;
    this.#repeatAck();
    return Fate.gap;
  }

  /** A block came again. If our last ACK was lost, it is repeated; inside a window there has been none yet. */
  #handleRepeated(block: number, nowUs: number): Fate {
    this.#statistics.blocksRepeated++;
    if (this.isHeld) {
      mark("repetition-while-held-ignored");
    } else if (this.#lostAck.isLost(block, nowUs) && this.#acceptedBlock === this.#ackedBlock) {
      mark("repetition-acknowledged-once-a-burst");
      this.#repeatAck();
    } else {
      mark("repetition-not-acknowledged");
    }
    return Fate.duplicate;
  }

  #noteHeard(): void {
    if (!this.#hasHeard) this.#wasInvitedAgain = this.#statistics.repliesSent > 1;
    this.#hasHeard = true;
    this.#isFirstReplyDue = false;
  }

  #measure(nowUs: number): void {
    this.#roundTrip.sample(nowUs - this.#transmitUs);
    this.#statistics.rttUs = this.#roundTrip.smoothedUs;
  }

  /** Says again what the peer has, or how it may begin, with a longer timeout. */
  #repeat(): void {
    this.#statistics.timeouts++;
    this.#silences++;
    this.#roundTrip.backOff();
    if (!this.#hasHeard) {
      mark("first-reply-repeated-on-timeout");
      this.#isFirstReplyDue = true;
      this.#isMeasurable = false;
      return;
    }
    mark("last-block-in-order-acknowledged-on-timeout");
    this.#mayNack = true;
    this.#repeatAck();
  }

  #repeatAck(): void {
    this.#isAckDue = true;
    this.#isMeasurable = false;
  }

  #armDeadline(nowUs: number): void {
    if (this.#isDallying) return;
    const patientUntilUs = this.#progressUs + this.#patienceUs;
    if (this.#isPaused || this.#hasLastBlock) this.#deadlineUs = Infinity;
    else if (this.#firstReply === "none" && !this.#hasHeard) this.#deadlineUs = patientUntilUs;
    else
      this.#deadlineUs = Math.min(nowUs + this.#roundTrip.peaceUs(this.#silences), patientUntilUs);
  }

  /** Whether the transfer was only dallying. Then, whatever happens, it is over, and complete. */
  #endDally(): boolean {
    if (!this.#isDallying) return false;
    mark("dally-ends-complete");
    this.#end("complete");
    return true;
  }

  #refuseAsIllegal(): Fate {
    this.#sayGoodbye(errorReplies.illegalOperation);
    this.#end("protocol-error");
    return Fate.ignored;
  }

  #sayGoodbye(reply: ErrorReply | undefined): void {
    this.#errorReply = reply;
    this.#isErrorDue = reply !== undefined;
  }

  #end(outcome: Outcome): void {
    this.#outcome = outcome;
    this.#isFirstReplyDue = false;
    this.#isAckDue = false;
    this.#deadlineUs = Infinity;
  }
}
