// When each transfer is next to be looked at though nothing came for it (server layer). Armed lazily: a deadline that is put off
// moves its timer when that fires, not with every packet.

import { assert } from "#base/assert.ts";
import { i32At } from "#base/bytes.ts";
import { TimerWheel } from "#base/timer-wheel.ts";

import { machineOf, type Transfer } from "./transfer.ts";

/** Most timers that one turn expires. */
const TIMERS_PER_TURN = 256;

/** One timer per slot. */
export class Timers {
  readonly #bySlot: readonly (Transfer | undefined)[];
  readonly #wheel: TimerWheel;
  readonly #due: Int32Array = new Int32Array(TIMERS_PER_TURN);

  constructor(bySlot: readonly (Transfer | undefined)[], nowUs: number) {
    this.#bySlot = bySlot;
    this.#wheel = new TimerWheel(bySlot.length, nowUs);
  }

  /** When {@link expire} has something to do; Infinity if nobody waits. */
  nextUs(): number {
    return this.#wheel.nextUs();
  }

  /** Has `transfer` looked at when its deadline comes. */
  watch(transfer: Transfer): void {
    const { deadlineUs } = machineOf(transfer);
    if (deadlineUs < this.#wheel.dueUs(transfer.slot)) this.#wheel.arm(transfer.slot, deadlineUs);
  }

  forget(transfer: Transfer): void {
    this.#wheel.cancel(transfer.slot);
  }

  /** Tells those transfers whose deadline has come, and then `wake`. */
  expire(nowUs: number, wake: (transfer: Transfer) => void): void {
    const count = this.#wheel.expire(nowUs, this.#due, TIMERS_PER_TURN);
    for (let index = 0; index < count; index += 1) {
      const transfer = this.#bySlot[i32At(this.#due, index)];
      assert(transfer !== undefined, "a timer is cancelled with its transfer");
      const machine = machineOf(transfer);
      if (machine.deadlineUs <= nowUs) {
        machine.handleTimeout(nowUs);
        wake(transfer);
      } else {
        this.#wheel.arm(transfer.slot, machine.deadlineUs);
      }
    }
  }
}
