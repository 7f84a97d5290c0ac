// Tests of UDP sockets: every option by name on a real socket, binding, and names as the kernel tells them.

import { afterEach, describe, expect, test } from "bun:test";

import { EPOLLIN, IP_PKTINFO, SOCK_DGRAM, SockaddrIn, SockaddrIn6, UDP_SEGMENT } from "#ffi/abi.ts";
import { decodeSockaddr, encodeSockaddr, type SocketAddress } from "#ffi/address.ts";
import { Arena } from "#ffi/arena.ts";
import { Epoll } from "#ffi/epoll.ts";
import { Errno } from "#ffi/errno.ts";
import { createEventfd } from "#ffi/eventfd.ts";
import { libc } from "#ffi/libc.ts";
import { LoopbackPair } from "#ffi/loopback.ts";
import { ReceiveBatch, SendBatch } from "#ffi/message.ts";
import { askForErrors, takeSocketError } from "#ffi/socket-error.ts";
import {
  bindSocket,
  bindToInterface,
  closeSocket,
  connectSocket,
  joinGroup,
  openSocket,
  type OptionName,
  PMTUDISC_DONT,
  readOption,
  setOption,
  socketName,
  socketOptions,
} from "#ffi/socket.ts";

import {
  addressOf,
  ANY_LOCAL,
  cleanUp,
  ipOf,
  nameOf,
  openDescriptors,
  opened,
  receive,
  udp,
} from "./rig.ts";

afterEach(cleanUp);

describe("options", () => {
  const names = Object.keys(socketOptions) as OptionName[];

  test.each(names)("%s is what the kernel means by it", (name) => {
    const { level, kind } = socketOptions[name];
    const fd = opened(openSocket(level === "ipv6" ? 6 : 4));
    if (name === "SO_ERROR") {
      expect(readOption(fd, name)).toBe(0);
      return;
    }
    if (name === "SO_TYPE") {
      expect(readOption(fd, name)).toBe(SOCK_DGRAM);
      return;
    }
    if (name === "IP_MTU" || name === "IPV6_MTU") {
      // Only a connected socket has one: see below.
      expect(readOption(fd, name)).toBe(-Errno.ENOTCONN);
      return;
    }
    if (name === "SO_BINDTOIFINDEX") {
      // The loopback interface is the first of every network namespace.
      expect([setOption(fd, name, 1), readOption(fd, name)]).toEqual([0, 1]);
      return;
    }
    // Each kind gets a value that differs from the default, so that a wrong number would not read back.
    const value = { flag: 1, bytes: 4096, us: 50, choice: PMTUDISC_DONT }[kind];
    if (kind === "choice") expect(readOption(fd, name)).not.toBe(value);
    if (name === "SO_SNDBUFFORCE" || name === "SO_RCVBUFFORCE") {
      // Without the privilege the kernel knows the number all the same: it says EPERM, not ENOPROTOOPT.
      expect([0, -Errno.EPERM]).toContain(setOption(fd, name, value));
      return;
    }
    expect(setOption(fd, name, value)).toBe(0);
    const isBuffer = level === "socket" && kind === "bytes";
    expect(readOption(fd, name)).toBe(isBuffer ? 2 * value : value);
  });

  test("the numbers that control messages share are the same ones", () => {
    expect(socketOptions.IP_PKTINFO.number).toBe(IP_PKTINFO);
    expect(socketOptions.UDP_SEGMENT.number).toBe(UDP_SEGMENT);
  });

  test("a buffer beyond the system's limit needs the FORCE option", () => {
    const fd = opened(openSocket(4));
    const limitBytes = 64 << 20;
    expect(setOption(fd, "SO_RCVBUF", limitBytes)).toBe(0);
    const granted = readOption(fd, "SO_RCVBUF");
    const forced = setOption(fd, "SO_RCVBUFFORCE", limitBytes);
    if (forced === -Errno.EPERM) {
      expect(readOption(fd, "SO_RCVBUF")).toBe(granted);
      return;
    }
    expect(forced).toBe(0);
    expect(readOption(fd, "SO_RCVBUF")).toBe(2 * limitBytes);
  });

  test("of another family are refused by the kernel, and a flag of 2 by us", () => {
    const fd = opened(openSocket(4));
    expect(setOption(fd, "IPV6_V6ONLY", 1)).toBeLessThan(0);
    expect(readOption(-1, "SO_RCVBUF")).toBe(-Errno.EBADF);
    expect(() => setOption(fd, "SO_REUSEPORT", 2)).toThrow("a flag is 0 or 1");
  });
});

