// Uploads by hand and what becomes of them (end-to-end tests): a lockstep client that can stop anywhere, and a look at
// everything that lies in a folder.

import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { compare } from "./bytes.ts";
import { type Datagram, dataPacket, openPeer, type Peer, writeRequest } from "./wire.ts";

type Options = readonly (readonly [string, string | number])[];

/** A configuration that takes every name below `in/`; `more` are further lines of [uploads]. */
export function uploadTables(more: readonly string[] = []): readonly string[] {
  return [
    "[write_config]",
    "enabled = true",
    'allowed_patterns = ["in/*"]',
    "[uploads]",
    "create_folders = true",
    "min_free_space_mb = 0",
    ...more,
  ];
}

/** Sends the request and returns the first answer: OACK, ACK 0 or ERROR. */
export async function beginUpload(
  peer: Peer,
  port: number,
  name: string,
  options: Options = [],
  mode = "octet",
): Promise<Datagram> {
  peer.send(writeRequest(name, options, mode), port);
  return peer.next();
}

/** Where an upload by hand begins and stops. */
export interface Stretch {
  readonly blockBytes?: number;
  /** The first block that is sent; 1 by default. */
  readonly from?: number;
  /** The first block that is not sent any more; by default all are. */
  readonly until?: number;
}

/**
 * Sends `bytes`, the whole file, to whoever sent `first`; every block as soon as the one before is acknowledged. Returns the
 * text of the last answer: `ACK 3`, or an ERROR. A repeated ACK is passed over.
 */
export async function sendBlocks(
  peer: Peer,
  first: Datagram,
  bytes: Uint8Array,
  { blockBytes = 512, from = 1, until = Infinity }: Stretch = {},
): Promise<string> {
  const last = Math.floor(bytes.length / blockBytes) + 1;
  let text = first.text;
  for (let block = from; block <= last && block < until; block += 1) {
    const start = (block - 1) * blockBytes;
    peer.send(dataPacket(block, bytes.subarray(start, start + blockBytes)), first.port);
    do {
      // The last ACK waits for the disk, which may be a slow one.
      ({ text } = await peer.next(20_000));
      if (text.startsWith("ERROR")) return text;
    } while (text !== `ACK ${block & 0xffff}`);
  }
  return text;
}

/** A whole upload from a port of its own: the text of the last answer. */
export async function upload(
  port: number,
  name: string,
  bytes: Uint8Array,
  options: Options = [],
): Promise<string> {
  using peer = await openPeer();
  const first = await beginUpload(peer, port, name, options);
  if (first.text.startsWith("ERROR")) return first.text;
  const granted = /\bblksize=(\d+)/.exec(first.text)?.[1];
  return await sendBlocks(peer, first, bytes, { blockBytes: Number(granted ?? 512) });
}

/** Whether `path` holds `expected`: `identical`, or what is wrong with it. */
export function compareFile(path: string, expected: Uint8Array): string {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch {
    return "no file";
  }
  return compare(bytes, expected);
}

/** Every name beneath `folder`, hidden ones too, folders with a final `/`. */
export function everythingIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((path) => (lstatSync(join(folder, path)).isDirectory() ? `${path}/` : path))
    .toSorted();
}
