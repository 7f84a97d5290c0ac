// Sockets that the service manager has opened (io layer), by the protocol of sd_listen_fds(3): so the server needs no privilege
// for its ports, and requests wait in the sockets while it restarts. Each is some listener's, or is told to be nobody's.

import { SOCK_DGRAM } from "#ffi/abi.ts";
import { formatPeer, interfaceName, parseIp } from "#ffi/address.ts";
import { bindToInterface, closeSocket, readOption, socketName } from "#ffi/socket.ts";

import { tieFault } from "./socket-faults.ts";
import { type GivenSockets, type ListenerPlan, placeOf } from "./sockets.ts";
import type { StartFault } from "./start.ts";

/** The name of the sockets that are ours where the manager gives names to several (FileDescriptorName=). */
const NAME = "tftp";
/** SD_LISTEN_FDS_START, sd-daemon.h: the standard streams stand before. */
const FIRST_FD = 3;

/** A listener that sockets can be for. */
export interface NamedListener extends ListenerPlan {
  readonly name: string;
}

/** What was handed over. */
export interface HandedOver {
  /** As many sockets for each listener that has any. */
  readonly sockets: readonly GivenSockets[];
  /** Sockets that are closed again, because no listener has a use for them: `name (address)`. */
  readonly unused: readonly string[];
}

interface Handed {
  readonly fd: number;
  readonly name: string;
  /** `address:port`; undefined: it is no UDP socket. */
  readonly address: string | undefined;
}

/**
 * The service sockets that were handed to the process `pid`. A single listener has those called `tftp` or as itself, or all where
 * none is called so, wherever they are bound. Of several listeners each has those that are called as it is, and those of other
 * names that are bound to its address. The variables are removed, for they concern nobody else.
 */
export function takeSockets(
  environment: NodeJS.ProcessEnv,
  pid: number,
  listeners: readonly NamedListener[],
): HandedOver | StartFault {
  const { LISTEN_PID: heir, LISTEN_FDS: count, LISTEN_FDNAMES: names = "" } = environment;
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete environment[name];
  if (Number(heir) !== pid || !(Number(count) > 0)) return { sockets: [], unused: [] };
  const words = names.split(":");
  const all = Array.from({ length: Number(count) }, (_, index) =>
    handedOf(FIRST_FD + index, words[index] ?? ""),
  );
  const [only, ...others] = listeners;
  const groups = new Map<NamedListener, readonly Handed[]>();
  if (only !== undefined && others.length === 0) groups.set(only, ofTheOnly(only, all));
  else {
    for (const each of all) {
      const owner = ownerOf(each, listeners);
      if (owner !== undefined) groups.set(owner, (groups.get(owner) ?? []).concat(each));
    }
  }
  const sockets: GivenSockets[] = [];
  for (const [listener, group] of groups) {
    const given = givenOf(listener, group, others.length === 0);
    if ("fault" in given) return given;
    sockets.push(given);
  }
  const used = new Set([...groups.values()].flat());
  const unused = all.filter((each) => !used.has(each));
  for (const { fd } of unused) closeSocket(fd);
  const fault = countFault(groups);
  return fault ?? { sockets, unused: unused.map(({ name, address }) => unusedText(name, address)) };
}

function handedOf(fd: number, name: string): Handed {
  const bound = socketName(fd);
  const isDatagram = typeof bound === "object" && readOption(fd, "SO_TYPE") === SOCK_DGRAM;
  return { fd, name, address: isDatagram ? formatPeer(bound) : undefined };
}

function ofTheOnly({ name }: NamedListener, all: readonly Handed[]): readonly Handed[] {
  const named = all.filter((each) => each.name === NAME || (name !== "" && each.name === name));
  return named.length > 0 ? named : all;
}

function ownerOf(
  { name, address }: Handed,
  listeners: readonly NamedListener[],
): NamedListener | undefined {
  const named = listeners.find((listener) => listener.name === name);
  if (named !== undefined) return named;
  const [first, ...others] = listeners.filter((listener) => addressOf(listener) === address);
  // The same address on several interfaces: only a name could say which.
  return others.length === 0 ? first : undefined;
}

/** As a socket that is bound there writes it. */
function addressOf({ listen: { address, port, scope } }: NamedListener): string {
  const ip = parseIp(scope === undefined ? address : `${address}%${scope}`);
  return "fault" in ip ? "" : formatPeer({ ...ip, port });
}

function givenOf(
  listener: NamedListener,
  group: readonly Handed[],
  isOnly: boolean,
): GivenSockets | StartFault {
  const addresses = new Set<string>();
  for (const { fd, address } of group) {
    if (address === undefined) {
      return {
        fault: `descriptor ${fd}, which the service manager handed over, is no UDP socket`,
        remedy: `write ListenDatagram= in the socket unit, or FileDescriptorName=${NAME} in the one that is for TFTP`,
      };
    }
    addresses.add(address);
  }
  if (addresses.size > 1) return severalAddresses([...addresses], isOnly);
  const fds = group.map(({ fd }) => fd);
  if (isOnly) return { place: undefined, fds };
  return tieAll(listener, fds) ?? { place: placeOf(listener), fds };
}

function severalAddresses(addresses: readonly string[], isOnly: boolean): StartFault {
  return {
    fault: `the service manager handed over sockets of several addresses: ${addresses.join(", ")}`,
    remedy: isOnly
      ? "write one address in ListenDatagram=, for [::]:69 takes IPv6 and IPv4; or a [[listener]] for each, and its name in FileDescriptorName="
      : "give each address a socket unit and a [[listener]] of its own",
  };
}

/** Ties sockets to the listener's interface, unless they are: to do it twice takes a right. */
function tieAll(
  { interface: device }: NamedListener,
  fds: readonly number[],
): StartFault | undefined {
  if (device === undefined) return undefined;
  for (const fd of fds) {
    const index = readOption(fd, "SO_BINDTOIFINDEX");
    if (index > 0 && interfaceName(index) === device) continue;
    const tied = bindToInterface(fd, device);
    if (tied < 0) return tieFault(tied, device);
  }
  return undefined;
}

/** Every worker has a socket of each listener. */
function countFault(groups: ReadonlyMap<NamedListener, readonly Handed[]>): StartFault | undefined {
  const counts = [...groups].map(([{ name }, { length }]) => `${length} for ${name}`);
  if (new Set([...groups.values()].map(({ length }) => length)).size <= 1) return undefined;
  return {
    fault: `the service manager handed over different numbers of sockets: ${counts.join(", ")}`,
    remedy: "write ListenDatagram= as often for each listener as there shall be workers",
  };
}

function unusedText(name: string, address: string | undefined): string {
  return `${name === "" ? "one without a name" : name} (${address ?? "no UDP socket"})`;
}
