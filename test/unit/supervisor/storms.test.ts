// Storms of refusals: what is told, what is counted instead, and that nothing is lost.

import { expect, test } from "bun:test";

import type { RefusalRecord } from "#server/contract.ts";
import { type Storm, Storms } from "#supervisor/storms.ts";

function refusal(peer: string, cause: RefusalRecord["cause"], name = "a"): RefusalRecord {
  const what = { name, isWrite: false, code: 1, reason: "", cause };
  return {
    kind: "refusal",
    timeMs: 0,
    peer,
    interfaceIndex: 0,
    listener: 0,
    localAddress: undefined,
    ...what,
  };
}

/** How many of `count` refusals are told; each comes from another port. */
function told(storms: Storms, count: number, host: string, cause: RefusalRecord["cause"]): number {
  let admitted = 0;
  for (let index = 0; index < count; index += 1) {
    if (storms.admits(refusal(`${host}:${1024 + index}`, cause, `name ${index}`))) admitted += 1;
  }
  return admitted;
}

test("fifty are told, and the others counted, by client and cause", () => {
  const storms: Storm[] = [];
  const subject = new Storms((storm) => storms.push(storm));
  expect(told(subject, 50, "10.0.0.7", "not-found")).toBe(50);
  expect(told(subject, 30, "10.0.0.7", "not-found")).toBe(0);
  expect(told(subject, 60, "[2001:db8::7]", "not-found")).toBe(50);
  expect(told(subject, 3, "10.0.0.7", "traversal")).toBe(3);
  expect(storms).toEqual([]);
  subject.settle();
  expect(storms).toEqual([
    { client: "10.0.0.7", cause: "not-found", count: 30, name: "name 29" },
    { client: "2001:db8::7", cause: "not-found", count: 10, name: "name 59" },
  ]);
  expect(told(subject, 60, "10.0.0.7", "not-found")).toBe(50);
});

test("clients beyond the table's room share one count, and none is lost", () => {
  const storms: Storm[] = [];
  const subject = new Storms((storm) => storms.push(storm));
  let admitted = 0;
  for (let client = 0; client < 5000; client += 1) {
    admitted += told(subject, 1, `10.0.${client >>> 8}.${client & 0xff}`, "not-found");
  }
  expect(admitted).toBe(4096 + 50);
  subject.settle();
  expect(storms).toMatchObject([{ client: "other", count: 5000 - 4096 - 50 }]);
});
