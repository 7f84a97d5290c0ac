// What a hook is told (supervisor layer): one event, as environment variables for a command and as JSON for a web service. Pure
// but for its number. A name comes from a client and may hold anything but a NUL: it is data, never part of a command line.

import { join } from "node:path";

import type { HookEventName } from "#config/settings-hooks.ts";
import { tidyName } from "#policy/path.ts";
import type { ShardRecord, TransferRecord, UploadRecord } from "#server/contract.ts";

import { adviceFor } from "./advice.ts";
import type { ClientView } from "./api-shapes.ts";
import type { Boot } from "./boots.ts";
import { formatTimestamp, peerAddress } from "./format.ts";
import { isClientsChoice } from "./severity.ts";

/** One event. */
export interface HookEvent {
  readonly name: HookEventName;
  /** The name of the file, as patterns are matched with it. */
  readonly file: string;
  /** Who it is about: `address:port`, IPv6 in brackets; of a client that is stuck its address. */
  readonly client: string;
  /** What is told, in the order in which it is told. What is not known is null. */
  readonly facts: Readonly<Record<string, string | number | boolean | null>>;
}

/** What hooks are called for when a shard reports `record`; undefined for nothing. */
export function eventNameOf(record: ShardRecord): HookEventName | undefined {
  if (record.kind !== "transfer" && record.kind !== "upload") return undefined;
  if (record.isSuccess && record.kind === "upload") return "upload";
  // Who asked for the size alone (`probe`) has not got the file, and nothing has failed.
  if (isClientsChoice(record.outcome)) return undefined;
  return record.isSuccess ? "transfer_completed" : "transfer_failed";
}

/** The event `name` of a transfer that has ended. `boot`: the one that it belongs to, where that is known. */
export function transferEvent(
  name: HookEventName,
  record: TransferRecord | UploadRecord,
  boot: Boot | undefined,
): HookEvent {
  const { peer, timeMs } = record;
  const isUpload = record.kind === "upload";
  const file = isUpload ? record.path : tidyName(record.name, "");
  const facts = {
    ...commonFacts(name, timeMs),
    peer,
    address: peerAddress(peer),
    mac: boot?.mac ?? null,
    boot: boot?.id ?? null,
    file,
    ...(isUpload && record.isSuccess ? uploadFacts(record) : endFacts(record)),
  };
  return { name, file, client: peer, facts };
}

/** The event of a client that is stuck, as the status page shows it at `timeMs`. */
export function stuckEvent(view: ClientView, timeMs: number): HookEvent {
  const name = "client_stuck";
  const { client, mac, boot, silent_ms, sentence, remedy, files, misses, failures } = view;
  const file = tidyName(view.file, "");
  const facts = {
    ...commonFacts(name, timeMs),
    peer: null,
    address: client,
    mac,
    boot,
    file,
    silent_ms: Math.round(silent_ms),
    files,
    misses,
    failures,
    sentence,
    remedy,
  };
  return { name, file, client, facts };
}

/** The whole environment of a command: a path to find programs by, and the event. */
export function environmentOf({ facts }: HookEvent): Record<string, string> {
  const variables = Object.entries(facts).map(([name, value]) => [
    `SNOW_OWL_${name.toUpperCase()}`,
    // A NUL would end it, and no program could be started.
    variableText(value).replaceAll("\0", ""),
  ]);
  const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  return { PATH: path, ...Object.fromEntries(variables) };
}

/** The body of a POST. */
export function jsonOf({ facts }: HookEvent): string {
  return JSON.stringify(facts);
}

/** The number is the same at every attempt, and no other event has it. */
function commonFacts(event: HookEventName, timeMs: number): HookEvent["facts"] {
  return { event, id: crypto.randomUUID(), time: formatTimestamp(timeMs) };
}

function uploadFacts(record: UploadRecord): HookEvent["facts"] {
  const { rootDir, target, bytes, sha256 = null, isReplacement } = record;
  return { path: join(rootDir, target), size: bytes, sha256, replaced: isReplacement };
}

function endFacts(record: TransferRecord | UploadRecord): HookEvent["facts"] {
  const { bytes, durationUs, outcome, name } = record;
  const facts = {
    direction: record.kind === "upload" ? "write" : "read",
    size: bytes,
    duration_ms: Math.round(durationUs / 1000),
  };
  if (record.isSuccess) return { ...facts, sha256: record.sha256 ?? null };
  const { words, remedy } = adviceFor(outcome);
  const file_size = record.kind === "upload" ? null : record.fileBytes;
  return { ...facts, file_size, because: outcome, sentence: `${name} ${words}`, remedy };
}

/** A truth is 1 or 0; what is not known is empty. */
function variableText(value: HookEvent["facts"][string]): string {
  if (typeof value === "boolean") return value ? "1" : "0";
  return String(value ?? "");
}
