// Tests of datagram batches on real loopback sockets: order, gathering, truncation, segmentation, partial sends.

import { afterEach, describe, expect, test } from "bun:test";

import { EPOLLIN, GSO_SEGMENTS_MAX } from "#ffi/abi.ts";
import { formatPeer } from "#ffi/address.ts";
import { Arena } from "#ffi/arena.ts";
import { Epoll } from "#ffi/epoll.ts";
import { Errno } from "#ffi/errno.ts";
import { NAME_BYTES, ReceiveBatch, SendBatch } from "#ffi/message.ts";

import { addressOf, afterwards, ANY_LOCAL, cleanUp, nameOf, receive, udp } from "./rig.ts";

afterEach(cleanUp);

function receiveBatch(datagrams: number, datagramBytes: number, isBatching = true): ReceiveBatch {
  const batch = new ReceiveBatch(datagrams, datagramBytes, isBatching);
  afterwards(() => batch.unmap());
  return batch;
}

function sendBatch(messages: number, iovecs: number, isBatching = true): SendBatch {
  const batch = new SendBatch(messages, iovecs, isBatching);
  afterwards(() => batch.unmap());
  return batch;
}

/** Arena memory whose byte at offset i is a function of i that does not repeat every 256 bytes. */
function patterned(bytes: number): Arena {
  const arena = new Arena(bytes);
  afterwards(() => arena.unmap());
  for (let index = 0; index < bytes; index++) arena.u8[index] = (index * 31) ^ (index >>> 8);
  return arena;
}

describe.each([
  { how: "recvmmsg and sendmmsg", isBatching: true },
  { how: "recvmsg and sendmsg", isBatching: false },
])("$how", ({ isBatching }) => {
  test("carry datagrams in order, whole, and with the sender's address", () => {
    const server = udp("127.0.0.1:0");
    const client = udp("127.0.0.1:0");
    const to = nameOf(addressOf(`127.0.0.1:${server.port}`));
    const memory = patterned(4096);
    const sends = sendBatch(20, 20, isBatching);
    for (let index = 0; index < 20; index++) {
      expect(sends.hasRoom(1)).toBe(true);
      sends.begin(to, ANY_LOCAL, 0);
      // The first one is empty: a datagram without bytes is a datagram.
      sends.push(memory.address + index, index * 100);
    }
    expect(sends.hasRoom(1)).toBe(false);
    let sent = 0;
    while (sent < 20) {
      const taken = sends.send(client.fd, sent);
      expect(taken).toBe(isBatching ? 20 : 1);
      sent += taken;
    }
    const arrived = receive(receiveBatch(8, 2048, isBatching), server.fd, 20);
    for (const [index, datagram] of arrived.entries()) {
      expect(datagram.payload).toEqual(memory.u8.slice(index, index + index * 100));
      expect(datagram.from).toBe(`127.0.0.1:${client.port}`);
      expect(datagram.isTruncated).toBe(false);
    }
  });

  test("say that nothing is there, once there is nothing", () => {
    const server = udp("127.0.0.1:0");
    expect(receiveBatch(4, 512, isBatching).receive(server.fd)).toBe(-Errno.EAGAIN);
  });

  test("flag a datagram that is longer than its buffer, and only that one", () => {
    const server = udp("127.0.0.1:0");
    const client = udp("127.0.0.1:0");
    const to = nameOf(addressOf(`127.0.0.1:${server.port}`));
    const memory = patterned(4096);
    const sends = sendBatch(3, 3, isBatching);
    for (const length of [516, 517, 4]) {
      sends.begin(to, ANY_LOCAL, 0);
      sends.push(memory.address, length);
    }
    for (let sent = 0; sent < 3; sent += sends.send(client.fd, sent));
    const arrived = receive(receiveBatch(4, 516, isBatching), server.fd, 3);
    expect(arrived.map(({ isTruncated }) => isTruncated)).toEqual([false, true, false]);
    expect(arrived.map(({ payload }) => payload.byteLength)).toEqual([516, 516, 4]);
  });

  test("name the message that the kernel refused, having sent those before it", () => {
    const server = udp("127.0.0.1:0");
    const client = udp("127.0.0.1:0");
    const to = nameOf(addressOf(`127.0.0.1:${server.port}`));
    const memory = patterned(70_000);
    const sends = sendBatch(3, 3, isBatching);
    for (const length of [10, 66_000, 20]) {
      sends.begin(to, ANY_LOCAL, 0);
      sends.push(memory.address, length);
    }
    expect(sends.send(client.fd, 0)).toBe(1);
    expect(sends.send(client.fd, 1)).toBe(-Errno.EMSGSIZE);
    expect(sends.send(client.fd, 2)).toBe(1);
    const arrived = receive(receiveBatch(4, 512, isBatching), server.fd, 2);
    expect(arrived.map(({ payload }) => payload.byteLength)).toEqual([10, 20]);
  });
});

