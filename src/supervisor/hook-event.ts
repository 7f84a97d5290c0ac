// What a hook is told (supervisor layer): one completed upload, as environment variables for a command and as JSON for a
// web service. Pure. A name comes from a client and may hold anything but a NUL: it is data, never part of a command line.

import { join } from "node:path";

import type { UploadRecord } from "#server/contract.ts";

import { formatTimestamp, peerAddress } from "./format.ts";

/** One completed upload. */
export interface HookEvent {
  readonly event: "upload";
  /** When the file was safe on the disk, milliseconds since 1970. */
  readonly timeMs: number;
  /** `address:port`, IPv6 in brackets. */
  readonly peer: string;
  /** The cleaned name that the client asked for. */
  readonly file: string;
  /** Where the file is, absolute. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string | undefined;
  readonly isReplacement: boolean;
}

/** The event of an upload; undefined for one that did not complete. */
export function hookEvent(record: UploadRecord): HookEvent | undefined {
  if (!record.isSuccess) return undefined;
  const { timeMs, peer, rootDir, path, target, bytes, sha256, isReplacement } = record;
  const file = path;
  return {
    event: "upload",
    timeMs,
    peer,
    file,
    path: join(rootDir, target),
    bytes,
    sha256,
    isReplacement,
  };
}

/** The whole environment of a command: a path to find programs by, and the event. What is not known is empty. */
export function environmentOf(event: HookEvent): Record<string, string> {
  return {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    SNOW_OWL_EVENT: event.event,
    SNOW_OWL_TIME: formatTimestamp(event.timeMs),
    SNOW_OWL_PEER: event.peer,
    SNOW_OWL_ADDRESS: peerAddress(event.peer),
    SNOW_OWL_FILE: event.file,
    SNOW_OWL_PATH: event.path,
    SNOW_OWL_SIZE: String(event.bytes),
    SNOW_OWL_SHA256: event.sha256 ?? "",
    SNOW_OWL_REPLACED: event.isReplacement ? "1" : "0",
  };
}

/** The body of a POST. What is not known is null. */
export function jsonOf(event: HookEvent): string {
  return JSON.stringify({
    event: event.event,
    time: formatTimestamp(event.timeMs),
    peer: event.peer,
    address: peerAddress(event.peer),
    file: event.file,
    path: event.path,
    size: event.bytes,
    sha256: event.sha256 ?? null,
    replaced: event.isReplacement,
  });
}
