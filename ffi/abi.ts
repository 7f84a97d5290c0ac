// Kernel structures as data (ffi layer): sizes and field offsets in bytes, and the constants beside them.
// x86-64 and arm64 Linux agree on all of these except epoll_event, which x86-64 packs.

import { assert } from "#base/assert.ts";

/** Which of the two supported machines this is. Anything else is refused at start. */
export const isX64: boolean = process.arch === "x64";
assert(isX64 || process.arch === "arm64", "supported machines are x86-64 and arm64");

/** struct iovec, sys/uio.h */
export const Iovec = { base: 0, length: 8, size: 16 } as const;

/** struct msghdr, sys/socket.h (glibc and kernel layouts agree on 64-bit little-endian). */
export const Msghdr = {
  name: 0,
  nameLength: 8,
  iov: 16,
  iovLength: 24,
  control: 32,
  controlLength: 40,
  flags: 48,
  size: 56,
} as const;

/** struct mmsghdr: a msghdr and the byte count that the kernel fills in. */
export const Mmsghdr = { header: 0, length: 56, size: 64 } as const;

/** struct cmsghdr, sys/socket.h; data follows at 16, and entries are aligned to 8. */
export const Cmsghdr = { length: 0, level: 8, type: 12, data: 16, size: 16 } as const;

/** struct sockaddr_in, netinet/in.h. `port` and `address` are in network order. */
export const SockaddrIn = { family: 0, port: 2, address: 4, size: 16 } as const;

/** struct sockaddr_in6, netinet/in.h. `scopeId` is in host order. */
export const SockaddrIn6 = {
  family: 0,
  port: 2,
  flowInfo: 4,
  address: 8,
  scopeId: 24,
  size: 28,
} as const;

/** struct sockaddr_un, sys/un.h. */
export const SockaddrUn = { family: 0, path: 2, size: 110 } as const;

/** struct ucred, sys/socket.h (with _GNU_SOURCE): who is at the other end of a Unix socket. */
export const Ucred = { pid: 0, uid: 4, gid: 8, size: 12 } as const;

/** struct in_pktinfo, netinet/in.h: interface index, local address (spec_dst), header destination. */
export const InPktinfo = { ifindex: 0, specDst: 4, destination: 8, size: 12 } as const;

/** struct in6_pktinfo, netinet/in.h: address, interface index. */
export const In6Pktinfo = { address: 0, ifindex: 16, size: 20 } as const;

/** struct group_req, netinet/in.h: an interface index (0: by the route), and a group in room for any address. */
export const GroupReq = { ifindex: 0, group: 8, size: 136 } as const;

/** struct sock_extended_err, linux/errqueue.h: the error number first, whatever follows. */
export const SockExtendedErr = { errno: 0, size: 16 } as const;

/** struct epoll_event, sys/epoll.h: packed on x86-64 alone. */
export const EpollEvent: {
  readonly events: number;
  readonly token: number;
  readonly size: number;
} = isX64 ? { events: 0, token: 4, size: 12 } : { events: 0, token: 8, size: 16 };

/** struct timespec, time.h */
export const Timespec = { seconds: 0, nanoseconds: 8, size: 16 } as const;

/** struct open_how, linux/openat2.h */
export const OpenHow = { flags: 0, mode: 8, resolve: 16, size: 24 } as const;

/** struct statx, linux/stat.h. A time is seconds (i64) and, 8 bytes on, nanoseconds (u32). */
export const Statx = {
  linkCount: 16,
  mode: 28,
  inode: 32,
  byteLength: 40,
  changeTime: 96,
  modifyTime: 112,
  deviceMajor: 136,
  deviceMinor: 140,
  size: 256,
} as const;

/** struct stat as fstat(2) fills it, asm/stat.h: mode and link count change places between the machines. */
export const Stat: {
  readonly device: number;
  readonly inode: number;
  readonly linkCount: number;
  readonly mode: number;
  readonly byteLength: number;
  readonly modifyTime: number;
  readonly changeTime: number;
  readonly size: number;
} = {
  device: 0,
  inode: 8,
  linkCount: isX64 ? 16 : 20,
  mode: isX64 ? 24 : 16,
  byteLength: 48,
  modifyTime: 88,
  changeTime: 104,
  size: isX64 ? 144 : 128,
};

/** struct statfs, sys/statfs.h (asm-generic and x86 agree on 64-bit machines). */
export const Statfs = { type: 0, size: 120 } as const;

/** struct statvfs, sys/statvfs.h, as glibc and musl have it on both machines; all fields used are 64 bits wide. */
export const Statvfs = { fragmentBytes: 8, freeFragments: 32, size: 112 } as const;

/** struct io_uring_params, linux/io_uring.h. Only its size is used: the probe passes zeros. */
export const IoUringParams = { size: 120 } as const;

/** struct nlmsghdr, linux/netlink.h: before every message; messages and attributes begin at multiples of 4. */
export const Nlmsghdr = { length: 0, type: 4, flags: 6, sequence: 8, port: 12, size: 16 } as const;

/** struct nlmsgerr, linux/netlink.h: −errno, then the header of the message that it is about. */
export const Nlmsgerr = { error: 0, request: 4, size: 20 } as const;

/** struct ndmsg, linux/neighbour.h: one entry of the neighbour table; attributes follow. */
export const Ndmsg = { family: 0, ifindex: 4, state: 8, flags: 10, type: 11, size: 12 } as const;

