// What this kernel grants (ffi layer, rank 1), found by trying each feature once on sockets and files of our own.
// The start-up log, the probe command and the status page print these records; nothing is left open or changed.

import { EPOLLIN, IoUringParams, O_CLOEXEC, O_RDONLY, Syscall } from "./abi.ts";
import { type IpAddress, parseIp } from "./address.ts";
import { Arena } from "./arena.ts";
import { Epoll } from "./epoll.ts";
import { Errno, errnoName } from "./errno.ts";
import { createEventfd, drainEventfd, signalEventfd } from "./eventfd.ts";
import { Advice, closeFd, fadvise, openRoot, preadNowait, tryOpenat2 } from "./file.ts";
import { landlockVersion } from "./landlock.ts";
import { checked, libc } from "./libc.ts";
import { LoopbackPair } from "./loopback.ts";
import { NeighbourTable } from "./netlink.ts";
import { availableCores, setAffinity } from "./process.ts";
import { scratch, scratchAddress, STRUCT, TEXT, writeText } from "./scratch.ts";
import { trySeccomp } from "./seccomp.ts";
import { bindSocket, closeSocket, openSocket, type OptionName, setOption } from "./socket.ts";
import { FileStat, statxFd } from "./stat.ts";

/** One feature, and whether this kernel grants it to this process. */
export interface Capability {
  readonly name: string;
  readonly isGranted: boolean;
  /** What was tried, and the kernel's answer by name if it refused. */
  readonly because: string;
  /** What the administrator can do; empty if granted. */
  readonly remedy: string;
  /** What the server does with it, and what serves without it. */
  readonly usedFor: string;
}

/** Tries the features called `names`, or every feature there is, in the order of {@link features}. Takes a few milliseconds; the longest waits are for datagrams that a kernel lost. */
export function probeKernel(names?: readonly string[]): readonly Capability[] {
  const tried = features.filter(({ name }) => names === undefined || names.includes(name));
  return tried.map(({ name, usedFor, tried, remedy, attempt }) => {
    const result = attempt();
    const isGranted = result >= 0;
    const because = isGranted ? tried : `${tried}: ${errnoName(result)}`;
    return { name, isGranted, because, remedy: isGranted ? "" : remedy, usedFor };
  });
}

interface Feature {
  readonly name: string;
  readonly usedFor: string;
  /** What {@link attempt} does, for the reader of a report. */
  readonly tried: string;
  readonly remedy: string;
  /** Returns ≥ 0 if the kernel grants it, else −errno; −ENODATA where it agreed and then did something else. */
  readonly attempt: () => number;
}

const SECCOMP = "allow it in the container's seccomp profile";

