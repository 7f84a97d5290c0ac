// The Receiver's polls: refused datagrams, fates, deadlines and counts, beside any transcript.

import { describe, expect, test } from "bun:test";

import * as fc from "fast-check";

import { errorReplies } from "#protocol/error-reply.ts";
import type { ReceiverOptions } from "#protocol/receiver-options.ts";
import { Fate, Receiver, Reply } from "#protocol/receiver.ts";

const usual: ReceiverOptions = {
  blockBytes: 512,
  windowBlocks: 4,
  rolloverTo: 0,
  timeoutUs: undefined,
  patienceUs: 30_000_000,
  firstReply: "oack",
};

/** A receiver whose first reply has gone out at 0. */
function begun(options: Partial<ReceiverOptions> = {}): Receiver {
  const receiver = new Receiver({ ...usual, ...options });
  receiver.start(0);
  receiver.pollTransmit(0);
  return receiver;
}

/** Hands over full blocks, and says what became of them. */
function take(receiver: Receiver, nowUs: number, ...wires: number[]): Fate[] {
  return wires.map((wire) => receiver.handleData(wire, 512, nowUs));
}

const { accepted, duplicate, gap, ignored } = Fate;

describe("fates", () => {
  test("in order, again, ahead, and none of the window", () => {
    const receiver = begun();
    expect(take(receiver, 1, 1, 1, 3, 4, 5, 2)).toEqual([
      accepted,
      duplicate,
      gap,
      gap,
      ignored,
      accepted,
    ]);
    expect(receiver).toMatchObject({ acceptedBlock: 2, hasLastBlock: false, progressUs: 1 });
  });

  test("nothing is taken before the first reply has gone out: the block size is not agreed yet", () => {
    const receiver = new Receiver(usual);
    receiver.start(0);
    expect(take(receiver, 0, 1)).toEqual([ignored]);
    expect(receiver.pollTransmit(0)).toBe(Reply.oack);
    receiver.handleUnsent();
    expect(take(receiver, 0, 1)).toEqual([ignored]);
    expect(receiver.pollTransmit(0)).toBe(Reply.oack);
    expect(take(receiver, 0, 1)).toEqual([accepted]);
  });

  test("nothing is taken after the last block, nor after the end", () => {
    const receiver = begun();
    expect(receiver.handleData(1, 511, 0)).toBe(accepted);
    expect(receiver).toMatchObject({ acceptedBlock: 1, hasLastBlock: true, isHeld: true });
    expect(take(receiver, 0, 300, 65_000, 1)).toEqual([ignored, ignored, duplicate]);
    receiver.complete(0);
    expect(take(receiver, 0, 2, 1)).toEqual([ignored, duplicate]);
    receiver.handleTimeout(receiver.deadlineUs);
    expect(take(receiver, 0, 2, 1)).toEqual([ignored, ignored]);
    expect(receiver).toMatchObject({ outcome: "complete", isHeld: false, isDallying: false });
  });

  test("a window of 65,535 blocks is one", () => {
    const receiver = begun({ windowBlocks: 65_535 });
    for (let wire = 1; wire <= 65_535; wire++) receiver.handleData(wire, 512, 0);
    expect(receiver.acceptedBlock).toBe(65_535);
    expect(take(receiver, 0, 0)).toEqual([ignored]);
    expect(receiver.pollTransmit(0)).toBe(Reply.ack);
    expect(take(receiver, 0, 0, 1)).toEqual([accepted, accepted]);
  });
});

