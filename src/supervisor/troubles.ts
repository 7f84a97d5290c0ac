// What went wrong lately (supervisor layer), in plain words with what is likely to help: audit events of severity warn and error.
// Bounded: the oldest goes, and what happens again, to whomever, is counted.

import type { LimitRecord, ShardRecord } from "#server/contract.ts";

import { adviceFor, eventRemedy, limitRemedies } from "./advice.ts";
import type { TroubleView } from "./api-shapes.ts";
import type { AuditEvent } from "./audit.ts";
import { formatTimestamp, peerAddress } from "./format.ts";
import { limitReason } from "./limits-text.ts";

/** What a person reads through. A guess. */
const TROUBLES_MAX = 100;

interface Trouble {
  readonly event: string;
  readonly severity: TroubleView["severity"];
  readonly client: string | null;
  readonly sentence: string;
  readonly remedy: string;
  readonly timeMs: number;
  readonly times: number;
}

export class Troubles {
  readonly #troubles: Trouble[] = [];

  /** Notes an event of severity warn or error; others are none. `record`: what it was made of, if a shard reported it. */
  note({ eventType, severity, timeMs, fields }: AuditEvent, record?: ShardRecord): void {
    if (severity !== "warn" && severity !== "error") return;
    const peer = fields["client_addr"];
    const client = typeof peer === "string" ? peerName(peer) : null;
    const said = record === undefined ? ofProcess(eventType, fields) : ofRecord(record);
    const before = this.#troubles.findIndex(
      ({ event, sentence }) => event === eventType && sentence === said.sentence,
    );
    const [known] = before < 0 ? [] : this.#troubles.splice(before, 1);
    const times = (known?.times ?? 0) + 1;
    this.#troubles.push({ event: eventType, severity, client, ...said, timeMs, times });
    if (this.#troubles.length > TROUBLES_MAX) this.#troubles.shift();
  }

  /** At most `limit` of them, newest first. */
  views(limit: number): readonly TroubleView[] {
    return this.#troubles.toReversed().slice(0, limit).map(viewOf);
  }
}

function viewOf({ timeMs, ...trouble }: Trouble): TroubleView {
  return { time: formatTimestamp(timeMs), ...trouble };
}

type Said = Pick<Trouble, "sentence" | "remedy">;

function ofRecord(record: ShardRecord): Said {
  if (record.kind === "limit") return ofLimit(record);
  if (record.kind === "send-fault") {
    const { messages, errno, meaning } = record;
    const why = meaning === "" ? "" : `: ${meaning}`;
    const sentence = `the kernel refused ${messages} messages (${errno})${why}`;
    return { sentence, remedy: "look at routes, firewall rules and interfaces of this machine" };
  }
  if (record.kind === "request" || record.kind === "upload-request") {
    const remark = record.kind === "request" ? (record.remark ?? "") : "";
    return {
      sentence: `${record.name}: ${remark}`,
      remedy: "name files so that there is no choice",
    };
  }
  const { words, remedy } = adviceFor(record.kind === "refusal" ? record.cause : record.outcome);
  const name = record.name === "" ? "something" : record.name;
  // The table says what a missing file is; a rule's or a folder's name says more.
  const why =
    record.kind === "refusal" && record.cause !== "not-found" ? ` (${record.reason})` : "";
  return { sentence: `${name} ${words}${why}`, remedy };
}

function ofLimit(record: LimitRecord): Said {
  const others = record.refused > 1 ? `${record.refused} requests were` : "a request was";
  return {
    sentence: `${others} turned away: ${limitReason(record)}`,
    remedy: limitRemedies[record.limit],
  };
}

/** The name of the event as words, and the first line of each of its fields. */
function ofProcess(eventType: string, fields: AuditEvent["fields"]): Said {
  const facts = Object.entries(fields).flatMap(([name, value]) => {
    const [line = ""] = String(value).split("\n");
    return line === "" || name === "stack" ? [] : [`${name.replaceAll("_", " ")} ${line}`];
  });
  const words = eventType.replaceAll("_", " ");
  const sentence = facts.length === 0 ? words : `${words}: ${facts.join(", ")}`;
  return { sentence, remedy: eventRemedy(eventType) };
}

/** An event of the web server names an address without a port. */
function peerName(peer: string): string {
  return /^[\d.]+$|^[^[\]]*:[^[\]]*:/.test(peer) ? peer : peerAddress(peer);
}
