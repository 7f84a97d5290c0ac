// What the log and the audit say of requests that a limit turned away (supervisor layer). Pure; one table for both, so that they
// say the same.

import type { LimitName, LimitRecord } from "#server/contract.ts";

import type { AuditEvent } from "./audit.ts";

/** Why a request was turned away, for people. */
export function limitReason({ limit, max }: LimitRecord): string {
  return reasons[limit].replace("%", String(max));
}

const reasons: Readonly<Record<LimitName, string>> = {
  transfers: "% transfers are under way",
  "worker-transfers": "all % transfers of a worker are under way",
  "client-transfers": "the client has % transfers",
  "network-transfers": "the client's network has % transfers",
  "half-open": "% clients of the network have not acknowledged anything yet",
  resources: "memory, buffers of uploads or open files are used up",
  requests: "more than % requests in a second from the client's network",
};

const everybodys: ReadonlySet<LimitName> = new Set(["transfers", "worker-transfers", "resources"]);

/** The event: what everybody needs is exhausted, what one client may have is a limit of rate. */
export function limitEvent(record: LimitRecord): AuditEvent {
  const { limit, peer, max, refused, timeMs } = record;
  const isEverybodys = everybodys.has(limit);
  const reason = limitReason(record);
  const who = { client_addr: peer, reason, limit, requests_refused: refused };
  return {
    eventType: isEverybodys ? "resource_exhaustion" : "rate_limit_triggered",
    severity: "warn",
    timeMs,
    fields: isEverybodys
      ? { resource_type: limit, ...(max > 0 ? { current_value: max, threshold: max } : {}), ...who }
      : { ...who, threshold: max },
  };
}