/** struct rtattr, linux/rtnetlink.h: its length counts itself, but not the padding behind it. */
export const Rtattr = { length: 0, type: 2, size: 4 } as const;

/** struct linux_dirent64, as getdents64(2) fills it: glibc's struct dirent64. The name ends with a NUL. */
export const Dirent64 = { recordLength: 16, name: 19 } as const;

/** struct ifreq, net/if.h, as far as SIOCGIFMTU uses it. */
export const Ifreq = { name: 0, mtu: 16, size: 40 } as const;

/** System calls that C libraries of the last ten years may lack: asm/unistd_64.h and asm-generic/unistd.h. */
export const Syscall: {
  readonly fstat: number;
  readonly gettid: number;
  readonly getdents64: number;
  readonly renameat2: number;
  readonly preadv2: number;
  readonly statx: number;
  readonly ioUringSetup: number;
  readonly openat2: number;
  readonly epollPwait2: number;
  readonly capget: number;
  readonly capset: number;
  readonly seccomp: number;
  readonly landlockCreateRuleset: number;
  readonly landlockAddRule: number;
  readonly landlockRestrictSelf: number;
} = {
  fstat: isX64 ? 5 : 80,
  gettid: isX64 ? 186 : 178,
  getdents64: isX64 ? 217 : 61,
  renameat2: isX64 ? 316 : 276,
  preadv2: isX64 ? 327 : 286,
  statx: isX64 ? 332 : 291,
  ioUringSetup: 425,
  openat2: 437,
  epollPwait2: 441,
  capget: isX64 ? 125 : 90,
  capset: isX64 ? 126 : 91,
  seccomp: isX64 ? 317 : 277,
  landlockCreateRuleset: 444,
  landlockAddRule: 445,
  landlockRestrictSelf: 446,
};

export const O_RDONLY = 0;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NOCTTY = 0o400;
export const O_NONBLOCK = 0o4000;
export const O_DIRECTORY: number = isX64 ? 0o200000 : 0o40000;
export const O_NOFOLLOW: number = isX64 ? 0o400000 : 0o100000;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;
export const O_TMPFILE: number = 0o20000000 | O_DIRECTORY;
export const RESOLVE_NO_MAGICLINKS = 0x02;
export const RESOLVE_NO_SYMLINKS = 0x04;
export const RESOLVE_BENEATH = 0x08;
export const AT_FDCWD = -100;
export const AT_SYMLINK_FOLLOW = 0x400;
export const AT_EMPTY_PATH = 0x1000;
export const RENAME_NOREPLACE = 0x1;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
export const RWF_NOWAIT = 0x08;
/** linux/magic.h */
export const TMPFS_MAGIC = 0x0102_1994;
export const RAMFS_MAGIC = 0x8584_58f6;
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_SEQPACKET = 5;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const IPPROTO_IP = 0;
export const IPPROTO_IPV6 = 41;
export const SOL_SOCKET = 1;
export const SO_BINDTODEVICE = 25;
export const SO_PEERCRED = 17;
export const SOL_UDP = 17;
export const MSG_DONTWAIT = 0x40;
export const MSG_TRUNC = 0x20;
export const MSG_CTRUNC = 0x08;
export const MSG_ERRQUEUE = 0x2000;
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;
export const IP_PKTINFO = 8;
export const IPV6_PKTINFO = 50;
export const MCAST_JOIN_GROUP = 42;
export const NETLINK_ROUTE = 0;
export const NLM_F_REQUEST = 0x1;
export const NLM_F_MULTI = 0x2;
export const NLM_F_DUMP = 0x300;
export const NLMSG_ERROR = 0x2;
export const NLMSG_DONE = 0x3;
export const RTM_NEWNEIGH = 28;
export const RTM_GETNEIGH = 30;
export const NDA_DST = 1;
export const NDA_LLADDR = 2;
export const NUD_REACHABLE = 0x02;
export const NUD_STALE = 0x04;
export const NUD_DELAY = 0x08;
export const NUD_PROBE = 0x10;
export const NUD_PERMANENT = 0x80;
export const SIOCGIFMTU = 0x8921;
export const CLOCK_MONOTONIC = 1;
export const EPOLLIN = 0x001;
export const EPOLLOUT = 0x004;
export const EPOLLERR = 0x008;

/** Most segments that the kernel cuts one UDP_SEGMENT message into: UDP_MAX_SEGMENTS, linux/udp.h (64 before 6.9). */
export const GSO_SEGMENTS_MAX = 64;
/** Most payload bytes in one UDP message over IPv4: 65,535 − 20 − 8. IPv6 allows 20 more, which we do not use. */
export const UDP_PAYLOAD_BYTES_MAX = 65_507;
/** UIO_MAXIOV, linux/uio.h: most iovecs in one message, and most messages in one sendmmsg. */
export const IOVECS_MAX = 1024;

/** `value` rounded up to the next multiple of `alignment`, a power of two. */
export function aligned(value: number, alignment: number): number {
  return (value + alignment - 1) & ~(alignment - 1);
}

/** Bytes that one control message with `dataBytes` of payload takes: CMSG_SPACE, sys/socket.h. */
export function controlSpace(dataBytes: number): number {
  return Cmsghdr.size + aligned(dataBytes, 8);
}