describe("replies", () => {
  test("the OACK or ACK 0 once, then an ACK for each window, by its last block", () => {
    const receiver = begun();
    expect(receiver.pollTransmit(0)).toBe(Reply.none);
    take(receiver, 0, 1, 2, 3);
    expect(receiver.pollTransmit(0)).toBe(Reply.none);
    take(receiver, 0, 4);
    expect(receiver.pollTransmit(0)).toBe(Reply.ack);
    expect(receiver.ackedBlock).toBe(4);
    expect(receiver.pollTransmit(0)).toBe(Reply.none);
    const bare = new Receiver({ ...usual, firstReply: "ack-0" });
    bare.start(0);
    expect(bare.pollTransmit(0)).toBe(Reply.ack);
    expect(bare.ackedBlock).toBe(0);
  });

  test("none after the end, be it never so soon", () => {
    const receiver = new Receiver(usual);
    receiver.start(0);
    receiver.abort("replaced");
    expect(receiver.pollTransmit(0)).toBe(Reply.none);
    const windowed = begun();
    take(windowed, 0, 1, 2, 3, 4);
    windowed.abort("shutdown");
    expect([windowed.pollTransmit(0), windowed.pollTransmit(0)]).toEqual([Reply.error, Reply.none]);
  });

  test("a gap that is filled before anything was sent needs no reply", () => {
    const receiver = begun();
    take(receiver, 0, 1, 3, 2);
    expect(receiver.pollTransmit(0)).toBe(Reply.none);
    // But it has been seen, and the peer is to send again what was dropped: the next gap is another one.
    expect(take(receiver, 0, 4)).toEqual([gap]);
    expect(receiver.pollTransmit(0)).toBe(Reply.ack);
    expect(receiver.ackedBlock).toBe(2);
  });

  test("behind an ACK inside the window the next one is a whole window on", () => {
    const receiver = begun();
    take(receiver, 0, 1, 3);
    receiver.pollTransmit(0);
    take(receiver, 0, 2, 3, 4);
    expect(receiver.pollTransmit(0)).toBe(Reply.none);
    take(receiver, 0, 5);
    expect(receiver.pollTransmit(0)).toBe(Reply.ack);
    expect(receiver.ackedBlock).toBe(5);
  });

  test("our own RRQ was answered by DATA 1: it is acknowledged, and nothing goes out before", () => {
    const receiver = new Receiver({ ...usual, windowBlocks: 1, firstReply: "none" });
    receiver.start(0);
    expect(receiver.pollTransmit(0)).toBe(Reply.none);
    expect(receiver.deadlineUs).toBe(usual.patienceUs);
    receiver.repeatFirstReply(0);
    expect(receiver.pollTransmit(0)).toBe(Reply.none);
    expect(take(receiver, 10, 1)).toEqual([accepted]);
    expect(receiver.pollTransmit(10)).toBe(Reply.ack);
    expect(take(receiver, 2_000, 1)).toEqual([duplicate]);
    expect(receiver.pollTransmit(2_000)).toBe(Reply.ack);
    expect(receiver.statistics.rttUs).toBe(0);
    expect(take(receiver, 3_000, 2)).toEqual([accepted]);
    expect(receiver.pollTransmit(3_000)).toBe(Reply.ack);
  });
});

describe("replies that the kernel did not take", () => {
  test("are due again, and do not count as sent", () => {
    const receiver = begun();
    take(receiver, 1_000, 1, 2, 3, 4);
    receiver.pollTransmit(1_000);
    receiver.handleUnsent();
    expect(receiver).toMatchObject({ ackedBlock: 0, statistics: { repliesSent: 1 } });
    expect(take(receiver, 1_000, 5)).toEqual([ignored]);
    expect(receiver.pollTransmit(1_500)).toBe(Reply.ack);
    expect(receiver).toMatchObject({ ackedBlock: 4, statistics: { repliesSent: 2 } });
    expect(take(receiver, 2_500, 5, 6, 7, 8)).not.toContain(ignored);
    expect(receiver.statistics.rttUs).toBe(1_000);
    receiver.pollTransmit(2_500);
    receiver.handleUnsent();
    expect(receiver.ackedBlock).toBe(4);
  });

  test("the final ACK, too, and an ERROR; but no ACK after the end", () => {
    const receiver = begun();
    receiver.handleData(1, 0, 0);
    receiver.complete(0);
    expect(receiver.pollTransmit(0)).toBe(Reply.ack);
    receiver.handleUnsent();
    expect(receiver.pollTransmit(0)).toBe(Reply.ack);
    expect(receiver).toMatchObject({ ackedBlock: 1, statistics: { repliesSent: 2 } });
    const refused = begun();
    refused.refuse(errorReplies.diskFull);
    expect(refused.pollTransmit(0)).toBe(Reply.error);
    refused.handleUnsent();
    expect(refused.pollTransmit(5)).toBe(Reply.error);
    expect(refused.pollTransmit(5)).toBe(Reply.none);
    expect(refused.statistics.repliesSent).toBe(1);
    const ended = begun();
    ended.handleError(0, 0);
    ended.handleUnsent();
    expect(ended.pollTransmit(0)).toBe(Reply.none);
  });

  test("while they wait, the timer neither repeats nor backs off, but patience runs out", () => {
    const receiver = begun();
    take(receiver, 0, 1, 2, 3, 4);
    receiver.pollTransmit(0);
    receiver.handleUnsent();
    for (let round = 0; receiver.outcome === "running"; round++) {
      if (round > 10_000) throw new Error("it never gives up");
      receiver.handleTimeout(receiver.deadlineUs);
    }
    expect(receiver.statistics).toMatchObject({ timeouts: 0, repliesSent: 1 });
    expect(receiver.outcome).toBe("gave-up");
  });
});