describe("binding", () => {
  test("a port belongs to one socket, unless both share it", () => {
    const first = udp("127.0.0.1:0");
    const second = opened(openSocket(4));
    const taken = addressOf(`127.0.0.1:${first.port}`);
    expect(bindSocket(second, taken)).toBe(-Errno.EADDRINUSE);
    const shared = udp("127.0.0.1:0", "SO_REUSEPORT");
    expect(udp(`127.0.0.1:${shared.port}`, "SO_REUSEPORT").port).toBe(shared.port);
  });

  test("an address that this machine does not have is refused, and IP_FREEBIND takes it", () => {
    // TEST-NET-3 (RFC 5737) is nobody's.
    const elsewhere = addressOf("203.0.113.1:0");
    expect(bindSocket(opened(openSocket(4)), elsewhere)).toBe(-Errno.EADDRNOTAVAIL);
    const free = opened(openSocket(4));
    expect(setOption(free, "IP_FREEBIND", 1)).toBe(0);
    expect(bindSocket(free, elsewhere)).toBe(0);
  });

  test("an interface is one that is there, by the whole of its name", () => {
    const fd = opened(openSocket(4));
    expect(bindToInterface(fd, "no-such-if")).toBe(-Errno.ENODEV);
    expect(bindToInterface(fd, "lo\0")).toBe(-Errno.EINVAL);
    expect(bindToInterface(fd, "l")).toBe(-Errno.ENODEV);
    expect(bindToInterface(fd, "lo")).toBe(0);
    expect(bindSocket(fd, addressOf("127.0.0.1:0"))).toBe(0);
  });

  test("a link-local address without its interface is refused", () => {
    expect(bindSocket(opened(openSocket(6)), addressOf("[fe80::1]:0"))).toBe(-Errno.EINVAL);
  });

  test("sockets are non-blocking and close on exec", async () => {
    const fd = opened(openSocket(4));
    const text = await Bun.file(`/proc/self/fdinfo/${fd}`).text();
    const flags = Number.parseInt(
      /^flags:\s+(?<octal>[0-7]+)$/m.exec(text)?.groups?.["octal"] ?? "",
      8,
    );
    expect(flags & 0o2004000).toBe(0o2004000);
  });

  test("a closed socket is gone", () => {
    const fd = openSocket(4);
    expect(closeSocket(fd)).toBe(0);
    expect(closeSocket(fd)).toBe(-Errno.EBADF);
    expect(bindSocket(fd, addressOf("127.0.0.1:0"))).toBe(-Errno.EBADF);
  });
});

describe("connecting", () => {
  test.each([
    ["127.0.0.1:69", "IP_MTU"],
    ["[::1]:69", "IPV6_MTU"],
  ] as const)("to %s tells the MTU of the way there, and our address on it", (there, option) => {
    const address = addressOf(there);
    const fd = opened(openSocket(address.family));
    expect(connectSocket(fd, address)).toBe(0);
    // Loopback's, unless somebody has lowered it.
    expect(readOption(fd, option)).toBeGreaterThanOrEqual(1280);
    expect(socketName(fd)).toMatchObject({ bytes: address.bytes });
  });

  test("to nowhere is refused", () => {
    const fd = opened(openSocket(6));
    // A link-local address without its interface.
    expect(connectSocket(fd, addressOf("[fe80::1]:69"))).toBe(-Errno.EINVAL);
  });
});

describe("errors by ICMP", () => {
  test.each([
    ["127.0.0.1", []],
    ["[::1]", []],
    ["127.0.0.1", ["IP_PKTINFO"]],
    ["[::1]", ["IPV6_RECVPKTINFO"]],
  ] as const)("a closed port at %s is told, once, to a socket with %p", (host, flags) => {
    const address = closedPort(host);
    const { fd } = udp(`${host}:0`, ...flags);
    expect(askForErrors(fd, address.family)).toBe(0);
    expect(takeSocketError(fd)).toBe(0);
    sendByte(fd, address);
    const epoll = new Epoll();
    epoll.add(fd, EPOLLIN, 7);
    expect(epoll.wait(5_000_000)).toBe(1);
    expect(takeSocketError(fd)).toBe(-Errno.ECONNREFUSED);
    expect(takeSocketError(fd)).toBe(0);
    // What the socket remembers besides is told by the next call, and forgotten.
    expect(readOption(fd, "SO_ERROR")).toBe(0);
    expect(epoll.wait(0)).toBe(0);
    epoll.close();
  });

  test("of what is no socket are its own error", () => {
    expect(takeSocketError(-1)).toBe(-Errno.EBADF);
  });
});

