// How much anybody may have, resolved (config layer): from [limits] and [[rate_class]] to what src/policy counts and shapes by.
// Plain data; it crosses between threads.

import type { ClientLimits } from "#policy/client-counts.ts";
import type { ClassRates, Rates } from "#policy/shaper.ts";

import type { Config } from "./config.ts";

export interface LimitSettings {
  readonly clients: ClientLimits;
  /** Whether a request beyond a limit gets no answer. */
  readonly isDropped: boolean;
  /** The most that the timer sends to a peer that has not acknowledged anything. */
  readonly unansweredBytesMax: number;
  readonly rates: Rates;
  /** The names of `rates.classes`; the first, of transfers without a class, is empty. */
  readonly classNames: readonly string[];
}

/** A million bits a second, in bytes. */
const MBIT_BYTES = 125_000;

/** Resolves a configuration that loaded. */
export function resolveLimits(config: Config): LimitSettings {
  const { limits } = config;
  const classes = config.rate_class.map((entry): ClassRates => {
    const isOwn = entry.sources.has("client_mbit_per_second");
    const client = isOwn ? entry.client_mbit_per_second : limits.client_mbit_per_second;
    return {
      bytesPerSecond: entry.mbit_per_second * MBIT_BYTES,
      clientBytesPerSecond: client * MBIT_BYTES,
    };
  });
  const unclassed: ClassRates = {
    bytesPerSecond: 0,
    clientBytesPerSecond: limits.client_mbit_per_second * MBIT_BYTES,
  };
  return {
    clients: {
      transfersMax: limits.transfers,
      clientTransfersMax: limits.transfers_per_client,
      networkTransfersMax: limits.transfers_per_network,
      halfOpenMax: limits.half_open_per_network,
      requestsPerSecond: limits.requests_per_second,
      requestBurst: limits.request_burst,
      networkBits4: limits.network_bits_v4,
      networkBits6: limits.network_bits_v6,
    },
    isDropped: limits.at_limit === "drop",
    unansweredBytesMax: limits.unanswered_bytes,
    rates: {
      bytesPerSecond: limits.mbit_per_second * MBIT_BYTES,
      classes: [unclassed, ...classes],
    },
    classNames: ["", ...config.rate_class.map(({ name }) => name)],
  };
}
