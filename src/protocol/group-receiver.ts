// The receiving side of a multicast (protocol layer, pure): RFC 2090 as one of its clients sees it. Takes blocks in any order, asks
// for what is missing while it is the master, keeps quiet while another client is, and asks again where nothing is heard.
//
// Order of calls: `start`; then, whenever a `handle…` or a command was called, `pollTransmit` until it says none; `handleTimeout`
// once `deadlineUs` is reached. Times are microseconds of any steady clock. An ACK asks for the block behind the one that it names;
// that of the last block is sent only when the owner says `complete`.

import { assert } from "#base/assert.ts";
import { mark } from "#base/mark.ts";

import { BlockSet } from "./block-set.ts";
import { errorReplies, type ErrorReply } from "./error-reply.ts";
import type { GroupOutcome, GroupReceiverOptions } from "./group-receiver-options.ts";
import { LostAck } from "./lost-ack.ts";
import { ReceiverCounts, type ReceiverStatistics } from "./receiver-counts.ts";
import { Fate, Reply } from "./receiver.ts";
import { RoundTrip, timeoutUsMaxDefault } from "./rtt.ts";

/**
 * How long others may be served while nothing comes that is new here: each of them may want the whole file. A guess, so that
 * there is an end.
 */
const queuePatienceUs = 3_600_000_000;

/**
 * How long a listener bears silence, in timeouts of the server: more than one, so that the server's own timer goes first. atftpd begins
 * that anew with every packet, whoever sends it, and listeners who asked more often would keep it from ever repeating a block.
 */
const quietTimeouts = 1.5;

/** The longest silence that is borne, once the server has said that others are served: each time twice as long. A guess. */
const quietUsMax = 120_000_000;

/** When a last ACK that was not believed is sent once more: RFC 6298's 1 s, and in most cases the master is done by then. */
const farewellAgainUs = 1_000_000;

/**
 * How long a master repeats its question at its own pace before it leaves the server in peace, for the same reason: four times on a
 * fast network, as any receiver does; once where no round trip was measured yet. A guess.
 */
const promptUs = 500_000;

/**
 * How often a master asks for its first block: 16 s in all, in which servers repeat it by themselves, too. Where multicast does not
 * pass, this is what the attempt costs. A guess.
 */
const unheardAsksMax = 3;

/** One file from a multicast. */
export class GroupReceiver {
  readonly #blockBytes: number;
  readonly #lastBlock: number;
  readonly #lastBlockBytes: number;
  readonly #patienceUs: number;
  readonly #dallyUs: number;
  readonly #blocks: BlockSet;
  readonly #roundTrip: RoundTrip;
  /** Longer than the server's own timer. */
  readonly #quietUsMin: number;
  readonly #lostAck: LostAck = new LostAck();
  readonly #statistics = new ReceiverCounts();

  #outcome: GroupOutcome = "running";
  #errorReply: ErrorReply | undefined;
  #isErrorDue = false;
  #polled: Reply = Reply.none;

  #isMaster: boolean;
  #isAckDue = false;
  #isDallying = false;
  #acceptedBlock = 0;
  /** The block that our last ACK asked for; 0 where none is awaited. */
  #askedBlock = 0;
  #isMeasurable = false;
  /** When that was asked first, and when last. */
  #askedUs = 0;
  #transmitUs = 0;

  #hasHeard = false;
  /** Timeouts since the last change of roles, or answer; for a listener, since anything was heard. */
  #silences = 0;
  /** How long a listener waits before it asks. */
  #quietUs: number;
  /** When something new came last; when the patience began; each the start before that. */
  #newUs = 0;
  #patientSinceUs = 0;
  /** Times that our last ACK was answered as if it meant nothing, and whether it is to be sent once more. */
  #unheeded = 0;
  #isFarewellUnanswered = false;
  #isFarewellDelayed = false;
  #deadlineUs = Infinity;

