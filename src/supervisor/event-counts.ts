// Audit events as numbers (supervisor layer): how many of each kind, from which clients, and when the last one was. Bounded: of
// clients only so many are told apart.

import type { AuditEvent } from "./audit.ts";
import type { Sample } from "./exposition.ts";
import { peerAddress } from "./format.ts";

/** Where clients are counted together that came too late for a name of their own. */
const OTHERS = "other";

export class EventCounts {
  readonly #clients = new Set<string>();
  readonly #counts = new Map<string, { readonly labels: Sample["labels"]; value: number }>();
  /** When the last event was, milliseconds since 1970; 0 before any. */
  lastMs = 0;
  /** Of the download that completed last; undefined before any. */
  lastTransfer: LastTransfer | undefined;

  /** Counts one event. `clientsMax` addresses have samples of their own. */
  note({ eventType, severity, timeMs, fields }: AuditEvent, clientsMax: number): void {
    this.lastMs = timeMs;
    const peer = fields["client_addr"];
    const client = typeof peer === "string" ? this.#clientOf(peer, clientsMax) : undefined;
    const key = `${eventType} ${severity} ${client ?? ""}`;
    const known = this.#counts.get(key);
    if (known === undefined) {
      const labels = { event_type: eventType, severity };
      const all = client === undefined ? labels : { ...labels, client_addr: client };
      this.#counts.set(key, { labels: all, value: 1 });
    } else {
      known.value += 1;
    }
    if (eventType === "transfer_completed") this.lastTransfer = lastTransferOf(fields);
  }

  get samples(): readonly Sample[] {
    return [...this.#counts.values()];
  }

  /** The address without the port, or {@link OTHERS}. */
  #clientOf(peer: string, clientsMax: number): string {
    const address = peerAddress(peer);
    if (this.#clients.has(address)) return address;
    if (this.#clients.size >= clientsMax) return OTHERS;
    this.#clients.add(address);
    return address;
  }
}

/** What Snow-Owl's dashboards show of a transfer. */
export interface LastTransfer {
  readonly bytesPerSecond: number;
  readonly durationMs: number;
  readonly blockMs: number;
}

function lastTransferOf(fields: AuditEvent["fields"]): LastTransfer {
  return {
    bytesPerSecond: Number(fields["throughput_bps"]),
    durationMs: Number(fields["duration_ms"]),
    blockMs: Number(fields["avg_block_time_ms"]),
  };
}
