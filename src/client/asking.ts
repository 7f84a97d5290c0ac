// What a client asks for (client layer): the options of its request, from the user's terms, the file and the way to the server.
// Nothing is asked that RFC 1350 gives anyway, so that a server without options is met on its own ground.

import type { Way } from "#io/client-socket.ts";
import { multicastOption } from "#protocol/group.ts";
import { blockBytesDefault, blockBytesMaxOnWire, blockBytesMin } from "#protocol/options.ts";
import { dataHeaderBytes, type Option } from "#protocol/packet.ts";

import type { Job, Terms } from "./contract.ts";

/** IP header without options, UDP header and TFTP header. */
const HEADER_BYTES_V4: number = 20 + 8 + dataHeaderBytes;
const HEADER_BYTES_V6: number = 40 + 8 + dataHeaderBytes;
/** A window is held in memory where text is converted, and in the kernel's buffer where it comes in: more is never asked for. */
const WINDOW_BYTES_MAX = 32 * 1024 * 1024;
/** The kernel counts this much for each datagram beside its bytes (skb, rounded up). It doubles what it is asked for, which is its reserve. */
const OVERHEAD_BYTES = 1024;
/** The kernel's usual buffer holds less than a window of 64; this costs nothing until it is filled. */
const BURST_BYTES_MIN = 1024 * 1024;

/** The block size to ask for: the user's, or what one packet on the way carries. */
export function blockBytesFor({ blockBytes }: Terms, { mtuBytes, isIpv6 }: Way): number {
  const fits = mtuBytes - (isIpv6 ? HEADER_BYTES_V6 : HEADER_BYTES_V4);
  return blockBytes ?? Math.min(Math.max(fits, blockBytesMin), blockBytesMaxOnWire);
}

/** Room for what the server may send before it hears from us. */
export function burstBytesFor(terms: Terms, blockBytes: number): number {
  return Math.max(
    BURST_BYTES_MIN,
    windowBlocksFor(terms, blockBytes) * (blockBytes + OVERHEAD_BYTES),
  );
}

/** Why `job` cannot come by a multicast, whatever its server offers; undefined where it can. */
export function unicastCauseFor(job: Job, { isPlain }: Terms): string | undefined {
  if (job.kind === "put") return "what is put goes to one server";
  if (isPlain) return "it would be asked for by an option";
  // Blocks come in any order, while text is converted from its beginning on.
  if (job.mode === "netascii") return "netascii comes in order";
  return job.destination.kind === "stream" ? "a stream is written in order" : undefined;
}

/** The options of a request. `fileBytes` is the size of a file that goes. */
export function optionsFor(
  terms: Terms,
  { kind, mode }: Job,
  blockBytes: number,
  fileBytes: number,
  isMulticast: boolean,
): readonly Option[] {
  if (terms.isPlain) return [];
  const options: Option[] = [];
  // In netascii the bytes on the wire are others than those of the file, and nobody knows how many.
  if (mode === "octet")
    options.push({ name: "tsize", value: kind === "put" ? String(fileBytes) : "0" });
  if (blockBytes !== blockBytesDefault)
    options.push({ name: "blksize", value: String(blockBytes) });
  if (terms.timeoutS !== undefined)
    options.push({ name: "timeout", value: String(terms.timeoutS) });
  // RFC 2090 has each block asked for by itself.
  const windowBlocks = isMulticast ? 1 : windowBlocksFor(terms, blockBytes);
  if (isMulticast) options.push(multicastOption);
  if (windowBlocks > 1) options.push({ name: "windowsize", value: String(windowBlocks) });
  return options;
}

function windowBlocksFor({ windowBlocks }: Terms, blockBytes: number): number {
  return Math.max(1, Math.min(windowBlocks, Math.floor(WINDOW_BYTES_MAX / blockBytes)));
}
