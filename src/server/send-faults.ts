// Messages that the kernel would not send (server layer): counted by cause, and told to the log at most every ten seconds, because a
// firewall that forbids one forbids thousands.

import { errnoText } from "#io/outbox.ts";

import type { SendFaultRecord } from "./contract.ts";

/** A guess: often enough for whoever watches the log, and not more than a line per cause and worker then. */
const TOLD_EVERY_US = 10_000_000;

export class SendFaults {
  /** By −errno. */
  readonly #messages: Map<number, number> = new Map();
  #toldUs = -Infinity;

  /** The kernel answered `result`, −errno, instead of sending a message. */
  note(result: number): void {
    this.#messages.set(result, (this.#messages.get(result) ?? 0) + 1);
  }

  /** What has not been told yet; nothing while that was done a moment ago. */
  untold(nowUs: number): readonly SendFaultRecord[] {
    if (this.#messages.size === 0 || nowUs < this.#toldUs + TOLD_EVERY_US) return [];
    this.#toldUs = nowUs;
    const timeMs = Date.now();
    const records = Array.from(this.#messages, ([result, messages]) => {
      const { errno, meaning } = errnoText(result);
      return { kind: "send-fault", timeMs, errno, meaning, messages } as const;
    });
    this.#messages.clear();
    return records;
  }
}
