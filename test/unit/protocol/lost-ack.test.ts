// Telling a lost ACK from an echo, step by step: times in any unit.

import { describe, expect, test } from "bun:test";

import { LostAck } from "#protocol/lost-ack.ts";

/** The ACK of block 4 went out at 100, on a path of 10 there and back. */
function acknowledged(): LostAck {
  const lostAck = new LostAck();
  lostAck.noteFirst(80);
  lostAck.noteAnswer(90);
  lostAck.noteProgress();
  lostAck.noteFirst(100);
  return lostAck;
}

describe("a repeated block", () => {
  test("within a round trip of the ACK was under way; later, the ACK was lost", () => {
    expect(acknowledged().isLost(1, 110)).toBe(false);
    expect(acknowledged().isLost(1, 111)).toBe(true);
  });

  test("belongs to the burst before it if it lies above that", () => {
    const lostAck = acknowledged();
    expect([1, 2, 4].map((block) => lostAck.isLost(block, 120))).toEqual([true, false, false]);
    expect([3, 4, 4].map((block) => lostAck.isLost(block, 130))).toEqual([true, false, true]);
  });

  test("is measured against the copy of the ACK that went out last", () => {
    const lostAck = acknowledged();
    lostAck.noteAgain(150);
    expect(lostAck.isLost(1, 160)).toBe(false);
    expect(lostAck.isLost(1, 161)).toBe(true);
  });

  test("after progress is another burst", () => {
    const lostAck = acknowledged();
    lostAck.isLost(1, 120);
    lostAck.noteProgress();
    expect(lostAck.isLost(2, 120)).toBe(true);
  });

  test("before anything was measured is taken for a loss", () => {
    const lostAck = new LostAck();
    lostAck.noteAnswer(50);
    lostAck.noteFirst(100);
    expect(lostAck.isLost(1, 100)).toBe(true);
  });
});

describe("the round trip", () => {
  test("is at most the time since the first copy, whichever was answered", () => {
    const lostAck = new LostAck();
    lostAck.noteFirst(100);
    lostAck.noteAgain(130);
    lostAck.noteAnswer(140);
    lostAck.noteFirst(200);
    expect(lostAck.isLost(1, 240)).toBe(false);
    expect(lostAck.isLost(1, 241)).toBe(true);
  });

  test("is the shortest that was seen", () => {
    const lostAck = acknowledged();
    lostAck.noteAnswer(130);
    lostAck.noteFirst(200);
    expect(lostAck.isLost(1, 211)).toBe(true);
    lostAck.noteAnswer(205);
    expect(lostAck.isLost(1, 206)).toBe(true);
  });

  test("is not told shorter by a block that was under way when an ACK went out", () => {
    const lostAck = acknowledged();
    lostAck.noteAnswer(110);
    lostAck.noteAgain(200);
    lostAck.noteAnswer(201);
    lostAck.noteFirst(300);
    expect(lostAck.isLost(1, 310)).toBe(false);
  });
});
