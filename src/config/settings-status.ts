// What the web server for status and metrics runs with (config layer): what [status] and [metrics] resolve to. The secret itself
// is not among the settings, so that whatever shows settings cannot show it.

import { isFault, type ListenAddress, parseListenAddress } from "./address.ts";
import type { Config } from "./config.ts";
import type { TlsFiles } from "./tls.ts";

export interface StatusSettings {
  /** Undefined: there is no web server. */
  readonly listen: ListenAddress | undefined;
  /** The path of the admin socket; undefined: there is none. */
  readonly socket: string | undefined;
  /** The file that holds the bearer token; undefined asks for none. */
  readonly tokenFile: string | undefined;
  /** Undefined: it speaks HTTP. */
  readonly tls: TlsFiles | undefined;
  /** Whether it may be asked to change anything. */
  readonly mayChange: boolean;
  /** Clients whose boots are remembered. */
  readonly clientsMax: number;
  /** Client addresses that metrics name. */
  readonly clientAddressesMax: number;
  /** Whether metrics have the names that break Prometheus's rules. */
  readonly hasSnowOwlNames: boolean;
}

export function resolveStatus({ status, metrics }: Config): StatusSettings {
  return {
    listen: statusAddress(status.bind_addr),
    socket: status.socket === "" ? undefined : status.socket,
    tokenFile: status.token_file === "" ? undefined : status.token_file,
    tls: tlsFiles(status),
    mayChange: status.allow_changes,
    clientsMax: status.clients,
    clientAddressesMax: metrics.client_addresses,
    hasSnowOwlNames: metrics.snow_owl_names,
  };
}

/** A configuration that loaded has both or none. */
function tlsFiles(status: Config["status"]): TlsFiles | undefined {
  const { certificate_file: certificateFile, key_file: keyFile, client_ca_file: ca } = status;
  if (certificateFile === "" || keyFile === "") return undefined;
  return { certificateFile, keyFile, clientCaFile: ca === "" ? undefined : ca };
}

/** The parsed `status.bind_addr`. A configuration that loaded holds a valid one. */
export function statusAddress(text: string): ListenAddress | undefined {
  if (text === "") return undefined;
  const listen = parseListenAddress(text);
  if (isFault(listen)) throw new TypeError(`status.bind_addr ${listen.message}`);
  return listen;
}

/** Whether only this machine can reach it. */
export function isLoopback({ address }: ListenAddress): boolean {
  return address === "::1" || address.startsWith("127.") || address.startsWith("::ffff:127.");
}
