// What a client may be granted (server layer): the limits of the settings, and what a ruling leaves of them. Rules and the client's
// link lower caps, rules refuse options, and neither allows more than the settings do.

import type { Settings } from "#config/settings.ts";
import type { Ruling } from "#policy/rules.ts";
import type { GrantLimits } from "#protocol/options.ts";
import type { Request } from "#protocol/request.ts";
import { BUFFER_BYTES } from "#storage/upload-buffers.ts";

/** What a read may be granted. */
export function readLimits(settings: Settings, mode: Request["mode"]): GrantLimits {
  const { windowBytesMax, cacheChunkBytes } = settings;
  // A netascii window is kept encoded, in one chunk; with its headers, which are half as long as the shortest block.
  const encodedMax = Math.floor((cacheChunkBytes * 2) / 3);
  const isOctet = mode === "octet";
  return limitsOf(settings, isOctet ? windowBytesMax : Math.min(windowBytesMax, encodedMax));
}

/** What a write may be granted. */
export function writeLimits(settings: Settings): GrantLimits {
  // A window has room in one buffer, and so has the CR that netascii may have held back.
  return limitsOf(settings, Math.min(settings.windowBytesMax, BUFFER_BYTES - 1));
}

function limitsOf(settings: Settings, windowBytesMax: number): GrantLimits {
  const { blockBytesMax, windowBlocksMax, refusedOptions } = settings;
  return { blockBytesMax, windowBlocksMax, windowBytesMax, refused: new Set(refusedOptions) };
}

/** `limits`, narrowed by `ruling` and to blocks of `linkBytesMax` that the client's link carries. */
export function limitsUnder(
  limits: GrantLimits,
  { refusedOptions, blockBytesMax, windowBlocksMax }: Ruling,
  linkBytesMax: number,
): GrantLimits {
  return {
    ...limits,
    blockBytesMax: Math.min(limits.blockBytesMax, blockBytesMax, linkBytesMax),
    windowBlocksMax: Math.min(limits.windowBlocksMax, windowBlocksMax),
    refused:
      refusedOptions.length === 0
        ? limits.refused
        : new Set([...limits.refused, ...refusedOptions]),
  };
}