describe("deadlines", () => {
  test("nothing happens before one", () => {
    const receiver = begun();
    receiver.handleTimeout(receiver.deadlineUs - 1);
    expect(receiver.pollTransmit(0)).toBe(Reply.none);
    receiver.handleTimeout(receiver.deadlineUs);
    expect(receiver.pollTransmit(1_000_000)).toBe(Reply.oack);
  });

  test("patience is counted from the start", () => {
    const receiver = new Receiver({ ...usual, patienceUs: 500_000 });
    receiver.start(10_000_000);
    expect(receiver).toMatchObject({ deadlineUs: 10_500_000, progressUs: 10_000_000 });
  });

  test("each block that is accepted puts it off", () => {
    const receiver = begun({ firstTimeoutUs: 300_000 });
    expect(receiver.deadlineUs).toBe(300_000);
    take(receiver, 10_000, 1);
    expect(receiver.deadlineUs).toBe(10_000 + 50_000);
    take(receiver, 55_000, 2);
    expect(receiver.deadlineUs).toBe(55_000 + 50_000);
    take(receiver, 70_000, 2, 4);
    expect(receiver.deadlineUs).toBe(55_000 + 50_000);
  });

  test("the dally time is counted from completion, and may be given", () => {
    const receiver = begun({ dallyUs: 700 });
    receiver.handleData(1, 0, 100);
    receiver.complete(200);
    expect(receiver.deadlineUs).toBe(900);
    receiver.pollTransmit(300);
    receiver.handleData(1, 0, 800);
    receiver.pollTransmit(800);
    expect(receiver.deadlineUs).toBe(900);
    receiver.handleTimeout(899);
    expect(receiver.isDallying).toBe(true);
    receiver.handleTimeout(900);
    expect(receiver.outcome).toBe("complete");
  });

  test("at any time of any clock, each one that passes brings the end nearer", () => {
    const times = fc.double({ min: 0, max: 2 ** 40, noNaN: true });
    fc.assert(
      fc.property(times, times, (startUs, laterUs) => {
        const receiver = new Receiver(usual);
        receiver.start(startUs);
        receiver.pollTransmit(startUs);
        take(receiver, startUs + (laterUs % 1e6), 1);
        let timeouts = 0;
        while (receiver.outcome === "running" && timeouts < 100) {
          const nowUs = receiver.deadlineUs;
          receiver.handleTimeout(nowUs);
          timeouts++;
          receiver.pollTransmit(nowUs);
        }
        expect(timeouts).toBeLessThan(20);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("Karn's rule", () => {
  test("an ACK that went out twice measures nothing, the next one does", () => {
    const receiver = begun({ windowBlocks: 1, firstReply: "ack-0" });
    take(receiver, 10_000, 1);
    receiver.pollTransmit(10_000);
    receiver.handleTimeout(60_000);
    receiver.pollTransmit(60_000);
    take(receiver, 61_000, 2);
    expect(receiver.statistics).toMatchObject({ rttUs: 10_000, timeouts: 1 });
    receiver.pollTransmit(61_000);
    take(receiver, 63_000, 3);
    expect(receiver.statistics.rttUs).toBe(9_000);
  });

  test("nor does one that complains of a gap, or repeats itself for a repeated block", () => {
    const receiver = begun();
    take(receiver, 10_000, 1, 3);
    receiver.pollTransmit(10_000);
    take(receiver, 11_000, 2, 3, 4, 5);
    receiver.pollTransmit(11_000);
    take(receiver, 50_000, 2);
    expect(receiver.pollTransmit(50_000)).toBe(Reply.ack);
    take(receiver, 51_000, 6);
    expect(receiver.statistics.rttUs).toBe(10_000);
  });

  test("a request that came twice before it was answered once spoils nothing", () => {
    const receiver = new Receiver(usual);
    receiver.start(0);
    receiver.repeatFirstReply(0);
    receiver.pollTransmit(0);
    take(receiver, 200, 1);
    expect(receiver.statistics.rttUs).toBe(200);
  });

  test("nor does a first reply that was asked for again", () => {
    const receiver = begun();
    receiver.repeatFirstReply(100);
    receiver.pollTransmit(100);
    take(receiver, 200, 1);
    expect(receiver.statistics.rttUs).toBe(0);
  });
});

describe("our own mistakes are caught", () => {
  test("a window that nobody negotiated, or that does not fit the cycle; a block of nothing", () => {
    expect(() => new Receiver({ ...usual, firstReply: "none" })).toThrow("a window is negotiated");
    expect(() => new Receiver({ ...usual, windowBlocks: 65_536 })).toThrow("fits the cycle");
    const rolloverTo = 1;
    expect(() => new Receiver({ ...usual, windowBlocks: 65_535, rolloverTo })).toThrow("cycle");
    expect(() => new Receiver({ ...usual, windowBlocks: 0 })).toThrow("window");
    expect(() => new Receiver({ ...usual, blockBytes: 0 })).toThrow("a block holds something");
  });
});

describe("for any sequence of calls", () => {
  const call = fc.oneof(
    { weight: 6, arbitrary: fc.record({ call: fc.constant("next"), argument: fc.nat(3) }) },
    fc.record({ call: fc.constant("data"), argument: fc.nat(30) }),
    fc.record({ call: fc.constant("end"), argument: fc.nat(0) }),
    fc.record({ call: fc.constant("timeout"), argument: fc.nat(0) }),
    { weight: 3, arbitrary: fc.record({ call: fc.constant("poll"), argument: fc.nat(0) }) },
    fc.record({ call: fc.constant("unsent"), argument: fc.nat(0) }),
    fc.record({ call: fc.constant("request"), argument: fc.nat(0) }),
    fc.record({ call: fc.constant("pause"), argument: fc.nat(0) }),
    fc.record({ call: fc.constant("resume"), argument: fc.nat(0) }),
    fc.record({ call: fc.constant("complete"), argument: fc.nat(0) }),
    fc.record({ call: fc.constant("wait"), argument: fc.nat(200_000) }),
  );

  test("each block once and in order, no more than a window, no ACK of what is not kept", () => {
    const windows = fc.constantFrom(1, 2, 8);
    const calls = fc.array(call, { maxLength: 120 });
    fc.assert(
      fc.property(windows, calls, (windowBlocks, calls) => {
        const receiver = new Receiver({ ...usual, windowBlocks, firstReply: "ack-0" });
        let nowUs = 0;
        let blocks = 0;
        let isComplete = false;
        let isPaused = false;
        let isSent = false;
        receiver.start(nowUs);
        for (const { call, argument } of calls) {
          const fates: Fate[] = [];
          const next = receiver.acceptedBlock + 1;
          if (call === "next") fates.push(receiver.handleData(next + argument, 512, nowUs));
          if (call === "data") fates.push(receiver.handleData(argument, 512, nowUs));
          if (call === "end") fates.push(receiver.handleData(next, 7, nowUs));
          if (call === "unsent" && isSent) receiver.handleUnsent();
          if (call === "request") receiver.repeatFirstReply(nowUs);
          if (call === "wait") nowUs += argument;
          if (call === "pause") receiver.pause();
          if (call === "resume") receiver.resume(nowUs);
          if (call === "pause" || call === "resume") isPaused = call === "pause";
          if (call === "timeout" && receiver.deadlineUs < Infinity) {
            nowUs = Math.max(nowUs, receiver.deadlineUs);
            receiver.handleTimeout(nowUs);
          }
          if (call === "complete" && receiver.isHeld) {
            receiver.complete(nowUs);
            isComplete = true;
          }
          isSent = false;
          if (call === "poll") {
            const reply = receiver.pollTransmit(nowUs);
            isSent = reply === Reply.ack;
            if (isSent) {
              expect(receiver.ackedBlock).toBe(blocks);
              expect(receiver.hasLastBlock).toBe(isComplete);
              expect(isPaused).toBe(isComplete && isPaused);
            }
          }
          if (fates.includes(accepted)) blocks++;
          expect(receiver.acceptedBlock).toBe(blocks);
          expect(blocks - receiver.ackedBlock).toBeWithin(0, windowBlocks + 1);
          expect(receiver.statistics.blocksAccepted).toBe(blocks);
          expect(receiver.outcome === "complete").toBe(
            isComplete && receiver.outcome !== "running",
          );
          if (receiver.outcome !== "running") expect(receiver.deadlineUs).toBe(Infinity);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
