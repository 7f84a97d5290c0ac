// Where requests come in, resolved (config layer): the [[listener]] tables, or where there are none the one listener of `bind_addr`,
// and how many sockets each worker has for the transfers of each.

import {
  isFault,
  type ListenAddress,
  parseListenAddress,
  parsePortRange,
  type PortRange,
} from "./address.ts";
import type { Config } from "./config.ts";
import type { Entry } from "./schema.ts";

/** One place to listen at. */
export interface ListenerSettings {
  /** Empty for that of `bind_addr`. */
  readonly name: string;
  readonly listen: ListenAddress;
  /** The interface that it is tied to; undefined: to none. */
  readonly interface: string | undefined;
  readonly singlePort: boolean;
  /** The ports of the transfer sockets; undefined lets the kernel choose. */
  readonly portRange: PortRange | undefined;
  /** Transfer sockets per worker; 0 in single-port mode. */
  readonly transferSockets: number;
}

/** Every listener, at least one, in the order of the file. A configuration that loaded has addresses that can be read. */
export function resolveListeners(config: Config, workers: number): readonly ListenerSettings[] {
  const places = placesOf(config);
  return places.map((place) => {
    const share = Math.floor(portCount(place, places) / workers);
    const sockets = Math.min(config.transfer.sockets_per_worker, share);
    return Object.assign(place, { transferSockets: place.singlePort ? 0 : sockets });
  });
}

/** How many workers there are ports for; without bound where the kernel or the service port serves. */
export function workersByPorts(config: Config): number {
  const places = placesOf(config);
  return Math.min(...places.map((place) => portCount(place, places)));
}

/** What logs, rules and `check` call the listener that is entry `index` of its list. */
export function listenerName({ name }: Pick<Entry<"listener">, "name">, index: number): string {
  return name === "" ? `listener ${index + 1}` : name;
}

/** The address that `text`, a valid `bind_addr`, means. */
function listenAddress(text: string): ListenAddress {
  const listen = parseListenAddress(text);
  if (isFault(listen)) throw new TypeError(`bind_addr ${listen.message}`);
  return listen;
}

type Place = Omit<ListenerSettings, "transferSockets">;

function placesOf(config: Config): readonly Place[] {
  const { transfer, listener, bind_addr: address } = config;
  if (listener.length === 0) {
    const portRange = portRangeOf(transfer.port_range);
    const { single_port: singlePort } = transfer;
    return [
      { name: "", listen: listenAddress(address), interface: undefined, singlePort, portRange },
    ];
  }
  return listener.map((entry, index) => {
    const { sources } = entry;
    return {
      name: listenerName(entry, index),
      listen: listenAddress(entry.bind_addr),
      interface: entry.interface === "" ? undefined : entry.interface,
      singlePort: sources.has("single_port") ? entry.single_port : transfer.single_port,
      portRange: portRangeOf(sources.has("port_range") ? entry.port_range : transfer.port_range),
    };
  });
}

function portRangeOf(text: string): PortRange | undefined {
  const range = parsePortRange(text);
  if (range !== undefined && isFault(range)) throw new TypeError(`port_range ${range.message}`);
  return range;
}

/** How many ports the transfers of `place` may use; those that name the same range share it, whatever their addresses are. */
function portCount({ portRange: range, singlePort }: Place, places: readonly Place[]): number {
  if (range === undefined || singlePort) return Number.POSITIVE_INFINITY;
  const sharers = places.filter(
    (other) =>
      !other.singlePort &&
      other.portRange?.first === range.first &&
      other.portRange.last === range.last,
  );
  return Math.floor((range.last - range.first + 1) / sharers.length);
}
