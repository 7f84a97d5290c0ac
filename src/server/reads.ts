// From what was admitted to a running transfer (server layer): how the grant and the settings make a sender.
// Pure assembly; the shard starts it.

import type { Random } from "#base/random.ts";
import type { Settings } from "#config/settings.ts";
import { dataHeaderBytes } from "#protocol/packet.ts";
import { Sender } from "#protocol/sender.ts";
import type { ReadAdvice } from "#storage/file-cache.ts";

import type { Admitted, AdmittedRead } from "./admission.ts";
import type { Exchange, ReadTransfer } from "./transfer.ts";

/** What the shard knows of a read besides what was admitted. */
export interface ReadTerms {
  readonly settings: Settings;
  /** Whether the very same request was served in full a moment ago. */
  readonly isRepetition: boolean;
  readonly blocksPerMessage: number;
  /** Where jitter comes from. */
  readonly random: Random;
}

/** What a transfer of either kind begins with. */
export function exchangeOf(
  { request, grant, oack, rateClass }: Admitted,
  place: Omit<
    Exchange,
    "request" | "grant" | "oack" | "rateClass" | "isQueued" | "isHalfOpen" | "isShaped"
  >,
): Exchange {
  const state = { isQueued: false, isHalfOpen: true, isShaped: false };
  return { ...place, request, grant, oack, rateClass, ...state };
}

/** The transfer of an admitted read. Its sender has not been started. */
export function readTransfer(
  admitted: AdmittedRead,
  exchange: Exchange,
  { settings, isRepetition, blocksPerMessage, random }: ReadTerms,
): ReadTransfer {
  const { request, grant, oack, fileBytes, payload, burstBlocksMax } = admitted;
  const sender = new Sender({
    blockBytes: grant.blockBytes,
    windowBlocks: grant.windowBlocks,
    isPaced: settings.isPaced,
    burstBlocksMax,
    rolloverTo: grant.rolloverTo,
    timeoutUs: grant.timeoutUs,
    firstTimeoutUs: settings.timeoutMs * 1000,
    random,
    patienceUs: settings.patienceMs * 1000,
    hasOack: oack !== undefined,
    unheardRepeatsMax: unheardRepeats(admitted, settings.limits.unansweredBytesMax),
    lastBlock: payload.lastBlock,
    lastIsEmpty: request.mode === "octet" && fileBytes % grant.blockBytes === 0,
  });
  return {
    ...exchange,
    kind: "read",
    fileBytes,
    payload,
    sender,
    isRepetition,
    blocksPerMessage,
    wasRefused: false,
    isEndKnown: payload.lastBlock !== Infinity,
  };
}

/** What the kernel is told of how files are read. */
export function readAdvice(settings: Settings): ReadAdvice {
  const { adviseSequential, adviseWillneed, adviseDontneedAfter } = settings;
  return {
    isSequential: adviseSequential,
    isWillneed: adviseWillneed,
    isDontneedAfter: adviseDontneedAfter,
  };
}

/** How often the first reply may be repeated by itself, if that is to send no more than `bytesMax` in all. */
function unheardRepeats(admitted: AdmittedRead, bytesMax: number): number {
  const { oack, grant, request, fileBytes } = admitted;
  // How long netascii becomes is not known yet.
  const blockBytes =
    request.mode === "octet" ? Math.min(grant.blockBytes, fileBytes) : grant.blockBytes;
  const replyBytes = oack?.length ?? dataHeaderBytes + blockBytes;
  return Math.max(0, Math.floor(bytesMax / replyBytes) - 1);
}
