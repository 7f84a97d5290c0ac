// The Sender's polls: runs, refused datagrams, deadlines and counts, beside any transcript.

import { describe, expect, test } from "bun:test";

import * as fc from "fast-check";

import type { SenderOptions } from "#protocol/sender-options.ts";
import { Sender, Transmit } from "#protocol/sender.ts";

const usual: SenderOptions = {
  blockBytes: 512,
  windowBlocks: 8,
  rolloverTo: 0,
  timeoutUs: undefined,
  patienceUs: 30_000_000,
  hasOack: true,
  lastBlock: 100,
};

/** A sender whose OACK was acknowledged after 10 ms. */
function begun(options: Partial<SenderOptions> = {}): Sender {
  const sender = new Sender({ ...usual, ...options });
  sender.start(0);
  sender.pollTransmit(1, 0);
  sender.handleAck(0, 10_000);
  return sender;
}

/** Polls until none, and returns the runs as `first+count`. */
function runs(sender: Sender, blocksMax: number, nowUs: number): string[] {
  const seen: string[] = [];
  while (sender.pollTransmit(blocksMax, nowUs) === Transmit.data) {
    seen.push(`${sender.firstBlock}+${sender.blockCount}`);
  }
  return seen;
}

describe("runs", () => {
  test("are contiguous and no longer than asked", () => {
    expect(runs(begun(), 3, 10_000)).toEqual(["1+3", "4+3", "7+2"]);
    expect(runs(begun(), 64, 10_000)).toEqual(["1+8"]);
    expect(begun().pollTransmit(0, 10_000)).toBe(Transmit.none);
  });

  test("a window of 65,535 blocks is one", () => {
    const sender = begun({ windowBlocks: 65_535, lastBlock: 1_000_000 });
    expect(runs(sender, Infinity, 0)).toEqual(["1+65535"]);
    sender.handleAck(0, 10_000);
    expect(sender.ackedBlock).toBe(0);
    sender.handleAck(65_535, 20_000);
    expect(sender.ackedBlock).toBe(65_535);
    expect(runs(sender, Infinity, 0)).toEqual(["65536+65535"]);
    sender.handleAck(65_534, 40_000);
    expect(sender.ackedBlock).toBe(131_070);
  });
});

describe("datagrams that the kernel did not take", () => {
  test("are due again, and do not count as sent", () => {
    const sender = begun();
    runs(sender, 3, 10_000);
    sender.handleUnsent(5);
    expect(sender.statistics.blocksSent).toBe(4);
    expect(runs(sender, 3, 20_000)).toEqual(["5+3", "8+1"]);
    expect(sender.statistics).toMatchObject({ blocksSent: 8, blocksResent: 0 });
  });

  test("do not count as sent again, either", () => {
    const sender = begun();
    runs(sender, 64, 10_000);
    sender.handleTimeout(sender.deadlineUs);
    runs(sender, 64, 2_000_000);
    sender.handleUnsent(3);
    expect(sender.statistics).toMatchObject({ blocksSent: 10, blocksResent: 2 });
    // The first copy of the window is out there all the same, and may be acknowledged.
    sender.handleAck(8, 2_010_000);
    expect(sender.ackedBlock).toBe(8);
  });

  test("an ACK of a block that was taken back is ignored", () => {
    const sender = begun();
    runs(sender, 64, 10_000);
    sender.handleUnsent(5);
    sender.handleAck(5, 11_000);
    expect(sender.ackedBlock).toBe(0);
    sender.handleAck(4, 11_000);
    expect(sender.ackedBlock).toBe(4);
  });

  test("the OACK, too", () => {
    const sender = new Sender(usual);
    sender.start(0);
    expect(sender.pollTransmit(1, 0)).toBe(Transmit.oack);
    sender.handleUnsent(0);
    expect(sender.pollTransmit(1, 5)).toBe(Transmit.oack);
    expect(sender.pollTransmit(1, 5)).toBe(Transmit.none);
    sender.handleAck(0, 10);
    sender.handleUnsent(0);
    expect(sender.pollTransmit(1, 10)).toBe(Transmit.data);
  });

  test("while they wait, the timer neither repeats nor backs off, but patience runs out", () => {
    const sender = begun();
    runs(sender, 64, 10_000);
    sender.handleUnsent(5);
    for (let round = 0; sender.outcome === "running"; round++) {
      if (round > 10_000) throw new Error("it never gives up");
      sender.handleTimeout(sender.deadlineUs);
    }
    expect(sender.statistics).toMatchObject({ timeouts: 0, blocksSent: 4, blocksResent: 0 });
    expect(sender.outcome).toBe("gave-up");
  });
});

