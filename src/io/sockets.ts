// The UDP sockets of all shards (io layer): opened once, before any shard runs, and kept for the life of the process.
// Either every shard has its service socket and at least one transfer socket, or none is open and a fault says what to do.

import { formatPeer, parseIp, type SocketAddress } from "#ffi/address.ts";
import { Errno } from "#ffi/errno.ts";
import {
  bindSocket,
  bindToInterface,
  closeSocket,
  openSocket,
  type OptionName,
  PMTUDISC_DONT,
  setNonBlocking,
  setOption,
  socketName,
} from "#ffi/socket.ts";

import { type BindFault, bindFault, openFault, optionFault, tieFault } from "./socket-faults.ts";
import type { StartFault } from "./start.ts";

/** What the sockets shall be; the server's settings have all of it. */
export interface SocketPlan {
  /** At least one. */
  readonly listeners: readonly ListenerPlan[];
  /** Whether addresses may be ones that this machine does not have yet. */
  readonly isFreebind: boolean;
  /** 0 keeps the kernel's default, as below. */
  readonly receiveBufferBytes: number;
  readonly sendBufferBytes: number;
}

/** One place to listen at. */
export interface ListenerPlan {
  /** An IP literal without brackets, a port, and the interface of a link-local address. */
  readonly listen: { readonly address: string; readonly port: number; readonly scope?: string };
  /** The interface that all of its sockets are tied to; undefined: to none. */
  readonly interface: string | undefined;
  readonly singlePort: boolean;
  /** The ports of transfer sockets, both included; undefined lets the kernel choose. */
  readonly portRange: { readonly first: number; readonly last: number } | undefined;
  /** Transfer sockets per shard. */
  readonly transferSockets: number;
}

/** The sockets that one shard has for one listener: descriptors of non-blocking, close-on-exec UDP sockets. */
export interface ListenerSockets {
  readonly serviceFd: number;
  /** Empty in single-port mode. */
  readonly transferFds: readonly number[];
  /** As in {@link BoundListener}. */
  readonly isWildcard: boolean;
}

/** The sockets of all shards, and where they listen. */
export interface SocketSet {
  /** In the order of the plan. */
  readonly listeners: readonly BoundListener[];
  /** For each shard those of every listener, in that order. */
  readonly shards: readonly (readonly ListenerSockets[])[];
}

/** Service sockets that somebody else has opened. */
export interface GivenSockets {
  /** The place that they were opened for, as in {@link BoundListener}; undefined: they are the only listener's, wherever that shall be. */
  readonly place: string | undefined;
  /** One for each shard. */
  readonly fds: readonly number[];
}

export interface BoundListener {
  /** What it was planned as, to be known again by; undefined: its sockets were given to the only one. */
  readonly place?: string | undefined;
  /** `address:port` with IPv6 in brackets, as bound. */
  readonly address: string;
  /** Whether the address is 0.0.0.0 or [::], so that replies must name the address that was asked. */
  readonly isWildcard: boolean;
  /** As planned. */
  readonly interface: string | undefined;
  /** Whether this machine does not have the address yet. */
  readonly isAwaited: boolean;
}

/** A listener whose address was read. */
interface Listener {
  readonly plan: ListenerPlan;
  readonly service: SocketAddress;
  readonly isWildcard: boolean;
  /** Whether other sockets of ours, another shard's or another listener's, may have its port too. */
  readonly isShared: boolean;
  /** Service sockets that somebody else has opened; undefined: they are opened here. */
  readonly given: GivenSockets | undefined;
}

/**
 * Opens the sockets of `shardCount` shards as `plan` says. Service sockets tell where each request came in, whatever they are
 * bound to: rules may ask for it, and a reload may bring rules. Where service sockets are given for any place, the address of the
 * only listener does not count. Source: socket(7), udp(7), ipv6(7).
 */
export function openShardSockets(
  plan: SocketPlan,
  shardCount: number,
  allGiven: readonly GivenSockets[] = [],
): SocketSet | StartFault {
  const isForAny = allGiven.some(({ place }) => place === undefined);
  if (isForAny && plan.listeners.length > 1) return severalFault;
  const listeners: Listener[] = [];
  for (const each of plan.listeners) {
    const { address, port, scope } = each.listen;
    const ip = parseIp(scope === undefined ? address : `${address}%${scope}`);
    if ("fault" in ip) return { fault: ip.fault, remedy: ADDRESS_REMEDY };
    const given = allGiven.find(({ place }) => place === undefined || place === placeOf(each));
    if (given !== undefined && given.fds.length > shardCount) return unreadFault(given, shardCount);
    const name = given?.fds[0] === undefined ? undefined : socketName(given.fds[0]);
    const service: SocketAddress = typeof name === "object" ? name : { ...ip, port };
    const isWildcard = service.bytes.every((byte) => byte === 0);
    const sharers = plan.listeners.filter((other) => other.listen.port === port).length;
    const isShared = shardCount * sharers > 1;
    listeners.push({ plan: each, service, isWildcard, isShared, given });
  }
  // All of them first: where two of ours overlap, the second would find the first.
  const awaited = new Set<Listener>();
  for (const listener of listeners) {
    if (listener.given !== undefined) continue;
    let probed = probePort(listener, false);
    if (plan.isFreebind && probed === -Errno.EADDRNOTAVAIL) {
      awaited.add(listener);
      probed = probePort(listener, true);
    }
    if (typeof probed !== "number") return probed;
    if (probed < 0) return bindFault(probed, listener.service);
  }
  const opened: number[] = [];
  const result = openAll(plan, listeners, awaited, shardCount, opened);
  if ("fault" in result) for (const fd of opened) closeSocket(fd);
  return result;
}

