// Slots, queues and timers against plain models: whatever the order of calls, they hand out what a simple
// list would.

import { describe, expect, test } from "bun:test";

import * as fc from "fast-check";

import { IntRing } from "#base/ring.ts";
import { Slab } from "#base/slab.ts";
import { TimerWheel } from "#base/timer-wheel.ts";

describe("slab", () => {
  test("hands out each slot once, says when none is left, and takes them back", () => {
    const slab = new Slab(3);
    const slots = [slab.take(), slab.take(), slab.take()];
    expect(slots.toSorted((a, b) => a - b)).toEqual([0, 1, 2]);
    expect(slab.take()).toBe(-1);
    slab.release(1);
    expect(slab.taken).toBe(2);
    expect(slab.take()).toBe(1);
  });

  test("a slot that is released twice is our own bug", () => {
    const slab = new Slab(1);
    expect(() => slab.release(0)).toThrow("once");
  });
});

describe("ring", () => {
  test("is first in, first out, and items can be taken from the middle", () => {
    const operation = fc.oneof(
      fc.record({ kind: fc.constant("push"), item: fc.nat(20) }),
      fc.record({ kind: fc.constant("shift"), item: fc.constant(0) }),
      fc.record({ kind: fc.constant("remove"), item: fc.nat(20) }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const ring = new IntRing(8);
        let model: number[] = [];
        for (const { kind, item } of operations) {
          if (kind === "push" && model.length < 8) {
            ring.push(item);
            model.push(item);
          } else if (kind === "shift" && model.length > 0) {
            expect(ring.shift()).toBe(model.shift() ?? -1);
          } else if (kind === "remove") {
            ring.remove(item);
            model = model.filter((other) => other !== item);
          }
          expect(ring.length).toBe(model.length);
        }
      }),
    );
  });
});

describe("timer wheel", () => {
  test.each([
    [4096, undefined],
    [64, 64],
  ])("of ticks of %i µs fires no earlier than asked and at most one tick late", (TICK_US, tick) => {
    const step = fc.record({
      timer: fc.nat(7),
      afterUs: fc.oneof({ weight: 7, arbitrary: fc.nat(3000 * TICK_US) }, fc.constant(Infinity)),
      aheadUs: fc.nat(700 * TICK_US),
      isCancel: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let nowUs = 1_000_000;
        const wheel = new TimerWheel(8, nowUs, tick);
        const model = new Map<number, number>();
        const due = new Int32Array(8);
        for (const { timer, afterUs, aheadUs, isCancel } of steps) {
          if (isCancel) {
            wheel.cancel(timer);
            model.delete(timer);
          } else {
            wheel.arm(timer, nowUs + afterUs);
            if (afterUs === Infinity) model.delete(timer);
            else model.set(timer, nowUs + afterUs);
          }
          nowUs += aheadUs;
          const count = wheel.expire(nowUs, due, 8);
          for (const fired of due.subarray(0, count)) {
            expect(model.get(fired) ?? Infinity).toBeLessThanOrEqual(nowUs);
            model.delete(fired);
          }
          for (const deadlineUs of model.values()) {
            expect(deadlineUs).toBeGreaterThan(nowUs - 2 * TICK_US);
          }
          expect(wheel.armed).toBe(model.size);
          for (let other = 0; other < 8; other += 1) {
            expect(wheel.isArmed(other)).toBe(model.has(other));
          }
          if (model.size > 0) {
            expect(wheel.nextUs()).toBeLessThanOrEqual(Math.min(...model.values()) + 2 * TICK_US);
          }
        }
      }),
    );
  });

  test("expires no more at a time than asked, and the rest the next time", () => {
    const wheel = new TimerWheel(4, 0);
    for (let timer = 0; timer < 4; timer += 1) wheel.arm(timer, 10_000);
    const due = new Int32Array(4);
    expect(wheel.expire(50_000, due, 3)).toBe(3);
    expect(wheel.expire(50_000, due, 3)).toBe(1);
    expect(wheel.nextUs()).toBe(Infinity);
  });
});