describe("a group", () => {
  test("is heard by every socket that is bound to it and joined it", () => {
    const any = addressOf("239.255.20.90:0");
    const first = groupSocket(any);
    const name = socketName(first);
    if (typeof name === "number") throw new Error(`getsockname: ${name}`);
    const group = { ...any, port: name.port };
    const second = groupSocket(group);
    const sender = opened(openSocket(4));
    // Otherwise it needs a route, which not every machine has.
    expect(bindToInterface(sender, "lo")).toBe(0);
    sendByte(sender, group);
    const batch = new ReceiveBatch(1, 64, false);
    for (const fd of [first, second]) expect(receive(batch, fd, 1)).toHaveLength(1);
    batch.unmap();
  });

  test("is one of addresses that are groups, on an interface that is there, once", () => {
    const fd = opened(openSocket(4));
    expect(joinGroup(fd, addressOf("192.0.2.1:0"), LOOPBACK)).toBe(-Errno.EINVAL);
    expect(joinGroup(fd, addressOf("239.255.20.90:0"), 1_000_000)).toBe(-Errno.ENODEV);
    expect(joinGroup(fd, addressOf("239.255.20.90:0"), LOOPBACK)).toBe(0);
    expect(joinGroup(fd, addressOf("239.255.20.90:0"), LOOPBACK)).toBe(-Errno.EADDRINUSE);
    const six = groupSocket(addressOf("[ff15::2090]:0"));
    expect(joinGroup(six, addressOf("[ff15::2090]:0"), LOOPBACK)).toBe(-Errno.EADDRINUSE);
    expect(joinGroup(six, addressOf("[2001:db8::1]:0"), LOOPBACK)).toBe(-Errno.EINVAL);
  });
});

describe("names", () => {
  test("tell the address that was bound, of both families", () => {
    const four = udp("127.0.0.3:0");
    expect(socketName(four.fd)).toEqual({ ...ipOf("127.0.0.3"), port: four.port });
    const six = udp("[::1]:0");
    expect(socketName(six.fd)).toEqual({ ...ipOf("::1"), port: six.port });
  });

  test("of what is no socket, or no internet socket, are errors", () => {
    expect(socketName(opened(createEventfd()))).toBe(-Errno.ENOTSOCK);
    const AF_UNIX = 1;
    const local = opened(libc.socket(AF_UNIX, SOCK_DGRAM, 0));
    expect(socketName(local)).toBe(-Errno.EAFNOSUPPORT);
  });

  test("survive the way through sockaddr, whatever stood there before", () => {
    const addresses: SocketAddress[] = [
      addressOf("192.0.2.1:65535"),
      addressOf("[2001:db8::1]:69"),
      { ...ipOf("fe80::1"), port: 1, scopeId: 0xffff_fffe },
    ];
    for (const address of addresses) {
      const bytes = new Uint8Array(40).fill(0xee);
      const length = encodeSockaddr(bytes, 3, address);
      expect(length).toBe(address.family === 4 ? SockaddrIn.size : SockaddrIn6.size);
      expect(decodeSockaddr(bytes, 3)).toEqual(address);
      expect([bytes[2], bytes[3 + length]]).toEqual([0xee, 0xee]);
    }
  });

  test("of a family that is not ours are undefined", () => {
    expect(decodeSockaddr(new Uint8Array(32), 0)).toBeUndefined();
  });
});

function pairOf(): LoopbackPair {
  const pair = LoopbackPair.open(4);
  if (typeof pair === "number") throw new Error(`no loopback: ${pair}`);
  return pair;
}

describe("loopback pair", () => {
  test("says so when datagrams do not come, and delivers those that do", () => {
    const pair = pairOf();
    expect(pair.receive(1, true)).toBe(-Errno.ENODATA);
    expect(pair.send(ipOf("127.0.0.1"), [Uint8Array.of(1, 2)], 0, true)).toBe(1);
    expect(pair.receive(1, true)).toMatchObject([{ payload: Uint8Array.of(1, 2) }]);
    pair.close();
  });

  test("closes what it opened", () => {
    // Ten pairs, so that a leak outnumbers whatever the runtime itself closes meanwhile.
    const before = openDescriptors("socket:");
    for (let round = 0; round < 10; round++) pairOf().close();
    expect(openDescriptors("socket:") - before).toBeLessThan(5);
  });
});

/** An address of this machine that nobody listens at: the kernel gives out ports at random. */
function closedPort(host: string): SocketAddress {
  const any = addressOf(`${host}:0`);
  const fd = openSocket(any.family);
  expect(bindSocket(fd, any)).toBe(0);
  const name = socketName(fd);
  closeSocket(fd);
  if (typeof name === "number") throw new Error(`getsockname: ${name}`);
  return name;
}

/** Sends one byte to `address`. */
function sendByte(fd: number, address: SocketAddress): void {
  const arena = new Arena(1);
  const batch = new SendBatch(1, 1, false);
  batch.begin(nameOf(address), ANY_LOCAL, 0);
  batch.push(arena.address, 1);
  expect(batch.send(fd, 0)).toBe(1);
  batch.unmap();
  arena.unmap();
}

/** The interface index of loopback, in every network namespace. */
const LOOPBACK = 1;

/** A socket that is bound to `group` and has joined it there. */
function groupSocket(group: SocketAddress): number {
  const fd = opened(openSocket(group.family));
  expect(setOption(fd, "SO_REUSEADDR", 1)).toBe(0);
  expect(bindSocket(fd, group)).toBe(0);
  expect(joinGroup(fd, group, LOOPBACK)).toBe(0);
  return fd;
}
