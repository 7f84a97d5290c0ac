// Which events belong together (supervisor layer): the requests of one client that follow each other without a long silence are
// one boot, with an id of their own. Also what the kernel knows of the client, asked here so that no shard waits for it.

import type { LimitRecord, SendFaultRecord, ShardRecord } from "#server/contract.ts";

/** One boot, as its events show it. */
export interface Boot {
  /** 16 hexadecimal digits. */
  readonly id: string;
  /** The hardware address; undefined where the kernel knows none: beyond a router, on loopback. */
  readonly mac: string | undefined;
  /** The interface that its first request came in by; undefined where that is not known. */
  readonly interfaceName: string | undefined;
  /** Whether its events of severity info are written. */
  readonly isSampled: boolean;
}

/** How boots are told apart. */
export interface BootTerms {
  /** The silence after which a client's next request is another boot. */
  readonly windowMs: number;
  /** The share of boots that are written, 0 to 1. */
  readonly samplingRate: number;
}

/** What the kernel knows of a client. */
export interface ClientLookup {
  /** By the client's address as records write it, without its port. */
  readonly macOf: (address: string, interfaceIndex: number) => string | undefined;
  readonly interfaceName: (index: number) => string | undefined;
}

/** Clients that are remembered; the one that was heard of longest ago goes. A guess: a large site in one night. */
const CLIENTS_MAX = 10_000;

/** How often the kernel is asked about a client that it does not know: it may be learning its address while we reply. */
const ASK_MS = 500;

interface Known extends Boot {
  mac: string | undefined;
  askedMs: number;
  lastMs: number;
}

export class Boots {
  readonly #lookup: ClientLookup;
  readonly #clients = new Map<string, Known>();

  constructor(lookup: ClientLookup) {
    this.#lookup = lookup;
  }

  /** The boot that `record` belongs to, and whether it is the first of it. What is no request at all belongs to none by itself. */
  note(
    record: ShardRecord,
    terms: BootTerms,
  ): { readonly boot: Boot | undefined; isFirst: boolean } {
    // What a limit has turned away begins no boot, and what the kernel would not send has one already.
    if (record.kind === "limit" || record.kind === "send-fault")
      return { boot: undefined, isFirst: false };
    const { peer, timeMs } = record;
    const client = peer.slice(0, peer.lastIndexOf(":"));
    const known = this.#clients.get(client);
    // The end of a transfer belongs to its request, however long it took.
    const isEnd = record.kind === "transfer" || record.kind === "upload";
    if (known !== undefined && (isEnd || timeMs - known.lastMs <= terms.windowMs)) {
      this.#touch(client, known, timeMs);
      if (known.mac === undefined && timeMs - known.askedMs >= ASK_MS) {
        known.askedMs = timeMs;
        known.mac = this.#macOf(client, record);
      }
      return { boot: known, isFirst: false };
    }
    if (record.kind === "refusal" && record.cause === "malformed") {
      return { boot: undefined, isFirst: false };
    }
    const boot: Known = {
      id: randomId(),
      mac: this.#macOf(client, record),
      interfaceName: this.#lookup.interfaceName(record.interfaceIndex),
      isSampled: Math.random() < terms.samplingRate,
      askedMs: timeMs,
      lastMs: timeMs,
    };
    this.#touch(client, boot, timeMs);
    return { boot, isFirst: true };
  }

  /** Puts the client at the young end. */
  #touch(client: string, boot: Known, timeMs: number): void {
    boot.lastMs = timeMs;
    this.#clients.delete(client);
    const oldest = this.#clients.size < CLIENTS_MAX ? undefined : this.#clients.keys().next().value;
    if (oldest !== undefined) this.#clients.delete(oldest);
    this.#clients.set(client, boot);
  }

  #macOf(
    client: string,
    { interfaceIndex }: Exclude<ShardRecord, LimitRecord | SendFaultRecord>,
  ): string | undefined {
    return this.#lookup.macOf(client.replaceAll(/[[\]]|%.*/g, ""), interfaceIndex);
  }
}

function randomId(): string {
  return crypto.getRandomValues(new Uint8Array(8)).toHex();
}