  constructor(options: GroupReceiverOptions) {
    const { blockBytes, fileBytes, lastBlock, timeoutUs } = options;
    this.#blockBytes = blockBytes;
    this.#lastBlock = lastBlock;
    this.#lastBlockBytes = fileBytes - (lastBlock - 1) * blockBytes;
    assert(this.#lastBlockBytes >= 0 && this.#lastBlockBytes < blockBytes, "it is the last block");
    this.#patienceUs = Math.max(options.patienceUs, 2 * (timeoutUs ?? 0));
    this.#dallyUs = options.dallyUs;
    this.#blocks = new BlockSet(lastBlock);
    this.#roundTrip = new RoundTrip(timeoutUs);
    this.#quietUsMin = quietTimeouts * (timeoutUs ?? timeoutUsMaxDefault);
    this.#quietUs = this.#quietUsMin;
    this.#isMaster = options.isMaster;
  }

  /** The block that was accepted last; 0 before any. */
  get acceptedBlock(): number {
    return this.#acceptedBlock;
  }

  /** Whether every block is there. */
  get isWhole(): boolean {
    return this.#blocks.isFull;
  }

  /** The block to name in the ACK that {@link pollTransmit} asked for last: the one before the first that is missing. */
  get ackedBlock(): number {
    return this.#blocks.firstMissing - 1;
  }

  get isMaster(): boolean {
    return this.#isMaster;
  }

  /** When {@link handleTimeout} is due; Infinity while the owner is waited for, and after the end. */
  get deadlineUs(): number {
    return this.#deadlineUs;
  }

  get outcome(): GroupOutcome {
    return this.#outcome;
  }

  /** The ERROR to send when {@link pollTransmit} says error. */
  get errorReply(): ErrorReply | undefined {
    return this.#errorReply;
  }

  get statistics(): ReceiverStatistics {
    return this.#statistics;
  }

  /** The first OACK has come, and the group is listened to. */
  start(nowUs: number): void {
    this.#newUs = nowUs;
    this.#patientSinceUs = nowUs;
    this.#isAckDue = this.#isMaster;
    this.#armDeadline(nowUs);
  }

  /** Another OACK came: RFC 2090 has it say who the master is. */
  handleOack(isMaster: boolean, nowUs: number): void {
    if (this.#outcome !== "running") return;
    this.#noteAlive(nowUs);
    if (isMaster) this.#becomeMaster(nowUs);
    else this.#becomeListener(nowUs);
  }

  /** DATA came from the server, by the group or not; `wire` is its block number, 0–65,535. */
  handleData(wire: number, payloadBytes: number, nowUs: number): Fate {
    if (this.#outcome !== "running") return Fate.ignored;
    const isBlock = wire >= 1 && wire <= this.#lastBlock;
    const blockBytes = wire === this.#lastBlock ? this.#lastBlockBytes : this.#blockBytes;
    if (!isBlock || payloadBytes !== blockBytes) return this.#refuseBlock();
    this.#hasHeard = true;
    this.#quietUs = this.#quietUsMin;
    this.#noteAlive(nowUs);
    return this.#blocks.has(wire) ? this.#handleRepeated(wire, nowUs) : this.#accept(wire, nowUs);
  }

  /** Time has passed. Before `deadlineUs` nothing happens. */
  handleTimeout(nowUs: number): void {
    if (nowUs < this.#deadlineUs) return;
    if (this.#isDallying) {
      this.#endDally(nowUs);
      return;
    }
    // The same sums as in `#armDeadline`: a difference rounds otherwise.
    const isSilent = nowUs >= Math.min(this.#patientUntilUs, this.#newUs + queuePatienceUs);
    this.#silences++;
    const isUnheard = !this.#hasHeard && this.#isMaster && this.#silences >= unheardAsksMax;
    if (isSilent || isUnheard) {
      mark("group-given-up-with-one-error");
      this.#leave(this.#hasHeard ? "gave-up" : "unheard");
      return;
    }
    this.#statistics.timeouts++;
    if (this.#isMaster) {
      mark("group-master-asks-again");
      this.#roundTrip.backOff();
    } else {
      mark("group-listener-asks-in-silence");
    }
    this.#isAckDue = true;
    this.#armDeadline(nowUs);
  }

  /** The file is where it shall be, whole and safe: the last ACK is due, and for a while again where it is asked for. */
  complete(nowUs: number): void {
    if (this.#outcome !== "running") return;
    assert(this.isWhole, "only what was received as a whole is complete");
    mark("group-left-with-last-ack");
    this.#isDallying = true;
    this.#isAckDue = true;
    this.#deadlineUs = nowUs + this.#dallyUs;
  }

  /** The file cannot be kept: `reply` goes out, once. */
  refuse(reply: ErrorReply): void {
    if (this.#outcome !== "running") return;
    this.#sayGoodbye("refused", reply);
  }

  /** What is to be sent now; what was named counts as sent. For an ACK, {@link ackedBlock} is the block to name. */
  pollTransmit(nowUs: number): Reply {
    if (this.#isErrorDue) {
      this.#isErrorDue = false;
      this.#polled = Reply.error;
      return Reply.error;
    }
    if (!this.#isAckDue) return Reply.none;
    this.#isAckDue = false;
    this.#polled = Reply.ack;
    this.#statistics.repliesSent++;
    this.#noteTransmit(nowUs);
    return Reply.ack;
  }

  /** The kernel did not take what was polled last: it is due again. */
  handleUnsent(): void {
    if (this.#polled === Reply.error) this.#isErrorDue = true;
    if (this.#outcome !== "running") return;
    this.#statistics.repliesSent--;
    this.#isAckDue = true;
  }

  get #patientUntilUs(): number {
    // A listener that has heard something is patient from its question on.
    const quietUs = this.#hasHeard && !this.#isMaster ? this.#quietUs : 0;
    return this.#patientSinceUs + quietUs + this.#patienceUs;
  }

  #becomeMaster(nowUs: number): void {
    if (this.#isDallying) mark("group-last-ack-repeated");
    else mark("group-master-asks-for-first-missing");
    if (!this.#isMaster) {
      this.#isMaster = true;
      this.#patientSinceUs = nowUs;
      this.#silences = 0;
    }
    // A file that is whole, but not safe yet, is acknowledged when it is.
    this.#isAckDue = this.#isDallying || !this.isWhole;
    this.#isFarewellDelayed = false;
    if (this.#isDallying) this.#deadlineUs = nowUs + this.#dallyUs;
    this.#armDeadline(nowUs);
  }

  #becomeListener(nowUs: number): void {
    mark("group-listener-is-silent");
    if (this.#isDallying) {
      this.#handleUnheeded(nowUs);
      return;
    }
    // Not where it was one: OACKs alone are no reason to stay.
    if (this.#isMaster) this.#patientSinceUs = nowUs;
    else if (this.#askedBlock > 0) this.#quietUs = Math.min(2 * this.#quietUs, quietUsMax);
    this.#isMaster = false;
    this.#isAckDue = false;
    this.#askedBlock = 0;
    this.#armDeadline(nowUs);
  }

  /**
   * Our last ACK was answered as any listener's: atftpd believes it only after the master's own. It is sent once more, and then
   * RFC 2090's other way to leave is taken: "by sending an error message", or we would be waited for when our turn comes.
   */
  #handleUnheeded(nowUs: number): void {
    if (!this.#isFarewellUnanswered) return;
    this.#isFarewellUnanswered = false;
    this.#unheeded++;
    if (this.#unheeded > 1) {
      mark("group-left-with-error");
      this.#sayGoodbye("complete", errorReplies.leftGroup);
      return;
    }
    this.#isFarewellDelayed = true;
    this.#deadlineUs = nowUs + farewellAgainUs;
  }

  #endDally(nowUs: number): void {
    if (!this.#isFarewellDelayed) {
      mark("dally-ends-complete");
      this.#end("complete");
      return;
    }
    this.#isFarewellDelayed = false;
    this.#isAckDue = true;
    this.#deadlineUs = nowUs + this.#dallyUs;
  }

  #accept(block: number, nowUs: number): Fate {
    this.#blocks.add(block);
    this.#acceptedBlock = block;
    this.#statistics.blocksAccepted++;
    this.#newUs = nowUs;
    this.#patientSinceUs = nowUs;
    const isAsked = block === this.#askedBlock;
    if (isAsked) this.#handleAnswer(nowUs);
    if (this.isWhole) {
      this.#isAckDue = false;
      this.#deadlineUs = Infinity;
    } else if (isAsked || !this.#isMaster) {
      // A master whose own request is under way still waits for that, whatever came for others.
      this.#isAckDue = isAsked;
      this.#armDeadline(nowUs);
    }
    return Fate.accepted;
  }

  /** What our last ACK asked for has come. */
  #handleAnswer(nowUs: number): void {
    this.#askedBlock = 0;
    this.#silences = 0;
    this.#lostAck.noteAnswer(nowUs);
    this.#lostAck.noteProgress();
    if (this.#isMeasurable) this.#roundTrip.sample(nowUs - this.#transmitUs);
    this.#roundTrip.endBackOff();
    this.#statistics.rttUs = this.#roundTrip.smoothedUs;
    if (this.#isMaster) return;
    // The OACK that made us the master was lost, and our question taken for its answer. If not, another OACK will say so.
    mark("group-listener-answered-is-master");
    this.#isMaster = true;
  }

  /** A block came again. If it is the answer to an ACK before our last one, that one was lost. */
  #handleRepeated(block: number, nowUs: number): Fate {
    this.#statistics.blocksRepeated++;
    const isDue = this.#isMaster && (this.#isDallying || !this.isWhole);
    if (isDue && this.#lostAck.isLost(block, nowUs)) {
      mark("group-repetition-acknowledged");
      this.#isAckDue = true;
      this.#isMeasurable = false;
    } else if (!this.#isMaster && !this.isWhole) {
      this.#armDeadline(nowUs);
    }
    return Fate.duplicate;
  }

  #refuseBlock(): Fate {
    if (this.isWhole) return Fate.ignored;
    mark("group-block-refused");
    this.#sayGoodbye("protocol-error", errorReplies.illegalOperation);
    return Fate.ignored;
  }

  /** The server is there. Before the first block that says nothing: what it sends may not come. */
  #noteAlive(nowUs: number): void {
    if (!this.#hasHeard || this.#isMaster) return;
    this.#patientSinceUs = nowUs;
    this.#silences = 0;
  }

  #noteTransmit(nowUs: number): void {
    const { firstMissing } = this.#blocks;
    const isFirst = this.#askedBlock !== firstMissing;
    this.#askedBlock = firstMissing;
    this.#isMeasurable = isFirst;
    this.#isFarewellUnanswered = this.#isDallying;
    this.#transmitUs = nowUs;
    if (isFirst) {
      this.#askedUs = nowUs;
      this.#lostAck.noteFirst(nowUs);
    } else {
      this.#lostAck.noteAgain(nowUs);
    }
    this.#armDeadline(nowUs);
  }

  #armDeadline(nowUs: number): void {
    if (this.#isDallying) return;
    if (this.isWhole) {
      this.#deadlineUs = Infinity;
      return;
    }
    this.#deadlineUs = Math.min(
      nowUs + (this.#isMaster ? this.#answerUs(nowUs) : this.#listenUs),
      this.#patientUntilUs,
      this.#newUs + queuePatienceUs,
    );
  }

  /** How long to wait as the master for what was asked. */
  #answerUs(nowUs: number): number {
    if (nowUs - this.#askedUs < promptUs) return this.#roundTrip.timeoutUs;
    mark("group-server-left-in-peace");
    return this.#quietUsMin;
  }

  /** How long to wait as a listener: longer before the first question than before its repetitions. */
  get #listenUs(): number {
    return this.#silences === 0 ? this.#quietUs : this.#quietUsMin;
  }

  #leave(outcome: "unheard" | "gave-up"): void {
    const reply = outcome === "gave-up" ? errorReplies.timedOut : errorReplies.leftGroup;
    this.#sayGoodbye(outcome, reply);
  }

  #sayGoodbye(outcome: GroupOutcome, reply: ErrorReply): void {
    this.#errorReply = reply;
    this.#isErrorDue = true;
    this.#end(outcome);
  }

  #end(outcome: GroupOutcome): void {
    this.#outcome = outcome;
    this.#isAckDue = false;
    this.#deadlineUs = Infinity;
  }
}