describe("sending", () => {
  test("gathers a datagram from several places", () => {
    const server = udp("[::1]:0");
    const client = udp("[::1]:0");
    const memory = patterned(4096);
    const sends = sendBatch(1, 3);
    sends.begin(nameOf(addressOf(`[::1]:${server.port}`)), ANY_LOCAL, 0);
    sends.push(memory.address + 1000, 4);
    sends.push(memory.address, 512);
    sends.push(memory.address + 3000, 1);
    expect(sends.send(client.fd, 0)).toBe(1);
    const [datagram] = receive(receiveBatch(1, 1024), server.fd, 1);
    const expected = [1000, 1001, 1002, 1003, ...Array.from({ length: 512 }, (_, i) => i), 3000];
    expect([...(datagram?.payload ?? [])]).toEqual(expected.map((at) => memory.u8[at] ?? -1));
    expect(datagram?.from).toBe(`[::1]:${client.port}`);
  });

  test("starts anew after clear: no piece of an old message is left", () => {
    const server = udp("127.0.0.1:0");
    const client = udp("127.0.0.1:0");
    const to = nameOf(addressOf(`127.0.0.1:${server.port}`));
    const memory = patterned(64);
    const sends = sendBatch(2, 4);
    sends.begin(to, ANY_LOCAL, 0);
    for (let piece = 0; piece < 4; piece++) sends.push(memory.address, 10);
    expect(sends.hasRoom(1)).toBe(false);
    sends.clear();
    expect(sends.count).toBe(0);
    expect(sends.hasRoom(4)).toBe(true);
    expect(sends.hasRoom(5)).toBe(false);
    sends.begin(to, ANY_LOCAL, 0);
    sends.push(memory.address, 5);
    expect(sends.count).toBe(1);
    expect(sends.send(client.fd, 0)).toBe(1);
    const [datagram] = receive(receiveBatch(1, 512), server.fd, 1);
    expect(datagram?.payload.byteLength).toBe(5);
  });

  test("more messages than a batch holds are our own bug", () => {
    const sends = sendBatch(1, 4);
    sends.begin(nameOf(addressOf("127.0.0.1:9")), ANY_LOCAL, 0);
    const again = (): void => sends.begin(nameOf(addressOf("127.0.0.1:9")), ANY_LOCAL, 0);
    expect(again).toThrow("hasRoom was asked");
  });
});

