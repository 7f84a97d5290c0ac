// The UDP sockets of all shards (io layer): opened once, before any shard runs, and kept for the life of the process.
// Either every shard has its service socket and at least one transfer socket, or none is open and a fault says what to do.

import { formatIp, formatPeer, parseIp, type SocketAddress } from "#ffi/address.ts";
import { Errno, errnoName } from "#ffi/errno.ts";
import {
  bindSocket,
  closeSocket,
  openSocket,
  type OptionName,
  PMTUDISC_DONT,
  setOption,
  socketName,
} from "#ffi/socket.ts";

import type { StartFault } from "./start.ts";

/** What the sockets shall be; the server's settings have all of it. */
export interface SocketPlan {
  /** An IP literal without brackets, a port, and the interface of a link-local address. */
  readonly listen: { readonly address: string; readonly port: number; readonly scope?: string };
  readonly singlePort: boolean;
  /** The ports of transfer sockets, both included; undefined lets the kernel choose. */
  readonly portRange: { readonly first: number; readonly last: number } | undefined;
  /** Transfer sockets per shard. */
  readonly transferSockets: number;
  /** 0 keeps the kernel's default, as below. */
  readonly receiveBufferBytes: number;
  readonly sendBufferBytes: number;
}

/** The sockets of one shard: descriptors of non-blocking, close-on-exec UDP sockets. */
interface ShardSockets {
  readonly serviceFd: number;
  /** Empty in single-port mode. */
  readonly transferFds: readonly number[];
}

/** The sockets of all shards, and where they listen. */
export interface SocketSet {
  readonly shards: readonly ShardSockets[];
  /** `address:port` with IPv6 in brackets, as bound. */
  readonly address: string;
  /** Whether the address is 0.0.0.0 or [::], so that replies must name the address that was asked. */
  readonly isWildcard: boolean;
}

/**
 * Opens the sockets of `shardCount` shards as `plan` says. Service sockets tell where each request came in, whatever they are
 * bound to: rules may ask for it, and a reload may bring rules. Source: socket(7), udp(7), ipv6(7).
 */
export function openShardSockets(plan: SocketPlan, shardCount: number): SocketSet | StartFault {
  const { address, scope } = plan.listen;
  const ip = parseIp(scope === undefined ? address : `${address}%${scope}`);
  if ("fault" in ip) {
    return { fault: ip.fault, remedy: "correct bind_addr, or give another address with --bind" };
  }
  const service: SocketAddress = { ...ip, port: plan.listen.port };
  const busy = probePort(service);
  if (busy !== undefined) return busy;
  const opened: number[] = [];
  const result = openAll(plan, service, shardCount, opened);
  if ("fault" in result) for (const fd of opened) closeSocket(fd);
  return result;
}

/** Closes every socket of a set. */
export function closeShardSockets(set: SocketSet): void {
  for (const shard of set.shards) {
    closeSocket(shard.serviceFd);
    for (const fd of shard.transferFds) closeSocket(fd);
  }
}

/**
 * Binds once without SO_REUSEPORT. With it the kernel would let us share the port with another process of the same
 * user, a forgotten second server for instance, and clients would reach one or the other by chance.
 */
function probePort(service: SocketAddress): StartFault | undefined {
  const fd = openSocket(service.family);
  if (fd < 0) return openFault(fd, service);
  if (service.family === 6) setOption(fd, "IPV6_V6ONLY", 0);
  const bound = bindSocket(fd, service);
  closeSocket(fd);
  return bound < 0 ? bindFault(bound, service) : undefined;
}

function openAll(
  plan: SocketPlan,
  service: SocketAddress,
  shardCount: number,
  opened: number[],
): SocketSet | StartFault {
  const isWildcard = service.bytes.every((byte) => byte === 0);
  const serviceFds: number[] = [];
  for (let shard = 0; shard < shardCount; shard++) {
    const fd = openConfigured(plan, service, true, shardCount > 1, opened);
    if (typeof fd !== "number") return fd;
    serviceFds.push(fd);
  }
  const transferFds = openTransferSockets(plan, service, isWildcard, shardCount, opened);
  if ("fault" in transferFds) return transferFds;
  const shards: ShardSockets[] = serviceFds.map((serviceFd, shard) => ({
    serviceFd,
    transferFds: transferFds[shard] ?? [],
  }));
  const [first] = serviceFds;
  const name = first === undefined ? service : socketName(first);
  const address = formatPeer(typeof name === "number" ? service : name);
  return { shards, address, isWildcard };
}

/** The transfer sockets, shard by shard: from the port range in turn, or on ports that the kernel chooses. */
function openTransferSockets(
  plan: SocketPlan,
  service: SocketAddress,
  isWildcard: boolean,
  shardCount: number,
  opened: number[],
): number[][] | StartFault {
  const perShard: number[][] = Array.from({ length: shardCount }, () => []);
  if (plan.singlePort) return perShard;
  const wanted = shardCount * plan.transferSockets;
  let count = 0;
  for (const port of candidatePorts(plan, wanted)) {
    if (count === wanted) break;
    const local = { ...service, port };
    const fd = openConfigured(plan, local, isWildcard, false, opened);
    if (typeof fd === "number") {
      perShard[count % shardCount]?.push(fd);
      count += 1;
    } else if (plan.portRange === undefined || !fd.isBusy) {
      return fd;
    }
  }
  if (count >= shardCount) return perShard;
  const range = plan.portRange;
  return {
    fault: `port_range ${range?.first}-${range?.last} has ${count} free ports, and ${shardCount} workers need one each`,
    remedy: "widen [transfer] port_range, lower worker_count, or set single_port = true",
  };
}

