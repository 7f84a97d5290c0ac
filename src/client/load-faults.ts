// What can be wrong with a transfer of a load (client layer, pure): the words for an ERROR, and for a file of another length.
// Lengths are bytes.

import { printable } from "#base/printable.ts";
import { errorReplies } from "#protocol/error-reply.ts";
import { errorCode, errorMessage } from "#protocol/packet.ts";

import type { Failure } from "./contract.ts";

/** What a server refuses with `packet`, an ERROR. */
export function failureByError(packet: Uint8Array): Failure {
  const code = errorCode(packet);
  const message = printable(errorMessage(packet, packet.length));
  const cause = code === errorReplies.notFound.code ? "not-found" : "refused";
  return { cause, text: `it says: ${message} (ERROR ${code})`, errorCode: code };
}

/** What is wrong with a file of which `bytes` came; undefined if nothing is. `known`: that it had before, or must have. */
export function lengthFault(
  bytes: number,
  announced: number | undefined,
  known: number | undefined,
): string | undefined {
  const wanted = announced ?? known;
  if (wanted === undefined || wanted === bytes || wanted === bytes % SIZE_WRAP) return undefined;
  const said = announced === undefined ? "came before, or are expected" : "were announced";
  return `another length came than ${wanted} bytes, which ${said}`;
}

/** dnsmasq and others print 32 bits of a size. */
const SIZE_WRAP = 2 ** 32;
