// Whether one shard moves (supervisor layer): it is looked at now and then, and a turn that neither ends nor can be expected to is
// told. Time that the whole process did not run does not count, and neither does time that the thread waited for a processor.

import { threadState } from "#io/thread.ts";
import { ControlWord } from "#server/contract.ts";
import { isAtWork } from "#server/pulse.ts";

/** How often shards are looked at: a look costs a few loads, and more only while a turn lasts. */
export const LOOK_MS = 500;
/**
 * A turn is a loop without end if it has had this share of its limit as processor time: 10 s by default. The longest turn is a reload
 * of 10,000 regular expressions, which takes 1 to 3 s (`bun bench/rules.ts`).
 */
const LOOP_SHARE = 1 / 3;

/** Runs, or would if it had a processor: proc_pid_stat(5). */
const RUNNABLE = "R";

/** A turn that does not end. */
export interface StuckTurn {
  readonly lastedMs: number;
  /** What its thread does, for the log. */
  readonly doing: string;
}

export class ShardWatch {
  readonly #control: Int32Array;
  /** How long a turn may last; 0: for ever. */
  readonly #lastsMsMax: number;
  #pulse = 0;
  #lastedMs = 0;
  /** How much of that it waited for something else than a processor. */
  #waitedMs = 0;
  #cpuMsBefore = 0;

  constructor(control: SharedArrayBuffer, lastsMsMax: number) {
    this.#control = new Int32Array(control);
    this.#lastsMsMax = lastsMsMax;
  }

  /** Looks at the shard; to be called every {@link LOOK_MS}. Returns what is wrong. */
  look(): StuckTurn | undefined {
    const pulse = Atomics.load(this.#control, ControlWord.pulse);
    if (this.#lastsMsMax === 0) return undefined;
    if (!isAtWork(pulse) || pulse !== this.#pulse) {
      this.#pulse = pulse;
      this.#lastedMs = 0;
      this.#waitedMs = 0;
      return undefined;
    }
    const thread = threadState(Atomics.load(this.#control, ControlWord.threadId));
    // Where the kernel does not say, only the time counts.
    const { state, cpuMs } = thread ?? { state: "unknown", cpuMs: 0 };
    if (this.#lastedMs === 0) this.#cpuMsBefore = cpuMs;
    this.#lastedMs += LOOK_MS;
    if (state !== RUNNABLE) this.#waitedMs += LOOK_MS;
    const turnCpuMs = cpuMs - this.#cpuMsBefore;
    const isLooping = turnCpuMs >= this.#lastsMsMax * LOOP_SHARE;
    if (!isLooping && this.#waitedMs < this.#lastsMsMax) return undefined;
    const doing = `state ${state}, ${turnCpuMs} ms of processor time`;
    return { lastedMs: this.#lastedMs, doing };
  }
}
