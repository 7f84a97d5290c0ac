// Boots as they are told to whoever stands before the rack: what each client asked for and what came of it, who is stuck and on
// what; all of it in bounded memory.

import { describe, expect, test } from "bun:test";

import {
  PROGRESS_WORDS,
  type RefusalRecord,
  type RequestRecord,
  type ShardRecord,
  type TransferRecord,
} from "#server/contract.ts";
import { measures } from "#server/measures.ts";
import { hasSucceeded } from "#server/tally.ts";
import { adviceFor } from "#supervisor/advice.ts";
import { auditEvents } from "#supervisor/audit.ts";
import type { Boot } from "#supervisor/boots.ts";
import { Observer } from "#supervisor/observer.ts";
import { isClientsChoice } from "#supervisor/severity.ts";

const SHARDS = 2;
const PEER = "10.0.0.7:2070";

describe("a client", () => {
  test("loads, and then is idle", () => {
    const seen = observe();
    seen.note(asks(2, "pxelinux.0", 0));
    expect(seen.client(1000)).toMatchObject({
      state: "loading",
      sentence: "loads pxelinux.0, 0 % of 1.0 kB",
    });
    seen.note(ends(2, "pxelinux.0", 1500));
    expect(seen.client(60_000)).toMatchObject({
      state: "idle",
      sentence: "got pxelinux.0, 59 s ago",
      remedy: "",
      files: 1,
      bytes: 1000,
    });
  });

  test("that asks for what is not there, and then for something else, is not stuck", () => {
    const seen = observe();
    seen.note(misses("pxelinux.cfg/01-aa", 0));
    expect(seen.client(100).state).toBe("loading");
    seen.note(asks(2, "pxelinux.cfg/default", 200));
    seen.note(ends(2, "pxelinux.cfg/default", 300));
    expect(seen.client(60_000)).toMatchObject({ state: "idle", misses: 1 });
  });

  test("that asks for what is not there, and is silent then, is stuck", () => {
    const seen = observe();
    seen.note(misses("initrd.img", 0));
    expect(seen.client(5999).state).toBe("loading");
    expect(seen.client(12_000)).toMatchObject({
      state: "stuck",
      sentence: "initrd.img is not there, 12 s ago; nothing since",
      remedy: expect.stringContaining("root folder") as string,
    });
    // Nobody looks for it any more.
    expect(seen.client(3_600_001).state).toBe("idle");
  });

  test("that asks for it again and again is stuck, however busy it is", () => {
    const seen = observe();
    for (let ms = 0; ms < 3000; ms += 1000) seen.note(misses("initrd.img", ms));
    expect(seen.client(2000)).toMatchObject({
      state: "stuck",
      sentence: "initrd.img is not there, asked for 3 times, 0 s ago",
    });
  });

  test("that is stuck for ten seconds is told of once for each file, and not if it goes on", () => {
    const seen = observe();
    const told = (ms: number): string[] =>
      seen.observer.timelines.newlyStuck(ms).map(({ file }) => file);
    seen.note(misses("initrd.img", 0));
    expect([told(5000), told(7000), told(16_999)]).toEqual([[], [], []]);
    expect(told(17_000)).toEqual(["initrd.img"]);
    expect(told(40_000)).toEqual([]);
    seen.note(asks(2, "initrd.img", 50_000));
    seen.note(ends(2, "initrd.img", 51_000));
    seen.note(misses("initrd.img", 52_000));
    expect([told(51_500), told(60_000), told(80_000)]).toEqual([[], [], []]);
    seen.note(misses("vmlinuz", 90_000));
    // It asked for something else just in time.
    expect([told(91_000), told(97_000), told(106_000)]).toEqual([[], [], []]);
    seen.note(asks(4, "vmlinuz", 106_500));
    expect([told(107_000), told(113_000), told(122_000)]).toEqual([[], [], []]);
    expect(told(123_000)).toEqual(["vmlinuz"]);
  });

  test("that stops in the middle is stuck, and says how far it came", () => {
    const seen = observe();
    seen.note(asks(2, "vmlinuz", 0));
    seen.observer.live.progress(0, progress(2, 400, true), 1000);
    expect(seen.client(6999).state).toBe("loading");
    expect(seen.client(8000)).toMatchObject({
      state: "stuck",
      sentence: "vmlinuz does not move: the client is silent (40 % of 1.0 kB, 7 s)",
      remedy: expect.stringContaining("cable") as string,
    });
    seen.observer.live.progress(0, progress(2, 500, true), 9000);
    expect(seen.client(9000).state).toBe("loading");
    seen.note({ ...ends(2, "vmlinuz", 30_000), outcome: "gave-up", isSuccess: false, bytes: 500 });
    expect(seen.client(31_000)).toMatchObject({
      state: "stuck",
      sentence: "vmlinuz broke off: the client stopped answering after 50 % of 1.0 kB, 1 s ago",
      failures: 1,
    });
  });

  test("that never answers is told apart from one that stops", () => {
    const seen = observe();
    seen.note(asks(2, "vmlinuz", 0));
    seen.observer.live.progress(0, progress(2, 0, false), 1000);
    expect(seen.client(8000)).toMatchObject({
      state: "stuck",
      remedy: expect.stringContaining("firewall") as string,
    });
  });

  test("that asked several shards is told in the order of its asking", () => {
    const seen = observe();
    for (const ms of [1000, 3000, 2000]) seen.note(misses(`at ${ms}`, ms));
    const files = seen.timeline(4000).steps.map(({ file }) => file);
    expect(files).toEqual(["at 1000", "at 2000", "at 3000"]);
  });

  test("begins anew with another boot", () => {
    const seen = observe();
    seen.note(misses("a", 0));
    seen.note(misses("b", 1_000_000), "1111111111111111");
    const { client, steps } = seen.timeline(1_000_000);
    expect(client).toMatchObject({ boots: 2, boot: "1111111111111111", misses: 1 });
    expect(steps.map(({ file }) => file)).toEqual(["b"]);
  });

  test("whose worker dies is told so", () => {
    const seen = observe();
    seen.note(asks(3, "vmlinuz", 0));
    seen.observer.cutOff(0, 10);
    expect(seen.observer.live.count).toBe(1);
    seen.observer.cutOff(1, 10);
    expect(seen.observer.live.count).toBe(0);
    expect(seen.timeline(10).steps[0]).toMatchObject({ state: "failed", because: "worker-died" });
  });
});