const ADDRESS_REMEDY = "correct bind_addr, or give another address with --bind";

const severalFault: StartFault = {
  fault: "sockets were handed over, and the configuration has several listeners",
  remedy: "write one [[listener]], or none, or start the server without a socket unit",
};

/** The kernel spreads clients over all sockets of an address, whether anybody reads them or not. */
function unreadFault({ fds }: GivenSockets, shardCount: number): StartFault {
  return {
    fault: `${fds.length} sockets of one address were handed over, and there are ${shardCount} workers to read them`,
    remedy: "write ListenDatagram= once for each worker, or leave worker_count out",
  };
}

/** A listener's place, to be known again by. */
export function placeOf({ listen, interface: device = "" }: ListenerPlan): string {
  const { address, port, scope = "" } = listen;
  return [address, scope, port, device].join(" ");
}

/** Closes every socket of a set. */
export function closeShardSockets(set: SocketSet): void {
  socketFds(set).forEach(closeSocket);
}

/** Every socket of a set. */
export function socketFds({ shards }: SocketSet): readonly number[] {
  return shards.flat().flatMap(({ serviceFd, transferFds }) => [serviceFd].concat(transferFds));
}

/**
 * Binds once without SO_REUSEPORT. With it the kernel would let us share the port with another process of the same
 * user, a forgotten second server for instance, and clients would reach one or the other by chance. Returns what bind(2) says.
 */
function probePort({ plan, service }: Listener, isFreebind: boolean): number | StartFault {
  const fd = openSocket(service.family);
  if (fd < 0) return openFault(fd, service);
  if (isFreebind) setOption(fd, freebind(service.family), 1);
  if (service.family === 6) setOption(fd, "IPV6_V6ONLY", 0);
  const tied = tie(fd, plan.interface);
  const bound = tied === undefined ? bindSocket(fd, service) : 0;
  closeSocket(fd);
  return tied ?? bound;
}

function openAll(
  plan: SocketPlan,
  listeners: readonly Listener[],
  awaited: ReadonlySet<Listener>,
  shardCount: number,
  opened: number[],
): SocketSet | StartFault {
  const shards: ListenerSockets[][] = Array.from({ length: shardCount }, () => []);
  const bound: BoundListener[] = [];
  for (const listener of listeners) {
    const { service, isWildcard } = listener;
    const serviceFds: number[] = [];
    for (let shard = 0; shard < shardCount; shard++) {
      const given = listener.given?.fds[shard];
      const fd =
        given === undefined
          ? openConfigured(plan, listener, service, true, opened)
          : adopt(given, plan, listener);
      if (typeof fd !== "number") return fd;
      serviceFds.push(fd);
    }
    const transferFds = openTransferSockets(plan, listener, shardCount, opened);
    if ("fault" in transferFds) return transferFds;
    for (const [shard, serviceFd] of serviceFds.entries()) {
      shards[shard]?.push({ serviceFd, transferFds: transferFds[shard] ?? [], isWildcard });
    }
    const [first] = serviceFds;
    const name = first === undefined ? service : socketName(first);
    const address = formatPeer(typeof name === "number" ? service : name);
    const isAwaited = awaited.has(listener);
    // Sockets that were for any place remain so.
    const place = listener.given === undefined ? placeOf(listener.plan) : listener.given.place;
    bound.push({ place, address, isWildcard, interface: listener.plan.interface, isAwaited });
  }
  return { listeners: bound, shards };
}

