// The block size that fits in one packet of the client's link (server layer): with `mtu_clamp`, what one request may be granted.
// Only ever lowers what the configuration allows; where nothing is known of the link, that stays as it is.

import type { Settings } from "#config/settings.ts";
import { localIfindex, peerAddressText } from "#io/inbox.ts";
import type { Kernel } from "#io/kernel.ts";
import { Links } from "#io/links.ts";

/** IPv4 header without options 20, UDP header 8, TFTP header 4. */
const HEADER_BYTES_V4 = 32;
/** IPv6 header 40, UDP header 8, TFTP header 4. */
const HEADER_BYTES_V6 = 52;
/** RFC 2348: no block size is below it. A link with a smaller MTU than 60 would be none. */
const BLOCK_BYTES_MIN = 8;

export class LinkLimit {
  readonly #settings: Settings;
  readonly #links: Links;

  /** `serviceFd` is a socket in the network that is served. */
  constructor(settings: Settings, serviceFd: number, kernel?: Kernel) {
    this.#settings = settings;
    this.#links = new Links(serviceFd, kernel);
  }

  /** The largest block for the request that came from `peer` (a raw sockaddr) to `local` (zeros where that is unknown). */
  blockBytesMax(peer: Uint8Array, local: Uint8Array): number {
    const { blockBytesMax, clampsToMtu } = this.#settings;
    if (!clampsToMtu) return blockBytesMax;
    const mtu = this.#links.mtuOf(localIfindex(local));
    return blockBytesOver(mtu, peerAddressText(peer).includes(":"), this.#settings);
  }
}

/** The largest block for a client of IPv6 or IPv4 over a link of `mtu` bytes; undefined where nothing is known of that. */
export function blockBytesOver(
  mtu: number | undefined,
  isV6: boolean,
  { blockBytesMax, clampsToMtu }: Pick<Settings, "blockBytesMax" | "clampsToMtu">,
): number {
  if (!clampsToMtu || mtu === undefined) return blockBytesMax;
  const fits = mtu - (isV6 ? HEADER_BYTES_V6 : HEADER_BYTES_V4);
  return Math.min(blockBytesMax, Math.max(fits, BLOCK_BYTES_MIN));
}