describe("memory is bounded", () => {
  test("in the steps of a client, of which the oldest go", () => {
    const seen = observe();
    for (let index = 0; index < 100; index += 1) seen.note(misses(`file-${index}`, index));
    const { steps, steps_dropped } = seen.timeline(1000);
    expect([steps.length, steps_dropped, steps[0]?.file]).toEqual([64, 36, "file-36"]);
    expect(seen.client(1000).misses).toBe(100);
  });

  test("in clients, of which those go that were silent longest", () => {
    const seen = observe();
    for (let index = 0; index < 20; index += 1) {
      seen.note({ ...misses("x", index), peer: `10.0.1.${index}:69` });
      if (index === 5) seen.note({ ...misses("x", index), peer: "10.0.1.0:70" });
    }
    const kept = seen.observer.timelines.views(100, 20).map(({ client }) => client);
    expect(kept).toHaveLength(10);
    expect(kept).not.toContain("10.0.1.0");
    expect(kept).toContain("10.0.1.19");
  });

  test("in transfers whose end was never told", () => {
    const seen = observe();
    for (let id = 2; id < 24; id += 2) seen.note(asks(id, "x", id));
    expect(seen.observer.live.count).toBe(10);
    for (let report = 1; report < 3; report += 1) {
      seen.observer.live.progress(0, progress(22, 1, true), report * 1000);
      expect(seen.observer.live.count).toBe(10);
    }
    seen.observer.live.progress(0, progress(22, 1, true), 3000);
    expect(seen.observer.live.count).toBe(1);
  });

  test("in names and in troubles, of which the same again is counted", () => {
    const seen = observe();
    for (let index = 0; index < 2100; index += 1) seen.note(misses(`file-${index}`, index));
    expect(seen.observer.files.count).toBe(2000);
    seen.note(misses("file-2099", 3000));
    const [newest] = seen.observer.troubles.views(1000);
    expect(newest).toMatchObject({ sentence: "file-2099 is not there", times: 2 });
    expect(seen.observer.troubles.views(1000)).toHaveLength(100);
  });
});

