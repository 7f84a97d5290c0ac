// How this server leaves to its next version (supervisor layer): that one is started beside it, and when it is ready, and not before,
// requests are left to it. Until then everything can go wrong there and nothing changes here.

import { hear, say } from "#io/pair.ts";
import type { StartFault } from "#io/start.ts";
import { endedMessage, usherOrder } from "#io/usher.ts";

import type { Succession } from "./bequest.ts";
import type { Log } from "./log.ts";
import type { Notices } from "./notices.ts";
import type { Shards } from "./shards.ts";

/** Who comes after this server. */
export interface Successor {
  readonly pid: number;
  readonly version: string;
}

/** What a hand-over needs and changes. */
export interface HandoverParts {
  /** Undefined: it is off. */
  readonly succession: Succession | StartFault | undefined;
  /** How long the next server may take to be ready. */
  readonly waitMs: number;
  readonly shards: Pick<Shards, "open" | "close">;
  readonly notices: Pick<Notices, "nameMain">;
  readonly log: Pick<Log, "event">;
  /** Why this server has nothing to hand over, such as that it is ending. */
  readonly obstacle: () => string | undefined;
  /** Every request from now on is the successor's. */
  readonly handedOver: (successor: Successor) => void;
}

/** What the two servers say to each other, each with the number of the attempt before it. */
export const Word = {
  /** I could serve; with a {@link Successor} as JSON. */
  ready: "ready",
  /** I cannot, because of the text that follows. */
  refused: "refused",
  /** Requests are yours. */
  take: "take",
  /** I read them. */
  took: "took",
  /** It took too long: end. */
  giveUp: "give-up",
} as const;

/** How often the channel is looked at, and only during a hand-over; requests wait for two such looks. A guess. */
const TICK_MS = 5;
/** How often the usher is asked whether the successor is still there. */
const LOOK_MS = 250;
/** How long shards and successor may take to change places, which is a matter of milliseconds. A guess for a busy machine. */
const CHANGE_MS = 10_000;

/** None; being started; our shards stop reading; it was told to read; it has been told to end. */
type Stage = "idle" | "awaited" | "closing" | "offered" | "given up" | "done";

export class Handover {
  readonly #parts: HandoverParts;
  #stage: Stage = "idle";
  #attempt = 0;
  #successor: Successor = { pid: 0, version: "" };
  /** Why the successor says that it cannot. */
  #refusal = "";
  #untilMs = 0;
  #lookAtMs = 0;
  #ticking: ReturnType<typeof setInterval> | undefined;

  constructor(parts: HandoverParts) {
    this.#parts = parts;
  }

  /** Begins a hand-over, or says why not. */
  ask(): void {
    const { succession, log, waitMs } = this.#parts;
    const because = this.#obstacle();
    if (because !== undefined || succession === undefined || "fault" in succession) {
      log.event("handover_refused", "warn", { because });
      return;
    }
    this.#attempt += 1;
    this.#refusal = "";
    if (!say(succession.ordersFd, usherOrder("start", this.#attempt))) {
      log.event("handover_refused", "warn", { because: "the shell that would start it has gone" });
      return;
    }
    log.event("handover_started", "info", { attempt: this.#attempt, wait_ms: waitMs });
    this.#enter("awaited", waitMs);
    this.#ticking = setInterval(() => this.#tick(succession), TICK_MS);
  }

  /** The server ends: a successor that is not ready has nothing to come after. One that was told to read may do so already. */
  end(): void {
    if (this.#stage === "offered") return;
    clearInterval(this.#ticking);
    const { succession } = this.#parts;
    if (this.#stage === "done" || succession === undefined || "fault" in succession) return;
    if (this.#stage !== "idle") say(succession.channelFd, `${this.#attempt} ${Word.giveUp}`);
  }

  #obstacle(): string | undefined {
    const { succession, obstacle } = this.#parts;
    const because = obstacle();
    if (because !== undefined) return because;
    if (succession === undefined) return "it is off: process.handover_secs was 0 at the start";
    if ("fault" in succession) return succession.fault;
    if (this.#stage === "given up") return "the server of the last hand-over has not ended yet";
    return this.#stage === "idle" ? undefined : "a hand-over is under way";
  }

  #enter(stage: Stage, forMs: number): void {
    this.#stage = stage;
    this.#untilMs = performance.now() + forMs;
  }

  #tick(succession: Succession): void {
    for (;;) {
      const message = hear(succession.channelFd);
      if (message === undefined || message === "") break;
      this.#hear(message.trimEnd(), succession);
    }
    if (this.#stage === "idle" || this.#stage === "done") return;
    const nowMs = performance.now();
    if (nowMs >= this.#lookAtMs) {
      this.#lookAtMs = nowMs + LOOK_MS;
      say(succession.ordersFd, usherOrder("look", this.#attempt));
    }
    if (nowMs < this.#untilMs || this.#stage === "given up") return;
    const { waitMs } = this.#parts;
    this.#fail(this.#stage === "awaited" ? `it was not ready within ${waitMs / 1000} s` : LATE);
    say(succession.channelFd, `${this.#attempt} ${Word.giveUp}`);
    this.#stage = "given up";
  }

  #hear(message: string, succession: Succession): void {
    if (message === endedMessage(this.#attempt)) {
      clearInterval(this.#ticking);
      if (this.#stage !== "given up") this.#fail(this.#refusal || ENDED);
      this.#stage = "idle";
      return;
    }
    const [attempt, word, ...rest] = message.split(" ");
    if (Number(attempt) !== this.#attempt) return;
    if (word === Word.refused) this.#refusal = rest.join(" ");
    else if (word === Word.ready && this.#stage === "awaited") {
      this.#successor = JSON.parse(rest.join(" ")) as Successor;
      void this.#offer(succession);
    } else if (word === Word.took && this.#stage === "offered") {
      clearInterval(this.#ticking);
      this.#stage = "done";
      this.#parts.handedOver(this.#successor);
    }
  }

  async #offer({ channelFd }: Succession): Promise<void> {
    const { shards, notices, log } = this.#parts;
    const { pid, version } = this.#successor;
    log.event("handing_over", "info", { successor_pid: pid, successor_version: version });
    this.#enter("closing", CHANGE_MS);
    await shards.close();
    // It may have died meanwhile.
    if (this.#stage !== "closing") return;
    notices.nameMain(pid);
    this.#enter("offered", CHANGE_MS);
    say(channelFd, `${this.#attempt} ${Word.take}`);
  }

  /** Goes on as if nothing had happened. */
  #fail(because: string): void {
    const { shards, notices, log } = this.#parts;
    if (this.#stage === "closing" || this.#stage === "offered") {
      shards.open();
      notices.nameMain(process.pid);
    }
    log.event("handover_failed", "error", { attempt: this.#attempt, because });
  }
}

const ENDED = "it ended before it was ready; what it said is on standard error";
const LATE = "it did not take over in time";
