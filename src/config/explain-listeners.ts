// Listeners in words (config layer), as `check` prints them: where requests come in, and which ports their transfers use. Where there is
// but one, it has no name to tell.

import { formatListen } from "./address.ts";
import type { Config } from "./config.ts";
import type { ListenerSettings } from "./settings-listeners.ts";

type Row = readonly [name: string, value: string];

/** A row for each. */
export function explainListeners(listeners: readonly ListenerSettings[]): readonly Row[] {
  return listeners.map(({ name, listen, interface: device }) => {
    const families = listen.address === "::" ? " (IPv6 and IPv4)" : "";
    const by = device === undefined ? "" : ` by ${device} alone`;
    return ["listen", named(name, `${formatListen(listen)}${families}${by}`)];
  });
}

/** A row on the ports of each. */
export function explainPorts(
  listeners: readonly ListenerSettings[],
  { transfer }: Config,
): readonly Row[] {
  return listeners.map((listener) => [
    "ports",
    named(listener.name, describePorts(listener, transfer.sockets_per_worker)),
  ]);
}

function describePorts(listener: ListenerSettings, socketsMax: number): string {
  const { singlePort, portRange: range, transferSockets: sockets } = listener;
  if (singlePort) return "the service port alone (single_port)";
  const reason = sockets < socketsMax ? "an equal share of port_range" : "sockets_per_worker";
  const from = range === undefined ? "chosen by the kernel" : `from ${range.first}-${range.last}`;
  return `${sockets} per worker (${reason}), ${from}`;
}

function named(name: string, text: string): string {
  return name === "" ? text : `${name}: ${text}`;
}
