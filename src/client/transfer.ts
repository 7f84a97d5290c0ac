// One file between this machine and a server (client layer): asks until somebody answers, agrees on options, and then lets its
// side receive or send. Where nobody answers, the server's next address is tried. Driven by the client's loop; never waits.

import { assert } from "#base/assert.ts";
import { printable } from "#base/printable.ts";
import {
  openClientSocket,
  type ServerAddress,
  takeReachFault,
  tellInterfaces,
  wayTo,
} from "#io/client-socket.ts";
import type { Inbox } from "#io/inbox.ts";
import type { RefusalListener } from "#io/outbox.ts";
import { agree, type Agreement, agreementWithoutOptions } from "#protocol/agreement.ts";
import { errorReplies, type ErrorReply } from "#protocol/error-reply.ts";
import { multicastOption } from "#protocol/group.ts";
import {
  blockNumber,
  encodeRequest,
  errorCode,
  errorMessage,
  Opcode,
  type Option,
  packetKind,
} from "#protocol/packet.ts";
import { type Patience, patienceUs, Requester } from "#protocol/requester.ts";

import { blockBytesFor, burstBytesFor, optionsFor, unicastCauseFor } from "./asking.ts";
import type { Ending, Failure, Job, Progress, Terms, Trace, TransferFacts } from "./contract.ts";
import { GroupSide } from "./group-side.ts";
import { Link, type Paths } from "./link.ts";
import type { RunningSide, Side, SideFault } from "./side.ts";

/** What all transfers of a client share. */
export interface Surroundings {
  readonly terms: Terms;
  readonly patience: Patience;
  readonly paths: Paths;
  readonly trace: Trace | undefined;
}

/** A server that has no group left may say nothing, as atftpd does: 7 s are lost before it is asked without. A guess. */
const MULTICAST_REPETITIONS = 2;

const OFFERED_NONE = "the server offered none";

export class Transfer implements RefusalListener {
  readonly #job: Job;
  readonly #side: Side;
  readonly #with: Surroundings;
  readonly #startUs: number;
  #requester: Requester;
  /** Why the addresses that were tried before are none. */
  readonly #faults: string[] = [];
  #server = -1;
  #link: Link | undefined;
  #asked: readonly Option[] = [];
  #request: Uint8Array = new Uint8Array();
  #agreement: Agreement | undefined;
  /** Takes the side's place where a multicast brings the file. */
  #group: GroupSide | undefined;
  /** Why none does though one was wanted; and the same before anything was done about it. */
  #note = "";
  #setback = "";
  #failure: Failure | undefined;
  #retryUs = Infinity;
  #durationUs = 0;

  /** `side` is closed with this. The first request goes out with the first {@link transmit}. */
  constructor(job: Job, side: Side, surroundings: Surroundings, nowUs: number) {
    this.#job = job;
    this.#side = side;
    this.#with = surroundings;
    this.#startUs = nowUs;
    this.#requester = new Requester(surroundings.patience);
    if (surroundings.terms.isMulticast) this.#note = unicastCauseFor(job, surroundings.terms) ?? "";
    this.#tryNext();
  }

  /** The socket to watch; −1 where there is none. It changes when another address is tried. */
  get fd(): number {
    return this.#link?.socket.fd ?? -1;
  }

  /** The socket of a multicast, to be watched as well; −1 where there is none. */
  get groupFd(): number {
    return this.#group?.fd ?? -1;
  }

  /** Whether the socket is full, and is to be watched for room. */
  get isFull(): boolean {
    return this.#link?.outbox.isFull ?? false;
  }