const features: readonly Feature[] = [
  {
    name: "recvmmsg",
    usedFor: "receiving a batch of datagrams per system call; otherwise one by one",
    tried: "two datagrams received over loopback",
    remedy: `use Linux 2.6.33 or later, or ${SECCOMP}`,
    attempt: () => tryDatagrams(4, "127.0.0.1", { isReceiveBatched: true }),
  },
  {
    name: "sendmmsg",
    usedFor: "sending a batch of messages per system call; otherwise one by one",
    tried: "two datagrams sent over loopback",
    remedy: `use Linux 3.0 or later, or ${SECCOMP}`,
    attempt: () => tryDatagrams(4, "127.0.0.1", { isSendBatched: true }),
  },
  {
    name: "UDP_SEGMENT",
    usedFor: "handing the kernel a whole window at once (GSO); otherwise one message per block",
    tried: "one message cut into three datagrams over loopback",
    remedy: "use Linux 4.18 or later; a sandboxed kernel may never grant it",
    attempt: trySegmentation,
  },
  {
    name: "UDP_GRO",
    usedFor: "receiving joined datagrams; this version does not use it",
    tried: "set on a socket",
    remedy: "use Linux 5.0 or later",
    attempt: () => tryOption(4, "UDP_GRO"),
  },
  {
    name: "SO_REUSEPORT",
    usedFor: "one service socket per worker; otherwise one worker serves",
    tried: "set on a socket",
    remedy: "use Linux 3.9 or later",
    attempt: () => tryOption(4, "SO_REUSEPORT"),
  },
  {
    name: "IP_PKTINFO",
    usedFor: "answering from the IPv4 address that was asked",
    tried: "asked which address a datagram to 127.0.0.2 was sent to",
    remedy: "listen on one address instead of 0.0.0.0, so that there is only one to answer from",
    attempt: () => tryDatagrams(4, "127.0.0.2", { isLocalAsked: true }),
  },
  {
    name: "IPv6",
    usedFor: "listening on [::]; otherwise bind_addr must be an IPv4 address",
    tried: "bound a socket to [::1]",
    remedy: "set net.ipv6.conf.all.disable_ipv6=0, or listen on an IPv4 address",
    attempt: () => tryBind("::1", 0),
  },
  {
    name: "IPV6_RECVPKTINFO",
    usedFor: "answering from the IPv6 address that was asked",
    tried: "asked which address a datagram to ::1 was sent to",
    remedy: "listen on one address instead of [::], so that there is only one to answer from",
    attempt: () => tryDatagrams(6, "::1", { isLocalAsked: true }),
  },
  {
    name: "rtnetlink",
    usedFor: "the hardware addresses of clients; otherwise none has one",
    tried: "asked for a neighbour on loopback",
    remedy: "let the process open netlink sockets (AF_NETLINK in RestrictAddressFamilies=)",
    attempt: tryNeighbours,
  },
  {
    name: "privileged port",
    usedFor: "listening on port 69; otherwise bind_addr needs a port of 1024 or above",
    tried: "bound a socket to port 69",
    remedy:
      "run as root, or grant CAP_NET_BIND_SERVICE, or set net.ipv4.ip_unprivileged_port_start=69",
    attempt: tryPrivilegedPort,
  },
  {
    name: "openat2",
    usedFor: "symlinks that stay inside the root; otherwise every symlink is refused",
    tried: "opened a folder with RESOLVE_BENEATH",
    remedy: `use Linux 5.6 or later, or ${SECCOMP}`,
    attempt: tryContainment,
  },
  {
    name: "statx",
    usedFor: "describing files; otherwise fstat does",
    tried: "described an open file",
    remedy: `use Linux 4.11 or later, or ${SECCOMP}`,
    attempt: () => tryFile((fd) => statxFd(fd, new FileStat())),
  },
  {
    name: "preadv2 RWF_NOWAIT",
    usedFor:
      "reading what is in memory without waiting for a disk; otherwise a cold file may delay others",
    tried: "read the executable's first bytes",
    remedy: `use Linux 4.14 or later and a file system that supports it, or ${SECCOMP}`,
    attempt: () => tryFile(tryReadNowait),
  },
  {
    name: "posix_fadvise",
    usedFor: "telling the kernel to read ahead; otherwise it guesses",
    tried: "advised on an open file",
    remedy: SECCOMP,
    attempt: () => tryFile((fd) => fadvise(fd, 0, 0, Advice.normal)),
  },
  {
    name: "epoll and eventfd",
    usedFor: "sleeping until there is work; required",
    tried: "rang a doorbell and woke up",
    remedy: `use Linux, or ${SECCOMP}`,
    attempt: tryDoorbell,
  },
  {
    name: "sched_setaffinity",
    usedFor: "keeping each worker on one processor; otherwise the kernel moves them",
    tried: "set this thread's processors to those it has",
    remedy: SECCOMP,
    attempt: () => setAffinity(availableCores()),
  },
  {
    name: "Landlock",
    usedFor:
      "confining the server to the folders of its configuration; otherwise its user's rights count",
    tried: "asked for its version",
    remedy: `use Linux 5.13 or later with landlock among its security modules (lsm=), or ${SECCOMP}`,
    attempt: landlockVersion,
  },
  {
    name: "seccomp",
    usedFor: "giving up system calls that the server does not need",
    tried: "asked for filters that let a call fail",
    remedy: "use Linux 4.14 or later with CONFIG_SECCOMP_FILTER",
    attempt: trySeccomp,
  },
  {
    name: "io_uring",
    usedFor: "reading cold files beside the network; this version does not use it",
    tried: "created a ring of one entry",
    remedy: `set kernel.io_uring_disabled=0, or ${SECCOMP}`,
    attempt: tryIoUring,
  },
];

interface DatagramTry {
  readonly isSendBatched?: boolean;
  readonly isReceiveBatched?: boolean;
  /** Whether the receiver must learn which address was asked. */
  readonly isLocalAsked?: boolean;
}

/** Sends two datagrams to `to` and looks whether they arrive as they were. */
function tryDatagrams(family: 4 | 6, to: string, how: DatagramTry): number {
  return withPair(family, (pair) => {
    const asked = how.isLocalAsked === true ? pair.askForLocal() : 0;
    if (asked < 0) return asked;
    const payloads = [Uint8Array.of(1), Uint8Array.of(2, 2)];
    const sent = pair.send(ipOf(to), payloads, 0, how.isSendBatched === true);
    if (sent < 0) return sent;
    const arrivals = pair.receive(payloads.length, how.isReceiveBatched === true);
    if (typeof arrivals === "number") return arrivals;
    const isWhole = arrivals.every(
      ({ payload, local }, index) =>
        payload.byteLength === index + 1 &&
        (how.isLocalAsked !== true || local.some((byte) => byte !== 0)),
    );
    return isWhole ? 0 : -Errno.ENODATA;
  });
}