describe("deadlines", () => {
  test("nothing happens before one", () => {
    const sender = begun();
    runs(sender, 64, 10_000);
    sender.handleTimeout(sender.deadlineUs - 1);
    expect(sender.pollTransmit(64, 10_000)).toBe(Transmit.none);
    sender.handleTimeout(sender.deadlineUs);
    expect(runs(sender, 64, 100_000)).toEqual(["1+8"]);
  });

  test("at any time of any clock, each one that passes brings the end nearer", () => {
    const times = fc.double({ min: 0, max: 2 ** 40, noNaN: true });
    fc.assert(
      fc.property(times, times, (startUs, laterUs) => {
        const sender = new Sender({ ...usual, windowBlocks: 1, hasOack: false });
        sender.start(startUs);
        sender.pollTransmit(1, startUs);
        sender.handleAck(1, startUs + (laterUs % 1e6));
        let timeouts = 0;
        while (sender.outcome === "running" && timeouts < 100) {
          const nowUs = sender.deadlineUs;
          sender.handleTimeout(nowUs);
          timeouts++;
          sender.pollTransmit(1, nowUs);
        }
        expect(timeouts).toBeLessThan(20);
      }),
      { numRuns: 1000 },
    );
  });

  test("the configured first timeout holds until something is measured", () => {
    const sender = new Sender({ ...usual, firstTimeoutUs: 300_000 });
    sender.start(0);
    sender.pollTransmit(1, 0);
    expect(sender.deadlineUs).toBe(300_000);
  });
});

describe("Karn's rule", () => {
  test("a block that went out twice measures nothing, the next one does", () => {
    const sender = begun({ windowBlocks: 1 });
    runs(sender, 1, 10_000);
    sender.handleTimeout(60_000);
    runs(sender, 1, 60_000);
    sender.handleAck(1, 61_000);
    expect(sender.statistics.rttUs).toBe(10_000);
    runs(sender, 1, 61_000);
    sender.handleAck(2, 63_000);
    expect(sender.statistics.rttUs).toBe(9_000);
  });

  test("nor does an ACK inside the window, which says when a gap was seen", () => {
    const sender = begun();
    runs(sender, 8, 10_000);
    sender.handleAck(3, 12_000);
    expect(sender.statistics.rttUs).toBe(10_000);
  });
});

describe("the end that becomes known late", () => {
  test("takes back what was polled beyond it", () => {
    const sender = begun({ lastBlock: Infinity });
    expect(runs(sender, 64, 10_000)).toEqual(["1+8"]);
    sender.setLastBlock(3, true);
    expect(sender.statistics.blocksSent).toBe(3);
    expect(runs(sender, 64, 10_000)).toEqual([]);
    sender.handleAck(4, 20_000);
    expect(sender.ackedBlock).toBe(0);
    sender.handleAck(3, 20_000);
    expect(sender.outcome).toBe("complete");
  });
});