  /** When {@link handleTimeout} is due. */
  get deadlineUs(): number {
    if (this.isOver) return this.isLingering ? this.#running.deadlineUs : Infinity;
    const untilUs =
      this.#agreement === undefined ? this.#requester.deadlineUs : this.#running.deadlineUs;
    return Math.min(untilUs, this.#retryUs);
  }

  /** Its ending is known. The file, if it is complete, has its name. */
  get isOver(): boolean {
    return this.#failure !== undefined || this.#running.result !== undefined;
  }

  /** Over, but the server may still ask for the last ACK again. */
  get isLingering(): boolean {
    return (
      this.isOver && this.#failure === undefined && this.#isAnswered && this.#running.isLingering
    );
  }

  get progress(): Progress {
    return this.#running.progress;
  }

  /** What became of it, once {@link isOver}. */
  get ending(): Ending {
    const failure = this.#failure ?? this.#sideFailure;
    const { bytes } = this.#running.progress;
    const { sha256 } = this.#running;
    return { failure, bytes, sha256, durationUs: this.#durationUs, facts: this.#facts };
  }

  /** Datagram `index` came in by this transfer's socket. */
  handleDatagram(inbox: Inbox, index: number, nowUs: number): void {
    const link = this.#link;
    if (link === undefined || this.#setback !== "") return;
    const start = inbox.start(index);
    const kind = packetKind(inbox.u8, inbox.byteLength(index), start);
    if (!link.admits(inbox, index, kind, nowUs)) return;
    if (link.trace !== undefined) link.traceIn(inbox, index);
    if (kind === Opcode.error) this.#handleError(inbox, index);
    else if (this.#agreement === undefined) this.#handleAnswer(kind, link, inbox, index, nowUs);
    else this.#running.handlePacket(kind, inbox, index, nowUs);
  }

  /** Datagram `index` came in by the multicast's socket. */
  handleGroupDatagram(inbox: Inbox, index: number, nowUs: number): void {
    const link = this.#link;
    if (link === undefined || !link.admitsFromGroup(inbox, index)) return;
    if (link.trace !== undefined) link.traceIn(inbox, index);
    const kind = packetKind(inbox.u8, inbox.byteLength(index), inbox.start(index));
    if (kind === Opcode.data) this.#group?.handlePacket(kind, inbox, index, nowUs);
  }

  /** The socket became readable, and there was no datagram: ICMP may have told it something. */
  handleSilence(): void {
    const link = this.#link;
    if (link === undefined) return;
    const fault = takeReachFault(link.socket);
    if (fault === undefined || this.isOver) return;
    // Under way, a host may be gone for a moment; a port that is closed will not open again for us.
    if (this.#agreement === undefined) this.#giveUpServer(fault.text);
    else if (!fault.isClosed) return;
    else if (this.#group !== undefined) this.#setback = `the server has left it: ${fault.text}`;
    else this.#fail({ cause: "gave-up", text: `it is gone: ${fault.text}` });
  }

  /** The socket has room again. */
  handleRoom(): void {
    this.#link?.outbox.resume();
  }

  handleTimeout(nowUs: number): void {
    if (nowUs >= this.#retryUs) this.#retryUs = Infinity;
    if (this.#agreement !== undefined) {
      this.#running.handleTimeout(nowUs);
      return;
    }
    this.#requester.handleTimeout(nowUs);
    if (!this.#requester.hasGivenUp || this.isOver) return;
    if (this.#isMulticastAsked) this.#setback = "no answer came to that";
    else this.#giveUpServer(this.#silenceFault());
  }

  /** Sends what is due. */
  transmit(nowUs: number): void {
    if (this.#setback !== "") this.#askAlone();
    const link = this.#link;
    if (link === undefined || link.outbox.isFull) return;
    if (this.#agreement !== undefined) this.#retryUs = this.#running.transmit(nowUs);
    else if (this.#requester.pollTransmit(nowUs)) link.send(this.#request);
    link.flush(this.#agreement === undefined ? this : this.#running);
    if (this.#group !== undefined && this.#group.setback !== "") {
      // The next turn asks.
      this.#setback = this.#group.setback;
      this.#retryUs = nowUs;
    }
    if (this.isOver && this.#durationUs === 0)
      this.#durationUs = Math.max(nowUs - this.#startUs, 1);
  }

  /** A request that the kernel did not take is sent again by its timer. */
  handleRefusal(): void {}

  /** Ends it now, and tells the server. What is complete stays so. */
  cancel(nowUs: number): void {
    if (this.isOver) return;
    if (this.#agreement !== undefined) this.#say(errorReplies.cancelled);
    this.#fail({ cause: "cancelled", text: "cancelled" });
    this.#durationUs = nowUs - this.#startUs;
  }

  close(): void {
    this.#side.close();
    this.#group?.close();
    this.#link?.close();
    this.#link = undefined;
  }

  get #running(): RunningSide {
    return this.#group ?? this.#side;
  }

  get #isAnswered(): boolean {
    return this.#agreement !== undefined;
  }

  get #sideFailure(): Failure | undefined {
    const { result } = this.#running;
    return result === "complete" ? undefined : result;
  }

  get #facts(): TransferFacts | undefined {
    const agreement = this.#agreement;
    if (agreement === undefined) return undefined;
    const options = agreement.accepted.map(({ name, value }) => `${name}=${value}`).join(" ");
    const server = this.#link?.text ?? "";
    return { server, options, note: this.#note, ...this.#running.counts };
  }

  /** RFC 1350 §4 and RFC 2347: whatever answers first, and means something, says which port goes on. */
  #handleAnswer(kind: number, link: Link, inbox: Inbox, index: number, nowUs: number): void {
    const start = inbox.start(index);
    if (kind === Opcode.oack) {
      const bytes = inbox.u8.subarray(start, start + inbox.byteLength(index));
      const agreement = agree(this.#asked, bytes, bytes.length);
      link.settle(inbox, index);
      if ("fault" in agreement) {
        this.#say(errorReplies.optionRefused);
        this.#fail({ cause: "protocol", text: printable(agreement.fault) });
      } else if (this.#mayHaveWindows(agreement)) {
        this.#say(errorReplies.optionRefused);
        this.#setback = OFFERED_NONE;
      } else {
        this.#begin(agreement, link, nowUs);
      }
      return;
    }
    const { firstAnswer, firstBlock } = this.#side;
    if (kind !== firstAnswer || blockNumber(inbox.u8, start) !== firstBlock) return;
    link.settle(inbox, index);
    this.#begin(agreementWithoutOptions, link, nowUs);
    if (!this.isOver) this.#side.handlePacket(firstAnswer, inbox, index, nowUs);
  }

  /** Whether a server that knows options, but offered no multicast, has not been asked for windows because of that one. */
  #mayHaveWindows({ group }: Agreement): boolean {
    return this.#isMulticastAsked && group === undefined && this.#with.terms.windowBlocks > 1;
  }

  #begin(agreement: Agreement, link: Link, nowUs: number): void {
    const isJoined = agreement.group !== undefined;
    const fault = isJoined
      ? this.#join(agreement, link, nowUs)
      : this.#side.begin(agreement, link, nowUs);
    if (fault === undefined) {
      this.#agreement = agreement;
      if (!isJoined && this.#isMulticastAsked) this.#note = OFFERED_NONE;
      return;
    }
    this.#say(fault.reply);
    this.#fail({ cause: fault.cause, text: fault.text });
  }

  #join(agreement: Agreement, link: Link, nowUs: number): SideFault | undefined {
    const job = this.#job;
    const { group: offer } = agreement;
    assert(job.kind === "get" && offer !== undefined, "a get has asked for it");
    const patience = patienceUs(this.#with.patience);
    const joined = GroupSide.join({ job, agreement, offer, link, patienceUs: patience }, nowUs);
    if (joined instanceof GroupSide) {
      this.#group = joined;
      return undefined;
    }
    if (typeof joined !== "string") return joined;
    this.#say(errorReplies.leftGroup);
    this.#setback = joined;
    return undefined;
  }

  /** Goes on without a multicast: by another socket, so that nothing of what was before can be taken for an answer. */
  #askAlone(): void {
    this.#note = this.#setback;
    this.#setback = "";
    this.#retryUs = Infinity;
    this.#group?.close();
    this.#group = undefined;
    this.#agreement = undefined;
    this.#server -= 1;
    this.#tryNext();
  }

  #handleError(inbox: Inbox, index: number): void {
    if (this.isOver) return;
    const start = inbox.start(index);
    const length = inbox.byteLength(index);
    const code = errorCode(inbox.u8, start);
    if (!this.#isAnswered && this.#isMulticastAsked && code !== errorReplies.notFound.code) {
      // Whatever it has against it may be the multicast: atftpd says 0 of a file that is too long for one.
      this.#setback = "the server refused it";
      return;
    }
    if (code === errorReplies.optionRefused.code && !this.#isAnswered && this.#asked.length > 0) {
      // RFC 2347: the client may then ask without options.
      this.#ask([]);
      this.#link?.unsettle();
      return;
    }
    const message = printable(errorMessage(inbox.u8.subarray(start, start + length), length));
    const cause = code === errorReplies.notFound.code ? "not-found" : "refused";
    this.#fail({ cause, text: `it says: ${message} (ERROR ${code})`, errorCode: code });
  }

  /** Goes on to the next address that a socket can be opened for. */
  #tryNext(): void {
    const { servers } = this.#job;
    for (;;) {
      this.#server += 1;
      const server = servers[this.#server];
      if (server === undefined) {
        this.#fail({ cause: "unreachable", text: this.#faults.join("; ") });
        return;
      }
      const fault = this.#open(server);
      if (fault === "") return;
      this.#faults.push(`${server.address}: ${fault}`);
    }
  }

  #open(server: ServerAddress): string {
    const { terms, patience, paths, trace } = this.#with;
    const way = wayTo(server);
    if (typeof way === "string") return way;
    const blockBytes = blockBytesFor(terms, way);
    const isMulticast = terms.isMulticast && this.#note === "";
    const socket = openClientSocket(server, burstBytesFor(terms, blockBytes));
    if (typeof socket === "string") return socket;
    if (isMulticast) tellInterfaces(socket);
    this.#requester = new Requester(isMulticast ? lessPatient(patience) : patience);
    this.#link?.close();
    this.#link = new Link(socket, paths, trace);
    this.#ask(optionsFor(terms, this.#job, blockBytes, this.#side.bytes, isMulticast));
    return "";
  }

  #ask(options: readonly Option[]): void {
    const { name, mode } = this.#job;
    this.#asked = options;
    this.#request = encodeRequest(this.#side.opcode, name, mode, options);
    this.#requester.start();
  }

  get #isMulticastAsked(): boolean {
    return this.#asked.includes(multicastOption);
  }

  #giveUpServer(fault: string): void {
    this.#faults.push(`${this.#link?.text ?? ""}: ${fault}`);
    this.#tryNext();
  }

  #silenceFault(): string {
    const link = this.#link;
    assert(link !== undefined, "somebody was asked");
    const times = this.#requester.sent === 1 ? "once" : `${this.#requester.sent} times`;
    const silence = `no answer, asked ${times}`;
    return link.stranger === ""
      ? silence
      : `${silence}; ${link.stranger} answered, which was not asked`;
  }

  #say(reply: ErrorReply): void {
    this.#link?.send(reply.datagram);
    this.#link?.flush(this);
  }

  #fail(failure: Failure): void {
    this.#failure ??= failure;
  }
}

function lessPatient(patience: Patience): Patience {
  const repetitionsMax = Math.min(patience.repetitionsMax, MULTICAST_REPETITIONS);
  return { ...patience, repetitionsMax };
}
