// Tests of control messages: which address was asked, answering from it, and what happens to malformed ones.

import { afterEach, describe, expect, test } from "bun:test";

import {
  AF_INET,
  AF_INET6,
  Cmsghdr,
  controlSpace,
  In6Pktinfo,
  InPktinfo,
  IP_PKTINFO,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_PKTINFO,
  SOL_UDP,
  UDP_SEGMENT,
} from "#ffi/abi.ts";
import { formatPeer } from "#ffi/address.ts";
import { Arena } from "#ffi/arena.ts";
import {
  CONTROL_BYTES,
  isSameLocal,
  readPktinfo,
  writePktinfo,
  writeSegment,
} from "#ffi/control.ts";
import { LOCAL_BYTES, ReceiveBatch, SendBatch } from "#ffi/message.ts";

import {
  addressOf,
  afterwards,
  ANY_LOCAL,
  cleanUp,
  ipOf,
  machineAddress,
  nameOf,
  receive,
  udp,
} from "./rig.ts";

afterEach(cleanUp);

function arenaOf(bytes: number): Arena {
  const arena = new Arena(bytes);
  afterwards(() => arena.unmap());
  return arena;
}

/** Sends `text` to `to` from socket `fd`, leaving from `local`. */
function send(fd: number, to: Uint8Array, local: Uint8Array, text: string): void {
  const memory = arenaOf(64);
  const bytes = Buffer.from(text);
  memory.u8.set(bytes);
  const batch = new SendBatch(1, 1, true);
  afterwards(() => batch.unmap());
  batch.begin(to, local, 0);
  batch.push(memory.address, bytes.byteLength);
  expect(batch.send(fd, 0)).toBe(1);
}

/** 127.0.0.`last` as it is kept, by the interface `ifindex`. */
function localOf(ifindex: number, family: number, last: number): Uint8Array {
  const local = new Uint8Array(LOCAL_BYTES);
  local.set([ifindex, 0, 0, 0, family, 0, 0, 0, 127, 0, 0, last]);
  return local;
}

test("local addresses are the same by whichever interface, and one that is unknown is any", () => {
  const four = localOf(1, AF_INET, 1);
  expect(isSameLocal(four, localOf(2, AF_INET, 1))).toBe(true);
  expect(isSameLocal(four, localOf(1, AF_INET, 2))).toBe(false);
  expect(isSameLocal(four, localOf(1, AF_INET6, 1))).toBe(false);
  expect(isSameLocal(four, ANY_LOCAL)).toBe(true);
  expect(isSameLocal(ANY_LOCAL, four)).toBe(true);
});

function inbox(): ReceiveBatch {
  const batch = new ReceiveBatch(4, 512, true);
  afterwards(() => batch.unmap());
  return batch;
}

/** The address part of a local address: interface index and family are 4 bytes each before it. */
function addressBytes(local: Uint8Array): Uint8Array {
  return local.subarray(8);
}

describe("the reply leaves from the address that was asked", () => {
  test.each([
    ["127.0.0.1:0", "0.0.0.0:0", "127.0.0.2", "IP_PKTINFO"],
    ["127.0.0.1:0", "0.0.0.0:0", "127.1.2.3", "IP_PKTINFO"],
    ["[::1]:0", "[::]:0", "[::1]", "IPV6_RECVPKTINFO"],
    // A v4 client of a dual-stack socket: the local address is v4-mapped and travels in the v6 message.
    ["127.0.0.1:0", "[::]:0", "127.0.0.2", "IPV6_RECVPKTINFO"],
  ] as const)("client %s, server %s, asked at %s", (clientAt, serverAt, asked, option) => {
    const server = udp(serverAt, option);
    const client = udp(clientAt);
    send(client.fd, nameOf(addressOf(`${asked}:${server.port}`)), ANY_LOCAL, "RRQ");
    const [request] = receive(inbox(), server.fd, 1);
    if (request === undefined) throw new Error("receive returns what it was asked for");
    const isMapped = serverAt === "[::]:0" && asked !== "[::1]";
    const expected = ipOf(isMapped ? `::ffff:${asked}` : asked.replaceAll(/[[\]]/g, ""));
    const local = addressBytes(request.local).subarray(0, expected.bytes.byteLength);
    expect(local).toEqual(expected.bytes);
    send(server.fd, request.name, request.local, "DATA");
    const [reply] = receive(inbox(), client.fd, 1);
    expect(reply?.from).toBe(`${asked}:${server.port}`);
  });

  test("a link-local client gets its answer on the interface that it asked on", () => {
    const link = machineAddress((address) => address.startsWith("fe80:"));
    if (link === undefined) {
      process.stdout.write(
        "not tested here: no interface of this machine has a link-local address\n",
      );
      return;
    }
    const here = `[${link.address}%${link.ifname}]`;
    const server = udp("[::]:0", "IPV6_RECVPKTINFO");
    const client = udp(`${here}:0`);
    send(client.fd, nameOf(addressOf(`${here}:${server.port}`)), ANY_LOCAL, "RRQ");
    const [request] = receive(inbox(), server.fd, 1);
    if (request === undefined) throw new Error("receive returns what it was asked for");
    expect(request.from).toBe(formatPeer(addressOf(`${here}:${client.port}`)));
    expect(addressBytes(request.local)).toEqual(ipOf(link.address).bytes);
    send(server.fd, request.name, request.local, "DATA");
    expect(receive(inbox(), client.fd, 1)[0]?.from).toBe(`${here}:${server.port}`);
  });

  test("without the option the local address is zeros, and the kernel chooses", () => {
    const server = udp("0.0.0.0:0");
    const client = udp("127.0.0.1:0");
    send(client.fd, nameOf(addressOf(`127.0.0.2:${server.port}`)), ANY_LOCAL, "RRQ");
    const [request] = receive(inbox(), server.fd, 1);
    expect(request?.local).toEqual(ANY_LOCAL);
  });

  test("segmentation and the source address go together", () => {
    const server = udp("0.0.0.0:0", "IP_PKTINFO");
    const client = udp("127.0.0.1:0");
    send(client.fd, nameOf(addressOf(`127.0.0.2:${server.port}`)), ANY_LOCAL, "RRQ");
    const [request] = receive(inbox(), server.fd, 1);
    if (request === undefined) throw new Error("receive returns what it was asked for");
    const memory = arenaOf(300);
    const batch = new SendBatch(1, 1, true);
    afterwards(() => batch.unmap());
    batch.begin(request.name, request.local, 100);
    batch.push(memory.address, 250);
    expect(batch.send(server.fd, 0)).toBe(1);
    const replies = receive(inbox(), client.fd, 3);
    expect(replies.map(({ payload }) => payload.byteLength)).toEqual([100, 100, 50]);
    for (const { from } of replies) expect(from).toBe(`127.0.0.2:${server.port}`);
  });
});

