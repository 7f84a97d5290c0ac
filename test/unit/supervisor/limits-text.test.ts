// What the log and the audit say of requests that a limit turned away.

import { expect, test } from "bun:test";

import type { LimitRecord } from "#server/contract.ts";
import { auditEvents } from "#supervisor/audit.ts";
import { recordLine } from "#supervisor/lines.ts";

const timeMs = Date.UTC(2026, 10, 21, 12);

test("requests that a limit turned away are one line and one event, however many they were", () => {
  const record: LimitRecord = {
    kind: "limit",
    timeMs,
    peer: "10.0.0.7:2070",
    listener: 0,
    limit: "requests",
    max: 10,
    refused: 250,
  };
  expect(recordLine(record)).toBe(
    "2026-11-21T12:00:00Z 10.0.0.7:2070 turned away and 249 requests before: more than 10 requests in a second from the client's network (requests)",
  );
  expect(auditEvents(record)).toEqual([
    {
      eventType: "rate_limit_triggered",
      severity: "warn",
      timeMs,
      fields: {
        client_addr: "10.0.0.7:2070",
        reason: "more than 10 requests in a second from the client's network",
        limit: "requests",
        requests_refused: 250,
        threshold: 10,
      },
    },
  ]);
  const all: LimitRecord = { ...record, limit: "worker-transfers", max: 4096, refused: 1 };
  expect(recordLine(all)).toEndWith(
    "turned away: all 4096 transfers of a worker are under way (worker-transfers)",
  );
  expect(auditEvents(all)[0]).toMatchObject({
    eventType: "resource_exhaustion",
    fields: { resource_type: "worker-transfers", current_value: 4096, threshold: 4096 },
  });
});

test("what cannot be counted has no numbers", () => {
  const record: LimitRecord = {
    kind: "limit",
    timeMs,
    peer: "10.0.0.7:2070",
    listener: 0,
    limit: "resources",
    max: 0,
    refused: 3,
  };
  expect(recordLine(record)).toEndWith(
    "memory, buffers of uploads or open files are used up (resources)",
  );
  expect(auditEvents(record)[0]?.fields).toEqual({
    resource_type: "resources",
    client_addr: "10.0.0.7:2070",
    reason: "memory, buffers of uploads or open files are used up",
    limit: "resources",
    requests_refused: 3,
  });
});