test("stuck clients come first, and counts agree", () => {
  const seen = observe();
  seen.note({ ...asks(2, "x", 0), peer: "10.0.0.1:1" });
  seen.note({ ...ends(2, "x", 1), peer: "10.0.0.1:1" });
  seen.note({ ...misses("y", 2), peer: "10.0.0.2:1" });
  seen.note({ ...asks(4, "x", 9000), peer: "10.0.0.3:1" });
  const states = seen.observer.timelines
    .views(100, 9500)
    .map(({ client, state }) => [client, state]);
  expect(states).toEqual([
    ["10.0.0.2", "stuck"],
    ["10.0.0.3", "loading"],
    ["10.0.0.1", "idle"],
  ]);
  expect(seen.observer.timelines.counts(9500)).toEqual({ stuck: 1, loading: 1, idle: 1 });
});

test("every end that is somebody's fault has a remedy of its own", () => {
  const values = [measures.readEnds, measures.writeEnds].flatMap(({ by }) => by?.values ?? []);
  for (const outcome of values) {
    if (hasSucceeded(outcome) || isClientsChoice(outcome) || outcome === "other") continue;
    expect([outcome, adviceFor(outcome).words]).not.toEqual([outcome, "failed"]);
  }
  expect(adviceFor("never-heard-of").words).toBe("failed");
});

function observe() {
  const observer = new Observer(SHARDS, 10);
  return {
    observer,
    note(record: ShardRecord, id = "0000000000000000"): void {
      const boot: Boot = { id, mac: undefined, interfaceName: undefined, isSampled: true };
      observer.record(record, boot, auditEvents(record), 10);
    },
    timeline(nowMs: number) {
      const found = observer.timelines.timeline("10.0.0.7", nowMs);
      if (found === undefined) throw new Error("the client is not remembered");
      return found;
    },
    client(nowMs: number) {
      return this.timeline(nowMs).client;
    },
  };
}

const whose = { peer: PEER, interfaceIndex: 0, listener: 0, localAddress: undefined } as const;
const sizes = { mode: "octet", fileBytes: 1000, blockBytes: 512 } as const;
const ended = { outcome: "complete", isSuccess: true, bytes: 1000, durationUs: 1000 } as const;
const counted = { windowBlocks: 1, blocksSent: 2, blocksResent: 0, timeouts: 0, rttUs: 100 };
const notFound = { isWrite: false, code: 1, reason: "File not found", cause: "not-found" } as const;

function asks(transferId: number, name: string, timeMs: number): RequestRecord {
  return { kind: "request", transferId, name, timeMs, ...whose, ...sizes, asked: {} };
}

function ends(transferId: number, name: string, timeMs: number): TransferRecord {
  const base = {
    kind: "transfer",
    transferId,
    name,
    timeMs,
    options: "",
    sha256: undefined,
  } as const;
  return { ...base, ...whose, ...sizes, ...ended, ...counted };
}

function misses(name: string, timeMs: number): RefusalRecord {
  return { kind: "refusal", name, timeMs, ...whose, ...notFound };
}

function progress(transferId: number, bytes: number, hasHeard: boolean): Float64Array {
  const words = new Float64Array(PROGRESS_WORDS);
  words.set([transferId, bytes, 0, 0, 0, Number(hasHeard)]);
  return words;
}