function* candidatePorts(plan: SocketPlan, wanted: number): Generator<number> {
  const range = plan.portRange;
  if (range === undefined) {
    for (let socket = 0; socket < wanted; socket++) yield 0;
    return;
  }
  for (let port = range.first; port <= range.last; port++) yield port;
}

interface BindFault extends StartFault {
  readonly isBusy: boolean;
}

/** Opens one socket with every option and binds it; its fd is added to `opened`. */
function openConfigured(
  plan: SocketPlan,
  local: SocketAddress,
  tellsLocal: boolean,
  isShared: boolean,
  opened: number[],
): number | BindFault {
  const fd = openSocket(local.family);
  if (fd < 0) return openFault(fd, local);
  opened.push(fd);
  // SO_REUSEADDR is left alone whatever reuse_address says: on UDP it helps no restart, and lets
  // any user who sets it too take over an unprivileged port. SO_REUSEPORT asks for the same user.
  const options: [OptionName, number][] = isShared ? [["SO_REUSEPORT", 1]] : [];
  options.push(...familyOptions(local.family, tellsLocal));
  for (const [name, value] of options) {
    const set = setOption(fd, name, value);
    if (set < 0) return optionFault(name, set);
  }
  setBuffer(fd, "SO_RCVBUF", plan.receiveBufferBytes);
  setBuffer(fd, "SO_SNDBUF", plan.sendBufferBytes);
  const bound = bindSocket(fd, local);
  if (bound >= 0) return fd;
  opened.pop();
  closeSocket(fd);
  return bindFault(bound, local);
}

function familyOptions(family: 4 | 6, tellsLocal: boolean): [OptionName, number][] {
  const options: [OptionName, number][] = [["IP_MTU_DISCOVER", PMTUDISC_DONT]];
  if (family === 4) {
    if (tellsLocal) options.push(["IP_PKTINFO", 1]);
    return options;
  }
  // A dual-stack socket sends to v4-mapped peers through IPv4, so it needs both families' setting.
  options.push(["IPV6_V6ONLY", 0], ["IPV6_MTU_DISCOVER", PMTUDISC_DONT]);
  if (tellsLocal) options.push(["IPV6_RECVPKTINFO", 1]);
  return options;
}

/** Asks for a buffer beyond net.core.*mem_max first, which needs CAP_NET_ADMIN, then for what everybody may have. 0 asks for none. */
export function setBuffer(fd: number, name: "SO_RCVBUF" | "SO_SNDBUF", bytes: number): void {
  if (bytes === 0 || setOption(fd, `${name}FORCE`, bytes) >= 0) return;
  setOption(fd, name, bytes);
}

function openFault(result: number, local: SocketAddress): BindFault {
  if (result === -Errno.EAFNOSUPPORT) {
    return {
      fault: `this kernel has no IPv${local.family}, which ${formatPeer(local)} needs`,
      remedy:
        local.family === 6
          ? 'listen on IPv4: bind_addr = "0.0.0.0:69", or --bind 0.0.0.0:69'
          : 'listen on IPv6: bind_addr = "[::]:69", or --bind [::]:69',
      isBusy: false,
    };
  }
  return {
    fault: `a UDP socket could not be opened: ${errnoName(result)}`,
    remedy: "raise the limit on open files (ulimit -n, or LimitNOFILE= in the unit)",
    isBusy: false,
  };
}

function optionFault(name: OptionName, result: number): BindFault {
  return {
    fault: `the kernel refuses the socket option ${name}: ${errnoName(result)}`,
    remedy: "run `snow-owl-tftp probe` to see what this kernel grants and why",
    isBusy: false,
  };
}

function bindFault(result: number, local: SocketAddress): BindFault {
  const where = formatPeer(local);
  const isBusy = result === -Errno.EADDRINUSE;
  return {
    fault: `cannot listen on ${where}: ${bindCause(result)}`,
    remedy: bindRemedy(result, local),
    isBusy,
  };
}

function bindCause(result: number): string {
  switch (result) {
    case -Errno.EACCES:
      return "ports below 1024 need a privilege that this process does not have (EACCES)";
    case -Errno.EADDRINUSE:
      return "another program has that port (EADDRINUSE)";
    case -Errno.EADDRNOTAVAIL:
      return "this machine does not have that address (EADDRNOTAVAIL)";
    case -Errno.EINVAL:
      return "a link-local address needs its interface (EINVAL)";
    default:
      return errnoName(result);
  }
}

function bindRemedy(result: number, local: SocketAddress): string {
  switch (result) {
    case -Errno.EACCES:
      return (
        "run as root, or `setcap cap_net_bind_service=+ep` on the executable, or " +
        "`sysctl net.ipv4.ip_unprivileged_port_start=69`, or choose a higher port with --bind [::]:6969"
      );
    case -Errno.EADDRINUSE:
      return (
        `\`ss -ulpn sport = :${local.port}\` names the program; stop it, ` +
        "or choose another address or port with --bind"
      );
    case -Errno.EADDRNOTAVAIL:
      return "`ip address` lists the addresses of this machine; [::] listens on all of them";
    case -Errno.EINVAL:
      return `write the interface behind the address, like [${formatIp(local)}%eth0]:${local.port}`;
    default:
      return "check bind_addr, or give another address with --bind";
  }
}