/** The transfer sockets, shard by shard: from the port range in turn, or on ports that the kernel chooses. */
function openTransferSockets(
  plan: SocketPlan,
  listener: Listener,
  shardCount: number,
  opened: number[],
): number[][] | StartFault {
  const { portRange: range, singlePort, transferSockets } = listener.plan;
  const perShard: number[][] = Array.from({ length: shardCount }, () => []);
  if (singlePort) return perShard;
  const wanted = shardCount * transferSockets;
  let count = 0;
  for (const port of candidatePorts(range, wanted)) {
    if (count === wanted) break;
    const local = { ...listener.service, port };
    const fd = openConfigured(plan, listener, local, false, opened);
    if (typeof fd === "number") {
      perShard[count % shardCount]?.push(fd);
      count += 1;
    } else if (range === undefined || !fd.isBusy) {
      return fd;
    }
  }
  if (count >= shardCount) return perShard;
  return {
    fault: `port_range ${range?.first}-${range?.last} has ${count} free ports, and ${shardCount} workers need one each`,
    remedy: "widen [transfer] port_range, lower worker_count, or set single_port = true",
  };
}

function* candidatePorts(range: ListenerPlan["portRange"], wanted: number): Generator<number> {
  if (range === undefined) {
    for (let socket = 0; socket < wanted; socket++) yield 0;
    return;
  }
  for (let port = range.first; port <= range.last; port++) yield port;
}

/** Opens one socket of `listener` with every option and binds it to `local`; its fd is added to `opened`. */
function openConfigured(
  plan: SocketPlan,
  listener: Listener,
  local: SocketAddress,
  isService: boolean,
  opened: number[],
): number | BindFault {
  const fd = openSocket(local.family);
  if (fd < 0) return openFault(fd, local);
  opened.push(fd);
  // SO_REUSEADDR is left alone whatever reuse_address says: on UDP it helps no restart, and lets
  // any user who sets it too take over an unprivileged port. SO_REUSEPORT asks for the same user.
  const isShared = isService && listener.isShared;
  const options: [OptionName, number][] = isShared ? [["SO_REUSEPORT", 1]] : [];
  // A dual-stack socket sends to v4-mapped peers through IPv4.
  if (local.family === 6) options.push(["IPV6_V6ONLY", 0]);
  options.push(...familyOptions(local.family, isService || listener.isWildcard));
  if (plan.isFreebind) options.push([freebind(local.family), 1]);
  const fault = configure(fd, plan, listener, options);
  if (fault !== undefined) return fault;
  const bound = bindSocket(fd, local);
  if (bound >= 0) return fd;
  opened.pop();
  closeSocket(fd);
  return bindFault(bound, local);
}

/** Makes a service socket that somebody else has bound one of ours. Whether it takes IPv4 as well was decided there. */
function adopt(fd: number, plan: SocketPlan, listener: Listener): number | StartFault {
  setNonBlocking(fd);
  // One that was opened for this place is tied already, and to tie it once more would take a right.
  const isTied = listener.given?.place !== undefined;
  const untied = { ...listener, plan: { ...listener.plan, interface: undefined } };
  const options = familyOptions(listener.service.family, true);
  return configure(fd, plan, isTied ? untied : listener, options) ?? fd;
}

function configure(
  fd: number,
  plan: SocketPlan,
  listener: Listener,
  options: readonly (readonly [OptionName, number])[],
): BindFault | undefined {
  for (const [name, value] of options) {
    const set = setOption(fd, name, value);
    if (set < 0) return optionFault(name, set);
  }
  setBuffer(fd, "SO_RCVBUF", plan.receiveBufferBytes);
  setBuffer(fd, "SO_SNDBUF", plan.sendBufferBytes);
  return tie(fd, listener.plan.interface);
}

function freebind(family: 4 | 6): OptionName {
  return family === 4 ? "IP_FREEBIND" : "IPV6_FREEBIND";
}

/** Ties a socket to the interface `name`, if there is one to tie it to. */
function tie(fd: number, name: string | undefined): BindFault | undefined {
  const result = name === undefined ? 0 : bindToInterface(fd, name);
  return result >= 0 || name === undefined ? undefined : tieFault(result, name);
}

function familyOptions(family: 4 | 6, tellsLocal: boolean): [OptionName, number][] {
  const options: [OptionName, number][] = [["IP_MTU_DISCOVER", PMTUDISC_DONT]];
  if (family === 4) {
    if (tellsLocal) options.push(["IP_PKTINFO", 1]);
    return options;
  }
  // A dual-stack socket needs both families' setting.
  options.push(["IPV6_MTU_DISCOVER", PMTUDISC_DONT]);
  if (tellsLocal) options.push(["IPV6_RECVPKTINFO", 1]);
  return options;
}

/** Asks for a buffer beyond net.core.*mem_max first, which needs CAP_NET_ADMIN, then for what everybody may have. 0 asks for none. */
export function setBuffer(fd: number, name: "SO_RCVBUF" | "SO_SNDBUF", bytes: number): void {
  if (bytes === 0 || setOption(fd, `${name}FORCE`, bytes) >= 0) return;
  setOption(fd, name, bytes);
}