describe("the side that asked, and was answered", () => {
  const asked = { hasOack: false, isRequester: true, lastBlock: 3, lastIsEmpty: true } as const;

  test("begins with a window at once, and is patient, because the peer is there", () => {
    const sender = new Sender({ ...usual, ...asked, patienceUs: 60_000_000 });
    sender.start(0);
    expect(runs(sender, 64, 0)).toEqual(["1+3"]);
    const lockstep = new Sender({ ...usual, ...asked, windowBlocks: 1, patienceUs: 60_000_000 });
    lockstep.start(0);
    runs(lockstep, 1, 0);
    let timeouts = 0;
    for (; lockstep.outcome === "running"; timeouts++) {
      const nowUs = lockstep.deadlineUs;
      lockstep.handleTimeout(nowUs);
      runs(lockstep, 1, nowUs);
    }
    expect(timeouts).toBeGreaterThan(10);
    expect(lockstep.outcome).toBe("gave-up");
  });

  test("takes no ERROR for the last ACK: the file was not kept", () => {
    const sender = new Sender({ ...usual, ...asked });
    sender.start(0);
    runs(sender, 64, 0);
    sender.handleAck(2, 10_000);
    sender.handleError(0, 20_000);
    expect(sender.outcome).toBe("closed-by-client");
  });
});

describe("our own mistakes are caught", () => {
  test("a window that nobody negotiated, or that does not fit the cycle", () => {
    expect(() => new Sender({ ...usual, hasOack: false })).toThrow("a window is negotiated");
    expect(() => new Sender({ ...usual, windowBlocks: 65_536 })).toThrow("fits the cycle");
    const rolloverTo = 1;
    expect(() => new Sender({ ...usual, windowBlocks: 65_535, rolloverTo })).toThrow("cycle");
    expect(() => new Sender({ ...usual, lastBlock: 0 })).toThrow("last block");
    expect(() => new Sender({ ...usual, isRequester: true })).toThrow("no OACK");
    expect(() => begun().setLastBlock(0)).toThrow("lies ahead");
  });
});

describe("for any sequence of calls", () => {
  const call = fc.oneof(
    fc.record({ call: fc.constant("ack"), argument: fc.integer({ min: 0, max: 40 }) }),
    fc.record({ call: fc.constant("timeout"), argument: fc.constant(0) }),
    fc.record({ call: fc.constant("poll"), argument: fc.integer({ min: 1, max: 9 }) }),
    fc.record({ call: fc.constant("unsent"), argument: fc.integer({ min: 0, max: 40 }) }),
    fc.record({ call: fc.constant("request"), argument: fc.constant(0) }),
    fc.record({ call: fc.constant("wait"), argument: fc.integer({ min: 0, max: 200_000 }) }),
  );

  test("blocks stay in the window and in the file, counts add up, and ACKs only move on", () => {
    const windows = fc.constantFrom(1, 2, 8);
    fc.assert(
      fc.property(
        windows,
        fc.boolean(),
        fc.array(call, { maxLength: 80 }),
        (window, oack, calls) => {
          const hasOack = oack || window > 1;
          const sender = new Sender({ ...usual, windowBlocks: window, hasOack, lastBlock: 30 });
          let nowUs = 0;
          let acked = 0;
          sender.start(nowUs);
          for (const { call, argument } of calls) {
            if (call === "ack") sender.handleAck(argument, nowUs);
            if (call === "unsent") sender.handleUnsent(argument);
            if (call === "request") sender.repeatFirstReply(nowUs);
            if (call === "wait") nowUs += argument;
            if (call === "timeout") {
              nowUs = Math.max(nowUs, Math.min(sender.deadlineUs, nowUs + 60_000_000));
              sender.handleTimeout(nowUs);
            }
            if (call === "poll" && sender.pollTransmit(argument, nowUs) === Transmit.data) {
              const end = sender.firstBlock + sender.blockCount - 1;
              expect(sender.blockCount).toBeWithin(1, argument + 1);
              expect(sender.firstBlock).toBeGreaterThan(sender.ackedBlock);
              expect(end).toBeLessThanOrEqual(Math.min(sender.ackedBlock + window, 30));
            }
            expect(sender.ackedBlock).toBeGreaterThanOrEqual(acked);
            acked = sender.ackedBlock;
            const { blocksSent, blocksResent } = sender.statistics;
            expect(blocksResent).toBeWithin(0, blocksSent + 1);
            expect(blocksSent - blocksResent).toBeWithin(acked, 31);
            expect(sender.outcome === "running").toBe(sender.deadlineUs < Infinity);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
