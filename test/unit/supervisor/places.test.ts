// Where a request came in, as lines and events tell it: the listener where there are several, and the address that was asked.

import { expect, test } from "bun:test";

import type { RefusalRecord } from "#server/contract.ts";
import { auditEvents } from "#supervisor/audit.ts";
import { recordLine } from "#supervisor/lines.ts";

const refused: RefusalRecord = {
  kind: "refusal",
  timeMs: 0,
  peer: "10.0.0.7:2070",
  interfaceIndex: 0,
  listener: 1,
  localAddress: "10.0.0.1",
  name: "x",
  isWrite: false,
  code: 1,
  reason: "File not found",
  cause: "not-found",
};

const line = "1970-01-01T00:00:00Z 10.0.0.7:2070 refused x: File not found (not-found, error 1)";

test("one of several listeners is named", () => {
  const names = ["main", "rack 2"];
  expect(recordLine(refused, names)).toBe(`${line} listener="rack 2"`);
  const [event] = auditEvents(refused, undefined, false, names);
  expect(event?.fields).toMatchObject({ listener: "rack 2", local_addr: "10.0.0.1" });
});

test("the only one is not, and what is not known is left out", () => {
  expect(recordLine({ ...refused, listener: 0 }, ["main"])).toBe(line);
  const unknown = { ...refused, listener: 0, localAddress: undefined };
  const [event] = auditEvents(unknown, undefined, false, ["main"]);
  expect(Object.keys(event?.fields ?? {})).toEqual(["client_addr", "filename", "reason"]);
});
