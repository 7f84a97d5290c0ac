// Which events belong to one boot: by client and by silence, in bounded memory; and what the kernel knows of the client.

import { expect, test } from "bun:test";

import type { RefusalRecord, TransferRecord } from "#server/contract.ts";
import { Boots } from "#supervisor/boots.ts";

const terms = { windowMs: 1000, samplingRate: 1 };

test("requests that follow each other are one boot, after a silence there is another", () => {
  const boots = new Boots(unknown);
  const first = boots.note(asks("10.0.0.7:1", 0), terms);
  expect(first.isFirst).toBe(true);
  expect(first.boot?.id).toMatch(/^[0-9a-f]{16}$/);
  // Another port is the same client, and each request makes the boot go on.
  for (const ms of [1000, 2000, 2500]) {
    const next = boots.note(asks(`10.0.0.7:${ms}`, ms), terms);
    expect([next.boot?.id, next.isFirst]).toEqual([first.boot?.id, false]);
  }
  const later = boots.note(asks("10.0.0.7:1", 3501), terms);
  expect(later.isFirst).toBe(true);
  expect(later.boot?.id).not.toBe(first.boot?.id);
  expect(boots.note(asks("10.0.0.8:1", 3501), terms).boot?.id).not.toBe(later.boot?.id);
});

test("the end of a transfer belongs to its request, however long it took", () => {
  const boots = new Boots(unknown);
  const { boot } = boots.note(asks("[2001:db8::7]:1", 0), terms);
  expect(boots.note(ends("[2001:db8::7]:1", 3_600_000), terms).boot).toBe(boot);
});

test("what is no request begins no boot, so that forged packets push nobody out", () => {
  const boots = new Boots(unknown);
  const malformed = { ...asks("10.0.0.7:1", 0), cause: "malformed" } as const;
  expect(boots.note(malformed, terms)).toEqual({ boot: undefined, isFirst: false });
  const { boot } = boots.note(asks("10.0.0.7:1", 0), terms);
  expect(boots.note(malformed, terms).boot).toBe(boot);
});

test("only so many clients are remembered, and the one that was silent longest goes", () => {
  const boots = new Boots(unknown);
  const kept = boots.note(asks("10.9.9.9:1", 0), terms).boot?.id;
  const gone = boots.note(asks("10.8.8.8:1", 0), terms).boot?.id;
  for (let client = 0; client < 9999; client += 1) {
    boots.note(asks(`10.0.${client >> 8}.${client & 255}:1`, 1), terms);
    if (client === 100) boots.note(asks("10.9.9.9:1", 1), terms);
  }
  expect(boots.note(ends("10.9.9.9:1", 1), terms).boot?.id).toBe(kept);
  expect(boots.note(ends("10.8.8.8:1", 1), terms).boot?.id).not.toBe(gone);
});

test("a hardware address is asked for until it is known, twice a second", () => {
  const asked: string[] = [];
  const known = new Map<string, string>();
  const boots = new Boots({
    macOf: (address, index) => {
      asked.push(`${address} on ${index}`);
      return known.get(address);
    },
    interfaceName: (index) => `eth${index}`,
  });
  const record = {
    ...asks("[fe80::1%eth0]:1", 0),
    interfaceIndex: 3,
    listener: 0,
    localAddress: undefined,
  };
  const { boot } = boots.note(record, terms);
  expect([boot?.mac, boot?.interfaceName]).toEqual([undefined, "eth3"]);
  known.set("fe80::1", "52:54:00:12:34:56");
  for (let timeMs = 0; timeMs < 500; timeMs += 100) boots.note({ ...record, timeMs }, terms);
  expect(boot?.mac).toBeUndefined();
  for (let timeMs = 500; timeMs < 3000; timeMs += 500) boots.note({ ...record, timeMs }, terms);
  expect(boot?.mac).toBe("52:54:00:12:34:56");
  expect(asked).toEqual(["fe80::1 on 3", "fe80::1 on 3"]);
});

test("boots are sampled as a whole", () => {
  const boots = new Boots(unknown);
  const share = (samplingRate: number): number => {
    let sampled = 0;
    for (let client = 0; client < 2000; client += 1) {
      const peer = `10.${samplingRate * 100}.${client >> 8}.${client & 255}:1`;
      const first = boots.note(asks(peer, 0), { windowMs: 1000, samplingRate });
      // The rate of later requests changes nothing.
      const next = boots.note(asks(peer, 1), { windowMs: 1000, samplingRate: 0 });
      expect(next.boot?.isSampled).toBe(first.boot?.isSampled);
      if (first.boot?.isSampled === true) sampled += 1;
    }
    return sampled;
  };
  expect(share(0)).toBe(0);
  expect(share(1)).toBe(2000);
  // Ten standard deviations around the mean of 1,000.
  expect(Math.abs(share(0.5) - 1000)).toBeLessThan(224);
});

const unknown = { macOf: () => undefined, interfaceName: () => undefined };

function asks(peer: string, timeMs: number): RefusalRecord {
  const base = {
    kind: "refusal",
    interfaceIndex: 0,
    listener: 0,
    localAddress: undefined,
    name: "x",
    isWrite: false,
    code: 1,
  } as const;
  return { ...base, peer, timeMs, reason: "File not found", cause: "not-found" };
}

function ends(peer: string, timeMs: number): TransferRecord {
  return {
    kind: "transfer",
    transferId: 1,
    timeMs,
    peer,
    interfaceIndex: 0,
    listener: 0,
    localAddress: undefined,
    name: "x",
    mode: "octet",
    outcome: "complete",
    isSuccess: true,
    fileBytes: 1,
    bytes: 1,
    durationUs: 1,
    blockBytes: 512,
    windowBlocks: 1,
    blocksSent: 1,
    blocksResent: 0,
    timeouts: 0,
    rttUs: 0,
    options: "",
    sha256: undefined,
  };
}
