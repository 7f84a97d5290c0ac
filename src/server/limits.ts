// What a ruling leaves of the server's limits (server layer): rules and the client's link lower caps, rules refuse
// options, and neither allows more than the settings do.

import type { Ruling } from "#policy/rules.ts";
import type { GrantLimits } from "#protocol/options.ts";

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