/** Sends one message of two and a half segments: the kernel cuts it, and the last datagram is the shorter one. */
function trySegmentation(): number {
  const segmentBytes = 100;
  const message = Uint8Array.from({ length: 250 }, (_, index) => index);
  return withPair(4, (pair) => {
    const sent = pair.send(ipOf("127.0.0.1"), [message], segmentBytes, true);
    if (sent < 0) return sent;
    const arrivals = pair.receive(3, false);
    if (typeof arrivals === "number") return arrivals;
    const isWhole = arrivals.every(({ payload }, index) => {
      const start = index * segmentBytes;
      const expected = message.subarray(start, start + segmentBytes);
      return Buffer.compare(payload, expected) === 0;
    });
    return isWhole ? 0 : -Errno.ENODATA;
  });
}

function withPair(family: 4 | 6, run: (pair: LoopbackPair) => number): number {
  const pair = LoopbackPair.open(family);
  if (typeof pair === "number") return pair;
  const result = run(pair);
  pair.close();
  return result;
}

function tryOption(family: 4 | 6, name: OptionName): number {
  return withSocket(family, (fd) => setOption(fd, name, 1));
}

function tryBind(address: string, port: number): number {
  const ip = ipOf(address);
  return withSocket(ip.family, (fd) => bindSocket(fd, { ...ip, port }));
}

/** A port that is taken was not refused: the kernel looks at the privilege first (inet_bind). */
function tryPrivilegedPort(): number {
  const result = tryBind("127.0.0.1", 69);
  return result === -Errno.EADDRINUSE ? 0 : result;
}

function withSocket(family: 4 | 6, run: (fd: number) => number): number {
  const fd = openSocket(family);
  if (fd < 0) return fd;
  const result = run(fd);
  closeSocket(fd);
  return result;
}

function tryContainment(): number {
  const rootFd = openRoot("/");
  if (rootFd < 0) return rootFd;
  const result = tryOpenat2(rootFd);
  closeFd(rootFd);
  // A process that is confined to its folders may not open this one: the call is understood all the same.
  return result === -Errno.EACCES ? 0 : result;
}

/** Runs a try on the executable itself: a regular file that exists and that we may read. */
function tryFile(run: (fd: number) => number): number {
  const length = writeText(process.execPath);
  if (length < 0) return length;
  const fd = checked(libc.open(scratchAddress(TEXT), O_RDONLY | O_CLOEXEC, 0));
  if (fd < 0) return fd;
  const result = run(fd);
  closeFd(fd);
  return result;
}

function tryReadNowait(fd: number): number {
  const arena = new Arena(1);
  const result = preadNowait(fd, arena.address, 1, 0);
  arena.unmap();
  // "Not in memory" is an answer as well: the call is understood.
  return result === -Errno.EAGAIN ? 0 : result;
}

function tryDoorbell(): number {
  const fd = createEventfd();
  if (fd < 0) return fd;
  const epoll = new Epoll();
  epoll.add(fd, EPOLLIN, 7);
  const rung = signalEventfd(fd);
  const isHeard = epoll.wait(0) === 1 && epoll.token(0) === 7 && drainEventfd(fd) === 1;
  epoll.close();
  closeFd(fd);
  if (rung < 0) return rung;
  return isHeard ? 0 : -Errno.ENODATA;
}

function tryNeighbours(): number {
  const table = new NeighbourTable();
  const found = table.find(Uint8Array.of(127, 0, 0, 1), 1);
  table.close();
  // That there is no such neighbour is the answer.
  return typeof found !== "number" || found === -Errno.ENOENT ? 0 : found;
}

function tryIoUring(): number {
  scratch.u8.fill(0, STRUCT, STRUCT + IoUringParams.size);
  const parameters = scratchAddress(STRUCT);
  const fd = checked(libc.syscall(Syscall.ioUringSetup, 1, parameters, 0, 0, 0, 0));
  return fd < 0 ? fd : closeFd(fd);
}

/** An address literal of this file. */
function ipOf(text: string): IpAddress {
  const ip = parseIp(text);
  if ("fault" in ip) throw new Error(ip.fault);
  return ip;
}