/** One control message whose header says `length`. */
function putHeader(
  arena: Arena,
  offset: number,
  length: number,
  level: number,
  type: number,
): void {
  arena.setU64(offset + Cmsghdr.length, length);
  arena.u32[(offset + Cmsghdr.level) >>> 2] = level;
  arena.u32[(offset + Cmsghdr.type) >>> 2] = type;
}

describe("reading", () => {
  test("passes over what it does not know, to the address behind it", () => {
    const arena = arenaOf(256);
    putHeader(arena, 0, Cmsghdr.size + 4, 1, 29);
    const second = controlSpace(4);
    putHeader(arena, second, Cmsghdr.size + InPktinfo.size, IPPROTO_IP, IP_PKTINFO);
    arena.u8.set([9, 0, 0, 0, 192, 0, 2, 7, 255, 255, 255, 255], second + Cmsghdr.data);
    const local = new Uint8Array(LOCAL_BYTES);
    readPktinfo(arena, 0, second + controlSpace(InPktinfo.size), local);
    // Of a broadcast request the local address is spec_dst, not the header's destination.
    expect([...local.subarray(0, 12)]).toEqual([9, 0, 0, 0, AF_INET, 0, 0, 0, 192, 0, 2, 7]);
  });

  test.each([0, 8, 15])(
    "ends at a header that claims %i bytes, which is less than itself",
    (claim) => {
      const arena = arenaOf(256);
      putHeader(arena, 0, claim, IPPROTO_IP, IP_PKTINFO);
      const local = new Uint8Array(LOCAL_BYTES).fill(0xee);
      readPktinfo(arena, 0, 200, local);
      expect(local).toEqual(ANY_LOCAL);
    },
  );

  test("finds nothing in no bytes, and in fewer than a header", () => {
    const arena = arenaOf(256);
    putHeader(arena, 0, Cmsghdr.size + InPktinfo.size, IPPROTO_IP, IP_PKTINFO);
    for (const length of [0, Cmsghdr.size - 1]) {
      const local = new Uint8Array(LOCAL_BYTES).fill(0xee);
      readPktinfo(arena, 0, length, local);
      expect(local).toEqual(ANY_LOCAL);
    }
  });
});

describe("writing", () => {
  test("an unknown local address takes no bytes", () => {
    expect(writePktinfo(arenaOf(256), 0, false, ANY_LOCAL)).toBe(0);
    expect(writePktinfo(arenaOf(256), 0, true, ANY_LOCAL)).toBe(0);
  });

  test.each([
    // Elsewhere than on a link, routing chooses the interface: the one asked on may not be the way back.
    { address: "2001:db8::1", ifindex: 0 },
    { address: "fe80::1", ifindex: 0x01020304 },
    { address: "febf::1", ifindex: 0x01020304 },
    { address: "fec0::1", ifindex: 0 },
  ])("v6 source $address is sent with interface $ifindex", ({ address, ifindex }) => {
    const arena = arenaOf(256);
    const local = new Uint8Array(LOCAL_BYTES);
    local.set([4, 3, 2, 1, AF_INET6, 0, 0, 0]);
    local.set(ipOf(address).bytes, 8);
    expect(writePktinfo(arena, 8, true, local)).toBe(controlSpace(In6Pktinfo.size));
    const words = arena.u32.subarray(2);
    expect([...words.subarray(0, 4)]).toEqual([36, 0, IPPROTO_IPV6, IPV6_PKTINFO]);
    const body = 8 + Cmsghdr.data;
    expect(arena.u8.subarray(body, body + 16).join()).toBe(ipOf(address).bytes.join());
    expect(arena.u32[(body + In6Pktinfo.ifindex) >>> 2]).toBe(ifindex);
  });

  test("UDP_SEGMENT is a 16-bit number behind its header, and both messages fit the slot", () => {
    const arena = arenaOf(256);
    expect(writeSegment(arena, 0, 1432)).toBe(controlSpace(2));
    expect([...arena.u32.subarray(0, 4)]).toEqual([18, 0, SOL_UDP, UDP_SEGMENT]);
    expect(arena.u16[Cmsghdr.data >>> 1]).toBe(1432);
    expect(controlSpace(In6Pktinfo.size) + controlSpace(2)).toBe(CONTROL_BYTES);
  });
});
