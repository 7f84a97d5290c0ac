// Bandwidth limits in virtual time: several workers, each with clients that always have more to send, under rates that they
// share. What counts is what each got in a second, and that nobody waited for long.

import { describe, expect, test } from "bun:test";

import { RateClocks } from "#policy/rate-clocks.ts";
import { clocksFor, type Rates, Shaper } from "#policy/shaper.ts";

/** A transfer: the worker that has it, its client, its class, and how many bytes its messages have unless the rate says less. */
interface Load {
  readonly worker: number;
  readonly client: number;
  readonly index?: number;
  readonly messageBytes?: number;
}

const CLIENTS = 64;
const WAKE_US = 1000;
const MBYTE = 1_000_000;

/** Workers under one set of rates; every worker wakes up each millisecond, one after the other. */
class Site {
  readonly sent: number[];
  /** The longest that each transfer has waited between two messages. */
  readonly longestUs: number[];
  readonly #loads: readonly Load[];
  readonly #shapers: readonly Shaper[];
  readonly #lastUs: number[];
  #nowUs = 5e9;

  constructor(workers: number, rates: Rates, loads: readonly Load[]) {
    const clocks = new RateClocks(RateClocks.createMemory(clocksFor(CLIENTS)));
    const transfersOf = (client: number): number =>
      loads.filter((load) => load.client === client).length;
    this.#loads = loads;
    this.sent = loads.map(() => 0);
    this.longestUs = loads.map(() => 0);
    this.#lastUs = loads.map(() => this.#nowUs);
    this.#shapers = Array.from({ length: workers }, () => {
      const shaper = new Shaper(loads.length, clocks, transfersOf);
      shaper.configure(rates);
      return shaper;
    });
    for (const [slot, { worker, client, index = 0 }] of loads.entries()) {
      this.#shapers[worker]?.attach(slot, index, client);
    }
  }

  /** Lets `ms` milliseconds pass while every transfer has more to send. */
  run(ms: number): void {
    for (const [slot, { worker }] of this.#loads.entries()) this.#push(worker, slot);
    for (let step = 0; step < ms; step += 1) {
      this.#nowUs += WAKE_US;
      for (let worker = 0; worker < this.#shapers.length; worker += 1) this.#turn(worker);
    }
  }

  /** Lets time pass while nobody has anything to send. */
  pause(ms: number): void {
    for (const [slot, { worker }] of this.#loads.entries()) this.#shapers[worker]?.withdraw(slot);
    this.#nowUs += ms * WAKE_US;
  }

  #push(worker: number, slot: number): void {
    const shaper = this.#shapers[worker];
    shaper?.withdraw(slot);
    shaper?.push(slot);
  }

  #turn(worker: number): void {
    const shaper = this.#shapers[worker];
    if (shaper === undefined) return;
    for (let slot = shaper.next(this.#nowUs); slot >= 0; slot = shaper.next(this.#nowUs)) {
      const { index = 0, messageBytes = 65_000 } = this.#loads[slot] ?? {};
      const bytes = Math.min(messageBytes, shaper.messageBytesMax(index));
      shaper.charge(slot, bytes);
      this.sent[slot] = (this.sent[slot] ?? 0) + bytes;
      const waitedUs = this.#nowUs - (this.#lastUs[slot] ?? 0);
      this.longestUs[slot] = Math.max(this.longestUs[slot] ?? 0, waitedUs);
      this.#lastUs[slot] = this.#nowUs;
      shaper.push(slot);
    }
    expect(shaper.nextUs).toBeGreaterThan(this.#nowUs);
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function rates(bytesPerSecond: number, ...classes: readonly (readonly [number, number])[]): Rates {
  const named = classes.map(([all, client]) => ({
    bytesPerSecond: all,
    clientBytesPerSecond: client,
  }));
  return { bytesPerSecond, classes: named };
}

function clients(count: number, worker: number, first = 0): readonly Load[] {
  return Array.from({ length: count }, (_, index) => ({ worker, client: first + index }));
}

describe("a limit holds", () => {
  test.each([0.1, 1, 12.5, 125, 1250])("for all, at %f MB/s, with one worker or four", (rate) => {
    for (const workers of [1, 4]) {
      const loads = Array.from({ length: 8 }, (_, client) => ({
        worker: client % workers,
        client,
      }));
      const site = new Site(workers, rates(rate * MBYTE, [0, 0]), loads);
      site.run(2000);
      // A message may be begun just before the end, by each worker.
      expect(sum(site.sent)).toBeLessThan(rate * MBYTE * 2.04 + workers * 65_536);
      expect(sum(site.sent)).toBeGreaterThan(rate * MBYTE * 1.95);
    }
  });

  test("for a class, and another class does not notice", () => {
    const loads = [
      { worker: 0, client: 1, index: 0 },
      { worker: 0, client: 2, index: 1 },
      { worker: 1, client: 3, index: 1 },
    ];
    const site = new Site(2, rates(100 * MBYTE, [0, 0], [10 * MBYTE, 0]), loads);
    site.run(1000);
    expect((site.sent[1] ?? 0) + (site.sent[2] ?? 0)).toBeWithin(9.7 * MBYTE, 10.4 * MBYTE);
    expect(site.sent[0]).toBeWithin(87 * MBYTE, 93 * MBYTE);
  });

  test("for one client, however many transfers and workers it has", () => {
    const loads = Array.from({ length: 12 }, (_, slot) => ({ worker: slot % 3, client: 7 }));
    const site = new Site(3, rates(0, [0, 5 * MBYTE]), loads);
    site.run(1000);
    expect(sum(site.sent)).toBeWithin(4.8 * MBYTE, 5.3 * MBYTE);
  });

  test("and a pause is neither made up for nor held against anybody", () => {
    const site = new Site(2, rates(10 * MBYTE, [0, 5 * MBYTE]), [
      ...clients(1, 0),
      ...clients(1, 1, 1),
    ]);
    let before = 0;
    for (let round = 0; round < 5; round += 1) {
      site.run(100);
      // What 20 ms allow may come on top.
      expect(sum(site.sent) - before).toBeWithin(0.9 * MBYTE, 1.3 * MBYTE);
      before = sum(site.sent);
      site.pause(10_000);
    }
  });
});

describe("shares are fair", () => {
  test("between two transfers, with blocks of any size", () => {
    const loads = [
      { worker: 0, client: 1, messageBytes: 516 },
      { worker: 0, client: 2, messageBytes: 65_000 },
    ];
    const site = new Site(1, rates(20 * MBYTE, [0, 0]), loads);
    site.run(1000);
    expect(ratio(site.sent)).toBeLessThan(1.2);
  });

  test("between a client with 50 transfers and a client with one", () => {
    const loads = [
      { worker: 0, client: 1 },
      ...Array.from({ length: 50 }, () => ({ worker: 0, client: 2 })),
    ];
    const site = new Site(1, rates(20 * MBYTE, [0, 0]), loads);
    site.run(1000);
    expect(ratio([site.sent[0] ?? 0, sum(site.sent.slice(1))])).toBeLessThan(1.2);
  });

  test("even where the many transfers are spread over four workers, and the one is in one", () => {
    const many = Array.from({ length: 48 }, (_, slot) => ({ worker: slot % 4, client: 2 }));
    const site = new Site(4, rates(20 * MBYTE, [0, 0]), [{ worker: 0, client: 1 }, ...many]);
    site.run(1000);
    expect(ratio([site.sent[0] ?? 0, sum(site.sent.slice(1))])).toBeLessThan(1.5);
  });

  test("between clients whose workers have more and fewer of them", () => {
    const site = new Site(2, rates(20 * MBYTE, [0, 0]), [...clients(9, 0), ...clients(1, 1, 9)]);
    site.run(1000);
    expect(ratio(site.sent)).toBeLessThan(1.3);
  });

  test("and whoever has a turn does not wait for long", () => {
    const loads = [...clients(20, 0), ...clients(20, 1, 20)];
    const site = new Site(2, rates(50 * MBYTE, [0, 0]), loads);
    site.run(1000);
    expect(Math.max(...site.longestUs)).toBeLessThan(40_000);
  });
});

/** How many times the largest is the smallest. */
function ratio(values: readonly number[]): number {
  return Math.max(...values) / Math.min(...values);
}

describe("a shaper by itself", () => {
  const clocks = new RateClocks(RateClocks.createMemory(clocksFor(CLIENTS)));
  const slow = rates(MBYTE, [0, 0], [0, 0]);

  test("lets whoever waits leave, and forgets them", () => {
    const shaper = new Shaper(4, clocks, () => 2);
    shaper.configure(slow);
    for (const slot of [0, 1, 2]) shaper.attach(slot, slot % 2, 5);
    for (const slot of [0, 1, 2]) shaper.push(slot);
    expect(shaper.waiting).toBe(3);
    shaper.detach(0);
    shaper.withdraw(2);
    expect(shaper.waiting).toBe(1);
    expect(shaper.next(1e9)).toBe(1);
    expect([shaper.next(1e9), shaper.nextUs]).toEqual([-1, Infinity]);
    for (const slot of [1, 2]) shaper.detach(slot);
    shaper.configure(rates(0, [0, 0]));
    expect([0, 1, 2].some((slot) => shaper.isAttached(slot))).toBe(false);
  });

  test("knows whom no rate concerns, and how long a message may be", () => {
    const shaper = new Shaper(4, clocks, () => 1);
    shaper.configure(rates(0, [0, 0], [0, 100 * MBYTE], [MBYTE, 0]));
    expect([0, 1, 2].map((index) => shaper.isLimited(index))).toEqual([false, true, true]);
    expect([0, 1, 2].map((index) => shaper.messageBytesMax(index))).toEqual([65_536, 20_000, 1500]);
    shaper.configure(rates(MBYTE, [0, 0]));
    expect([0, 1].map((index) => shaper.isLimited(index))).toEqual([true, true]);
  });

  test("does not let anybody leave whose turn it is not", () => {
    const shaper = new Shaper(2, clocks, () => 1);
    shaper.configure(slow);
    shaper.attach(0, 0, 1);
    expect(() => shaper.attach(0, 0, 1)).toThrow("one flow");
    expect(() => shaper.configure(slow)).toThrow("while nobody");
  });

  test("serves first who has sent little, before those with much to send", () => {
    const shaper = new Shaper(3, clocks, () => 1);
    shaper.configure(rates(0, [0, 0]));
    for (const slot of [0, 1, 2]) shaper.attach(slot, 0, slot);
    shaper.push(0);
    shaper.push(1);
    const order: number[] = [];
    const send = (): void => {
      const slot = shaper.next(1e9);
      order.push(slot);
      shaper.charge(slot, 65_536);
      if (slot < 2) shaper.push(slot);
    };
    for (let message = 0; message < 4; message += 1) send();
    shaper.push(2);
    for (let message = 0; message < 3; message += 1) send();
    expect(order).toEqual([1, 0, 1, 0, 2, 1, 0]);
  });
});

test("what is booked at once by two is not booked twice", () => {
  const clocks = new RateClocks(RateClocks.createMemory(2));
  expect(clocks.book(0, 1000, 10)).toBe(1000);
  expect(clocks.book(0, 1000, 5)).toBe(1010);
  expect(clocks.book(0, 2000, 5)).toBe(2000);
  expect(clocks.book(1, 1000, 5)).toBe(1000);
});
