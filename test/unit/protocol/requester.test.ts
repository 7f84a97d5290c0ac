// A request in virtual time: sent, repeated with back-off, and given up.

import { expect, test } from "bun:test";

import { patienceUs, Requester } from "#protocol/requester.ts";

import { expectMark } from "../../marks.ts";

const patience = { firstTimeoutUs: 1_000_000, timeoutUsMax: 5_000_000, repetitionsMax: 4 };

test("each wait is twice the one before, up to the longest", () => {
  const sentAtS: number[] = [];
  const requester = new Requester(patience);
  expectMark("request-repeated-with-back-off", () => {
    requester.start();
    let nowUs = 0;
    while (!requester.hasGivenUp) {
      if (requester.pollTransmit(nowUs)) sentAtS.push(nowUs / 1e6);
      nowUs = requester.deadlineUs;
      requester.handleTimeout(nowUs);
    }
    sentAtS.push(nowUs / 1e6);
  });
  // The last number is when it was given up.
  expect(sentAtS).toEqual([0, 1, 3, 7, 12, 17]);
  expect(requester.sent).toBe(5);
  expect(patienceUs(patience)).toBe(17_000_000);
});

test("nothing happens before its time, or after it has given up", () => {
  const requester = new Requester({ ...patience, repetitionsMax: 0 });
  requester.start();
  expect(requester.pollTransmit(0)).toBe(true);
  expect(requester.pollTransmit(0)).toBe(false);
  requester.handleTimeout(999_999);
  expect(requester.hasGivenUp).toBe(false);
  expectMark("request-given-up", () => requester.handleTimeout(1_000_000));
  expect(requester.hasGivenUp).toBe(true);
  expect(requester.deadlineUs).toBe(Infinity);
  expect(requester.pollTransmit(2_000_000)).toBe(false);
});

test("another request has all of the patience again", () => {
  const requester = new Requester({ ...patience, repetitionsMax: 0 });
  requester.start();
  requester.pollTransmit(0);
  requester.handleTimeout(1_000_000);
  requester.start();
  expect(requester.hasGivenUp).toBe(false);
  expect(requester.pollTransmit(1_000_000)).toBe(true);
  expect(requester.deadlineUs).toBe(2_000_000);
});
