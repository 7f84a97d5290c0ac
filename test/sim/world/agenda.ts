// What is going to happen, in the order of virtual time; what happens at the same time, in the order in which it was planned.

interface Event {
  readonly atUs: number;
  readonly order: number;
  readonly happen: () => void;
}

/** A binary heap of events. The time is that of the event in hand. */
export class Agenda {
  #nowUs = 1_000_000;
  #planned = 0;
  readonly #heap: Event[] = [];

  get nowUs(): number {
    return this.#nowUs;
  }

  /** Whether nothing is going to happen. */
  get isEmpty(): boolean {
    return this.#heap.length === 0;
  }

  /** Has `happen` be called at `atUs`, or now if that is past. */
  at(atUs: number, happen: () => void): void {
    const event = { atUs: Math.max(atUs, this.#nowUs), order: this.#planned, happen };
    this.#planned += 1;
    const heap = this.#heap;
    let place = heap.length;
    heap.push(event);
    while (place > 0) {
      const parent = (place - 1) >>> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(event, above)) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = event;
  }

  after(delayUs: number, happen: () => void): void {
    this.at(this.#nowUs + delayUs, happen);
  }

  /** The next event happens. False: there is none. */
  step(): boolean {
    const next = this.#take();
    if (next === undefined) return false;
    this.#nowUs = next.atUs;
    next.happen();
    return true;
  }

  #take(): Event | undefined {
    const heap = this.#heap;
    const [first] = heap;
    const event = heap.pop();
    if (first === undefined || event === undefined || heap.length === 0) return first;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (left === undefined) break;
      const isRight = right !== undefined && isBefore(right, left);
      const least = isRight ? right : left;
      if (isRight) child += 1;
      if (!isBefore(least, event)) break;
      heap[place] = least;
      place = child;
    }
    heap[place] = event;
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atUs < b.atUs || (a.atUs === b.atUs && a.order < b.order);
}
