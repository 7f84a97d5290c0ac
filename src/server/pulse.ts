// Whether a shard moves (server layer): a word of the control memory that changes whenever a turn begins or ends, so that the
// supervisor can tell a shard that is stuck in a turn from one that waits for datagrams, for as long as nobody asks.

import { ControlWord } from "./contract.ts";

/** Odd while the shard is at work, even while it waits. */
export class Pulse {
  readonly #control: Int32Array;
  #beats: number;

  /** The word is odd: who starts a shard has set it so, because starting is work. */
  constructor(control: Int32Array) {
    this.#control = control;
    this.#beats = Atomics.load(control, ControlWord.pulse) | 1;
  }

  /** The shard waits: however long that takes, it is not stuck. */
  rest(): void {
    this.#beat();
  }

  /** The shard is at work again. */
  work(): void {
    this.#beat();
  }

  #beat(): void {
    this.#beats = (this.#beats + 1) | 0;
    Atomics.store(this.#control, ControlWord.pulse, this.#beats);
  }
}

/** The word of a shard that is about to be started. */
export const PULSE_OF_START = 1;

/** Whether a shard whose word is `pulse` is at work. */
export function isAtWork(pulse: number): boolean {
  return (pulse & 1) === 1;
}