describe("segmentation (UDP_SEGMENT)", () => {
  test.each(["127.0.0.1", "[::1]"])("a window to %s arrives as datagrams, in order", (host) => {
    const server = udp(`${host}:0`);
    const client = udp(`${host}:0`);
    const memory = patterned(GSO_SEGMENTS_MAX * 600);
    const headers = GSO_SEGMENTS_MAX * 520;
    const sends = sendBatch(2, 2 * GSO_SEGMENTS_MAX);
    sends.begin(nameOf(addressOf(`${host}:${server.port}`)), ANY_LOCAL, 516);
    // Each block is a header of 4 bytes from one place and its payload from another; the last block is short.
    for (let block = 0; block < GSO_SEGMENTS_MAX; block++) {
      sends.push(memory.address + headers + block * 4, 4);
      sends.push(memory.address + block * 512, block === GSO_SEGMENTS_MAX - 1 ? 100 : 512);
    }
    expect(sends.send(client.fd, 0)).toBe(1);
    const arrived = receive(receiveBatch(GSO_SEGMENTS_MAX, 2048), server.fd, GSO_SEGMENTS_MAX);
    for (const [block, { payload }] of arrived.entries()) {
      const start = headers + block * 4;
      expect(payload.subarray(0, 4)).toEqual(memory.u8.subarray(start, start + 4));
      const length = block === GSO_SEGMENTS_MAX - 1 ? 100 : 512;
      expect(payload.subarray(4)).toEqual(memory.u8.subarray(block * 512, block * 512 + length));
    }
  });

  test("comes back in one piece where that is asked for (UDP_GRO), and says where to cut", () => {
    const server = udp("127.0.0.1:0", "UDP_GRO");
    const client = udp("127.0.0.1:0");
    const memory = patterned(4096);
    const sends = sendBatch(2, 2);
    const to = nameOf(addressOf(`127.0.0.1:${server.port}`));
    sends.begin(to, ANY_LOCAL, 100);
    sends.push(memory.address, 350);
    sends.begin(to, ANY_LOCAL, 0);
    sends.push(memory.address, 70);
    expect(sends.send(client.fd, 0)).toBe(2);
    const inbox = receiveBatch(1, 2048);
    const epoll = new Epoll();
    afterwards(() => epoll.close());
    epoll.add(server.fd, EPOLLIN, 0);
    const told: number[][] = [];
    for (; told.length < 2; inbox.recycle(1)) {
      expect(epoll.wait(5_000_000)).toBe(1);
      expect(inbox.receive(server.fd)).toBe(1);
      told.push([inbox.byteLength(0), inbox.segmentBytes(0)]);
    }
    expect(told).toEqual([
      [350, 100],
      [70, 70],
    ]);
  });

  test("mixes with plain messages in one batch, whatever stood in the slot before", () => {
    const server = udp("127.0.0.1:0");
    const client = udp("127.0.0.1:0");
    const to = nameOf(addressOf(`127.0.0.1:${server.port}`));
    const memory = patterned(4096);
    const sends = sendBatch(2, 2);
    const inbox = receiveBatch(8, 2048);
    for (const [first, second, count] of [
      [100, 0, 4],
      [0, 100, 4],
    ] as const) {
      sends.clear();
      sends.begin(to, ANY_LOCAL, first);
      sends.push(memory.address, 300);
      sends.begin(to, ANY_LOCAL, second);
      sends.push(memory.address, 300);
      expect(sends.send(client.fd, 0)).toBe(2);
      const lengths = receive(inbox, server.fd, count).map(({ payload }) => payload.byteLength);
      expect(lengths).toEqual(first > 0 ? [100, 100, 100, 300] : [300, 100, 100, 100]);
    }
  });

  test("a segment that no datagram can carry is refused, not mangled", () => {
    const client = udp("127.0.0.1:0");
    const memory = patterned(200_000);
    const sends = sendBatch(1, 2);
    sends.begin(nameOf(addressOf("127.0.0.1:9")), ANY_LOCAL, 40_000);
    sends.push(memory.address, 80_000);
    expect(sends.send(client.fd, 0)).toBe(-Errno.EMSGSIZE);
  });
});

describe("the sender's name", () => {
  test("is always comparable as a whole: a v4 name after a v6 one leaves no trace of it", () => {
    const dual = udp("[::]:0");
    const four = udp("127.0.0.1:0");
    const six = udp("[::1]:0");
    const mixed = receiveBatch(1, 512);
    const sends = sendBatch(1, 1);
    const memory = patterned(16);
    sends.begin(nameOf(addressOf(`[::1]:${dual.port}`)), ANY_LOCAL, 0);
    sends.push(memory.address, 1);
    expect(sends.send(six.fd, 0)).toBe(1);
    expect(receive(mixed, dual.fd, 1)[0]?.name).toEqual(nameOf(addressOf(`[::1]:${six.port}`)));
    // The same slot, now for an AF_INET socket, whose name is 12 bytes shorter.
    sends.clear();
    sends.begin(nameOf(addressOf(`127.0.0.1:${four.port}`)), ANY_LOCAL, 0);
    sends.push(memory.address, 1);
    const sender = udp("127.0.0.1:0");
    expect(sends.send(sender.fd, 0)).toBe(1);
    const [datagram] = receive(mixed, four.fd, 1);
    expect(datagram?.name).toEqual(nameOf(addressOf(`127.0.0.1:${sender.port}`)));
    expect(datagram?.name).toHaveLength(NAME_BYTES);
  });

  test("of an IPv4 client on a dual-stack socket prints as plain IPv4", () => {
    const dual = udp("[::]:0");
    const client = udp("127.0.0.1:0");
    const sends = sendBatch(1, 1);
    sends.begin(nameOf(addressOf(`127.0.0.1:${dual.port}`)), ANY_LOCAL, 0);
    sends.push(patterned(16).address, 3);
    expect(sends.send(client.fd, 0)).toBe(1);
    const [datagram] = receive(receiveBatch(1, 512), dual.fd, 1);
    expect(datagram?.from).toBe(formatPeer(addressOf(`127.0.0.1:${client.port}`)));
  });
});
